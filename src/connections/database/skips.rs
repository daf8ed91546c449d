//! What people skip, as it is kept over a restart.

use rusqlite::Connection;

use crate::error::Result;

/// The ids of what is skipped, each until a second since 1970, in the order in which they were
/// written.
///
/// # Errors
/// When they cannot be read.
pub fn read(connection: &Connection) -> Result<Vec<(String, i64)>> {
    let mut select = connection.prepare("SELECT id, until FROM skip ORDER BY rowid")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes `skips` in the place of all that are there.
///
/// # Errors
/// When they cannot be written.
pub fn replace<'s>(
    connection: &Connection,
    skips: impl Iterator<Item = (&'s str, i64)>,
) -> Result<()> {
    connection.execute("DELETE FROM skip", [])?;
    let mut insert = connection.prepare("INSERT INTO skip (id, until) VALUES (?1, ?2)")?;
    for skip in skips {
        insert.execute(skip)?;
    }
    Ok(())
}
