//! (method, path, query) -> what is asked for. Pure.

use form_urlencoded::parse as parse_query;

use super::frame::Method;
use super::response::Status;
use crate::pipeline::key::{Bound, View, ViewKey};
use crate::tzdb::tzdb;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A view of the calendar, through the pipeline.
    View(ViewKey),
    /// A file that is part of the program.
    Asset(&'static str),
    /// The program about itself.
    Figures(Figures),
    /// Something is to be done.
    Change(Change),
    /// `OPTIONS`: which methods there are.
    Options(Allow),
    /// Everything is at this path.
    Moved(String),
}

/// What the program tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// `GET /stats`.
    Stats,
    /// `GET /api/health`, for watchdogs of calendarbot_lite.
    LiteHealth,
    /// `GET /healthz`.
    Alive,
    /// `GET /readyz`.
    Ready,
}

/// What may be asked to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `POST /api/v1/refresh`.
    Refresh,
}

/// The methods of a route, as `Allow` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allow(pub &'static str);

const READ: Allow = Allow("GET, HEAD, OPTIONS");
const CHANGE: Allow = Allow("POST, OPTIONS");
/// All methods that are answered anywhere.
pub const ANY: Allow = Allow("GET, HEAD, POST, OPTIONS");

/// Why a request leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer with.
    pub status: Status,
    /// What is wrong, for the person who wrote the request.
    pub detail: String,
    /// For 405.
    pub allow: Option<Allow>,
}

/// The most events that one answer may be asked for; the budget may allow fewer.
const LIMIT_MAX: u16 = 2000;
/// Events in `/api/v1/events` when nothing is said.
const EVENTS_DEFAULT: u16 = 200;
/// Later events in `/api/v1/next` and on the page when nothing is said.
const NEXT_DEFAULT: u16 = 5;
/// A longer value in a query is refused. A calendar's name has up to 64 characters, each of up to
/// four bytes; no zone or time is longer.
const VALUE_BYTES_MAX: usize = 64 * 4;

/// Says what a request asks for; `path` as framing has passed it, without the base path.
///
/// # Errors
/// The refusal to answer with.
pub fn route(method: Method, path: &str, query: &str) -> Result<Endpoint, Refusal> {
    if method == Method::Unknown {
        return Err(refusal(Status::NOT_IMPLEMENTED, "this method is not known here"));
    }
    if path == "*" {
        return Ok(Endpoint::Options(ANY));
    }
    let allow = match path {
        "/api/v1/refresh" => CHANGE,
        _ => READ,
    };
    let found = find(path, query)?;
    match (method, allow) {
        (Method::Options, _) => Ok(Endpoint::Options(allow)),
        (Method::Get | Method::Head, READ) | (Method::Post, CHANGE) => Ok(found),
        _ => Err(Refusal {
            allow: Some(allow),
            ..refusal(Status::METHOD_NOT_ALLOWED, "this route does not answer to this method")
        }),
    }
}

fn find(path: &str, query: &str) -> Result<Endpoint, Refusal> {
    let view = |view| Ok(Endpoint::View(ViewKey { view, zone: None }));
    match path {
        "/" => Query::read(query, &["tz"])?.view(|_| View::Page),
        "/api/v1/next" => Query::read(query, &["tz", "limit"])?
            .view(|query| View::Next { limit: query.limit.unwrap_or(NEXT_DEFAULT) }),
        "/api/v1/events" => {
            Query::read(query, &["tz", "limit", "from", "to", "calendar"])?.view(|query| {
                View::Events {
                    from: query.from,
                    to: query.to,
                    calendar: query.calendar.clone(),
                    limit: query.limit.unwrap_or(EVENTS_DEFAULT),
                }
            })
        }
        "/api/v1/calendars" => view(View::Calendars),
        "/api/whats-next" => view(View::LiteNext),
        "/api/v1/refresh" => Ok(Endpoint::Change(Change::Refresh)),
        "/api/health" => Ok(Endpoint::Figures(Figures::LiteHealth)),
        "/stats" | "/api/stats" => Ok(Endpoint::Figures(Figures::Stats)),
        "/healthz" => Ok(Endpoint::Figures(Figures::Alive)),
        "/readyz" => Ok(Endpoint::Figures(Figures::Ready)),
        _ => match crate::display::asset(path) {
            Some(asset) => Ok(Endpoint::Asset(asset.path)),
            None => Err(refusal(Status::NOT_FOUND, "there is nothing at this path")),
        },
    }
}

/// The parameters that views know, each checked.
#[derive(Default)]
struct Query {
    zone: Option<Box<str>>,
    limit: Option<u16>,
    from: Option<Bound>,
    to: Option<Bound>,
    calendar: Option<Box<str>>,
}

impl Query {
    /// Parameters that the route does not know are ignored, so that a cache-busting `?_=…` does
    /// no harm and splits no cache; of two with one name the last counts.
    fn read(query: &str, known: &[&str]) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (name, value) in parse_query(query.as_bytes()) {
            if !known.contains(&&*name) || value.is_empty() {
                continue;
            }
            let bad = |expected: &str| {
                refusal(Status::BAD_REQUEST, &format!("parameter `{name}`: expected {expected}"))
            };
            if value.len() > VALUE_BYTES_MAX {
                return Err(bad(&format!("at most {VALUE_BYTES_MAX} bytes")));
            }
            match &*name {
                "tz" => {
                    let zone = tzdb().get(&value);
                    let name = zone.as_ref().and_then(|zone| zone.iana_name());
                    let name = name.ok_or_else(|| bad("an IANA zone such as Europe/Berlin"))?;
                    read.zone = Some(name.into());
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    let expected = || bad(&format!("a whole number, 1 to {LIMIT_MAX}"));
                    read.limit = Some(limit.ok_or_else(expected)?);
                }
                "calendar" => read.calendar = Some(value.into()),
                _ => {
                    let expected =
                        "a time such as 2026-11-23T09:00:00+01:00 or a date, from 1900 to 2200";
                    let bound = Some(Bound::parse(&value).ok_or_else(|| bad(expected))?);
                    if name == "from" { read.from = bound } else { read.to = bound }
                }
            }
        }
        let backwards = match (read.from, read.to) {
            (Some(Bound::Instant(from)), Some(Bound::Instant(to))) => from >= to,
            (Some(Bound::Day(from)), Some(Bound::Day(to))) => from >= to,
            _ => false,
        };
        if backwards {
            let detail = "parameter `to`: expected a time after `from`";
            return Err(refusal(Status::BAD_REQUEST, detail));
        }
        Ok(read)
    }

    fn view(self, make: impl FnOnce(&Self) -> View) -> Result<Endpoint, Refusal> {
        let view = make(&self);
        Ok(Endpoint::View(ViewKey { view, zone: self.zone }))
    }
}

fn refusal(status: Status, detail: &str) -> Refusal {
    Refusal { status, detail: detail.to_owned(), allow: None }
}
