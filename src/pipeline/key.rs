//! What makes two answers the same.
//!
//! A key holds every parameter that changes the bytes of an answer and none that does not. The
//! generation of the data and the time an answer holds for are not in it: the cache checks them
//! on the entry, so that a new generation replaces the old answer instead of standing beside it.

pub mod full;
pub mod lite;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::api::json::TOLD_BYTES_MAX;
use crate::display::{Screen, calendar, page};
use crate::http::route::Family;
use crate::ical::YEARS;

/// One end of a window as a client may name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Seconds since 1970.
    Instant(i64),
    /// Midnight at the start of this day, in the answer's zone.
    Day(Date),
}

impl Bound {
    /// Reads a time with an offset, or a day, in the years that calendars are about. A `+` that a
    /// client forgot to escape arrives as a space.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace(' ', "+");
        let (day, bound) = match text.parse::<Timestamp>() {
            Ok(at) => (TimeZone::UTC.to_datetime(at).date(), Self::Instant(at.as_second())),
            Err(_) => text.parse().map(|day| (day, Self::Day(day))).ok()?,
        };
        YEARS.contains(&day.year()).then_some(bound)
    }

    /// The day it lies in, wherever that begins, since 1970.
    fn day(self) -> i64 {
        match self {
            Self::Instant(at) => at.div_euclid(86_400),
            Self::Day(date) => {
                let midnight = TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight()));
                midnight.map_or(0, |midnight| midnight.as_second().div_euclid(86_400))
            }
        }
    }
}

/// A view of more events, or of more days, is a large one: no wall asks for it.
const LARGE_LIMIT: u16 = 200;
const LARGE_DAYS: i64 = 31;

/// How long the answer about some days lives, in seconds, where nothing else is configured.
pub(super) const RANGE_SECONDS: i64 = 300;

/// What an answer takes in memory beside the entries that it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How often it writes the texts that name an entry.
    pub copies: usize,
    /// Everything else in it.
    pub frame_bytes: usize,
}

impl Cost {
    /// What does for either.
    pub fn max(self, other: Self) -> Self {
        Self {
            copies: self.copies.max(other.copies),
            frame_bytes: self.frame_bytes.max(other.frame_bytes),
        }
    }
}

/// JSON that lists events: what is said of all of them.
const LIST_BYTES: usize = 1024;
/// A page without its events.
const PAGE_BYTES: usize = 12 * 1024;

/// One view, with its parameters normalised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The What's Next page.
    Page,
    /// `GET /api/v1/next`.
    Next {
        /// Events in `later`.
        limit: u16,
    },
    /// `GET /api/v1/today`.
    Today,
    /// `GET /api/v1/events`.
    Events {
        /// Start of the window; `None` is the start of today.
        from: Option<Bound>,
        /// End of the window, exclusive; `None` is a week after its start.
        to: Option<Bound>,
        /// Only this calendar.
        calendar: Option<Box<str>>,
        /// Events at most.
        limit: u16,
    },
    /// `GET /api/v1/calendars`.
    Calendars,
    /// For front-ends and devices of calendarbot_lite.
    Lite(lite::View),
    /// A page of some days.
    Calendar(calendar::View),
    /// For front-ends of the Python web server.
    Full(full::View),
}

/// What sort of answer a view is: they live for different times and are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is going on now and comes next.
    WhatsNext,
    /// The events of some days.
    Range,
    /// What is set up, and how it fares.
    Setup,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [Self::WhatsNext, Self::Range, Self::Setup];
    /// How many there are.
    pub const COUNT: usize = 3;
}

impl View {
    /// Whose it is.
    pub fn family(&self) -> Family {
        match self {
            Self::Lite(_) => Family::Lite,
            Self::Full(_) => Family::Full,
            _ => Family::Native,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            View::Lite(view) => view.kind(),
            View::Full(view) => view.kind(),
            View::Page | View::Next { .. } | View::Today => Kind::WhatsNext,
            View::Events { .. } | View::Calendar(_) => Kind::Range,
            View::Calendars => Kind::Setup,
        }
    }

    /// True for what an assistant says, which may be kept from strangers.
    pub fn is_spoken(&self) -> bool {
        matches!(self, Self::Lite(lite::View::Alexa(_)))
    }

    /// False for what is there before any calendar is.
    pub fn needs_data(&self) -> bool {
        !matches!(self, Self::Full(view) if view.kind() == Kind::Setup)
    }

    /// True for what takes much work and memory to make and is on no wall.
    pub fn is_large(&self) -> bool {
        let Self::Events { from, to, limit, .. } = self else { return false };
        let days = from.zip(*to).map_or(0, |(from, to)| to.day() - from.day());
        *limit > LARGE_LIMIT || days > LARGE_DAYS
    }

    /// The one calendar that it is about, if it is about one.
    pub fn calendar(&self) -> Option<&str> {
        match self {
            View::Events { calendar, .. } => calendar.as_deref(),
            View::Calendar(view) => view.calendar.as_deref(),
            _ => None,
        }
    }

    /// How many meetings it shows after the next one, if it is one of those.
    pub fn later(&self) -> Option<usize> {
        match self {
            View::Page => Some(page::LATER_MAX),
            View::Next { limit } => Some(usize::from(*limit)),
            View::Full(view) => view.later(),
            View::Lite(_) | View::Today | View::Events { .. } => None,
            View::Calendars | View::Calendar(_) => None,
        }
    }

    /// True for a page, which people see.
    pub fn is_page(&self) -> bool {
        matches!(self, View::Page | View::Calendar(_) | View::Full(full::View::Calendar))
    }

    /// How it is written and coloured, where pages are like `usual`.
    pub fn screen(&self, usual: Screen) -> Screen {
        match self {
            View::Calendar(view) => view.screen(usual),
            _ => usual,
        }
    }

    /// What it takes in memory beside entries.
    pub fn cost(&self) -> Cost {
        match self {
            View::Full(view) => view.cost(),
            View::Page | View::Calendar(_) => Cost { copies: 1, frame_bytes: PAGE_BYTES },
            // One meeting may say more than its title.
            View::Lite(_) => Cost { copies: 1, frame_bytes: LIST_BYTES + TOLD_BYTES_MAX },
            _ => Cost { copies: 1, frame_bytes: LIST_BYTES },
        }
    }

    /// True when it is worth making before somebody asks for it: one that holds for a second is
    /// not.
    pub fn is_warmed(&self) -> bool {
        self.seconds_max() >= 60
    }

    /// How long an answer may be given again, in seconds, whatever else happens. It also ends
    /// with the minute for views that count minutes, and at the answer's own next change.
    pub fn seconds_max(&self) -> i64 {
        match self {
            // Its clients start their countdown from a number of seconds without a date.
            View::Lite(_) => 1,
            View::Full(view) => view.seconds_max(),
            View::Page | View::Next { .. } | View::Today => 60,
            View::Events { .. } | View::Calendar(_) => RANGE_SECONDS,
            View::Calendars => 600,
        }
    }

    /// True when the answer counts minutes from "now".
    pub fn counts_minutes(&self) -> bool {
        match self {
            View::Full(view) => view.is_of_meetings(),
            _ => matches!(self, View::Page | View::Next { .. } | View::Today | View::Lite(_)),
        }
    }
}

/// A view in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewKey {
    /// What is asked for.
    pub view: View,
    /// The zone that the answer speaks in; `None` is the configured one.
    pub zone: Option<Box<str>>,
}

impl ViewKey {
    /// The one key of all that get the same bytes: the display's zone goes without saying, and
    /// nobody gets more than `events_max` events.
    pub fn normalized(mut self, display: &TimeZone, events_max: usize) -> Self {
        self.zone = self.zone.filter(|zone| display.iana_name() != Some(zone));
        if let View::Events { limit, .. } | View::Next { limit } = &mut self.view {
            *limit = (*limit).min(u16::try_from(events_max).unwrap_or(u16::MAX));
        }
        self
    }

    /// What a key weighs beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        let texts = [self.view.calendar(), self.zone.as_deref()];
        texts.into_iter().flatten().map(str::len).sum()
    }
}
