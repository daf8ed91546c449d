//! What people are told about the series of a feed: cut short at a cap, or in a zone that had to
//! be guessed. It is kept, since a refresh only looks at the series that have changed.
//!
//! A warning is kept as `UID\rtext`, and that of a private series with one more `\r` in front:
//! people are not told its UID, which everybody knows who is invited. No line of a calendar holds a
//! `\r`.

use rusqlite::{Connection, params};

use super::Published;
use super::room::is_report;
use super::series::Series;
use crate::budget::{NOTE_UID_BYTES_MAX, NOTES_MAX};
use crate::calendar::text::cut;
use crate::error::Result;

impl Series {
    /// Adds a warning about it, as long as there is room.
    pub(super) fn warn(&self, text: &str, published: &mut Published) {
        let mark = if self.private { "\r" } else { "" };
        let warning = format!("{mark}{}\r{text}", self.uid);
        let warnings = &mut published.warnings;
        if warnings.len() < NOTES_MAX && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

/// A warning that is kept, as people are told it.
pub(super) fn told(warning: &str) -> String {
    match warning.split_once('\r') {
        None => warning.to_owned(),
        Some(("", rest)) => {
            let (_, text) = rest.split_once('\r').unwrap_or(("", rest));
            format!("a private event: {text}")
        }
        Some((uid, text)) => format!("{}: {text}", cut(uid, NOTE_UID_BYTES_MAX)),
    }
}

/// True when series were incomplete at the last publication because the feed was too much.
pub(super) fn tell_of_too_much(connection: &Connection, feed: i64) -> Result<bool> {
    Ok(read(connection, feed)?.iter().any(|warning| is_report(warning)))
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
        warnings.retain(|warning| !is_about(warning, uid));
    }
    Ok(warnings)
}

/// Whether a warning that is kept is about the series of this UID.
fn is_about(warning: &str, uid: &str) -> bool {
    let rest = warning.strip_prefix('\r').unwrap_or(warning).strip_prefix(uid);
    rest.is_some_and(|rest| rest.starts_with('\r'))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_about_one_series_and_tells_no_private_name() {
        for (kept, uid, other, expected) in [
            ("a\rcut short", "a", "a: b", "a: cut short"),
            ("a: b\rcut short", "a: b", "a", "a: b: cut short"),
            ("\ra\rcut short", "a", "", "a private event: cut short"),
        ] {
            assert_eq!((is_about(kept, uid), is_about(kept, other)), (true, false), "{kept:?}");
            assert_eq!(told(kept), expected);
        }
        assert_eq!(told("2 series are incomplete"), "2 series are incomplete");
        let long = "u".repeat(NOTE_UID_BYTES_MAX + 1);
        assert_eq!(told(&format!("{long}\rcut short")), format!("{}: cut short", &long[1..]));
    }
}
