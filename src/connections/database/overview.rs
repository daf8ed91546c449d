//! What the database is like, for people who look into it: nothing of what is in it but how much.

use rusqlite::{Connection, Row};

use crate::error::Result;

/// Days, tables or indices that are told of.
const ROWS_MAX: usize = 100;
/// A statement of the schema is told up to here.
const SQL_CHARS_MAX: i64 = 2000;

/// The database as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Pages in use.
    pub bytes: i64,
    /// The version of the schema.
    pub version: i64,
    /// `wal`, where all is well.
    pub journal_mode: String,
    /// Days since 1970 in UTC, and how many occurrences begin on each, the earliest first.
    pub days: Vec<(i64, i64)>,
}

/// A part of the schema.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// `table` or `index`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How it was made; empty for what SQLite makes by itself.
    pub sql: String,
}

/// The database as a whole.
///
/// # Errors
/// When it cannot be read.
pub fn overview(connection: &Connection) -> Result<Overview> {
    let value = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let (pages, page): (i64, i64) = (value("page_count")?, value("page_size")?);
    let journal_mode =
        connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))?;
    // In the order of the index, so that nothing is sorted or kept.
    let mut select = connection.prepare(
        "SELECT start / 86400, count(*) FROM occurrence WHERE start >= 0
         GROUP BY start / 86400 LIMIT ?1",
    )?;
    let days = select.query_map([ROWS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Overview {
        bytes: pages.saturating_mul(page),
        version: value("user_version")?,
        journal_mode,
        days: days.collect::<rusqlite::Result<_>>()?,
    })
}

/// The schema, or its tables alone.
///
/// # Errors
/// When it cannot be read.
pub fn objects(connection: &Connection, tables_only: bool) -> Result<Vec<Object>> {
    let mut select = connection.prepare(
        "SELECT type, name, substr(coalesce(sql, ''), 1, ?1) FROM sqlite_schema
         WHERE type = 'table' OR NOT ?2 LIMIT ?3",
    )?;
    let object =
        |row: &Row<'_>| Ok(Object { kind: row.get(0)?, name: row.get(1)?, sql: row.get(2)? });
    let objects = select.query_map((SQL_CHARS_MAX, tables_only, ROWS_MAX), object)?;
    Ok(objects.collect::<rusqlite::Result<_>>()?)
}
