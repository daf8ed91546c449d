//! Answers kept for the next asker, weighed in bytes: the coldest go first, and of those the least
//! recently used.
//!
//! Pure: the caller says what time it is and which generation of the data is current. An answer
//! is good for one generation and one stretch of wall-clock time; a clock that jumps back past
//! its making makes it a miss, like one that has run past its end.
//!
//! ```text
//!   percent of the share   what happens when an answer comes in
//!   under 70               answers are made ahead of time, too, and what is not hot makes room for
//!                          them ([`Cache::keep_next`])
//!   over 85                what is no longer good goes
//!   over 95                the coldest go, until 85
//! ```
//!
//! An entry outlives its answer for a while, a few hundred bytes, and remembers how hot its key
//! is: the entries are their own sketch of what displays ask for. Whoever asks for many things a
//! few times, however fast, drops only what is as cold as that.

use std::rc::Rc;

use hashlink::LinkedHashMap;

use super::key::{Kind, ViewKey};
use crate::http::response::Answer;

/// When an answer may be given: `from` included, `until` not, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// When it was made, or for when.
    pub from: i64,
    /// When it stops being true.
    pub until: i64,
    /// The generation of the data that it was made from.
    pub generation: u64,
}

impl Validity {
    fn holds(&self, now: i64, generation: u64) -> bool {
        self.generation == generation && (self.from..self.until).contains(&now)
    }
}

/// What the cache may hold.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Weight of everything.
    pub bytes_max: usize,
    /// Number of entries.
    pub entries_max: usize,
    /// Weight of one.
    pub entry_bytes_max: usize,
    /// The part of `bytes_max` that ranges may take, in percent: however many somebody asks for,
    /// what the wall shows stays.
    pub ranges_percent: usize,
}

impl Share {
    fn percent(&self, percent: usize) -> usize {
        self.bytes_max / 100 * percent
    }

    /// What all of one kind may weigh.
    fn of(&self, kind: Kind) -> usize {
        match kind {
            Kind::Range => self.percent(self.ranges_percent),
            Kind::WhatsNext | Kind::Setup => self.bytes_max,
        }
    }
}

/// Up to here there is spare room.
const SPARE_PERCENT: usize = 70;
/// From here on what is no longer good goes; what must make room stops here.
const TIGHT_PERCENT: usize = 85;
/// From here on others go.
const FULL_PERCENT: usize = 95;

/// What the map itself holds for an entry: two links, the hash table's share, and the counts of
/// its answer's `Rc`.
const ENTRY_OVERHEAD_BYTES: usize = 2 * size_of::<usize>() + 16 + 2 * size_of::<usize>();

/// What a minute in which somebody asks adds to the heat of a key, however often they do: displays
/// ask for hours, and a flood is no display. It cools by a sixteenth a minute: what is asked for
/// every five minutes stays hotter than this, and what was asked for in two minutes does for eight.
const ASKED: u8 = 16;
/// What makes room: first all that are no hotter than this, then those up to the next. The second
/// takes a flood of ten minutes to reach; the last is all there are.
const COLD_FIRST: [u8; 3] = [ASKED, 8 * ASKED, u8::MAX];

/// What a look-up found.
#[derive(Debug)]
pub enum Found {
    /// A good answer.
    Hit(Rc<Answer>),
    /// Nothing.
    Miss,
    /// An answer that had run out; it is gone.
    Expired,
    /// An answer from older data; it is gone.
    Invalidated,
}

/// How many answers were dropped to make room, of each kind.
pub type Evicted = [u64; Kind::COUNT];

struct Kept {
    answer: Rc<Answer>,
    validity: Validity,
}

#[derive(Default)]
struct Entry {
    current: Option<Kept>,
    /// What takes its place when it has run out.
    next: Option<Kept>,
    heat: u8,
    /// In this minute.
    is_asked_for: bool,
}

impl Entry {
    fn weight_bytes(&self, key: &ViewKey) -> usize {
        let kept = [&self.current, &self.next].into_iter().flatten();
        let answers: usize = kept.map(|kept| kept.answer.weight_bytes()).sum();
        size_of::<(ViewKey, Self)>() + ENTRY_OVERHEAD_BYTES + key.heap_bytes() + answers
    }

    /// The last second for which there is an answer is the one before this.
    fn covered_until(&self, now: i64, generation: u64) -> i64 {
        let mut until = now;
        for kept in [&self.current, &self.next].into_iter().flatten() {
            if kept.validity.holds(until, generation) {
                until = kept.validity.until;
            }
        }
        until
    }

    fn warm_up(&mut self) {
        if !self.is_asked_for {
            self.is_asked_for = true;
            self.heat = self.heat.saturating_add(ASKED);
        }
    }

    fn is_hot(&self) -> bool {
        self.heat > ASKED
    }
}

/// The cache.
pub struct Cache {
    entries: LinkedHashMap<ViewKey, Entry>,
    weights: [usize; Kind::COUNT],
    share: Share,
    /// The share as it was given; it may be used in part.
    whole_bytes: usize,
}

impl Cache {
    /// An empty cache that never outweighs its share.
    pub fn new(share: Share) -> Self {
        let (entries, weights) = (LinkedHashMap::new(), [0; Kind::COUNT]);
        Self { entries, weights, share, whole_bytes: share.bytes_max }
    }

    /// The answer for `key` at `now`, and the entry moves to the back of the line.
    pub fn get(&mut self, key: &ViewKey, now: i64, generation: u64) -> Found {
        let Some(entry) = self.entries.to_back(key) else { return Found::Miss };
        entry.warm_up();
        match &entry.current {
            Some(kept) if kept.validity.holds(now, generation) => {
                Found::Hit(Rc::clone(&kept.answer))
            }
            _ => self.turn_over(key, now, generation),
        }
    }

    /// Drops an answer that is no longer good, and the next one takes its place if it is.
    fn turn_over(&mut self, key: &ViewKey, now: i64, generation: u64) -> Found {
        let weight = &mut self.weights[key.view.kind() as usize];
        let Some(entry) = self.entries.get_mut(key) else { return Found::Miss };
        *weight -= entry.weight_bytes(key);
        let dropped = entry.current.take();
        entry.current = entry.next.take().filter(|next| next.validity.holds(now, generation));
        *weight += entry.weight_bytes(key);
        match (&entry.current, dropped) {
            (Some(kept), _) => Found::Hit(Rc::clone(&kept.answer)),
            (None, None) => Found::Miss,
            (None, Some(old)) if old.validity.generation != generation => Found::Invalidated,
            (None, Some(_)) => Found::Expired,
        }
    }

    /// Keeps an answer, dropping others to make room. One that is too heavy by itself is not kept.
    pub fn insert(&mut self, key: ViewKey, answer: Rc<Answer>, validity: Validity) -> Evicted {
        let mut entry = self.remove(&key).unwrap_or_default();
        entry.warm_up();
        (entry.current, entry.next) = (Some(Kept { answer, validity }), None);
        self.take_in(key, entry, validity)
    }

    fn take_in(&mut self, key: ViewKey, entry: Entry, validity: Validity) -> Evicted {
        let mut evicted = Evicted::default();
        let (kind, bytes) = (key.view.kind(), entry.weight_bytes(&key));
        let own_share = self.share.of(kind);
        if bytes > self.share.entry_bytes_max.min(own_share / 100 * TIGHT_PERCENT) {
            return evicted;
        }
        if self.weight_bytes() + bytes > self.share.percent(TIGHT_PERCENT) {
            self.drop_dead(validity.from, validity.generation);
        }
        if self.weights[kind as usize] + bytes > own_share {
            self.make_room(own_share / 100 * TIGHT_PERCENT - bytes, Some(kind), &mut evicted);
        }
        if self.weight_bytes() + bytes > self.share.percent(FULL_PERCENT) {
            self.make_room(self.share.percent(TIGHT_PERCENT) - bytes, None, &mut evicted);
        }
        if self.entries.len() >= self.share.entries_max {
            self.drop_coldest(&mut evicted);
        }
        self.weights[kind as usize] += bytes;
        self.entries.insert(key, entry);
        evicted
    }

    /// Keeps an answer that was made before anybody asked, where there is spare room or what is not
    /// hot takes it: to follow the one that is still good, or in the place of one that is not.
    /// False when it is not kept.
    pub fn keep_next(
        &mut self,
        key: &ViewKey,
        answer: Rc<Answer>,
        validity: Validity,
        now: i64,
    ) -> (bool, Evicted) {
        let mut evicted = Evicted::default();
        let (kind, bytes) = (key.view.kind(), answer.weight_bytes());
        let (own_share, spare) = (self.share.of(kind), self.share.percent(SPARE_PERCENT));
        let Some(entry) = self.entries.get_mut(key) else { return (false, evicted) };
        let weight = &mut self.weights[kind as usize];
        *weight -= entry.weight_bytes(key);
        entry.current.take_if(|kept| !kept.validity.holds(now, validity.generation));
        entry.next = None;
        let entry_bytes = entry.weight_bytes(key);
        *weight += entry_bytes;
        if entry_bytes + bytes > self.share.entry_bytes_max.min(own_share).min(spare) {
            return (false, evicted);
        }
        self.evict(own_share - bytes, Some(kind), ASKED, &mut evicted);
        self.evict(spare - bytes, None, ASKED, &mut evicted);
        let has_room = self.weight_bytes() + bytes <= spare
            && self.weights[kind as usize] + bytes <= own_share;
        let Some(entry) = self.entries.get_mut(key).filter(|_| has_room) else {
            return (false, evicted);
        };
        self.weights[kind as usize] += bytes;
        let place = if entry.current.is_some() { &mut entry.next } else { &mut entry.current };
        *place = Some(Kept { answer, validity });
        (true, evicted)
    }

    /// The hot views that will have no answer `lead` seconds from `now`, the hottest first and
    /// `keys_max` of them at most, each with the second from which it has none; and the second
    /// when the next one has to be looked at.
    pub fn running_out(
        &self,
        now: i64,
        lead: i64,
        generation: u64,
        keys_max: usize,
    ) -> (Vec<(i64, ViewKey)>, Option<i64>) {
        let mut due = Vec::new();
        let mut next = None::<i64>;
        let hot = self.entries.iter().filter(|(key, entry)| entry.is_hot() && key.view.is_warmed());
        for (key, entry) in hot {
            let until = entry.covered_until(now, generation);
            if until <= now + lead {
                due.push((entry.heat, until, key));
            } else {
                next = Some(next.map_or(until - lead, |next| next.min(until - lead)));
            }
        }
        due.sort_by_key(|(heat, ..)| std::cmp::Reverse(*heat));
        due.truncate(keys_max);
        (due.into_iter().map(|(_, until, key)| (until, key.clone())).collect(), next)
    }

    /// A minute has passed: every key is a little less hot, and what is neither good nor hot goes.
    pub fn cool(&mut self, now: i64, generation: u64) {
        for entry in self.entries.values_mut() {
            entry.heat -= entry.heat.div_ceil(16);
            entry.is_asked_for = false;
        }
        self.drop_dead(now, generation);
    }

    /// Ranges may take so many percent from now on.
    pub fn set_ranges_percent(&mut self, percent: usize) -> Evicted {
        let mut evicted = Evicted::default();
        self.share.ranges_percent = percent;
        self.make_room(self.share.of(Kind::Range), Some(Kind::Range), &mut evicted);
        evicted
    }

    /// So many percent of the share may be used from now on.
    pub fn set_bytes_percent(&mut self, percent: usize) -> Evicted {
        let mut evicted = Evicted::default();
        self.share.bytes_max = self.whole_bytes - self.whole_bytes / 100 * (100 - percent.min(100));
        self.make_room(self.share.bytes_max, None, &mut evicted);
        evicted
    }

    /// Nothing is kept any more.
    pub fn clear(&mut self) {
        *self = Self { whole_bytes: self.whole_bytes, ..Self::new(self.share) };
    }

    /// True for a view that it knows; it may have run out.
    pub fn knows(&self, key: &ViewKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Number of views that it knows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when it knows none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What all of them weigh.
    pub fn weight_bytes(&self) -> usize {
        self.weights.iter().sum()
    }

    /// True while there is room for answers that nobody has asked for: what is not hot makes it.
    pub fn has_spare_room(&self) -> bool {
        let hot = self.entries.iter().filter(|(_, entry)| entry.is_hot());
        let hot_bytes: usize = hot.map(|(key, entry)| entry.weight_bytes(key)).sum();
        hot_bytes < self.share.percent(SPARE_PERCENT)
    }

    fn remove(&mut self, key: &ViewKey) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.weights[key.view.kind() as usize] -= entry.weight_bytes(key);
        Some(entry)
    }

    /// Drops the coldest, of one kind or of all, until they weigh `bytes_max` at most.
    fn make_room(&mut self, bytes_max: usize, only: Option<Kind>, evicted: &mut Evicted) {
        for heat_max in COLD_FIRST {
            self.evict(bytes_max, only, heat_max, evicted);
        }
    }

    /// Drops those that are no hotter than `heat_max`, the least recently used first, of one kind
    /// or of all, until all weigh `bytes_max` at most.
    fn evict(&mut self, bytes_max: usize, only: Option<Kind>, heat_max: u8, evicted: &mut Evicted) {
        let weight_of = |weights: &[usize; Kind::COUNT]| {
            only.map_or_else(|| weights.iter().sum(), |only| weights[only as usize])
        };
        let weights = &mut self.weights;
        if weight_of(weights) <= bytes_max {
            return;
        }
        self.entries.retain_with_order(|key, entry| {
            let is_safe = entry.heat > heat_max || only.is_some_and(|only| only != key.view.kind());
            if is_safe || weight_of(weights) <= bytes_max {
                return true;
            }
            forget(weights, evicted, key, entry);
            false
        });
    }

    /// Drops the coldest of all, and of several the least recently used.
    fn drop_coldest(&mut self, evicted: &mut Evicted) {
        let tier = |heat: u8| COLD_FIRST.iter().position(|max| heat <= *max);
        let coldest = self.entries.iter().min_by_key(|(_, entry)| tier(entry.heat));
        let Some(key) = coldest.map(|(key, _)| key.clone()) else { return };
        if let Some(entry) = self.entries.remove(&key) {
            forget(&mut self.weights, evicted, &key, &entry);
        }
    }

    /// Drops what is not good at `now`; an entry stays as long as it is warm.
    fn drop_dead(&mut self, now: i64, generation: u64) {
        let weights = &mut self.weights;
        self.entries.retain(|key, entry| {
            let weight = &mut weights[key.view.kind() as usize];
            *weight -= entry.weight_bytes(key);
            let ended = |kept: &mut Kept| {
                kept.validity.generation != generation || kept.validity.until <= now
            };
            entry.current.take_if(ended);
            entry.next.take_if(ended);
            let stays = entry.current.is_some() || entry.next.is_some() || entry.heat > 0;
            if stays {
                *weight += entry.weight_bytes(key);
            }
            stays
        });
    }
}

/// An entry has to go.
fn forget(weights: &mut [usize; Kind::COUNT], evicted: &mut Evicted, key: &ViewKey, entry: &Entry) {
    let kind = key.view.kind() as usize;
    weights[kind] -= entry.weight_bytes(key);
    evicted[kind] += u64::from(entry.current.is_some());
}

#[cfg(test)]
mod tests;
