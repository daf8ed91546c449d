//! Heads that were judged a moment ago. A display sends the same bytes at every poll, and framing
//! and routing are pure: the same bytes mean the same request, so a look at them all at once takes
//! the place of a look at each.
//!
//! Only requests for views are known here, and only what does not depend on who asks. Every
//! connection remembers the place of its own last request; nothing is searched for.

use super::connection::Asked;
use crate::pipeline::key::ViewKey;

/// A request for a view.
pub(super) struct Known {
    /// All bytes of the request.
    head: Vec<u8>,
    /// How it wants its answer; the client in it is of no meaning.
    pub(super) asked: Asked,
    /// What it asks for.
    pub(super) key: ViewKey,
    /// The hash of its User-Agent.
    pub(super) agent: u64,
}

/// The last few requests for views that differ.
pub(super) struct Recent {
    known: Vec<Known>,
    known_max: usize,
    head_bytes_max: usize,
    /// Who makes room next.
    oldest: usize,
    /// What the keys are normalised by; see [`crate::pipeline::Pipeline::settings_generation`].
    settings: u64,
}

impl Recent {
    /// Room for so many heads of so many bytes.
    pub(super) fn new(known_max: usize, head_bytes_max: usize) -> Self {
        let known = Vec::with_capacity(known_max);
        Self { known, known_max, head_bytes_max, oldest: 0, settings: 0 }
    }

    /// What they weigh.
    pub(super) fn weight_bytes(&self) -> usize {
        let each =
            |known: &Known| size_of::<Known>() + known.head.capacity() + known.key.heap_bytes();
        self.known.iter().map(each).sum()
    }

    /// The request that `bytes` begin with, if it is the one at this place.
    pub(super) fn at(&self, place: usize, bytes: &[u8], settings: u64) -> Option<&Known> {
        let known = self.known.get(place)?;
        (self.settings == settings && bytes.starts_with(&known.head)).then_some(known)
    }

    /// Keeps a request that `bytes` begin with, and says at which place.
    pub(super) fn keep(
        &mut self,
        bytes: &[u8],
        asked: &Asked,
        key: &ViewKey,
        agent: u64,
        settings: u64,
    ) -> usize {
        let head = &bytes[..asked.consumed];
        if self.settings != settings {
            (self.settings, self.oldest) = (settings, 0);
            self.known.clear();
        }
        if let Some(place) = self.known.iter().position(|known| known.head == head) {
            return place;
        }
        if head.len() > self.head_bytes_max {
            return self.known_max;
        }
        let known = Known { head: head.to_vec(), asked: asked.clone(), key: key.clone(), agent };
        if self.known.len() < self.known_max {
            self.known.push(known);
            return self.known.len() - 1;
        }
        let place = self.oldest;
        self.known[place] = known;
        self.oldest = (place + 1) % self.known_max;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::super::peer::Peer;
    use super::super::response::Manner;
    use super::super::route::Series;
    use super::*;
    use crate::pipeline::key::View;

    fn keep(recent: &mut Recent, bytes: &[u8], consumed: usize, limit: u16) -> usize {
        let asked = Asked {
            manner: Manner::CLOSE,
            if_none_match: None,
            consumed,
            client: Peer::Local,
            series: Series::NONE,
            is_watched: false,
        };
        recent.keep(bytes, &asked, &ViewKey { view: View::Next { limit }, zone: None }, 0, 1)
    }

    fn limit_at(recent: &Recent, place: usize, bytes: &[u8]) -> Option<u16> {
        recent.at(place, bytes, 1).map(|known| match known.key.view {
            View::Next { limit } => limit,
            _ => 0,
        })
    }

    #[test]
    fn only_the_very_same_bytes_are_known() {
        let mut recent = Recent::new(2, 8);
        let place = keep(&mut recent, b"GET a\n\nGET b", 7, 1);
        for (bytes, known) in [
            (&b"GET a\n\n"[..], Some(1)),
            (b"GET a\n\nmore", Some(1)),
            (b"GET a\n", None),
            (b"GET b\n\n", None),
            (b"", None),
        ] {
            assert_eq!(limit_at(&recent, place, bytes), known, "{bytes:?}");
        }
        assert_eq!(limit_at(&recent, place + 1, b"GET a\n\n"), None);
    }

    #[test]
    fn other_settings_make_all_unknown() {
        let mut recent = Recent::new(2, 8);
        let place = keep(&mut recent, b"a", 1, 1);
        assert!(recent.at(place, b"a", 1).is_some());
        assert!(recent.at(place, b"a", 2).is_none());
    }

    #[test]
    fn the_oldest_makes_room_and_a_long_head_is_not_kept() {
        let mut recent = Recent::new(2, 8);
        assert_eq!(keep(&mut recent, b"a", 1, 1), 0);
        assert_eq!(keep(&mut recent, b"b", 1, 2), 1);
        assert_eq!(keep(&mut recent, b"a", 1, 1), 0, "known already");
        assert_eq!(keep(&mut recent, b"c", 1, 3), 0);
        assert_eq!(keep(&mut recent, b"d", 1, 4), 1);
        assert_eq!(limit_at(&recent, 0, b"c"), Some(3));
        assert_eq!(keep(&mut recent, b"12345678", 8, 5), 0);
        let nowhere = keep(&mut recent, b"123456789", 9, 6);
        assert_eq!(limit_at(&recent, nowhere, b"123456789"), None);
    }
}
