//! What follows an answer whose body has no end yet: Server-Sent Events (HTML Living Standard,
//! section 9.2), the same bytes for everybody who listens; or a feed, piece by piece.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use super::peer::Peer;
use super::response::{Answer, Manner};
use crate::budget::HttpLimits;
use crate::clock::Moment;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::pipeline::export::Export;

/// The longest that a stream says nothing: what stands between takes a connection that is silent
/// for longer for a dead one.
pub(super) const COMMENT_INTERVAL: Duration = Duration::from_secs(25);
/// The longest that reading out a feed may take: others wait for the place.
pub(super) const EXPORT_TIME_MAX: Duration = Duration::from_secs(300);
/// A line for nobody.
pub(super) const COMMENT: &[u8] = b":\n\n";
/// What comes at once. A browser whose stream ends asks again after these milliseconds.
const GREETING: &[u8] = b"retry: 5000\n\n";
/// Proxies that collect answers shall pass this one on as it comes.
const FIELDS: &str = "X-Accel-Buffering: no\r\n";
/// The longest event, which no number outgrows.
const EVENT_BYTES_MAX: usize = 96;

/// The answer that a stream begins with. It ends with the connection.
pub(super) fn beginning() -> Answer {
    Answer::open("text/event-stream", FIELDS, GREETING)
}

/// The event that says which generation the data is of.
pub(super) struct Event {
    bytes: Vec<u8>,
    generation: Option<u64>,
}

impl Event {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(EVENT_BYTES_MAX), generation: None }
    }

    /// The event of this generation, written anew only when that is another one.
    pub(super) fn of(&mut self, generation: u64) -> &[u8] {
        if self.generation != Some(generation) {
            self.generation = Some(generation);
            self.bytes.clear();
            // Writing into memory cannot fail.
            let _ = write!(
                self.bytes,
                "id: {generation}\nevent: data\ndata: {{\"generation\":{generation}}}\n\n"
            );
        }
        &self.bytes
    }
}

/// What comes after an answer, on the same connection.
pub(super) enum Follow {
    /// Events, as they happen.
    Events(Place),
    /// A feed.
    Export(Box<Exporting>),
}

/// A feed on its way to a client.
pub struct Exporting {
    export: Export,
    /// Given back with the rest.
    _place: Place,
    /// In chunks (RFC 9112 section 7.1), after which the connection may stay open; else it ends
    /// with the connection.
    manner: Manner,
    piece: Vec<u8>,
    sent_bytes: usize,
    is_last: bool,
    /// When it began.
    pub(super) since: Moment,
}

/// A chunk's size, as long as that of any other, and the end of the line.
const CHUNK_SIZE: &str = "00000000\r\n";
const CHUNK_END: &str = "\r\n";
const LAST_CHUNK: &str = "0\r\n\r\n";

impl Exporting {
    pub(super) fn new(export: Export, place: Place, manner: Manner, since: Moment) -> Self {
        let (piece, sent_bytes, is_last) = (Vec::new(), 0, false);
        Self { export, _place: place, manner, piece, sent_bytes, is_last, since }
    }

    /// Makes the next piece.
    ///
    /// # Errors
    /// When there cannot be one.
    pub(super) fn make_next(&mut self, pipeline: &Pipeline) -> Result<()> {
        let is_chunked = !self.manner.is_1_0;
        let mut piece = String::from(if is_chunked { CHUNK_SIZE } else { "" });
        let before = piece.len();
        // What was sent need not be there while the next one is made.
        self.piece = Vec::new();
        self.is_last = pipeline.next_piece(&mut self.export, &mut piece)?;
        if is_chunked {
            let size = format!("{:08x}", piece.len() - before);
            piece.replace_range(..size.len(), &size);
            piece.push_str(CHUNK_END);
            piece.push_str(if self.is_last { LAST_CHUNK } else { "" });
        }
        (self.piece, self.sent_bytes) = (piece.into_bytes(), 0);
        Ok(())
    }

    /// What is still to be sent of the piece at hand.
    pub(super) fn rest(&self) -> &[u8] {
        &self.piece[self.sent_bytes..]
    }

    /// True when that was all of it.
    pub(super) fn note_sent(&mut self, bytes: usize) -> bool {
        self.sent_bytes += bytes;
        self.is_sent()
    }

    pub(super) fn is_sent(&self) -> bool {
        self.sent_bytes == self.piece.len()
    }

    /// True when no piece follows the one at hand.
    pub(super) fn is_through(&self) -> bool {
        self.is_last
    }

    pub(super) fn keeps_alive(&self) -> bool {
        self.manner.keep_alive && !self.manner.is_1_0
    }

    /// What is held of the piece at hand.
    pub(super) fn weight_bytes(&self) -> usize {
        if self.is_sent() { 0 } else { self.piece.capacity() }
    }
}

/// A fixed number of places, of which one address has a part at most: no machine can take them
/// all. This machine is exempt: a proxy lives there.
pub(super) struct Places {
    taken: Rc<RefCell<Vec<Peer>>>,
    places_max: usize,
}

/// A place that is taken, until this is dropped.
pub struct Place {
    taken: Rc<RefCell<Vec<Peer>>>,
    client: Peer,
}

impl Places {
    pub(super) fn new(places_max: usize) -> Self {
        let taken = Rc::new(RefCell::new(Vec::with_capacity(places_max)));
        Self { taken, places_max }
    }

    /// `None` when all are taken, or all that this client may have.
    pub(super) fn take(&self, client: Peer) -> Option<Place> {
        let mut taken = self.taken.borrow_mut();
        let own = taken.iter().filter(|other| **other == client).count();
        let own_max = HttpLimits::places_per_address_max(self.places_max);
        if taken.len() >= self.places_max || (own >= own_max && !client.is_near()) {
            return None;
        }
        taken.push(client);
        Some(Place { taken: Rc::clone(&self.taken), client })
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.borrow().len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.borrow_mut();
        if let Some(place) = taken.iter().position(|client| *client == self.client) {
            taken.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_once_a_generation() {
        let mut event = Event::new();
        let text = "id: 7\nevent: data\ndata: {\"generation\":7}\n\n";
        assert_eq!(event.of(7), text.as_bytes());
        let place = event.bytes.as_ptr();
        assert!(event.of(u64::MAX).len() <= EVENT_BYTES_MAX);
        assert_eq!(event.of(7), text.as_bytes());
        assert_eq!(event.bytes.as_ptr(), place, "nothing is allocated");
    }

    #[test]
    fn the_last_place_is_given_and_one_more_is_not() {
        let places = Places::new(2);
        let (first, second) = (places.take(Peer::Local), places.take(Peer::Local));
        assert!(first.is_some() && second.is_some() && places.take(Peer::Local).is_none());
        drop(first);
        assert_eq!(places.taken(), 1);
        assert!(places.take(Peer::Local).is_some());
    }

    #[test]
    fn one_address_has_a_quarter_of_the_places() {
        let client = |last| Peer::Address([192, 168, 0, last].into());
        let places = Places::new(8);
        let mut own = vec![places.take(client(1)), places.take(client(1))];
        assert!(own.iter().all(Option::is_some) && places.take(client(1)).is_none());
        assert!(places.take(client(2)).is_some(), "another one finds room");
        own.pop();
        assert!(places.take(client(1)).is_some());
        let only = Places::new(1);
        assert!(only.take(client(1)).is_some(), "where there is one, anybody may have it");
        let near = Peer::Address([127, 0, 0, 1].into());
        let proxied: Vec<_> = (0..8).map(|_| places.take(near)).collect();
        assert_eq!(proxied.iter().flatten().count(), 7, "a proxy speaks for many");
    }
}
