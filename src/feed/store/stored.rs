//! What is stored of one feed, for a person who asks why or wants it back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{instant, instant_or_epoch};
use super::{EVENT, ZONE, kind_number};
use crate::error::Result;
use crate::ical::Window;
use crate::ical::component::Kind;

/// What is known of a feed as a whole.
pub struct StoredFeed {
    /// The row's number.
    pub id: i64,
    /// The hash of where it comes from.
    pub source: i64,
    /// X-WR-TIMEZONE.
    pub calendar_zone: Option<String>,
    /// When the data was last known to be right, as far as it was written down.
    pub checked_at: Option<Timestamp>,
    /// The stretch of time that occurrences are kept of.
    pub window: Window,
    /// Events.
    pub events: u64,
    /// VTIMEZONE definitions.
    pub zones: u64,
    /// Series that a cap has cut short.
    pub truncated_series: u64,
    /// Components that the last published refresh skipped.
    pub skipped: u64,
    /// The first of them.
    pub skipped_reasons: Vec<String>,
}

/// The feed of this name, if there is any.
pub fn read_feed(reader: &Connection, name: &str) -> Result<Option<StoredFeed>> {
    let feed = reader.query_row(
        "SELECT id, zone, checked_at, window_start, window_end, skipped, skipped_reasons,
                (SELECT count(*) FROM component WHERE feed = feed.id AND kind = ?2),
                (SELECT count(*) FROM component WHERE feed = feed.id AND kind = ?3), source,
                (SELECT count(*) FROM truncated WHERE feed = feed.id)
         FROM feed WHERE name = ?1",
        params![name, EVENT, ZONE],
        |row| {
            let reasons: String = row.get(6)?;
            Ok(StoredFeed {
                id: row.get(0)?,
                calendar_zone: row.get(1)?,
                checked_at: row.get::<_, Option<i64>>(2)?.and_then(|at| instant(at).ok()),
                window: Window {
                    start: instant_or_epoch(row.get(3)?),
                    end: instant_or_epoch(row.get(4)?),
                },
                skipped: row.get(5)?,
                skipped_reasons: reasons.lines().map(str::to_owned).collect(),
                events: row.get(7)?,
                zones: row.get(8)?,
                source: row.get(9)?,
                truncated_series: row.get(10)?,
            })
        },
    );
    Ok(feed.optional()?)
}

/// Shows every component of this kind, UID or TZID and text, those of one series after each other.
pub fn for_each_component(
    reader: &Connection,
    feed: &StoredFeed,
    kind: Kind,
    visit: &mut dyn FnMut(&str, &str),
) -> Result<()> {
    let mut components = reader.prepare(
        "SELECT uid, text FROM component WHERE feed = ?1 AND kind = ?2 ORDER BY uid, id",
    )?;
    let mut rows = components.query(params![feed.id, kind_number(kind)])?;
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index).map(|value| value.as_str().unwrap_or_default());
        visit(text(0)?, text(1)?);
    }
    Ok(())
}

/// Shows the text of every event of a UID.
pub fn for_each_of_series(
    reader: &Connection,
    feed: &StoredFeed,
    uid: &str,
    visit: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut components = reader.prepare(
        "SELECT text FROM component WHERE feed = ?1 AND kind = ?2 AND uid = ?3 ORDER BY id",
    )?;
    let mut rows = components.query(params![feed.id, EVENT, uid])?;
    while let Some(row) = rows.next()? {
        visit(row.get_ref(0)?.as_str().unwrap_or_default());
    }
    Ok(())
}

/// A place among the components of a feed, in the order of UID (or TZID) and row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The kind of the last one before it.
    pub kind: Kind,
    /// Its UID.
    pub uid: String,
    /// Its row.
    pub row: i64,
}

impl Place {
    /// Before all of a kind.
    pub fn first(kind: Kind) -> Self {
        Self { kind, uid: String::new(), row: i64::MIN }
    }
}

/// Shows the components of one kind behind a place, UID and text, and moves the place along, until
/// `visit` has enough. True when there are no more.
pub fn read_on(
    reader: &Connection,
    feed: i64,
    place: &mut Place,
    visit: &mut dyn FnMut(&str, &str) -> bool,
) -> Result<bool> {
    let mut behind = reader.prepare_cached(
        "SELECT id, uid, text FROM component
         WHERE feed = ?1 AND kind = ?2 AND uid >= ?3 AND (uid > ?3 OR id > ?4)
         ORDER BY uid, id",
    )?;
    let Place { kind, uid, row: last } = place;
    let mut rows = behind.query(params![feed, kind_number(*kind), uid.as_str(), *last])?;
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index).map(|value| value.as_str().unwrap_or_default());
        let has_enough = !visit(text(1)?, text(2)?);
        text(1)?.clone_into(uid);
        *last = row.get(0)?;
        if has_enough {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many occurrences of a series are kept.
pub fn count_occurrences(reader: &Connection, feed: &StoredFeed, uid: &str) -> Result<usize> {
    Ok(reader.query_row(
        "SELECT count(*) FROM occurrence WHERE component IN
             (SELECT id FROM component WHERE feed = ?1 AND kind = ?2 AND uid = ?3)",
        params![feed.id, EVENT, uid],
        |row| row.get(0),
    )?)
}

/// The series that a cap has cut short, each with which one: so many at most, or the one of a UID.
pub fn read_truncated(
    reader: &Connection,
    feed: &StoredFeed,
    uid: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, String)>> {
    let mut truncated = reader.prepare(
        "SELECT uid, reason FROM truncated WHERE feed = ?1 AND (?2 IS NULL OR uid = ?2)
         ORDER BY uid LIMIT ?3",
    )?;
    let rows =
        truncated.query_map(params![feed.id, uid, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
