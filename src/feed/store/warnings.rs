//! What people are told about the series of a feed: cut short at a cap, or in a zone that had to
//! be guessed. It is kept, since a refresh only looks at the series that have changed.

use rusqlite::{Connection, params};

use crate::error::Result;

/// Warnings of one feed that are kept.
const WARNINGS_MAX: usize = 20;

/// Adds a warning about a series, as long as there is room.
pub(super) fn warn(warnings: &mut Vec<String>, uid: &str, text: &str) {
    let warning = format!("{uid}: {text}");
    if warnings.len() < WARNINGS_MAX && !warnings.contains(&warning) {
        warnings.push(warning);
    }
}

/// The warnings of the last publication about series that have not changed since.
pub(super) fn still_true(connection: &Connection, feed: i64) -> Result<Vec<String>> {
    let mut warnings = read(connection, feed)?;
    let mut changed = connection.prepare("SELECT uid FROM staging.changed")?;
    let mut rows = changed.query([])?;
    while !warnings.is_empty()
        && let Some(row) = rows.next()?
    {
        let uid = row.get_ref(0)?.as_str().unwrap_or_default();
        let is_about =
            |warning: &str| warning.strip_prefix(uid).is_some_and(|rest| rest.starts_with(": "));
        warnings.retain(|warning| !is_about(warning));
    }
    Ok(warnings)
}

fn read(connection: &Connection, feed: i64) -> Result<Vec<String>> {
    let select = "SELECT warnings FROM feed WHERE id = ?1";
    let text: String = connection.query_row(select, [feed], |row| row.get(0))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Keeps the warnings; true when they differ from those before.
pub(super) fn remember(connection: &Connection, feed: i64, warnings: &[String]) -> Result<bool> {
    let changed = connection.execute(
        "UPDATE feed SET warnings = ?2 WHERE id = ?1 AND warnings <> ?2",
        params![feed, warnings.join("\n")],
    )?;
    Ok(changed > 0)
}
