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
