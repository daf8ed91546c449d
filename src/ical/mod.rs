//! Calendars as RFC 5545 writes them: bytes in, occurrences out. Pure: no I/O and no clock.
//!
//! [`component`] reads a feed as it streams in and hands out one component at a time, which is
//! stored as text. [`event`] and [`zone`] read such texts back, and [`expand`] turns all events
//! of one UID into the occurrences of a window. The words that these rooms share stand here.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::hash::fnv1a;

pub mod component;
mod definition;
mod draft;
pub mod event;
pub mod expand;
pub mod export;
mod frame;
mod line;
mod recur;
mod rule;
mod schedule;
pub(crate) mod stored;
pub mod value;
mod windows;
pub mod zone;

#[cfg(test)]
mod tests;

/// The years that a calendar is about: nothing happens before or after them.
pub const YEARS: std::ops::RangeInclusive<i16> = 1900..=2200;

/// True for the characters that reorder what stands around them (Unicode's `Bidi_Control`): with
/// them a stranger's event title can rewrite the line it stands in.
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// True for what no id has, since answers leave it out or write something else in its place: the id
/// that a client is told would not be the one that is meant, and nobody could skip or hide it.
pub fn is_unfit_for_id(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The UID that an event is known by: the one that is written, or its hash where that could not be
/// told. Two that differ in such characters alone are still two.
pub fn known_uid(uid: &str) -> Cow<'_, str> {
    match uid.contains(is_unfit_for_id) {
        true => Cow::Owned(format!("odd-{:016x}", fnv1a(uid.as_bytes()))),
        false => Cow::Borrowed(uid),
    }
}

/// A point in time as a calendar means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Time {
    /// The same moment everywhere: UTC, or a local time whose zone is known.
    Instant(Timestamp),
    /// Nine o'clock wherever the display hangs (RFC 5545 section 3.3.5, form 1).
    Floating(DateTime),
    /// A day, not an instant (RFC 5545 section 3.3.4).
    Date(Date),
}

/// A half-open stretch of time, `start` included and `end` not. Floating times and dates are
/// tested as if they were UTC, widened by a day on both sides, since the display's zone is not
/// known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Window {
    /// All of time.
    pub const ALWAYS: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether something from `start` to `end`, exclusive, is seen in it. What has no length is seen
    /// where it stands.
    pub fn touches(self, start: Timestamp, end: Timestamp) -> bool {
        start < self.end && (end > self.start || start >= self.start)
    }
}

/// One time that an event happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// When it begins.
    pub start: Time,
    /// When it ends, exclusive; the same variant as `start`.
    pub end: Time,
    /// Which event of the series it shows: an index into what `expand` was given.
    pub event: usize,
    /// Its place in the series, for a rule-made instance: the original start, before any
    /// override moved it. `None` for an event that does not repeat.
    pub recurrence: Option<Time>,
}

/// What a person can see of an event: everything but its time. Texts are decoded, trimmed to
/// the limits, and free of control characters but for `\n` in the description; an absent property
/// is an empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// SUMMARY.
    pub summary: String,
    /// DESCRIPTION, cut to `description_bytes_max`.
    pub description: String,
    /// LOCATION.
    pub location: String,
    /// URL.
    pub url: String,
    /// CONFERENCE or X-GOOGLE-CONFERENCE.
    pub conference: String,
    /// COLOR (RFC 7986 section 5.9), as written.
    pub color: String,
    /// CATEGORIES, as many at most.
    pub categories: Vec<String>,
    /// ORGANIZER.
    pub organizer: Option<Person>,
    /// ATTENDEE, at most `people_max`.
    pub attendees: Vec<Person>,
    /// STATUS.
    pub status: Status,
    /// CLASS is anything but PUBLIC.
    pub private: bool,
    /// TRANSP:TRANSPARENT.
    pub transparent: bool,
    /// X-MICROSOFT-CDO-BUSYSTATUS.
    pub busy: Option<Busy>,
    /// X-OUTLOOK-DELETED:TRUE.
    pub deleted: bool,
}

impl Details {
    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        let Self { summary, description, location, url, conference, color, .. } = self;
        let texts = [summary, description, location, url, conference, color];
        let people = self.attendees.iter().chain(&self.organizer);
        size_of::<Self>()
            + texts.into_iter().map(String::capacity).sum::<usize>()
            + self.categories.capacity() * size_of::<String>()
            + self.categories.iter().map(String::capacity).sum::<usize>()
            + self.attendees.capacity() * size_of::<Person>()
            + people.map(Person::text_bytes).sum::<usize>()
    }
}

impl Person {
    fn text_bytes(&self) -> usize {
        self.address.capacity() + self.name.capacity() + self.participation.capacity()
    }
}

/// ORGANIZER or ATTENDEE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The address without `mailto:`.
    pub address: String,
    /// CN.
    pub name: String,
    /// PARTSTAT, upper case; empty when not given.
    pub participation: String,
}

/// STATUS of an event (RFC 5545 section 3.8.1.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not given. It counts as confirmed, but a transparent event is only shown when it says so.
    #[default]
    Unstated,
    /// CONFIRMED.
    Confirmed,
    /// TENTATIVE.
    Tentative,
    /// CANCELLED.
    Cancelled,
}

/// X-MICROSOFT-CDO-BUSYSTATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// FREE.
    Free,
    /// TENTATIVE.
    Tentative,
    /// BUSY.
    Busy,
    /// OOF: out of office.
    Away,
    /// WORKINGELSEWHERE.
    Elsewhere,
}
