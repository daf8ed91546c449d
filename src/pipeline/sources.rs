//! What answers are made from.

use std::cell::Cell;
use std::rc::Rc;

use jiff::tz::TimeZone;

use crate::api::full::wall::Wall;
use crate::api::people::Book;
use crate::budget::FeedLimits;
use crate::clock::Clock;
use crate::connections::database::Database;
use crate::display::Screen;
use crate::feed::Feeds;
use crate::metrics::Metrics;

/// Where answers come from.
pub struct Sources {
    /// The clock.
    pub clock: Clock,
    /// Stored calendars.
    pub database: Rc<Database>,
    /// The configured feeds.
    pub feeds: Rc<Feeds>,
    /// What people skip, hide and set.
    pub book: Rc<Book>,
    /// What the wall shows.
    pub wall: Rc<Wall>,
    /// How pages are written and coloured.
    pub screen: Cell<Screen>,
    /// Where the pipeline counts.
    pub metrics: Rc<Metrics>,
    /// The origins that may hold a page in a frame, each with a blank before it.
    pub frame_ancestors: String,
    /// What one feed may hold.
    pub feed_limits: FeedLimits,
    /// A client may say what "now" is in its answer.
    pub takes_debug_time: bool,
}

impl Sources {
    /// The zone that answers speak in where nothing else is asked for.
    pub fn zone(&self) -> TimeZone {
        self.book.zone(&self.feeds)
    }
}
