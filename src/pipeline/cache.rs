//! Answers kept for the next asker: least recently used first out, weighed in bytes.
//!
//! Pure: the caller says what time it is and which generation of the data is current. An entry
//! is good for one generation and one stretch of wall-clock time; a clock that jumps back past
//! an answer's making makes it a miss, like one that has run past its end.

use std::rc::Rc;

use hashlink::LinkedHashMap;

use super::key::ViewKey;
use crate::http::response::Answer;

/// When an answer may be given: `from` included, `until` not, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// When it was made.
    pub from: i64,
    /// When it stops being true.
    pub until: i64,
    /// The generation of the data that it was made from.
    pub generation: u64,
}

struct Entry {
    answer: Rc<Answer>,
    validity: Validity,
    weight_bytes: usize,
}

/// What the map itself holds for an entry: two links, the hash table's share and the allocation
/// headers of entry and answer.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// What a look-up found.
#[derive(Debug)]
pub enum Found {
    /// A good answer.
    Hit(Rc<Answer>),
    /// Nothing.
    Miss,
    /// An answer that was no longer good; it is gone.
    Expired,
}

/// The cache.
pub struct Cache {
    entries: LinkedHashMap<ViewKey, Entry>,
    weight_bytes: usize,
    weight_bytes_max: usize,
    entries_max: usize,
    entry_bytes_max: usize,
}

impl Cache {
    /// An empty cache that never outweighs `weight_bytes_max`.
    pub fn new(weight_bytes_max: usize, entries_max: usize, entry_bytes_max: usize) -> Self {
        let entries = LinkedHashMap::new();
        Self { entries, weight_bytes: 0, weight_bytes_max, entries_max, entry_bytes_max }
    }

    /// The answer for `key` at `now`, and the entry moves to the back of the line.
    pub fn get(&mut self, key: &ViewKey, now: i64, generation: u64) -> Found {
        let Some(entry) = self.entries.to_back(key) else { return Found::Miss };
        let Validity { from, until, .. } = entry.validity;
        if entry.validity.generation == generation && (from..until).contains(&now) {
            return Found::Hit(Rc::clone(&entry.answer));
        }
        self.remove(key);
        Found::Expired
    }

    /// Keeps an answer, dropping the least recently used ones to make room. Returns how many
    /// were dropped. One that is too heavy by itself is not kept.
    pub fn insert(&mut self, key: ViewKey, answer: Rc<Answer>, validity: Validity) -> usize {
        self.remove(&key);
        let weight_bytes = size_of::<(ViewKey, Entry)>()
            + ENTRY_OVERHEAD_BYTES
            + key.heap_bytes()
            + answer.weight_bytes();
        if weight_bytes > self.entry_bytes_max.min(self.weight_bytes_max) {
            return 0;
        }
        let mut evicted = 0;
        while self.entries.len() >= self.entries_max
            || self.weight_bytes + weight_bytes > self.weight_bytes_max
        {
            let Some((_, oldest)) = self.entries.pop_front() else { break };
            self.weight_bytes -= oldest.weight_bytes;
            evicted += 1;
        }
        self.weight_bytes += weight_bytes;
        self.entries.insert(key, Entry { answer, validity, weight_bytes });
        evicted
    }

    /// Number of answers kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when none is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What all of them weigh.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    fn remove(&mut self, key: &ViewKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight_bytes -= entry.weight_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::View;
    use super::*;
    use crate::http::response::media;

    fn key(limit: u16) -> ViewKey {
        ViewKey { view: View::Next { limit }, zone: None }
    }

    fn answer(bytes: usize) -> Rc<Answer> {
        Rc::new(Answer::ok(media::JSON, &vec![b'x'; bytes]))
    }

    const VALID: Validity = Validity { from: 100, until: 160, generation: 1 };

    fn is_hit(found: Found) -> bool {
        matches!(found, Found::Hit(_))
    }

    #[test]
    fn an_answer_is_good_from_its_making_until_its_end_and_not_a_second_longer() {
        for (now, generation, hit) in
            [(100, 1, true), (159, 1, true), (160, 1, false), (99, 1, false), (120, 2, false)]
        {
            let mut cache = Cache::new(10_000, 10, 10_000);
            cache.insert(key(1), answer(10), VALID);
            assert_eq!(is_hit(cache.get(&key(1), now, generation)), hit, "{now} {generation}");
            assert_eq!(cache.len(), usize::from(hit));
        }
    }

    #[test]
    fn weight_is_never_over_the_share_and_falls_back_to_zero() {
        let mut cache = Cache::new(5_000, 100, 5_000);
        let mut seed = 7_u32;
        for turn in 0..10_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let limit = (seed >> 16) as u16 % 32;
            if turn % 3 == 0 {
                cache.get(&key(limit), 100 + i64::from(limit), 1);
            } else {
                cache.insert(key(limit), answer(seed as usize >> 22), VALID);
            }
            assert!(cache.weight_bytes() <= 5_000);
        }
        (0..32).for_each(|limit| drop(cache.get(&key(limit), 0, 0)));
        assert_eq!((cache.len(), cache.weight_bytes()), (0, 0));
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = Cache::new(1_000_000, 2, 10_000);
        cache.insert(key(1), answer(1), VALID);
        cache.insert(key(2), answer(1), VALID);
        assert!(is_hit(cache.get(&key(1), 100, 1)));
        assert_eq!(cache.insert(key(3), answer(1), VALID), 1);
        assert!(is_hit(cache.get(&key(1), 100, 1)));
        assert!(!is_hit(cache.get(&key(2), 100, 1)));
    }

    #[test]
    fn an_answer_at_the_entry_limit_is_kept_and_one_byte_more_is_not() {
        let mut cache = Cache::new(1_000_000, 10, 1_000_000);
        cache.insert(key(1), answer(1000), VALID);
        let weight = cache.weight_bytes();
        for (limit_bytes, kept) in [(weight, 1), (weight - 1, 0)] {
            let mut cache = Cache::new(1_000_000, 10, limit_bytes);
            cache.insert(key(1), answer(1000), VALID);
            assert_eq!(cache.len(), kept);
        }
    }

    #[test]
    fn the_same_key_again_replaces_the_answer() {
        let mut cache = Cache::new(1_000_000, 10, 10_000);
        cache.insert(key(1), answer(10), VALID);
        let weight = cache.weight_bytes();
        cache.insert(key(1), answer(10), VALID);
        assert_eq!((cache.len(), cache.weight_bytes()), (1, weight));
    }
}
