//! Staged against stored, by content hash: what goes and what comes.

use rusqlite::{Connection, params};

use super::ZONE;
use crate::error::Result;

/// Components that are deleted together: SQLite remembers in memory what one statement deletes,
/// and a feed may lose all of its own at once.
const DELETED_AT_ONCE: i64 = 256;

/// What a fetch has changed.
#[derive(Default)]
pub(super) struct Difference {
    /// Anything at all.
    pub(super) any: bool,
    /// A time zone is among it.
    pub(super) zones: bool,
}

/// Deletes the components that are gone, inserts those that are new, and notes the UIDs of both.
pub(super) fn apply_difference(connection: &Connection, feed: i64) -> Result<Difference> {
    connection.execute(
        "INSERT OR IGNORE INTO staging.changed (uid)
         SELECT uid FROM main.component AS old WHERE feed = ?1
            AND NOT EXISTS (SELECT 1 FROM staging.staged AS new
                            WHERE new.feed = ?1 AND new.hash = old.hash)",
        [feed],
    )?;
    connection.execute(
        "INSERT OR IGNORE INTO staging.changed (uid)
         SELECT uid FROM staging.staged WHERE feed = ?1 AND text IS NOT NULL",
        [feed],
    )?;
    let zones: u64 = connection.query_row(
        "SELECT (SELECT count(*) FROM staging.staged
                  WHERE feed = ?1 AND kind = ?2 AND text IS NOT NULL)
              + (SELECT count(*) FROM main.component AS old WHERE feed = ?1 AND kind = ?2
                    AND NOT EXISTS (SELECT 1 FROM staging.staged AS new
                                    WHERE new.feed = ?1 AND new.hash = old.hash))",
        params![feed, ZONE],
        |row| row.get(0),
    )?;
    let gone = delete_gone(connection, feed)?;
    let new = connection.execute(
        "INSERT INTO main.component (feed, kind, uid, hash, text)
         SELECT feed, kind, uid, hash, text FROM staging.staged
         WHERE feed = ?1 AND text IS NOT NULL",
        [feed],
    )?;
    Ok(Difference { any: gone + new > 0, zones: zones > 0 })
}

/// Deletes the components that are no longer there, and their occurrences, some at a time.
fn delete_gone(connection: &Connection, feed: i64) -> Result<usize> {
    let mut find = connection.prepare(
        "SELECT id FROM main.component AS old NOT INDEXED
         WHERE feed = ?1 AND id > ?2
           AND NOT EXISTS (SELECT 1 FROM staging.staged AS new
                           WHERE new.feed = ?1 AND new.hash = old.hash)
         ORDER BY id LIMIT ?3",
    )?;
    let mut occurrences = connection.prepare("DELETE FROM main.occurrence WHERE component = ?1")?;
    let mut component = connection.prepare("DELETE FROM main.component WHERE id = ?1")?;
    let (mut gone, mut last) = (0, i64::MIN);
    loop {
        let found = find.query_map(params![feed, last, DELETED_AT_ONCE], |row| row.get(0))?;
        let found: Vec<i64> = found.collect::<Result<_, _>>()?;
        let Some(latest) = found.last() else { return Ok(gone) };
        last = *latest;
        gone += found.len();
        for id in found {
            occurrences.execute([id])?;
            component.execute([id])?;
        }
    }
}
