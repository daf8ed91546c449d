//! What makes two answers the same.
//!
//! A key holds every parameter that changes the bytes of an answer and none that does not. The
//! generation of the data and the time an answer holds for are not in it: the cache checks them
//! on the entry, so that a new generation replaces the old answer instead of standing beside it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

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
}

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
    /// `GET /api/whats-next`, for front-ends of calendarbot_lite.
    LiteNext,
}

impl View {
    /// How long an answer may be given again, in seconds, whatever else happens. It also ends
    /// with the minute for views that count minutes, and at the answer's own next change.
    pub fn seconds_max(&self) -> i64 {
        match self {
            // Its clients start their countdown from a number of seconds without a date.
            View::LiteNext => 1,
            View::Page | View::Next { .. } => 60,
            View::Events { .. } | View::Calendars => 300,
        }
    }

    /// True when the answer counts minutes from "now".
    pub fn counts_minutes(&self) -> bool {
        matches!(self, View::Page | View::Next { .. } | View::LiteNext)
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
    /// What a key weighs beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        let calendar = match &self.view {
            View::Events { calendar: Some(name), .. } => name.len(),
            _ => 0,
        };
        calendar + self.zone.as_ref().map_or(0, |zone| zone.len())
    }
}
