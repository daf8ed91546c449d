//! What people skip: occurrences by the ids that answers give them, each until some instant.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Entry;
use crate::ical::is_unfit_for_id;

/// How long something is skipped.
const SKIP_TIME: SignedDuration = SignedDuration::from_hours(24);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// [`Entry::id`] or [`Entry::lite_id`].
    pub id: Arc<str>,
    /// From then on it is shown again.
    pub until: Timestamp,
}

/// All of them, the newest last. A copy shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skips(Arc<[Skip]>);

/// What the allocator and the two counts take beside an id.
const ID_OVERHEAD_BYTES: usize = 32;

impl Skip {
    /// Twice in two lists, while one takes the place of the other, and the id.
    fn weight_bytes(&self) -> usize {
        2 * size_of::<Self>() + ID_OVERHEAD_BYTES + self.id.len()
    }
}

impl Skips {
    /// The newest of a list, which come last, as far as there is room for them.
    pub fn new(mut list: Vec<Skip>, bytes_max: usize) -> Self {
        let mut room = bytes_max;
        let fits = |skip: &&Skip| {
            let left = room.checked_sub(skip.weight_bytes());
            room = left.unwrap_or(0);
            left.is_some()
        };
        let kept = list.iter().rev().take_while(fits).count();
        list.drain(..list.len() - kept);
        Self(list.into())
    }

    /// The same as rows of ids, each with a second since 1970; what is no instant or no id is left
    /// out.
    pub fn from_rows(rows: Vec<(String, i64)>, bytes_max: usize) -> Self {
        let skip = |(id, until): (String, i64)| {
            let is_id = !id.contains(is_unfit_for_id);
            is_id.then_some(Skip { id: id.into(), until: Timestamp::from_second(until).ok()? })
        };
        Self::new(rows.into_iter().filter_map(skip).collect(), bytes_max)
    }

    /// What [`Self::from_rows`] reads.
    pub fn rows(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|skip| (&*skip.id, skip.until.as_second()))
    }

    /// Those that hold at `now`.
    pub fn at(&self, now: Timestamp) -> impl Iterator<Item = &Skip> {
        self.0.iter().filter(move |skip| skip.until > now)
    }

    /// Until when an entry is skipped; `None` when at `now` it is not.
    pub fn until(&self, entry: &Entry, now: Timestamp) -> Option<Timestamp> {
        let ids = [entry.id.as_str(), entry.lite_id()];
        self.at(now).filter(|skip| ids.contains(&&*skip.id)).map(|skip| skip.until).max()
    }

    /// The same and another one, made at `now`, instead of those that have ended by then. The
    /// oldest make room.
    pub fn with(&self, id: &str, now: Timestamp, bytes_max: usize) -> Self {
        let mut list: Vec<_> = self.at(now).filter(|skip| *skip.id != *id).cloned().collect();
        let until = now.saturating_add(SKIP_TIME).unwrap_or(Timestamp::MAX);
        list.push(Skip { id: id.into(), until });
        Self::new(list, bytes_max)
    }

    /// The same without this one.
    pub fn without(&self, id: &str) -> Self {
        Self(self.0.iter().filter(|skip| *skip.id != *id).cloned().collect())
    }

    /// The same in less room, if need be.
    pub fn within(&self, bytes_max: usize) -> Self {
        Self::new(self.0.to_vec(), bytes_max)
    }

    /// What they take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.0.iter().map(Skip::weight_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::fixture::{at, entry, with};

    const NOW: &str = "2025-11-24T12:00:00Z";

    fn ids(skips: &Skips) -> String {
        skips.rows().map(|(id, _)| id).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_skip_ends_a_day_later() {
        let skips = Skips::default().with("a", at(NOW), 1000);
        let meeting = entry("a", "2025-11-25T12:30:00Z", "2025-11-25T13:00:00Z");
        let until = |now: &str| skips.until(&meeting, at(now));
        let end = at("2025-11-25T12:00:00Z");
        assert_eq!(until(NOW), Some(end));
        assert_eq!(until("2025-11-25T11:59:59Z"), Some(end));
        assert_eq!(until("2025-11-25T12:00:00Z"), None);
        assert_eq!(skips.at(end).count(), 0);
        assert_eq!(ids(&skips.with("b", end, 1000)), "b", "what has ended is dropped");
    }

    #[test]
    fn an_override_is_known_by_both_its_ids() {
        let moved = with(entry("u_1", NOW, NOW), |entry| {
            (entry.uid, entry.overridden) = ("u".into(), true);
        });
        let plain = with(entry("u_2", NOW, NOW), |entry| entry.uid = "u".into());
        for (id, expected) in [("u_1", [true, false]), ("u", [true, false]), ("u_2", [false, true])]
        {
            let skips = Skips::default().with(id, at(NOW), 1000);
            let found = [&moved, &plain].map(|entry| skips.until(entry, at(NOW)).is_some());
            assert_eq!(found, expected, "{id}");
        }
    }

    #[test]
    fn the_newest_stay_and_one_past_the_room_pushes_out_the_oldest() {
        let one = Skips::default().with("1", at(NOW), 1000).weight_bytes();
        let room = 3 * one;
        let add = |skips: &Skips, id| skips.with(id, at(NOW), room);
        let three = ["1", "2", "3"].iter().fold(Skips::default(), |skips, id| add(&skips, id));
        assert_eq!((ids(&three).as_str(), three.weight_bytes()), ("1 2 3", room));
        assert_eq!(ids(&add(&three, "1")), "2 3 1", "skipped again it is the newest");
        assert_eq!(ids(&add(&three, "4")), "2 3 4");
        assert_eq!(ids(&add(&three, "45")), "3 45", "a longer id takes the room of two");
        assert_eq!(ids(&three.without("2")), "1 3");
        assert_eq!(
            Skips::from_rows(three.rows().map(|(id, at)| (id.to_owned(), at)).collect(), room),
            three
        );
        assert_eq!(
            ids(&Skips::from_rows(
                vec![("x".into(), i64::MAX), ("\u{202e}".into(), 5), ("y".into(), 5)],
                room
            )),
            "y"
        );
    }
}
