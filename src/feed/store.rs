//! All SQL on feeds: stage what arrives, publish what changed, read a window.
//!
//! A refresh looks up each component by its content hash: what is new is staged beside the
//! database. [`publish()`] writes the difference, expands the series that it touches and writes the
//! difference of their occurrences, in one transaction. A refresh that brings nothing new writes
//! nothing. [`publish()`] without a refresh slides the window.

mod difference;
mod expansion;
mod nearest;
mod pending;
mod publish;
mod room;
mod row;
mod series;
mod staging;
mod stored;
mod warnings;
mod window;

use jiff::Timestamp;
use rusqlite::{Connection, params};

pub use publish::{FetchedFacts, Publication, Published, publish, read_zones};
use row::instant;
pub use staging::{Staging, begin_staging, stage};
pub use stored::{
    Place, StoredFeed, count_occurrences, for_each_component, for_each_of_series, read_feed,
    read_on, read_truncated,
};
use warnings::told;
pub use window::{FORM_SLACK_SECONDS, WindowQuery, judged_window, read_window, uid_of};

use crate::error::Result;
use crate::ical::component::Kind;

/// What is remembered of a feed from one start to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The row's number; 0 as long as there is none.
    pub id: i64,
    /// A hash of where its data comes from.
    pub source: i64,
    /// Validators for the next conditional request.
    pub etag: Option<String>,
    /// The same.
    pub last_modified: Option<String>,
    /// When the data was last known to be right, as far as it was written down.
    pub checked_at: Option<Timestamp>,
    /// Events stored.
    pub events: u64,
    /// Components that the last published refresh skipped.
    pub skipped: u64,
    /// The first of them.
    pub skipped_reasons: Vec<String>,
    /// [`Published::warnings`] of the last publication.
    pub warnings: Vec<String>,
    /// Series that a cap has cut short.
    pub truncated_series: u64,
}

/// Finds a feed's row or makes one. `source` is a hash of where it comes from. When the data came
/// from elsewhere it stays, with its own source, until the new one has answered; its validators
/// mean nothing to another server.
pub fn register(connection: &Connection, name: &str, source: i64) -> Result<Remembered> {
    connection.execute(
        "INSERT INTO feed (name, source) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
        params![name, source],
    )?;
    recall(connection, name, source)
}

/// Finds what is remembered of a feed, without writing; an error when nothing is.
pub fn recall(connection: &Connection, name: &str, source: i64) -> Result<Remembered> {
    let remembered = connection.query_row(
        "SELECT id, iif(source = ?3, etag, NULL), iif(source = ?3, last_modified, NULL),
                checked_at, skipped, skipped_reasons, warnings,
                (SELECT count(*) FROM component WHERE feed = feed.id AND kind = ?2),
                (SELECT count(*) FROM truncated WHERE feed = feed.id), source
         FROM feed WHERE name = ?1",
        params![name, EVENT, source],
        |row| {
            let lines = |text: String| text.lines().map(str::to_owned).collect();
            Ok(Remembered {
                id: row.get(0)?,
                etag: row.get(1)?,
                last_modified: row.get(2)?,
                checked_at: row.get::<_, Option<i64>>(3)?.and_then(|at| instant(at).ok()),
                skipped: row.get(4)?,
                skipped_reasons: row.get(5).map(lines)?,
                warnings: row.get(6).map(|text: String| text.lines().map(told).collect())?,
                events: row.get(7)?,
                truncated_series: row.get(8)?,
                source: row.get(9)?,
            })
        },
    )?;
    Ok(remembered)
}

/// Removes the feeds that are no longer configured, with all that they held.
pub fn retire(connection: &Connection, configured: &[String]) -> Result<()> {
    let mut names = connection.prepare("SELECT name FROM feed")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| !configured.contains(name)) {
        for statement in [
            "DELETE FROM occurrence WHERE component IN
                 (SELECT id FROM component WHERE feed = (SELECT id FROM feed WHERE name = ?1))",
            "DELETE FROM component WHERE feed = (SELECT id FROM feed WHERE name = ?1)",
            "DELETE FROM truncated WHERE feed = (SELECT id FROM feed WHERE name = ?1)",
            "DELETE FROM feed WHERE name = ?1",
        ] {
            connection.execute(statement, [name])?;
        }
    }
    Ok(())
}

/// Writes down when a feed was last known to be right: at a stop and with other news, not after
/// every refresh.
pub fn remember_check(connection: &Connection, feed: i64, at: Timestamp) -> Result<()> {
    let at = at.as_second();
    connection.execute("UPDATE feed SET checked_at = ?2 WHERE id = ?1", params![feed, at])?;
    Ok(())
}

const EVENT: i64 = 0;
const ZONE: i64 = 1;

fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Event => EVENT,
        Kind::TimeZone => ZONE,
    }
}
