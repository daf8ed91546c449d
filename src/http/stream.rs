//! What follows an answer whose body has no end yet: Server-Sent Events (HTML Living Standard,
//! section 9.2), the same bytes for everybody who listens.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use super::response::Answer;

/// The longest that a stream says nothing: what stands between takes a connection that is silent
/// for longer for a dead one.
pub(super) const COMMENT_INTERVAL: Duration = Duration::from_secs(25);
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
}

/// A fixed number of places.
pub(super) struct Places {
    taken: Rc<Cell<usize>>,
    places_max: usize,
}

/// A place that is taken, until this is dropped.
pub struct Place(Rc<Cell<usize>>);

impl Places {
    pub(super) fn new(places_max: usize) -> Self {
        Self { taken: Rc::default(), places_max }
    }

    /// `None` when all are taken.
    pub(super) fn take(&self) -> Option<Place> {
        let taken = self.taken.get();
        (taken < self.places_max).then(|| {
            self.taken.set(taken + 1);
            Place(Rc::clone(&self.taken))
        })
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
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
        let (first, second) = (places.take(), places.take());
        assert!(first.is_some() && second.is_some() && places.take().is_none());
        drop(first);
        assert_eq!(places.taken(), 1);
        assert!(places.take().is_some());
    }
}
