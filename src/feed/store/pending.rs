//! Occurrences that are to be inserted: many at a time and in the order of the table. One series
//! after the other, nearly each row would have pages read and written for it alone.

use rusqlite::{Connection, params};

use super::row::Stored;
use crate::error::Result;

/// The rows of one feed.
pub(super) struct Pending<'c> {
    connection: &'c Connection,
    feed: i64,
    rows: Vec<Stored>,
    rows_max: usize,
}

impl<'c> Pending<'c> {
    /// None, and room for so many: those of the largest series.
    pub(super) fn new(connection: &'c Connection, feed: i64, rows_max: usize) -> Self {
        Self { connection, feed, rows: Vec::new(), rows_max }
    }

    /// What it takes in memory.
    pub(super) fn weight_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Stored>()
    }

    /// Inserts what there is if it has no room for so many more. A large series needs the memory for
    /// itself.
    pub(super) fn make_room(&mut self, rows: usize) -> Result<()> {
        let is_large = rows > self.rows_max / 2;
        if is_large || self.rows.len() + rows > self.rows_max {
            self.insert()?;
        }
        if is_large {
            self.rows = Vec::new();
        }
        Ok(())
    }

    /// Takes a row, for which room was made.
    pub(super) fn push(&mut self, row: Stored) {
        if self.rows.capacity() == 0 {
            self.rows.reserve_exact(self.rows_max);
        }
        self.rows.push(row);
    }

    /// Inserts what there is.
    pub(super) fn insert(&mut self) -> Result<()> {
        self.rows.sort_unstable();
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO occurrence (start, component, recurrence, stop, form, feed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for row in self.rows.drain(..) {
            let Stored { start, component, recurrence, stop, form } = row;
            insert.execute(params![start, component, recurrence, stop, form, self.feed])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_inserted_when_there_is_no_room_for_more() {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE occurrence (start, component, recurrence, stop, form, feed)";
        connection.execute_batch(table).unwrap();
        let mut pending = Pending::new(&connection, 7, 4);
        let mut check = |room: usize, rows: i64, inserted: i64, is_kept: bool| {
            pending.make_room(room).unwrap();
            for component in (0..rows).rev() {
                let start = 10 - component;
                pending.push(Stored { start, component, recurrence: inserted, stop: 20, form: 0 });
            }
            let count = "SELECT count(*) FROM occurrence WHERE feed = 7";
            let count: i64 = connection.query_row(count, [], |row| row.get(0)).unwrap();
            assert_eq!((count, pending.weight_bytes() > 0), (inserted, is_kept));
        };
        check(2, 2, 0, true);
        check(2, 2, 0, true);
        check(1, 1, 4, true);
        check(2, 0, 4, true);
        check(3, 0, 5, false);
        check(4, 4, 5, true);
    }
}
