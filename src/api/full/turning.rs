//! What turns the wall: `/api/navigate`, `/api/layout`, `/api/refresh`. Each answers with the page
//! that it shows then.

use form_urlencoded::parse as parse_query;

use super::error;
use super::wall::{Step, Wall};
use crate::api::Done;
use crate::api::json::Value;
use crate::api::people::Book;
use crate::calendar::settings::{Layout, Word};
use crate::clock::Clock;
use crate::feed::Feeds;
use crate::http::response::Status;
use crate::http::route::query::instant;
use crate::http::route::{Shown, Turning};
use crate::pipeline::key::full::View;
use crate::pipeline::key::{self, ViewKey};

/// What a client says beside the route: in the query, or in the body, which counts more.
pub struct Said<'a> {
    /// Everything after `?`.
    pub query: &'a str,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl Said<'_> {
    fn member(&self, name: &str) -> Option<String> {
        let value = Value::read(self.body).and_then(|value| value.member(name));
        let text = value.and_then(Value::text);
        let asked = || parse_query(self.query.as_bytes()).find(|(it, _)| it == name);
        text.or_else(|| asked().map(|(_, value)| value.into_owned())).filter(|it| !it.is_empty())
    }
}

/// Where the wall hangs.
pub struct Room<'a> {
    /// What it shows.
    pub wall: &'a Wall,
    /// What is fetched for it.
    pub feeds: &'a Feeds,
    /// What people have set.
    pub book: &'a Book,
    /// The clock.
    pub clock: &'a Clock,
}

/// Turns the wall, and has its page shown.
pub fn turn(what: Turning, said: &Said<'_>, room: &Room<'_>) -> Done {
    let refused = |detail| Done::Answer(error(Status::BAD_REQUEST, detail));
    let shown = match what {
        Turning::Refresh => {
            room.feeds.nudge_all();
            return view(View::Html(Shown::Page));
        }
        Turning::Date => {
            let Some(action) = said.member("action") else {
                return refused("Missing action parameter");
            };
            let Some(step) = Step::of(&action) else { return refused("Invalid navigation action") };
            room.wall.turn(step, room.clock.wall(), &room.book.zone(room.feeds));
            Shown::Page
        }
        Turning::Layout => {
            let now = room.wall.layout(room.book.settings().display.layout);
            let asked = said.member("layout").or_else(|| said.member("theme"));
            let layout = match asked {
                Some(name) => Layout::of(&name),
                None => Some(now.following()),
            };
            let Some(layout) = layout else { return refused("Invalid layout type") };
            room.wall.set_layout(layout);
            Shown::Layout
        }
    };
    room.feeds.changed();
    view(View::Html(shown))
}

/// What `POST /api/whats-next/data` asks for.
pub fn asked_data(body: &[u8]) -> ViewKey {
    let debug_time = Said { query: "", body }.member("debug_time");
    key_of(View::Data(debug_time.and_then(|text| instant(&text))))
}

fn view(view: View) -> Done {
    Done::View(key_of(view))
}

fn key_of(view: View) -> ViewKey {
    ViewKey { view: key::View::Full(view), zone: None }
}
