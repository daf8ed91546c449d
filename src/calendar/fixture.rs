//! Agendas for tests, written as short as calendars are read.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::settings::Settings;
use super::skips::Skips;
use super::{Agenda, CalendarStatus, Entry};
use crate::budget::{FeedLimits, Plan};
use crate::ical::{Details, Time};

/// Everything that an [`Agenda`] borrows.
pub(crate) struct Desk {
    pub(crate) now: Timestamp,
    pub(crate) clock_is_set: bool,
    pub(crate) zone: TimeZone,
    pub(crate) entries: Vec<Entry>,
    pub(crate) calendars: Vec<CalendarStatus>,
    pub(crate) skips: Skips,
    pub(crate) settings: Settings,
}

impl Desk {
    /// A desk with one calendar, `work`, and these events of it.
    pub(crate) fn new(now: &str, zone: &str, entries: Vec<Entry>) -> Self {
        Self {
            now: at(now),
            clock_is_set: true,
            zone: TimeZone::get(zone).unwrap(),
            entries,
            calendars: vec![calendar("work")],
            skips: Skips::default(),
            settings: Settings::default(),
        }
    }

    /// Skips what has this id.
    pub(crate) fn skip(&mut self, id: &str) {
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.people;
        self.skips = self.skips.with(id, self.now, limits.bytes_max);
    }

    pub(crate) fn agenda(&self) -> Agenda<'_> {
        Agenda {
            now: self.now,
            clock_is_set: self.clock_is_set,
            zone: &self.zone,
            entries: &self.entries,
            truncated: false,
            calendars: &self.calendars,
            skips: &self.skips,
            settings: &self.settings,
        }
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `2025-11-24` is a date, `2025-11-24T10:00` floats, and with an offset or `Z` it is an instant.
pub(crate) fn time(text: &str) -> Time {
    if text.len() == "2025-11-24".len() {
        return Time::Date(text.parse().unwrap());
    }
    match text.parse() {
        Ok(instant) => Time::Instant(instant),
        Err(_) => Time::Floating(text.parse().unwrap()),
    }
}

pub(crate) fn entry(id: &str, start: &str, end: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        uid: id.into(),
        overridden: false,
        calendar: 0,
        also: Vec::new(),
        start: time(start),
        end: time(end),
        recurrence: None,
        details: Rc::new(Details { summary: format!("Title {id}"), ..Details::default() }),
    }
}

impl Entry {
    /// What is written on it, to be changed.
    pub(crate) fn details_mut(&mut self) -> &mut Details {
        Rc::make_mut(&mut self.details)
    }
}

/// The entry after a change.
pub(crate) fn with(mut entry: Entry, change: impl FnOnce(&mut Entry)) -> Entry {
    change(&mut entry);
    entry
}

pub(crate) fn titled(entry: Entry, summary: &str) -> Entry {
    with(entry, |e| e.details_mut().summary = summary.to_owned())
}

pub(crate) fn calendar(name: &str) -> CalendarStatus {
    CalendarStatus {
        name: name.to_owned(),
        label: format!("{name}.example.org#ab12"),
        last_success: Some(at("2025-11-24T09:00:00Z")),
        ..CalendarStatus::default()
    }
}

/// An entry as `id start end title`, with times as [`time`] reads them.
pub(crate) fn event(line: &str) -> Entry {
    let parts: Vec<&str> = line.splitn(4, ' ').collect();
    let [id, start, end, title] = parts[..] else { panic!("{line}") };
    titled(entry(id, start, end), title)
}
