//! The components of one UID, and the difference between their occurrences and the stored ones.

use rusqlite::{Connection, params};

use super::Published;
use super::pending::Pending;
use super::row::Stored;
use crate::error::Result;
use crate::ical::Occurrence;
use crate::ical::event::{Event, Taken};

/// The components of one UID, with the numbers of their rows.
#[derive(Default)]
pub(super) struct Series {
    pub(super) uid: String,
    /// One of them is not for everybody.
    pub(super) private: bool,
    pub(super) ids: Vec<i64>,
    pub(super) events: Vec<Event>,
    pub(super) taken: Taken,
    /// Components that are not among them.
    pub(super) left_out: usize,
}

impl Series {
    pub(super) fn leave_out(&mut self, reason: &str, published: &mut Published) {
        self.warn(reason, published);
        self.left_out += 1;
    }

    /// What it takes in memory together with its occurrences, and with those that are kept of them
    /// as the rows they become.
    pub(super) fn weight_bytes(&self, occurrences: &Vec<Occurrence>) -> usize {
        self.taken.weight_bytes()
            + self.ids.capacity() * size_of::<i64>()
            + occurrences.capacity() * size_of::<Occurrence>()
            + occurrences.len() * (size_of::<Stored>() + size_of::<bool>())
    }

    /// Makes the stored occurrences these, of which there may be `some`; true when any has to be
    /// written. What is new waits in `pending`.
    pub(super) fn store(
        &self,
        connection: &Connection,
        some: bool,
        occurrences: &[Occurrence],
        pending: &mut Pending<'_>,
    ) -> Result<bool> {
        pending.make_room(occurrences.len())?;
        let mut wanted: Vec<Stored> =
            occurrences.iter().map(|found| Stored::new(found, self.ids[found.event])).collect();
        wanted.sort_unstable();
        // A floating instance and one of a zone may have the same number, and a row has one end:
        // what a stranger writes must not fail the whole feed.
        wanted.dedup_by_key(|stored| (stored.start, stored.component, stored.recurrence));
        let mut is_new = vec![true; wanted.len()];
        let mut gone = Vec::new();
        let mut existing = connection.prepare_cached(
            "SELECT start, component, recurrence, stop, form FROM occurrence WHERE component = ?1",
        )?;
        for id in self.ids.iter().filter(|_| some) {
            let mut rows = existing.query([id])?;
            while let Some(row) = rows.next()? {
                let stored = Stored::read(row)?;
                match wanted.binary_search(&stored) {
                    Ok(place) => is_new[place] = false,
                    Err(_) => gone.push(stored),
                }
            }
        }
        let mut delete = connection.prepare_cached(
            "DELETE FROM occurrence WHERE start = ?1 AND component = ?2 AND recurrence = ?3",
        )?;
        for stored in &gone {
            delete.execute(params![stored.start, stored.component, stored.recurrence])?;
        }
        for (new, _) in wanted.iter().zip(&is_new).filter(|(_, is_new)| **is_new) {
            pending.push(*new);
        }
        Ok(!gone.is_empty() || is_new.contains(&true))
    }
}
