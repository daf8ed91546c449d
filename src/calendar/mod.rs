//! What a person should see. Pure: no I/O and no clock.

use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::filter::Filter;
use self::settings::Settings;
use self::skips::Skips;
use crate::hash::fnv1a_parts;
use crate::ical::{Details, Time};

mod conflicts;
pub mod days;
pub mod explain;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub mod layout;
pub mod lite;
pub mod locale;
pub mod merge;
pub mod prospect;
pub mod regex;
pub mod selection;
pub mod settings;
pub mod skips;
pub mod speech;
pub mod summary;
pub mod text;

/// One occurrence, as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable over restarts: the bare UID, `UID_<original start>_<8 characters>` for an instance of
    /// a series, whether or not it was moved, or, for a private event, `private-<16 characters>`.
    pub id: String,
    /// UID, which the same meeting has in every calendar. An answer shows [`Entry::id`].
    pub uid: Rc<str>,
    /// It takes the place of an instance that a rule made, and may be told by its UID.
    pub overridden: bool,
    /// Index into [`Agenda::calendars`].
    pub calendar: usize,
    /// Further calendars that have the same meeting, in order.
    pub also: Vec<usize>,
    /// When it begins.
    pub start: Time,
    /// When it ends, exclusive.
    pub end: Time,
    /// The original start of a rule-made instance.
    pub recurrence: Option<Time>,
    /// What is written on it, shared by the occurrences of one event.
    pub details: Rc<Details>,
}

impl Entry {
    /// What it takes in memory, with its part of what it shares with others.
    pub fn weight_bytes(&self) -> usize {
        let details = self.details.bytes() / Rc::strong_count(&self.details);
        let uid = self.uid.len() / Rc::strong_count(&self.uid);
        size_of::<Self>()
            + self.id.capacity()
            + self.also.capacity() * size_of::<usize>()
            + details
            + uid
    }

    /// The id that front-ends of calendarbot_lite know it by: one that has been moved or renamed
    /// has its bare UID there.
    pub fn lite_id(&self) -> &str {
        if self.overridden { &self.uid } else { &self.id }
    }
}

/// The id of an instance of a series in a calendar, by its original start, that of a floating time
/// or a date as if it were UTC.
pub fn instance_id(uid: &str, calendar: &str, original: Timestamp) -> String {
    let number = original.as_second().to_le_bytes();
    let mark = fnv1a_parts(&[calendar.as_bytes(), uid.as_bytes(), &number]) as u32;
    format!("{uid}_{}_{mark:08x}", original.strftime("%Y%m%dT%H%M%S"))
}

/// One feed, as people are told about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarStatus {
    /// The configured name.
    pub name: String,
    /// `host#ab12`: the feed's host and four characters of a hash. Never the URL.
    pub label: String,
    /// `#rrggbb`, when configured.
    pub color: String,
    /// Show every event as "Busy".
    pub private: bool,
    /// Which of its events are shown.
    pub filter: Arc<Filter>,
    /// Components stored.
    pub events: u64,
    /// Malformed components that the last refresh skipped.
    pub skipped: u64,
    /// The first of them, each with UID, line and reason; see [`CalendarStatus::disclosed`].
    pub skipped_reasons: Vec<String>,
    /// Series that were cut short at a limit, and zones that had to be guessed: the first few.
    pub warnings: Vec<String>,
    /// Series that a cap has cut short.
    pub truncated_series: u64,
    /// When the data was last known to be right.
    pub last_success: Option<Timestamp>,
    /// Why the last refresh failed; `None` when it did not.
    pub last_error: Option<String>,
    /// When the next refresh is due.
    pub next_due: Option<Timestamp>,
    /// The data is older than three refresh intervals, or the last refresh failed.
    pub stale: bool,
}

impl CalendarStatus {
    /// Texts that quote what is in the calendar, as far as they may be told.
    pub fn disclosed<'t>(&self, texts: &'t [String]) -> &'t [String] {
        if self.private { &[] } else { texts }
    }
}

/// Everything that one answer is made from.
pub struct Agenda<'a> {
    /// The calendar's "now", to the second.
    pub now: Timestamp,
    /// False when nobody knows what time it is: nothing is running then, and nothing comes next.
    pub clock_is_set: bool,
    /// The zone that the answer speaks in.
    pub zone: &'a TimeZone,
    /// Occurrences that touch the answer's window, in no particular order.
    pub entries: &'a [Entry],
    /// True when entries were left out because there were too many.
    pub truncated: bool,
    /// Every configured feed.
    pub calendars: &'a [CalendarStatus],
    /// What people skip: it does not come next.
    pub skips: &'a Skips,
    /// What they have set: how overlapping meetings and pages are shown. What they do not want to
    /// see is not among the entries.
    pub settings: &'a Settings,
}
