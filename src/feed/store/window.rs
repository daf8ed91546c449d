//! Reading a window of what is stored, for an answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};

use super::{NOT_RECURRING, Stored, instant};
use crate::budget::FeedLimits;
use crate::calendar::{Entry, selection};
use crate::error::Result;
use crate::hash::fnv1a_parts;
use crate::ical::event::Event;
use crate::ical::{Details, Time};

/// A floating time or a date is stored as if it were UTC; seen from a zone it may lie up to 14
/// hours earlier or 12 later (and an hour more for safety).
const FORM_SLACK_SECONDS: i64 = 15 * 3600;

/// What to read for an answer.
pub struct WindowQuery<'q> {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Where floating times and dates are seen from.
    pub zone: &'q TimeZone,
    /// Only this feed.
    pub calendar: Option<&'q str>,
    /// Only timed entries that are over by the end of the window.
    pub ended: bool,
    /// This many entries at most.
    pub limit: usize,
    /// This many bytes of entries at most.
    pub bytes_max: usize,
    /// The names of the feeds in the order of the configuration; others are left out.
    pub names: &'q [String],
}

/// The entries that touch a window, the earliest first, and whether there were more.
pub fn read_window(
    reader: &Connection,
    query: &WindowQuery<'_>,
    limits: &FeedLimits,
) -> Result<(Vec<Entry>, bool)> {
    let mut select = reader.prepare_cached(
        "SELECT o.start, o.component, o.recurrence, o.stop, o.form, c.uid, c.text, f.name
         FROM occurrence AS o JOIN component AS c ON c.id = o.component
              JOIN feed AS f ON f.id = c.feed
         WHERE o.start < ?2 + ?3 * (o.form <> 0)
           AND (o.stop > ?1 - ?3 * (o.form <> 0) OR o.start >= ?1 - ?3 * (o.form <> 0))
           AND o.start < ?2 + ?3
           AND (?4 IS NULL OR f.name = ?4)
         ORDER BY o.start",
    )?;
    let slack = FORM_SLACK_SECONDS;
    let (from, to) = (query.from.as_second(), query.to.as_second());
    let mut rows = select.query(params![from, to, slack, query.calendar])?;
    let mut entries = Vec::new();
    let mut known: HashMap<i64, Option<Known>> = HashMap::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let stored = Stored::read(row)?;
        let Some((start, end)) = stored.times() else { continue };
        let times = selection::times(start, end, query.zone);
        let ended = !matches!(start, Time::Date(_)) && times.1 <= query.to;
        if !selection::touches(times, query.from, query.to) || (query.ended && !ended) {
            continue;
        }
        let name = row.get_ref(7)?.as_str().unwrap_or_default();
        let Some(calendar) = query.names.iter().position(|configured| configured == name) else {
            continue;
        };
        if entries.len() >= query.limit {
            return Ok((entries, true));
        }
        let event = match known.entry(stored.component) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) => {
                let text = row.get_ref(6)?.as_str().unwrap_or_default();
                let event = Event::parse(text, limits).ok().map(Known::from);
                bytes += event.as_ref().map_or(0, |event| event.details.bytes());
                place.insert(event)
            }
        };
        let Some(event) = event else { continue };
        let uid = row.get_ref(5)?.as_str().unwrap_or_default();
        let id = id(&stored, uid, name, event.is_override);
        let recurrence = stored.original();
        let details = Rc::clone(&event.details);
        bytes += size_of::<Entry>() + id.len() + repeated_bytes(&details);
        if bytes > query.bytes_max {
            return Ok((entries, true));
        }
        entries.push(Entry { id, calendar, start, end, recurrence, details });
    }
    Ok((entries, false))
}

/// What is kept of an event while its rows are read.
struct Known {
    details: Rc<Details>,
    is_override: bool,
}

impl From<Event> for Known {
    fn from(event: Event) -> Self {
        Self { is_override: event.recurrence_id.is_some(), details: Rc::new(event.details) }
    }
}

/// The texts that an answer repeats for every occurrence.
fn repeated_bytes(details: &Details) -> usize {
    let Details { summary, location, url, conference, .. } = details;
    [summary, location, url, conference].into_iter().map(String::len).sum()
}

/// The bare UID, or for an instance that a rule made, one that tells it from the others.
fn id(stored: &Stored, uid: &str, name: &str, is_override: bool) -> String {
    match instant(stored.recurrence) {
        Ok(original) if stored.recurrence != NOT_RECURRING && !is_override => {
            let original = original.strftime("%Y%m%dT%H%M%S");
            let number = stored.recurrence.to_le_bytes();
            let mark = fnv1a_parts(&[name.as_bytes(), uid.as_bytes(), &number]) as u32;
            format!("{uid}_{original}_{mark:08x}")
        }
        _ => uid.to_owned(),
    }
}

impl Stored {
    /// From when to when; `None` when its numbers are no times, in a damaged database.
    fn times(&self) -> Option<(Time, Time)> {
        Some((time_of(self.form, self.start)?, time_of(self.form, self.stop)?))
    }

    /// The original start of an instance of a series.
    fn original(&self) -> Option<Time> {
        let recurs = self.recurrence != NOT_RECURRING;
        recurs.then(|| time_of(self.form, self.recurrence)).flatten()
    }
}

fn time_of(form: i64, second: i64) -> Option<Time> {
    let timestamp = instant(second).ok()?;
    let civil = || TimeZone::UTC.to_datetime(timestamp);
    match form {
        0 => Some(Time::Instant(timestamp)),
        1 => Some(Time::Floating(civil())),
        2 => Some(Time::Date(Date::from(civil()))),
        _ => None,
    }
}
