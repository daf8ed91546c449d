//! A refresh on its way in: what is new waits in a file beside the database, and what is stored
//! already is only marked as seen.
//!
//! The marks are in memory, so that a refresh of what is stored writes nothing at all. Those that
//! there is no room for are written as well.

use ring::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, params};

use super::{ZONE, kind_number};
use crate::error::Result;
use crate::ical::component::Component;

/// The components of one body, as far as it has been read.
#[derive(Debug, Default)]
pub struct Staging {
    /// Of the staging file: in another one, what was staged is gone.
    pub(super) epoch: i64,
    /// The rows that hold components of the body.
    pub(super) seen: Seen,
    /// Further ones, which are noted in the file.
    pub(super) noted: usize,
    /// A time zone is new.
    pub(super) zones: bool,
}

/// Begins a refresh of a feed with nothing staged. `seen_bytes_max` is for the marks.
pub fn begin_staging(connection: &Connection, feed: i64, seen_bytes_max: usize) -> Result<Staging> {
    clear_staged(connection, feed)?;
    let seen = Seen::new(seen_bytes_max);
    Ok(Staging { epoch: staging_epoch(connection)?, seen, ..Staging::default() })
}

/// Takes in further components.
pub fn stage(
    connection: &Connection,
    feed: i64,
    mut staging: Staging,
    components: &[Component],
) -> Result<Staging> {
    let mut find =
        connection.prepare_cached("SELECT id FROM main.component WHERE feed = ?1 AND hash = ?2")?;
    let mut note = connection
        .prepare_cached("INSERT OR IGNORE INTO staging.noted (feed, hash) VALUES (?1, ?2)")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO staging.staged (feed, hash, kind, uid, text) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for Component { kind, uid, text } in components {
        let hash = content_hash(text);
        match find.query_row(params![feed, hash], |row| row.get(0)).optional()? {
            Some(id) if staging.seen.insert(id) => {}
            Some(_) => staging.noted += note.execute(params![feed, hash])?,
            // Twice the same is told when it is published: an index here would be most of the work.
            None => {
                let kind = kind_number(*kind);
                staging.zones |= kind == ZONE;
                insert.execute(params![feed, hash, kind, uid, text])?;
            }
        }
    }
    Ok(staging)
}

/// What one publication notes is not there for the next. Without a WHERE, SQLite would write a
/// table anew that is empty already.
pub(super) fn clear_staged(connection: &Connection, feed: i64) -> Result<()> {
    connection.execute("DELETE FROM staging.staged WHERE feed = ?1", [feed])?;
    connection.execute("DELETE FROM staging.noted WHERE feed = ?1", [feed])?;
    connection.execute("DELETE FROM staging.changed WHERE true", [])?;
    Ok(())
}

pub(super) fn staging_epoch(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT number FROM staging.epoch", [], |row| row.get(0))?)
}

/// Half of a SHA-256. It must resist: with a collision whoever may send an invitation could make
/// another event vanish.
fn content_hash(text: &str) -> [u8; 16] {
    let digest = digest(&SHA256, text.as_bytes());
    let (half, _) = digest.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    *half
}

/// A set of row numbers, in blocks of 64. The rows of a feed mostly follow each other.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The block's number and a bit for each of its rows, in order. Never grows.
    blocks: Vec<(i64, u64)>,
    /// Rows in it.
    pub(super) count: usize,
}

impl Seen {
    fn new(bytes_max: usize) -> Self {
        Self { blocks: Vec::with_capacity(bytes_max / size_of::<(i64, u64)>()), count: 0 }
    }

    /// False when there is no room for it.
    fn insert(&mut self, id: i64) -> bool {
        let place = match self.find(id) {
            Ok(place) => place,
            Err(_) if self.blocks.len() == self.blocks.capacity() => return false,
            Err(place) => {
                self.blocks.insert(place, (id >> 6, 0));
                place
            }
        };
        let (_, rows) = &mut self.blocks[place];
        self.count += usize::from(*rows & bit(id) == 0);
        *rows |= bit(id);
        true
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.find(id).is_ok_and(|place| self.blocks[place].1 & bit(id) != 0)
    }

    fn find(&self, id: i64) -> std::result::Result<usize, usize> {
        self.blocks.binary_search_by_key(&(id >> 6), |(number, _)| *number)
    }
}

fn bit(id: i64) -> u64 {
    1 << (id & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_and_a_full_set_takes_only_what_is_near() {
        let mut seen = Seen::new(2 * size_of::<(i64, u64)>());
        for (id, is_taken, count) in [
            (70, true, 1),
            (70, true, 1),
            (1, true, 2),
            (i64::MIN, false, 2),
            (128, false, 2),
            (63, true, 3),
            (64, true, 4),
            (-1, false, 4),
        ] {
            assert_eq!(
                (seen.insert(id), seen.count, seen.contains(id)),
                (is_taken, count, is_taken)
            );
        }
        assert!(!seen.contains(0) && !seen.contains(127));
    }
}
