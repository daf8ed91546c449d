//! What a path and a query say beyond the route: parameters, each checked, and ids.

use form_urlencoded::parse as parse_query;
use jiff::civil::Date;

use super::{Endpoint, Refusal, nothing, refusal};
use crate::display::calendar::{self, Layout};
use crate::http::response::Status;
use crate::pipeline::explain::Question;
use crate::pipeline::key::lite::{Detail, Morning};
use crate::pipeline::key::{Bound, View, ViewKey};
use crate::tzdb::tzdb;

/// The most events that one answer may be asked for; the budget may allow fewer.
const LIMIT_MAX: u16 = 2000;
/// Events in `/api/v1/events` when nothing is said.
const EVENTS_DEFAULT: u16 = 200;
/// Events that a morning summary looks at, at most, and when nothing is said.
const MORNING_EVENTS_MAX: u8 = 100;
const MORNING_EVENTS_DEFAULT: u8 = 50;
/// A longer value in a query is refused. A calendar's name has up to 64 characters, each of up to
/// four bytes; no zone or time is longer.
const VALUE_BYTES_MAX: usize = 64 * 4;
/// The same of an id, which no event has a longer one than.
const ID_BYTES_MAX: usize = 640;

/// The parameters that views know, each checked.
#[derive(Default)]
pub(super) struct Query {
    pub(super) zone: Option<Box<str>>,
    pub(super) limit: Option<u16>,
    pub(super) from: Option<Bound>,
    pub(super) to: Option<Bound>,
    pub(super) calendar: Option<Box<str>>,
    pub(super) date: Option<Date>,
    pub(super) detail: Option<Detail>,
    pub(super) max_events: Option<u8>,
    /// In seconds since 1970.
    pub(super) debug_time: Option<i64>,
}

impl Query {
    /// Parameters that the route does not know are ignored, so that a cache-busting `?_=…` does
    /// no harm and splits no cache; of two with one name the last counts.
    pub(super) fn read(query: &str, known: &[&str]) -> Result<Self, Refusal> {
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
                "tz" | "timezone" => {
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
                "date" => {
                    let Some(Bound::Day(date)) = Bound::parse(&value) else {
                        return Err(bad("a date such as 2026-11-23, from 1900 to 2200"));
                    };
                    read.date = Some(date);
                }
                "detail_level" => {
                    let detail = Detail::parse(&value);
                    let expected = || bad("brief, normal, detailed or verbose");
                    read.detail = Some(detail.ok_or_else(expected)?);
                }
                "max_events" => {
                    let in_bounds = |count: &u8| (1..=MORNING_EVENTS_MAX).contains(count);
                    let count = value.parse().ok().filter(in_bounds);
                    let expected = || bad(&format!("a whole number, 1 to {MORNING_EVENTS_MAX}"));
                    read.max_events = Some(count.ok_or_else(expected)?);
                }
                // Its front-ends expect what is no time to be ignored.
                "debug_time" => read.debug_time = instant(&value),
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

    pub(super) fn view(self, make: impl FnOnce(&Self) -> View) -> Endpoint {
        let view = make(&self);
        Endpoint::View(ViewKey { view, zone: self.zone })
    }

    pub(super) fn morning(&self) -> Morning {
        Morning {
            date: self.date,
            meetings_max: self.max_events.unwrap_or(MORNING_EVENTS_DEFAULT),
            detail: self.detail.unwrap_or(Detail::Normal),
        }
    }

    /// A page of some days.
    pub(super) fn pages(query: &str, layout: Layout) -> Result<Endpoint, Refusal> {
        let Self { zone, calendar, .. } = Self::read(query, &["tz", "calendar"])?;
        let mut view = calendar::View { calendar, ..calendar::View::of(layout) };
        for (name, value) in parse_query(query.as_bytes()) {
            view.read(&name, &value).map_err(|expected| {
                let detail = format!("parameter `{name}`: expected {expected}");
                refusal(Status::BAD_REQUEST, &detail)
            })?;
        }
        Ok(Endpoint::View(ViewKey { view: View::Calendar(view), zone }))
    }

    /// With the id of what is asked about, which `query` holds, too.
    pub(super) fn question(self, query: &str) -> Result<Endpoint, Refusal> {
        let (id, Self { calendar, zone, .. }) = (id(query)?, self);
        Ok(Endpoint::Explain(Question { id, calendar, zone }))
    }

    pub(super) fn events(&self) -> View {
        View::Events {
            from: self.from,
            to: self.to,
            calendar: self.calendar.clone(),
            limit: self.limit.unwrap_or(EVENTS_DEFAULT),
        }
    }
}

/// The id in a query, where no client takes `..` or a slash in it for a way through paths.
pub(super) fn id(query: &str) -> Result<String, Refusal> {
    let id = parse_query(query.as_bytes()).filter(|(name, _)| name == "id").last();
    let id = id.map(|(_, id)| id.into_owned());
    id.filter(|id| (1..=ID_BYTES_MAX).contains(&id.len())).ok_or_else(|| {
        let detail = format!("parameter `id`: expected an id of at most {ID_BYTES_MAX} bytes");
        refusal(Status::BAD_REQUEST, &detail)
    })
}

/// A time with an offset, in seconds since 1970.
pub(crate) fn instant(text: &str) -> Option<i64> {
    match Bound::parse(text)? {
        Bound::Instant(at) => Some(at),
        Bound::Day(_) => None,
    }
}

/// What a path has between `before` and `after`, without the escapes (RFC 3986 section 2.1).
pub(super) fn part(path: &str, before: &str, after: &str) -> Result<String, Refusal> {
    let escaped = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let mut parts = escaped.unwrap_or_default().split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        // Framing has passed no other escapes than those of two digits.
        let (digits, after) = part.split_at_checked(2).ok_or_else(nothing)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| nothing())?);
        bytes.extend_from_slice(after.as_bytes());
    }
    let detail = "a name in this path is not UTF-8";
    String::from_utf8(bytes).map_err(|_| refusal(Status::BAD_REQUEST, detail))
}
