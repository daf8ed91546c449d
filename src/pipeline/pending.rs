//! Who waits for which answer. Deduplication and batching are one thing: an asker joins the key
//! that it asks for, and whoever makes the answer takes all of its askers at once.

use std::collections::HashMap;

use super::key::ViewKey;
use crate::http::slab::Token;

/// What became of a wish to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The first asker: somebody must make the answer.
    First,
    /// The answer is being made already.
    Another,
    /// No room for a further key.
    Full,
}

/// The askers of every pending key.
pub struct Pending {
    askers: HashMap<ViewKey, Vec<Token>>,
    keys_max: usize,
}

impl Pending {
    /// Room for `keys_max` keys. The askers of one are bounded by the slab: a slot has one tenant,
    /// which waits for one answer at a time.
    pub fn new(keys_max: usize) -> Self {
        Self { askers: HashMap::new(), keys_max }
    }

    /// Adds an asker to a key.
    pub fn join(&mut self, key: &ViewKey, asker: Token) -> Joined {
        if let Some(askers) = self.askers.get_mut(key) {
            // Who had the slot before and has gone needs no answer any more.
            match askers.iter_mut().find(|other| other.slot() == asker.slot()) {
                Some(gone) => *gone = asker,
                None => askers.push(asker),
            }
            return Joined::Another;
        }
        if self.askers.len() >= self.keys_max {
            return Joined::Full;
        }
        self.askers.insert(key.clone(), vec![asker]);
        Joined::First
    }

    /// True when no key is pending.
    pub fn is_empty(&self) -> bool {
        self.askers.is_empty()
    }

    /// True while somebody waits for `key`.
    pub fn is_wanted(&self, key: &ViewKey) -> bool {
        self.askers.get(key).is_some_and(|askers| !askers.is_empty())
    }

    /// Forgets an asker that has gone. A key that nobody waits for any more need not be made.
    pub fn leave(&mut self, asker: Token) {
        self.askers.values_mut().for_each(|askers| askers.retain(|other| *other != asker));
    }

    /// Everybody who waits for `key`; the key is no longer pending.
    pub fn take(&mut self, key: &ViewKey) -> Vec<Token> {
        self.askers.remove(key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::View;
    use super::*;

    fn key(limit: u16) -> ViewKey {
        ViewKey { view: View::Next { limit }, zone: None }
    }

    #[test]
    fn identical_askers_join_and_are_told_together() {
        let mut pending = Pending::new(2);
        let [a, b, c] = [1, 2, 3].map(Token::from_u64);
        assert_eq!(pending.join(&key(1), a), Joined::First);
        assert_eq!(pending.join(&key(1), b), Joined::Another);
        assert_eq!(pending.join(&key(2), c), Joined::First);
        assert_eq!(pending.take(&key(1)), [a, b]);
        assert_eq!(pending.take(&key(1)), []);
    }

    #[test]
    fn clients_that_come_and_go_in_one_slot_are_one_asker() {
        let mut pending = Pending::new(1);
        let [first, second, other] = [7, 1 << 32 | 7, 8].map(Token::from_u64);
        for asker in [first, other, second] {
            pending.join(&key(1), asker);
        }
        assert_eq!(pending.take(&key(1)), [second, other]);
    }

    #[test]
    fn a_key_that_all_have_left_is_not_wanted_until_somebody_comes() {
        let mut pending = Pending::new(1);
        let [a, b] = [1, 2].map(Token::from_u64);
        pending.join(&key(1), a);
        pending.join(&key(1), b);
        pending.leave(a);
        assert!(pending.is_wanted(&key(1)));
        pending.leave(b);
        assert!(!pending.is_wanted(&key(1)));
        assert_eq!(pending.join(&key(1), a), Joined::Another);
        assert!(pending.is_wanted(&key(1)));
        assert_eq!(pending.take(&key(1)), [a]);
        assert!(!pending.is_wanted(&key(1)));
    }

    #[test]
    fn one_key_more_than_there_is_room_for_is_full_but_joining_is_not() {
        let mut pending = Pending::new(1);
        let [a, b, c] = [1, 2, 3].map(Token::from_u64);
        assert_eq!(pending.join(&key(1), a), Joined::First);
        assert_eq!(pending.join(&key(2), b), Joined::Full);
        assert_eq!(pending.join(&key(1), c), Joined::Another);
        pending.take(&key(1));
        assert_eq!(pending.join(&key(2), b), Joined::First);
    }
}
