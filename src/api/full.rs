//! The routes of the Python web server, for the front-ends that were made for it: JSON that is
//! indented by two, errors as `{"error": …}`, and a wall whose layout and date anybody may change.

pub mod changes;
pub mod data;
pub mod database;
mod reading;
pub mod turning;
pub mod wall;
mod writing;

use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nanoserde::SerJson;

use super::json::{Text, Value, indented};
use crate::calendar::Agenda;
use crate::calendar::settings::{Counts, Home, Layout, PATTERNS_MAX, Settings, Word};
use crate::calendar::text::local;
use crate::http::response::{Answer, Status, media};
use crate::http::route::{Part, Shown};
use crate::pipeline::key::full::View;

/// What an answer is made from beside the agenda.
pub struct Scene<'a> {
    /// The layout that the wall shows.
    pub layout: Layout,
    /// What is configured.
    pub home: Home,
    /// The real "now", where the agenda has another one.
    pub now: Timestamp,
    /// The page that the wall shows.
    pub page: &'a dyn Fn() -> String,
    /// How many events each pattern matches.
    pub counts: Counts,
    /// What was asked of the database.
    pub database: Option<&'a database::Found>,
}

/// Makes an answer.
pub fn answer(view: &View, agenda: &Agenda<'_>, scene: &Scene<'_>) -> Answer {
    let settings = agenda.settings;
    let home = &scene.home;
    let body = match view {
        // A page is no JSON, and made like all others.
        View::Calendar => return Answer::ok(media::HTML, (scene.page)()),
        View::Html(Shown::Page) => {
            let html = (scene.page)();
            PageShape { success: true, html: html.as_str().into() }.serialize_json()
        }
        View::Html(Shown::Layout) => {
            let html = (scene.page)();
            let layout = scene.layout.word().into();
            LayoutShape { success: true, layout, html: html.as_str().into() }.serialize_json()
        }
        View::Data(_) => data::data(agenda, scene.layout, scene.now),
        View::Changed(message) => {
            let count = settings.filters.hidden.len();
            let data = data::data(agenda, scene.layout, scene.now);
            format!(
                "{{\"success\":true,\"message\":\"{message}\",\"count\":{count},\"data\":{data}}}"
            )
        }
        View::Settings(part, message) => {
            let data = match part {
                Part::All => writing::whole(settings, &scene.counts, home),
                Part::Filters => writing::filters(&settings.filters, &scene.counts),
                Part::Display => writing::display(&settings.display, home),
                Part::Conflicts => writing::conflicts(&settings.conflicts),
            };
            succeeded(*message, &data)
        }
        View::AddedPattern => {
            let patterns = &settings.filters.patterns;
            let last = patterns.last().zip(scene.counts.get(patterns.len().saturating_sub(1)));
            let data = last
                .map_or("null".to_owned(), |(pattern, count)| writing::pattern(pattern, *count));
            succeeded(Some("Filter pattern added successfully"), &data)
        }
        View::Export => {
            let body = indented(writing::whole(settings, &scene.counts, home));
            let further = "Content-Disposition: attachment; filename=calendarbot_settings.json\r\n";
            return Answer::plain(Status::OK, media::JSON, further, body.as_bytes());
        }
        View::Info => succeeded(None, &writing::info(settings, &scene.counts, home)),
        View::Database(table) => {
            scene.database.map_or(String::new(), |found| database::answer(*table, found))
        }
    };
    Answer::ok(media::JSON, indented(body))
}

fn succeeded(message: Option<&str>, data: &str) -> String {
    let message = message.map(|message| format!("\"message\":\"{message}\","));
    format!("{{\"success\":true,{}\"data\":{data}}}", message.unwrap_or_default())
}

/// An error in the words of this family.
pub fn error(status: Status, error: &str) -> Rc<Answer> {
    let further = if status == Status::UNAVAILABLE { "Retry-After: 1\r\n" } else { "" };
    error_with(status, further, error)
}

/// The same with further header fields.
pub fn error_with(status: Status, further: &str, error: &str) -> Rc<Answer> {
    let body = indented(ErrorShape { error: error.into() }.serialize_json());
    Rc::new(Answer::plain(status, media::JSON, further, body.as_bytes()))
}

/// The same with what is wrong, in words, and a list of it.
pub fn error_because(status: Status, error: &str, message: &str, faults: &[String]) -> Rc<Answer> {
    let validation_errors = super::json::texts(faults);
    let shape = FaultsShape { error: error.into(), message: message.into(), validation_errors };
    let body = indented(shape.serialize_json());
    Rc::new(Answer::plain(status, media::JSON, "", body.as_bytes()))
}

/// Any answer of this family that is made at once.
pub fn said(body: &str) -> Rc<Answer> {
    Rc::new(Answer::json(Status::OK, &indented(body.to_owned())))
}

/// `GET /health`.
pub fn health(now: Timestamp, zone: &TimeZone) -> Rc<Answer> {
    let service = "calendarbot-web".into();
    let shape = HealthShape { status: "ok".into(), timestamp: local(now, zone).into(), service };
    said(&shape.serialize_json())
}

/// `GET /api/status`, of a wall that shows `day`.
pub fn status(host: &str, port: u16, layout: Layout, day: Date) -> Rc<Answer> {
    let shape = StatusShape {
        running: true,
        host: host.into(),
        port,
        layout: layout.word().into(),
        interactive_mode: true,
        current_date: day.to_string().into(),
    };
    said(&shape.serialize_json())
}

/// `GET /api/layouts`.
pub fn layouts() -> Rc<Answer> {
    let layout = |&(layout, name): &(Layout, &'static str)| {
        let (display_name, description) = match layout {
            Layout::Portrait => ("4x8 Portrait", "The day on a portrait display"),
            Layout::Small => ("3x4 Compact", "The day on a small display"),
            Layout::WhatsNext => ("What's Next", "What is on and what comes next"),
        };
        LayoutRow {
            name: name.into(),
            display_name: display_name.into(),
            description: description.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            capabilities: Capabilities { navigation: true, hide_events: true },
        }
    };
    let layouts = Layout::WORDS.iter().map(layout).collect();
    said(&LayoutsShape { status: "success".into(), layouts }.serialize_json())
}

/// `GET /api/events/hidden`.
pub fn hidden(settings: &Settings) -> Rc<Answer> {
    let hidden_events: Vec<Text<'_>> =
        settings.filters.hidden.iter().map(|id| (&**id).into()).collect();
    let count = hidden_events.len();
    said(&HiddenShape { success: true, hidden_events, count }.serialize_json())
}

/// The text that settings are stored as.
pub fn stored_text(settings: &Settings) -> String {
    writing::whole(settings, &[0; PATTERNS_MAX], &Home::default())
}

/// What such a text says, and what is wrong with it: that alone is left out, since a program that
/// is stricter than the one before it must not forget everything.
pub fn read_stored(text: &str) -> (Settings, Vec<String>) {
    let default = Settings::default();
    // Ids may have been longer when it was stored.
    let (mut settings, faults) =
        reading::read_sound(text.as_bytes(), Part::All, &default, usize::MAX);
    let metadata = Value::read(text.as_bytes()).and_then(|value| value.member("metadata"));
    let modified = metadata.and_then(|metadata| metadata.member("last_modified"));
    settings.modified = modified.and_then(|at| at.text()?.parse().ok());
    (settings, faults.list().to_vec())
}

#[derive(SerJson)]
struct PageShape<'a> {
    success: bool,
    html: Text<'a>,
}

#[derive(SerJson)]
struct LayoutShape<'a> {
    success: bool,
    layout: Text<'a>,
    html: Text<'a>,
}

#[derive(SerJson)]
struct ErrorShape<'a> {
    error: Text<'a>,
}

#[derive(SerJson)]
struct FaultsShape<'a> {
    error: Text<'a>,
    message: Text<'a>,
    validation_errors: Vec<Text<'a>>,
}

#[derive(SerJson)]
struct HealthShape<'a> {
    status: Text<'a>,
    timestamp: Text<'a>,
    service: Text<'a>,
}

#[derive(SerJson)]
struct StatusShape<'a> {
    running: bool,
    host: Text<'a>,
    port: u16,
    layout: Text<'a>,
    interactive_mode: bool,
    current_date: Text<'a>,
}

#[derive(SerJson)]
struct LayoutsShape {
    status: Text<'static>,
    layouts: Vec<LayoutRow>,
}

#[derive(SerJson)]
struct LayoutRow {
    name: Text<'static>,
    display_name: Text<'static>,
    description: Text<'static>,
    version: Text<'static>,
    capabilities: Capabilities,
}

#[derive(SerJson)]
struct Capabilities {
    navigation: bool,
    hide_events: bool,
}

#[derive(SerJson)]
struct HiddenShape<'a> {
    success: bool,
    hidden_events: Vec<Text<'a>>,
    count: usize,
}

#[cfg(test)]
mod tests;
