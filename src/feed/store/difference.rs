//! What came against what is stored: what goes and what is new.

use rusqlite::{Connection, params};

use super::ZONE;
use super::staging::Staging;
use crate::budget::DELETED_AT_ONCE_MAX;
use crate::error::{Error, Result};

/// What a fetch has changed.
#[derive(Default)]
pub(super) struct Difference {
    /// Anything at all.
    pub(super) any: bool,
    /// A time zone is among it.
    pub(super) zones: bool,
}

/// Deletes the components that are gone, inserts those that are new, and notes the UIDs of both.
pub(super) fn apply_difference(
    connection: &Connection,
    feed: i64,
    staging: &Staging,
) -> Result<Difference> {
    let stored: usize = connection.query_row(
        "SELECT count(*) FROM main.component WHERE feed = ?1",
        [feed],
        |row| row.get(0),
    )?;
    let kept = staging.seen.count + staging.noted;
    let mut gone = Gone::default();
    if kept < stored {
        gone = delete_gone(connection, feed, staging)?;
    }
    if kept + gone.count != stored {
        return Err(Error::store("what is stored has changed while the feed was read"));
    }
    let last: i64 =
        connection
            .query_row("SELECT coalesce(max(id), 0) FROM main.component", [], |row| row.get(0))?;
    let new = connection.execute(
        "INSERT OR IGNORE INTO main.component (feed, kind, uid, hash, text)
         SELECT feed, kind, uid, hash, text FROM staging.staged WHERE feed = ?1",
        [feed],
    )?;
    // By the index alone: the texts need not be read again.
    connection.execute(
        "INSERT OR IGNORE INTO staging.changed (uid)
         SELECT uid FROM main.component INDEXED BY component_uid WHERE feed = ?1 AND id > ?2",
        params![feed, last],
    )?;
    Ok(Difference { any: gone.count + new > 0, zones: gone.zones || staging.zones })
}

/// What was deleted.
#[derive(Default)]
struct Gone {
    count: usize,
    zones: bool,
}

/// Deletes the components that are no longer there, and their occurrences, some at a time.
fn delete_gone(connection: &Connection, feed: i64, staging: &Staging) -> Result<Gone> {
    let mut find = connection.prepare(
        "SELECT id, kind FROM main.component AS old NOT INDEXED
         WHERE feed = ?1 AND id > ?2
           AND NOT EXISTS (SELECT 1 FROM staging.noted
                           WHERE noted.feed = ?1 AND noted.hash = old.hash)
         ORDER BY id",
    )?;
    let mut note = connection.prepare(
        "INSERT OR IGNORE INTO staging.changed (uid)
         SELECT uid FROM main.component WHERE id = ?1",
    )?;
    let mut occurrences = connection.prepare("DELETE FROM main.occurrence WHERE component = ?1")?;
    let mut component = connection.prepare("DELETE FROM main.component WHERE id = ?1")?;
    let (mut gone, mut last) = (Gone::default(), i64::MIN);
    loop {
        let mut found = Vec::new();
        let mut rows = find.query(params![feed, last])?;
        while found.len() < DELETED_AT_ONCE_MAX
            && let Some(row) = rows.next()?
        {
            last = row.get(0)?;
            if !staging.seen.contains(last) {
                found.push(last);
                gone.zones |= row.get::<_, i64>(1)? == ZONE;
            }
        }
        drop(rows);
        if found.is_empty() {
            return Ok(gone);
        }
        gone.count += found.len();
        for id in found {
            note.execute([id])?;
            occurrences.execute([id])?;
            component.execute([id])?;
        }
    }
}
