//! Who waits for which answer. Deduplication and batching are one thing: an asker joins the key
//! that it asks for, and whoever makes the answer takes all of its askers at once.

use std::collections::{HashMap, HashSet};

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

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Everybody who has joined its key.
    Askers,
    /// This one alone.
    One(Token),
    /// Nobody yet.
    Later,
}

/// The askers of every pending key.
pub struct Pending {
    askers: HashMap<ViewKey, Vec<Token>>,
    /// Those who share their answer with nobody.
    alone: HashSet<Token>,
    keys_max: usize,
}

impl Pending {
    /// Room for `keys_max` keys. The askers of one are bounded by the slab: a slot has one tenant,
    /// which waits for one answer at a time.
    pub fn new(keys_max: usize) -> Self {
        Self { askers: HashMap::new(), alone: HashSet::new(), keys_max }
    }

    /// Adds an asker whose answer is made for it alone.
    pub fn join_none(&mut self, asker: Token) -> Joined {
        if self.alone.len() >= self.keys_max {
            return Joined::Full;
        }
        self.alone.insert(asker);
        Joined::First
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

    /// True when no answer is pending.
    pub fn is_empty(&self) -> bool {
        self.askers.is_empty() && self.alone.is_empty()
    }

    /// False when all who waited for this answer have gone.
    pub fn is_wanted(&self, key: &ViewKey, whom: Whom) -> bool {
        match whom {
            Whom::Askers => self.askers.get(key).is_some_and(|askers| !askers.is_empty()),
            Whom::One(asker) => self.alone.contains(&asker),
            Whom::Later => true,
        }
    }

    /// Forgets an asker that has gone. An answer that nobody waits for any more need not be made.
    pub fn leave(&mut self, asker: Token) {
        self.alone.remove(&asker);
        self.askers.values_mut().for_each(|askers| askers.retain(|other| *other != asker));
    }

    /// Everybody who waits for this answer; it is no longer pending.
    pub fn take(&mut self, key: &ViewKey, whom: Whom) -> Vec<Token> {
        match whom {
            Whom::Askers => self.askers.remove(key).unwrap_or_default(),
            Whom::One(asker) => self.alone.take(&asker).into_iter().collect(),
            Whom::Later => Vec::new(),
        }
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
        assert_eq!(pending.take(&key(1), Whom::Askers), [a, b]);
        assert_eq!(pending.take(&key(1), Whom::Askers), []);
    }

    #[test]
    fn clients_that_come_and_go_in_one_slot_are_one_asker() {
        let mut pending = Pending::new(1);
        let [first, second, other] = [7, 1 << 32 | 7, 8].map(Token::from_u64);
        for asker in [first, other, second] {
            pending.join(&key(1), asker);
        }
        assert_eq!(pending.take(&key(1), Whom::Askers), [second, other]);
    }

    #[test]
    fn a_key_that_all_have_left_is_not_wanted_until_somebody_comes() {
        let mut pending = Pending::new(1);
        let [a, b] = [1, 2].map(Token::from_u64);
        pending.join(&key(1), a);
        pending.join(&key(1), b);
        pending.leave(a);
        assert!(pending.is_wanted(&key(1), Whom::Askers));
        pending.leave(b);
        assert!(!pending.is_wanted(&key(1), Whom::Askers));
        assert_eq!(pending.join(&key(1), a), Joined::Another);
        assert!(pending.is_wanted(&key(1), Whom::Askers));
        assert_eq!(pending.take(&key(1), Whom::Askers), [a]);
        assert!(!pending.is_wanted(&key(1), Whom::Askers));
    }

    #[test]
    fn who_is_alone_shares_with_nobody_and_is_not_wanted_once_gone() {
        let mut pending = Pending::new(2);
        let [a, b, c] = [1, 2, 3].map(Token::from_u64);
        assert_eq!(pending.join(&key(1), a), Joined::First);
        assert_eq!([b, c].map(|asker| pending.join_none(asker)), [Joined::First; 2]);
        assert_eq!(pending.join_none(Token::from_u64(4)), Joined::Full);
        pending.leave(b);
        assert!(!pending.is_wanted(&key(1), Whom::One(b)));
        assert!(pending.is_wanted(&key(1), Whom::One(c)));
        assert_eq!(pending.take(&key(1), Whom::One(c)), [c]);
        assert_eq!(pending.take(&key(1), Whom::One(c)), []);
        assert!(!pending.is_empty());
        assert_eq!(pending.take(&key(1), Whom::Askers), [a]);
        assert!(pending.is_empty());
    }

    #[test]
    fn one_key_more_than_there_is_room_for_is_full_but_joining_is_not() {
        let mut pending = Pending::new(1);
        let [a, b, c] = [1, 2, 3].map(Token::from_u64);
        assert_eq!(pending.join(&key(1), a), Joined::First);
        assert_eq!(pending.join(&key(2), b), Joined::Full);
        assert_eq!(pending.join(&key(1), c), Joined::Another);
        pending.take(&key(1), Whom::Askers);
        assert_eq!(pending.join(&key(2), b), Joined::First);
    }
}
