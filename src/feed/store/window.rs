//! Reading a window of what is stored, for an answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use rusqlite::{Connection, params};

use super::{NOT_RECURRING, Stored, instant, time_of};
use crate::budget::FeedLimits;
use crate::calendar::Entry;
use crate::error::Result;
use crate::hash::fnv1a_parts;
use crate::ical::event::Event;

/// A floating time or a date is stored as if it were UTC; seen from a zone it may lie up to 14
/// hours earlier or 12 later (and an hour more for safety).
const FORM_SLACK_SECONDS: i64 = 15 * 3600;

/// What to read for an answer.
pub struct WindowQuery<'q> {
    /// The first instant.
    pub from: i64,
    /// The first instant after it.
    pub to: i64,
    /// Only this feed.
    pub calendar: Option<&'q str>,
    /// This many entries at most.
    pub limit: usize,
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
    let mut rows = select.query(params![query.from, query.to, slack, query.calendar])?;
    let mut entries = Vec::new();
    let mut known: HashMap<i64, Option<Event>> = HashMap::new();
    while let Some(row) = rows.next()? {
        if entries.len() >= query.limit {
            return Ok((entries, true));
        }
        let name = row.get_ref(7)?.as_str().unwrap_or_default();
        let Some(calendar) = query.names.iter().position(|configured| configured == name) else {
            continue;
        };
        let stored = Stored::read(row)?;
        let event = match known.entry(stored.component) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) => {
                let text = row.get_ref(6)?.as_str().unwrap_or_default();
                place.insert(Event::parse(text, limits).ok())
            }
        };
        let Some(event) = event else { continue };
        let uid = row.get_ref(5)?.as_str().unwrap_or_default();
        if let Some(entry) = entry(&stored, uid, name, calendar, event) {
            entries.push(entry);
        }
    }
    Ok((entries, false))
}

/// A stored row as an entry; `None` when its numbers are no times, in a damaged database.
fn entry(stored: &Stored, uid: &str, name: &str, calendar: usize, event: &Event) -> Option<Entry> {
    let is_recurring = stored.recurrence != NOT_RECURRING;
    let recurrence = match is_recurring {
        true => Some(time_of(stored.form, stored.recurrence)?),
        false => None,
    };
    let id = match recurrence {
        Some(_) if event.recurrence_id.is_none() => {
            let original = instant(stored.recurrence).ok()?.strftime("%Y%m%dT%H%M%S");
            let number = stored.recurrence.to_le_bytes();
            let mark = fnv1a_parts(&[name.as_bytes(), uid.as_bytes(), &number]) as u32;
            format!("{uid}_{original}_{mark:08x}")
        }
        _ => uid.to_owned(),
    };
    Some(Entry {
        id,
        calendar,
        start: time_of(stored.form, stored.start)?,
        end: time_of(stored.form, stored.stop)?,
        recurrence,
        details: event.details.clone(),
    })
}
