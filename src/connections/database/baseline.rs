//! How long answers usually took, by version of the program: what the next version is compared
//! with, and what this one need not learn again.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Result;

/// What is known of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The average of the minutes' 95th percentiles, in microseconds.
    pub p95_us: u32,
    /// The average of their means, in microseconds.
    pub mean_us: u32,
    /// How many minutes there were.
    pub minutes: u32,
    /// When it was written, in seconds since 1970.
    pub written_at: i64,
}

impl Recorded {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (p95_us, mean_us) = (row.get("p95_us")?, row.get("mean_us")?);
        let (minutes, written_at) = (row.get("minutes")?, row.get("written_at")?);
        Ok(Self { p95_us, mean_us, minutes, written_at })
    }
}

/// What is known of `version`, and of the other one that was written last.
///
/// # Errors
/// When it cannot be read.
pub fn read(
    connection: &Connection,
    version: &str,
) -> Result<(Option<Recorded>, Option<Recorded>)> {
    let own = "SELECT * FROM baseline WHERE version = ?1";
    let last = "SELECT * FROM baseline WHERE version <> ?1 ORDER BY written_at DESC LIMIT 1";
    let read = |sql| connection.query_row(sql, [version], Recorded::of).optional();
    Ok((read(own)?, read(last)?))
}

/// Writes what is known of `version`, and keeps nothing but that and the last other one.
///
/// # Errors
/// When it cannot be written.
pub fn write(connection: &Connection, version: &str, recorded: &Recorded) -> Result<()> {
    let Recorded { p95_us, mean_us, minutes, written_at } = recorded;
    connection.execute(
        "INSERT OR REPLACE INTO baseline (version, p95_us, mean_us, minutes, written_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (version, p95_us, mean_us, minutes, written_at),
    )?;
    connection.execute(
        "DELETE FROM baseline WHERE version <> ?1 AND version NOT IN \
         (SELECT version FROM baseline WHERE version <> ?1 ORDER BY written_at DESC LIMIT 1)",
        [version],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema::MIGRATIONS;
    use super::*;

    #[test]
    fn this_version_and_the_last_one_are_kept() {
        let connection = Connection::open_in_memory().unwrap();
        MIGRATIONS.iter().for_each(|step| connection.execute_batch(step).unwrap());
        let of = |written_at: i64| Recorded { p95_us: 9, mean_us: 5, minutes: 60, written_at };
        assert_eq!(read(&connection, "1").unwrap(), (None, None));
        for (version, written_at) in [("1", 10), ("2", 20), ("3", 30), ("3", 40)] {
            write(&connection, version, &of(written_at)).unwrap();
        }
        assert_eq!(read(&connection, "3").unwrap(), (Some(of(40)), Some(of(20))));
        assert_eq!(read(&connection, "4").unwrap(), (None, Some(of(40))));
        // Whoever goes back compares with where they come from.
        assert_eq!(read(&connection, "2").unwrap(), (Some(of(20)), Some(of(40))));
        assert_eq!(read(&connection, "1").unwrap().0, None);
    }
}
