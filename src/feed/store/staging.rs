//! Components on their way in, beside the database.

use ring::digest::{SHA256, digest};
use rusqlite::{Connection, params};

use super::kind_number;
use crate::error::Result;
use crate::ical::component::Component;

/// Empties the staging place of a feed and returns its epoch, which [`publish`] wants to see
/// again.
pub fn clear_staged(connection: &Connection, feed: i64) -> Result<i64> {
    connection.execute("DELETE FROM staging.staged WHERE feed = ?1", [feed])?;
    staging_epoch(connection)
}

pub(super) fn staging_epoch(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT number FROM staging.epoch", [], |row| row.get(0))?)
}

/// Stages components. Those that are stored already are noted without their text.
pub fn stage(connection: &Connection, feed: i64, components: &[Component]) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO staging.staged (feed, hash, kind, uid, text)
         SELECT ?1, ?2, ?3, ?4,
                CASE WHEN EXISTS (SELECT 1 FROM main.component WHERE feed = ?1 AND hash = ?2)
                     THEN NULL ELSE ?5 END",
    )?;
    for Component { kind, uid, text } in components {
        insert.execute(params![feed, content_hash(text), kind_number(*kind), uid, text])?;
    }
    Ok(())
}

/// Half of a SHA-256. It must resist: with a collision whoever may send an invitation could make
/// another event vanish.
fn content_hash(text: &str) -> [u8; 16] {
    let digest = digest(&SHA256, text.as_bytes());
    let (half, _) = digest.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    *half
}
