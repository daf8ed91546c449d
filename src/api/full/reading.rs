//! Settings as clients write them. What is wrong is listed, each with its place; what is not known
//! is left out; what is not mentioned stays as it was.

use std::mem;
use std::sync::Arc;

use crate::api::hidden::fault;
use crate::api::json::Value;
use crate::calendar::settings::{
    Conflicts, Display, Epaper, Filters, FontSize, Layout, NAME_CHARS_MAX, NAMES_MAX, PATTERNS_MAX,
    Pattern, SORTS, Settings, Word,
};
use crate::calendar::text::cut;
use crate::http::route::Part;
use crate::tzdb::tzdb;

/// Faults that are listed of one text.
const FAULTS_MAX: usize = 20;
/// Pixels of a panel's side.
const PIXELS_MAX: u32 = 10_000;

/// What is wrong with a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// The list; empty when nothing is.
    pub(super) fn list(&self) -> &[String] {
        &self.0
    }

    /// What is wrong with it as a whole.
    pub(super) fn one(fault: &str) -> Self {
        Self(vec![fault.to_owned()])
    }

    fn add(&mut self, place: &str, expected: &str) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(format!("{place}: {expected}"));
        }
    }

    /// Puts what was read into its place, or says what was expected there.
    fn take<T>(&mut self, place: &str, read: Option<T>, expected: &str, target: &mut T) {
        match read {
            Some(value) => *target = value,
            None => self.add(place, expected),
        }
    }

    fn switch(&mut self, place: &str, value: Value<'_>, target: &mut bool) {
        self.take(place, value.switch(), "expected true or false", target);
    }

    fn word<W: Word>(&mut self, place: &str, value: Value<'_>, target: &mut W) {
        let read = value.text().and_then(|text| W::of(text.trim()));
        if let Some(word) = read {
            *target = word;
        } else {
            let words: Vec<&str> = W::WORDS.iter().map(|(_, word)| *word).collect();
            self.add(place, &format!("expected one of {}", words.join(", ")));
        }
    }

    fn number(&mut self, place: &str, value: Value<'_>, numbers: &[u32], target: &mut u32) {
        let read = value.count().filter(|number| match numbers {
            [min, max] => (min..=max).contains(&number),
            numbers => numbers.contains(number),
        });
        let expected = match numbers {
            [min, max] => format!("expected a whole number, {min} to {max}"),
            numbers => format!("expected one of {numbers:?}"),
        };
        self.take(place, read, &expected, target);
    }
}

/// What a text says of a part of `settings`, in which an id has so many bytes at most.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(
    text: &[u8],
    part: Part,
    settings: &Settings,
    id_bytes_max: usize,
) -> Result<Settings, Faults> {
    let (read, faults) = read_sound(text, part, settings, id_bytes_max);
    if faults.0.is_empty() { Ok(read) } else { Err(faults) }
}

/// The same without what is wrong with it.
pub(super) fn read_sound(
    text: &[u8],
    part: Part,
    settings: &Settings,
    id_bytes_max: usize,
) -> (Settings, Faults) {
    let mut faults = Faults::default();
    let mut read = settings.clone();
    match Value::read(text) {
        None => faults.add("the body", "expected JSON"),
        Some(value) if value.members().is_none() => faults.add("the body", "expected an object"),
        Some(value) => match part {
            Part::All => whole(value, &mut read, id_bytes_max, &mut faults),
            Part::Filters => filters(value, &mut read.filters, id_bytes_max, &mut faults),
            Part::Conflicts => conflicts(value, &mut read.conflicts, &mut faults),
            Part::Display => display(value, &mut read.display, &mut faults),
        },
    }
    (read, faults)
}

/// What a text says of one pattern.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read_pattern(value: Value<'_>) -> Result<Pattern, Faults> {
    let mut faults = Faults::default();
    let read = pattern("pattern", value, &mut faults);
    read.ok_or(faults)
}

fn whole(value: Value<'_>, settings: &mut Settings, id_bytes_max: usize, faults: &mut Faults) {
    for (name, value) in value.members().into_iter().flatten() {
        let is_section =
            matches!(&*name, "event_filters" | "conflict_resolution" | "display" | "epaper");
        if is_section && value.members().is_none() {
            faults.add(&name, "expected an object");
            continue;
        }
        match &*name {
            "event_filters" => filters(value, &mut settings.filters, id_bytes_max, faults),
            "conflict_resolution" => conflicts(value, &mut settings.conflicts, faults),
            "display" => display(value, &mut settings.display, faults),
            "epaper" => epaper(value, &mut settings.epaper, faults),
            _ => {}
        }
    }
}

fn filters(value: Value<'_>, filters: &mut Filters, id_bytes_max: usize, faults: &mut Faults) {
    // Two names of one list.
    let (mut titles, mut others) = (None, None);
    for (name, value) in value.members().into_iter().flatten() {
        let place = format!("event_filters.{name}");
        match &*name {
            "enabled" => faults.switch(&place, value, &mut filters.enabled),
            "hide_all_day_events" => faults.switch(&place, value, &mut filters.hide_all_day),
            "default_action" => faults.word(&place, value, &mut filters.default_action),
            "event_categories" => names(&place, value, &mut filters.categories, faults),
            "recurring_filters" => {
                names(&place, value, &mut filters.recurring, faults);
                if filters.recurring.iter().any(|(name, _)| !SORTS.contains(&&**name)) {
                    faults.add(&place, &format!("expected no names but {}", SORTS.join(", ")));
                }
            }
            "attendee_count_filter" => attendees(&place, value, &mut filters.attendees, faults),
            "title_patterns" => titles = patterns(&place, value, faults),
            "patterns" => others = patterns(&place, value, faults),
            "hidden_events" => hidden(&place, value, &mut filters.hidden, id_bytes_max, faults),
            _ => {}
        }
    }
    // Who sends an answer of ours back has changed one of the two, whichever that is.
    let is_old = |list: &Vec<Pattern>| *list == filters.patterns;
    match (titles, others) {
        (Some(titles), Some(others)) if is_old(&titles) => filters.patterns = others,
        (Some(titles), Some(others)) if !is_old(&others) && titles != others => {
            faults.add(
                "event_filters.patterns",
                "expected the same as title_patterns, or one of them",
            );
        }
        (Some(list), _) | (None, Some(list)) => filters.patterns = list,
        (None, None) => {}
    }
}

fn hidden(
    place: &str,
    value: Value<'_>,
    target: &mut Vec<Arc<str>>,
    id_bytes_max: usize,
    faults: &mut Faults,
) {
    let Some(items) = value.items() else {
        return faults.add(place, "expected a list of ids");
    };
    let mut read: Vec<Arc<str>> = Vec::new();
    for (index, item) in items.enumerate() {
        let place = format!("{place}[{index}]");
        let Some(id) = item.text() else {
            faults.add(&place, "expected an id");
            continue;
        };
        match fault(&id, id_bytes_max) {
            Some(fault) => faults.add(&place, &fault),
            None if read.iter().any(|other| **other == *id) => {}
            None => read.push(id.into()),
        }
    }
    *target = read;
}

fn patterns(place: &str, value: Value<'_>, faults: &mut Faults) -> Option<Vec<Pattern>> {
    let Some(items) = value.items() else {
        faults.add(place, "expected a list of patterns");
        return None;
    };
    let mut read: Vec<Pattern> = Vec::new();
    for (index, item) in items.enumerate() {
        if index == PATTERNS_MAX {
            faults.add(place, &format!("expected at most {PATTERNS_MAX} patterns"));
            break;
        }
        let place = format!("{place}[{index}]");
        let Some(pattern) = pattern(&place, item, faults) else { continue };
        if has(&read, &pattern) {
            faults.add(&place, "the same pattern stands there twice");
            continue;
        }
        read.push(pattern);
    }
    Some(read)
}

/// True when one of them means the same.
pub(super) fn has(patterns: &[Pattern], pattern: &Pattern) -> bool {
    let (text, is_regex) = (pattern.text(), pattern.is_regex());
    patterns.iter().any(|other| other.is_same(text, is_regex, pattern.case_sensitive))
}

fn pattern(place: &str, value: Value<'_>, faults: &mut Faults) -> Option<Pattern> {
    let Some(members) = value.members() else {
        faults.add(place, "expected an object");
        return None;
    };
    let before = faults.0.len();
    let (mut text, mut description) = (String::new(), String::new());
    let (mut is_regex, mut is_active, mut case_sensitive) = (false, true, false);
    for (name, value) in members {
        let place = format!("{place}.{name}");
        match &*name {
            "pattern" => faults.take(&place, value.text(), "expected a text", &mut text),
            "is_regex" => faults.switch(&place, value, &mut is_regex),
            "is_active" => faults.switch(&place, value, &mut is_active),
            "case_sensitive" => faults.switch(&place, value, &mut case_sensitive),
            "description" if value.is_null() => {}
            "description" => {
                faults.take(&place, value.text(), "expected a text", &mut description);
            }
            // How often it matches is for us to say.
            _ => {}
        }
    }
    if faults.0.len() > before {
        return None;
    }
    match Pattern::new(&text, is_regex, case_sensitive, &description) {
        Ok(mut pattern) => {
            pattern.is_active = is_active;
            Some(pattern)
        }
        Err(why) => {
            faults.add(place, &why);
            None
        }
    }
}

fn names(place: &str, value: Value<'_>, target: &mut Vec<(Box<str>, bool)>, faults: &mut Faults) {
    let Some(members) = value.members() else {
        return faults.add(place, "expected an object");
    };
    let mut read: Vec<(Box<str>, bool)> = Vec::new();
    let mut are_sound = true;
    for (name, value) in members {
        let is_name = !name.is_empty() && cut(&name, NAME_CHARS_MAX).len() == name.len();
        let known = read.iter().position(|(known, _)| **known == *name);
        let has_room = known.is_some() || read.len() < NAMES_MAX;
        match (value.switch().filter(|_| is_name && has_room), known) {
            (Some(on), Some(known)) => read[known].1 = on,
            (Some(on), None) => read.push((name.into(), on)),
            (None, _) => are_sound = false,
        }
    }
    if !are_sound {
        let expected = format!(
            "expected at most {NAMES_MAX} names of at most {NAME_CHARS_MAX} characters, each with \
             true or false"
        );
        faults.add(place, &expected);
    }
    *target = read;
}

fn attendees(place: &str, value: Value<'_>, target: &mut Option<(u32, u32)>, faults: &mut Faults) {
    if value.is_null() {
        *target = None;
        return;
    }
    let expected = "expected null or min_count and max_count, the larger one last";
    let bound = |name, preset| match value.member(name) {
        Some(bound) if !bound.is_null() => bound.count(),
        _ => Some(preset),
    };
    let bounds =
        value.members().and_then(|_| bound("min_count", 0).zip(bound("max_count", u32::MAX)));
    let bounds = bounds.filter(|(min, max)| min <= max).map(Some);
    faults.take(place, bounds, expected, target);
}

fn conflicts(value: Value<'_>, conflicts: &mut Conflicts, faults: &mut Faults) {
    for (name, value) in value.members().into_iter().flatten() {
        let place = format!("conflict_resolution.{name}");
        match &*name {
            "priority_by_acceptance" => {
                faults.switch(&place, value, &mut conflicts.by_acceptance);
            }
            "priority_by_attendee_count" => {
                faults.switch(&place, value, &mut conflicts.by_attendee_count);
            }
            "priority_by_organizer" => faults.switch(&place, value, &mut conflicts.by_organizer),
            "show_multiple_conflicts" => {
                faults.switch(&place, value, &mut conflicts.show_multiple);
            }
            "conflict_display_mode" => faults.word(&place, value, &mut conflicts.mode),
            _ => {}
        }
    }
}

fn display(value: Value<'_>, display: &mut Display, faults: &mut Faults) {
    for (name, value) in value.members().into_iter().flatten() {
        let place = format!("display.{name}");
        match &*name {
            "default_layout" if value.is_null() => display.layout = None,
            "default_layout" => {
                let mut layout = Layout::default();
                faults.word(&place, value, &mut layout);
                display.layout = Some(layout);
            }
            "display_density" => faults.word(&place, value, &mut display.density),
            "animation_enabled" => faults.switch(&place, value, &mut display.animation),
            "color_theme" => faults.take(&place, short_name(value), A_NAME, &mut display.theme),
            "font_sizes" => font_sizes(&place, value, display, faults),
            "timezone" if value.is_null() => display.zone = None,
            "timezone" => {
                let zone = value.text().and_then(|name| tzdb().get(&name));
                let zone = zone.and_then(|zone| zone.iana_name().map(|name| Some(name.into())));
                faults.take(&place, zone, "expected an IANA zone", &mut display.zone);
            }
            _ => {}
        }
    }
}

/// The parts of a page that have a size of their own, in the order of [`Display::font_sizes`].
pub(super) const SIZED: [&str; 4] = ["headers", "body", "time_labels", "navigation"];

fn font_sizes(place: &str, value: Value<'_>, display: &mut Display, faults: &mut Faults) {
    let Some(members) = value.members() else {
        return faults.add(place, "expected an object");
    };
    let mut sizes = mem::take(&mut display.font_sizes);
    for (name, value) in members {
        let Some(index) = SIZED.iter().position(|sized| *sized == name) else { continue };
        let mut size = FontSize::Medium;
        let before = faults.0.len();
        faults.word(&format!("{place}.{name}"), value, &mut size);
        if faults.0.len() == before {
            sizes[index] = Some(size);
        }
    }
    display.font_sizes = sizes;
}

fn epaper(value: Value<'_>, epaper: &mut Epaper, faults: &mut Faults) {
    for (name, value) in value.members().into_iter().flatten() {
        let place = format!("epaper.{name}");
        match &*name {
            "enabled" => faults.switch(&place, value, &mut epaper.enabled),
            "display_model" if value.is_null() => epaper.model = None,
            "display_model" => {
                faults.take(&place, short_name(value).map(Some), A_NAME, &mut epaper.model);
            }
            "width" => faults.number(&place, value, &[1, PIXELS_MAX], &mut epaper.width),
            "height" => faults.number(&place, value, &[1, PIXELS_MAX], &mut epaper.height),
            "rotation" => {
                faults.number(&place, value, &[0, 90, 180, 270], &mut epaper.rotation);
            }
            _ => {}
        }
    }
}

const A_NAME: &str = "expected a name of at most 64 letters, digits, `-`, `_`, `.` and spaces";

/// A name that may stand in a page's markup.
fn short_name(value: Value<'_>) -> Option<Box<str>> {
    let text = value.text()?;
    let name = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
    let fits = !name.is_empty() && name.len() <= NAME_CHARS_MAX;
    (fits && name.chars().all(is_plain)).then(|| name.into())
}
