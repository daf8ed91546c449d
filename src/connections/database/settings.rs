//! What people have set, as it is kept over a restart: one row of JSON.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};

/// How the text is to be read. A program that finds another one does not read it.
const VERSION: i64 = 1;

/// The text, if there is any; one that is longer than `bytes_max` is none that was written here.
///
/// # Errors
/// When it cannot be read, or was written by a program that does it in another way.
pub fn read(connection: &Connection, bytes_max: usize) -> Result<Option<String>> {
    let row = connection
        .query_row("SELECT version, substr(text, 1, ?1) FROM setting", [bytes_max], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?))
        })
        .optional()?;
    match row {
        Some((VERSION, text)) => Ok(Some(text)),
        Some((version, _)) => {
            Err(Error::store(format!("they are of version {version}, and not of {VERSION}")))
        }
        None => Ok(None),
    }
}

/// Writes a text in the place of the one that is there.
///
/// # Errors
/// When it cannot be written.
pub fn replace(connection: &Connection, text: &str) -> Result<()> {
    let row = (VERSION, text);
    connection.execute("DELETE FROM setting", [])?;
    connection.execute("INSERT INTO setting (version, text) VALUES (?1, ?2)", row)?;
    Ok(())
}
