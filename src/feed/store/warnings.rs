//! What people are told about the series of a feed: cut short at a cap, or in a zone that had to
//! be guessed. It is kept, since a refresh only looks at the series that have changed.
//!
//! A warning is kept as `UID: text`, and that of a private series as `\rUID\rtext`: people are
//! not told its UID, which everybody knows who is invited. No line of a calendar holds a `\r`.

use rusqlite::{Connection, params};

use super::room::is_report;
use super::{Published, Series};
use crate::error::Result;

/// Warnings of one feed that are kept.
const WARNINGS_MAX: usize = 20;

impl Series {
    /// Adds a warning about it, as long as there is room.
    pub(super) fn warn(&self, text: &str, published: &mut Published) {
        let uid = &self.uid;
        let warning =
            if self.private { format!("\r{uid}\r{text}") } else { format!("{uid}: {text}") };
        let warnings = &mut published.warnings;
        if warnings.len() < WARNINGS_MAX && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

/// A warning that is kept, as people are told it.
pub(super) fn told(warning: &str) -> String {
    let private = warning.strip_prefix('\r').and_then(|rest| rest.split_once('\r'));
    private.map_or_else(|| warning.to_owned(), |(_, text)| format!("a private event: {text}"))
}

/// The warnings of the last publication about series that have not changed since. How many are
/// incomplete is counted anew when any has.
pub(super) fn still_true(connection: &Connection, feed: i64) -> Result<Vec<String>> {
    let mut warnings = read(connection, feed)?;
    let mut changed = connection.prepare("SELECT uid FROM staging.changed")?;
    let mut rows = changed.query([])?;
    while !warnings.is_empty()
        && let Some(row) = rows.next()?
    {
        let uid = row.get_ref(0)?.as_str().unwrap_or_default();
        let is_about = |warning: &str| {
            let rest = warning.strip_prefix('\r').unwrap_or(warning).strip_prefix(uid);
            rest.is_some_and(|rest| rest.starts_with([':', '\r']))
        };
        warnings.retain(|warning| !is_about(warning) && !is_report(warning));
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
