//! `/api/settings/…`: what is asked for, and what is said of it.

use std::rc::Rc;

use form_urlencoded::parse as parse_query;
use nanoserde::SerJson;

use super::reading::{self, Faults};
use super::writing::Exact;
use super::{error, error_because, said};
use crate::api::json::{Text, Value, texts};
use crate::api::people::Told;
use crate::budget::PeopleLimits;
use crate::calendar::settings::{Home, PATTERNS_MAX, Pattern, Settings};
use crate::http::response::{Answer, Status};
use crate::http::route::{Part, Setting};
use crate::pipeline::key::View;
use crate::pipeline::key::full;

/// The text of a wish: the body, or the query in its place where clients send one.
pub fn text(what: Setting, query: &str, body: &[u8]) -> Box<[u8]> {
    if what != Setting::RemovePattern || !body.is_empty() {
        return body.into();
    }
    let (mut pattern, mut is_regex, mut case_sensitive) = (String::new(), false, None);
    for (name, value) in parse_query(query.as_bytes()) {
        let is_true = value.eq_ignore_ascii_case("true");
        match &*name {
            "pattern" => pattern = value.into_owned(),
            "is_regex" => is_regex = is_true,
            "case_sensitive" => case_sensitive = Some(is_true),
            _ => {}
        }
    }
    let named = Named { pattern: Exact(&pattern), is_regex, case_sensitive };
    named.serialize_json().into_bytes().into()
}

/// The answer to a text that is not even looked at; `None` for one that is.
pub fn refused(what: Setting, text: &[u8], bytes_max: usize) -> Option<Rc<Answer>> {
    if text.len() > bytes_max {
        let message = format!("settings have at most {bytes_max} bytes here");
        return Some(invalid(what, &message, &[]));
    }
    if what == Setting::Reset {
        return None;
    }
    let value = (!text.is_empty()).then(|| Value::read(text));
    match value {
        Some(None) => Some(error(Status::BAD_REQUEST, "Invalid JSON")),
        Some(Some(value))
            if value.members().is_some_and(|mut members| members.next().is_some()) =>
        {
            None
        }
        _ => Some(error(Status::BAD_REQUEST, "Invalid request data")),
    }
}

/// `POST /api/settings/validate`: what is wrong with a text.
pub fn validate(text: &[u8], settings: &Settings, limits: &PeopleLimits) -> Rc<Answer> {
    if let Some(refused) = refused(Setting::Validate, text, limits.import_bytes_max()) {
        return refused;
    }
    if let Some(refused) = too_many_hidden(Setting::Validate, text, limits) {
        return refused;
    }
    let read = reading::read(text, Part::All, settings, limits.id_bytes_max);
    let read = read.and_then(|read| fitting(read, limits.settings_bytes_max()));
    let faults = read.err().unwrap_or_default();
    let shape = ValidShape {
        success: true,
        valid: faults.list().is_empty(),
        validation_errors: texts(faults.list()),
    };
    said(&shape.serialize_json())
}

/// `POST /api/settings/import`: what is to be set. It is read before it waits, so that it may be
/// long: settings take less room than their text.
///
/// # Errors
/// The answer to a text that cannot be.
pub fn imported(text: &[u8], home: &Home, limits: &PeopleLimits) -> Result<Settings, Rc<Answer>> {
    let what = Setting::Import;
    let refused = refused(what, text, limits.import_bytes_max());
    if let Some(refused) = refused.or_else(|| too_many_hidden(what, text, limits)) {
        return Err(refused);
    }
    applied(what, text, &Settings::default(), home, limits)
}

/// Each id takes more memory than its text: they are counted before they are read.
fn too_many_hidden(what: Setting, text: &[u8], limits: &PeopleLimits) -> Option<Rc<Answer>> {
    let filters = Value::read(text).and_then(|value| value.member("event_filters"));
    let hidden = filters.and_then(|filters| filters.member("hidden_events")?.items());
    let most = limits.hidden_max();
    let is_beyond = hidden.is_some_and(|mut ids| ids.nth(most).is_some());
    is_beyond.then(|| invalid(what, &format!("at most {most} events can be hidden"), &[]))
}

/// What is set once a wish is fulfilled. `home` is what holds where people have set nothing.
///
/// # Errors
/// The answer to one that cannot be.
pub fn applied(
    what: Setting,
    text: &[u8],
    settings: &Settings,
    home: &Home,
    limits: &PeopleLimits,
) -> Result<Settings, Rc<Answer>> {
    let read = |part, settings| reading::read(text, part, settings, limits.id_bytes_max);
    let read = match what {
        Setting::Put(part) => read(part, settings),
        Setting::Import | Setting::Validate => read(Part::All, &Settings::default()),
        Setting::Reset => Ok(Settings::default()),
        Setting::AddPattern => with_pattern(text, settings)?,
        Setting::RemovePattern => return without_pattern(text, settings),
    };
    let read = read.and_then(|read| {
        fitting(read.inheriting(home, &settings.display), limits.settings_bytes_max())
    });
    read.map_err(|faults| invalid(what, &faults.list().join("; "), faults.list()))
}

/// Nothing of what somebody sends is left out without a word, ids that are hidden included, and
/// nothing is accepted that the next start would not read as it is now.
fn fitting(settings: Settings, bytes_max: usize) -> Result<Settings, Faults> {
    let weight = settings.weight_bytes();
    if weight > bytes_max {
        let fault = format!("they take {weight} bytes; there is room for {bytes_max}");
        return Err(Faults::one(&fault));
    }
    let (stored, faults) = super::read_stored(&super::stored_text(&settings));
    match faults.is_empty() && stored == settings {
        true => Ok(settings),
        false => Err(Faults::one("a part of them could not be read after a restart")),
    }
}

fn with_pattern(text: &[u8], settings: &Settings) -> Result<Result<Settings, Faults>, Rc<Answer>> {
    let value = Value::read(text);
    let named = value.and_then(|value| value.member("pattern"));
    if named.is_none_or(|named| named.is_null() || named.text().is_some_and(|it| it.is_empty())) {
        return Err(error(Status::BAD_REQUEST, "Pattern is required"));
    }
    let pattern = match value.map(reading::read_pattern) {
        Some(Ok(pattern)) => pattern,
        Some(Err(faults)) => return Ok(Err(faults)),
        None => return Ok(Err(Faults::default())),
    };
    let patterns = &settings.filters.patterns;
    if patterns.len() == PATTERNS_MAX {
        return Ok(Err(Faults::one(&format!("there are {PATTERNS_MAX} patterns already"))));
    }
    if reading::has(patterns, &pattern) {
        return Ok(Err(Faults::one("this pattern is there already")));
    }
    let mut settings = settings.clone();
    settings.filters.patterns.push(pattern);
    Ok(Ok(settings))
}

fn without_pattern(text: &[u8], settings: &Settings) -> Result<Settings, Rc<Answer>> {
    let value = Value::read(text);
    let member = |name| value.and_then(|value| value.member(name));
    let pattern = member("pattern").and_then(Value::text).filter(|pattern| !pattern.is_empty());
    let pattern =
        pattern.ok_or_else(|| error(Status::BAD_REQUEST, "Pattern parameter is required"))?;
    let is_regex = member("is_regex").and_then(Value::switch).unwrap_or_default();
    // Front-ends of the original do not say whether the case matters.
    let case_sensitive = member("case_sensitive").and_then(Value::switch);
    let is_meant = |it: &Pattern| {
        it.is_same(pattern.trim(), is_regex, case_sensitive.unwrap_or(it.case_sensitive))
    };
    let place = settings.filters.patterns.iter().position(is_meant);
    let place = place.ok_or_else(|| error(Status::NOT_FOUND, "Filter pattern not found"))?;
    let mut settings = settings.clone();
    settings.filters.patterns.remove(place);
    Ok(settings)
}

/// What to tell when that is on the disk.
pub fn fulfilled(what: Setting) -> Told {
    let (part, message) = match what {
        Setting::Put(Part::All) => (Part::All, "Settings updated successfully"),
        Setting::Put(Part::Filters) => (Part::Filters, "Filter settings updated successfully"),
        Setting::Put(Part::Display) => (Part::Display, "Display settings updated successfully"),
        Setting::Put(Part::Conflicts) => {
            (Part::Conflicts, "Conflict settings updated successfully")
        }
        Setting::Import | Setting::Validate => (Part::All, "Settings imported successfully"),
        Setting::Reset => (Part::All, "Settings reset to defaults successfully"),
        Setting::AddPattern => return Told::View(View::Full(full::View::AddedPattern)),
        Setting::RemovePattern => {
            let message = "Filter pattern removed successfully".into();
            let shape = RemovedShape { success: true, message };
            return Told::Answer(said(&shape.serialize_json()));
        }
    };
    Told::View(View::Full(full::View::Settings(part, Some(message))))
}

fn invalid(what: Setting, message: &str, faults: &[String]) -> Rc<Answer> {
    let error = match what {
        Setting::Put(Part::All) | Setting::Validate | Setting::Reset => {
            "Settings validation failed"
        }
        Setting::Put(Part::Filters) => "Filter settings validation failed",
        Setting::Put(Part::Display) => "Display settings validation failed",
        Setting::Put(Part::Conflicts) => "Conflict settings validation failed",
        Setting::Import => "Settings import validation failed",
        Setting::AddPattern | Setting::RemovePattern => "Filter pattern validation failed",
    };
    error_because(Status::BAD_REQUEST, error, message, faults)
}

#[derive(SerJson)]
struct Named<'a> {
    pattern: Exact<'a>,
    is_regex: bool,
    case_sensitive: Option<bool>,
}

#[derive(SerJson)]
struct ValidShape<'a> {
    success: bool,
    valid: bool,
    validation_errors: Vec<Text<'a>>,
}

#[derive(SerJson)]
struct RemovedShape<'a> {
    success: bool,
    message: Text<'a>,
}
