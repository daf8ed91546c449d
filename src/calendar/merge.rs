//! One meeting that stands in several calendars, shown once with the names of all.

use std::collections::HashMap;
use std::fmt;

use jiff::tz::TimeZone;

use super::selection::{self, is_private};
use super::text::folded;
use super::{CalendarStatus, Entry};
use crate::hash::fnv1a_parts;
use crate::ical::Time;

/// What two entries of different calendars have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// UID, title and start: they are one meeting.
    Uid,
    /// Title, start and end: they are one meeting.
    Title,
    /// UID and start alone. As one meeting the first calendar would rename that of the other.
    Renamed,
}

impl Likeness {
    /// They are one meeting.
    pub(super) fn is_same(self) -> bool {
        self != Likeness::Renamed
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Likeness::Uid => "the same UID, title and start",
            Likeness::Title => "the same title, start and end",
            Likeness::Renamed => "the same UID and start, and another title",
        })
    }
}

/// What two entries of different calendars have in common, if anything, seen from `zone`.
///
/// A private one is never the same as another: its title would stand beside the name of the
/// calendar that hides it, or "Busy" in the place of a title that may be seen.
pub(super) fn likeness(
    a: &Entry,
    b: &Entry,
    calendars: &[CalendarStatus],
    zone: &TimeZone,
) -> Option<Likeness> {
    let hidden = is_private(a, calendars) || is_private(b, calendars);
    let days = |entry: &Entry| matches!(entry.start, Time::Date(_));
    let times = |entry: &Entry| selection::times(entry.start, entry.end, zone);
    let ((a_start, a_end), (b_start, b_end)) = (times(a), times(b));
    if hidden || a.calendar == b.calendar || days(a) != days(b) || a_start != b_start {
        return None;
    }
    let title = folded(&a.details.summary);
    match (a.uid == b.uid, title == folded(&b.details.summary)) {
        (true, true) => Some(Likeness::Uid),
        (true, false) => Some(Likeness::Renamed),
        (false, titled) => {
            (titled && !title.is_empty() && a_end == b_end).then_some(Likeness::Title)
        }
    }
}

/// Entries as they are read, each meeting once. The calendar that stands first in the
/// configuration tells of it.
pub struct Merged<'a> {
    calendars: &'a [CalendarStatus],
    zone: &'a TimeZone,
    entries: Vec<Entry>,
    /// Where the same meeting would be, by the hashes of what would be the same.
    places: HashMap<u64, usize>,
}

/// What the places of one entry take in memory, in a table that is half empty.
pub const PLACES_BYTES: usize = 2 * 2 * size_of::<(u64, usize)>();

impl<'a> Merged<'a> {
    /// No entries yet.
    pub fn new(calendars: &'a [CalendarStatus], zone: &'a TimeZone) -> Self {
        Self { calendars, zone, entries: Vec::new(), places: HashMap::new() }
    }

    /// How many meetings there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True before the first one.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the entry's calendar to the meeting that it is, or gives it back as one of its own.
    pub fn join(&mut self, mut entry: Entry) -> Option<Entry> {
        for key in self.keys(&entry).into_iter().flatten() {
            let place = self.places.get(&key);
            let Some(known) = place.and_then(|&place| self.entries.get_mut(place)) else {
                continue;
            };
            let likeness = likeness(known, &entry, self.calendars, self.zone);
            if known.also.contains(&entry.calendar) || !likeness.is_some_and(Likeness::is_same) {
                continue;
            }
            if entry.calendar < known.calendar {
                entry.also = std::mem::take(&mut known.also);
                std::mem::swap(known, &mut entry);
            }
            let place = known.also.partition_point(|&other| other < entry.calendar);
            known.also.insert(place, entry.calendar);
            return None;
        }
        Some(entry)
    }

    /// Takes a meeting of its own.
    pub fn push(&mut self, entry: Entry) {
        for key in self.keys(&entry).into_iter().flatten() {
            self.places.entry(key).or_insert(self.entries.len());
        }
        self.entries.push(entry);
    }

    /// All of them.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// A hash only says where to look: whoever can send an invitation can make two the same.
    fn keys(&self, entry: &Entry) -> Option<[u64; 2]> {
        if self.calendars.len() < 2 || is_private(entry, self.calendars) {
            return None;
        }
        let (start, end) = selection::times(entry.start, entry.end, self.zone);
        let (start, end) = (start.as_second().to_le_bytes(), end.as_second().to_le_bytes());
        let title = folded(&entry.details.summary);
        Some([
            fnv1a_parts(&[&start, title.as_bytes(), entry.uid.as_bytes()]),
            fnv1a_parts(&[&start, &end, title.as_bytes()]),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::fixture::{Desk, calendar, entry, titled, with};

    /// An entry as `calendar id start end title`; a `!` in front of the title makes it private.
    fn read(line: &str) -> Entry {
        let parts: Vec<&str> = line.splitn(5, ' ').collect();
        let [number, id, start, end, title] = parts[..] else { panic!("{line}") };
        with(titled(entry(id, start, end), title.trim_start_matches('!')), |entry| {
            entry.calendar = number.parse().unwrap();
            entry.details_mut().private = title.starts_with('!');
        })
    }

    /// What is left of these entries of three calendars, the last one private: `id: calendars`.
    fn check(lines: &[&str], expected: &[&str]) {
        let mut desk = Desk::new("2025-11-24T08:00:00Z", "Europe/Berlin", vec![]);
        desk.calendars.extend([calendar("home"), calendar("secret")]);
        desk.calendars[2].private = true;
        let mut merged = Merged::new(&desk.calendars, &desk.zone);
        for line in lines {
            if let Some(entry) = merged.join(read(line)) {
                merged.push(entry);
            }
        }
        let show = |entry: Entry| {
            let others = entry.also.iter().map(usize::to_string);
            let all: Vec<_> = [entry.calendar.to_string()].into_iter().chain(others).collect();
            format!("{}: {}", entry.id, all.join(" "))
        };
        let found: Vec<String> = merged.into_entries().into_iter().map(show).collect();
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn one_meeting_in_two_calendars_is_one() {
        const ONE: &str = "0 a 2025-11-24T09:00Z 2025-11-24T10:00Z Call";
        // The same UID and title, whatever its end.
        check(&[ONE, "1 a 2025-11-24T09:00Z 2025-11-24T11:00Z call"], &["a: 0 1"]);
        check(&[&ONE.replace("Call", ""), "1 a 2025-11-24T09:00Z 2025-11-24T11:00Z "], &["a: 0 1"]);
        // The same title and times, however written.
        check(&[ONE, "1 b 2025-11-24T09:00Z 2025-11-24T10:00Z  CALL "], &["a: 0 1"]);
        check(&[ONE, "1 b 2025-11-24T10:00 2025-11-24T11:00 call"], &["a: 0 1"]);
        // The first calendar tells of it, in whatever order they are read.
        check(&["1 b 2025-11-24T09:00Z 2025-11-24T10:00Z Call", ONE], &["a: 0 1"]);
        // Days are days.
        check(&["0 a 2025-11-24 2025-11-25 Fair", "1 b 2025-11-24 2025-11-25 Fair"], &["a: 0 1"]);
        let midnight = "1 a 2025-11-24T00:00 2025-11-25T00:00 Fair";
        check(&["0 a 2025-11-24 2025-11-25 Fair", midnight], &["a: 0", "a: 1"]);
    }

    #[test]
    fn what_differs_stays_apart() {
        const ONE: &str = "0 a 2025-11-24T09:00Z 2025-11-24T10:00Z Call";
        check(&[ONE, "1 a 2025-11-24T09:01Z 2025-11-24T10:00Z Call"], &["a: 0", "a: 1"]);
        check(&[ONE, "1 b 2025-11-24T09:00Z 2025-11-24T10:01Z Call"], &["a: 0", "b: 1"]);
        check(&[ONE, "1 b 2025-11-24T09:00Z 2025-11-24T10:00Z Calls"], &["a: 0", "b: 1"]);
        // No calendar renames a meeting of another, whichever of them stands first.
        let renamed = ONE.replace("Call", "Fired");
        check(&[ONE, &renamed.replacen('0', "1", 1)], &["a: 0", "a: 1"]);
        check(&[&renamed, &ONE.replacen('0', "1", 1)], &["a: 0", "a: 1"]);
        // A third calendar joins the one that it is the same as.
        let third = "1 b 2025-11-24T09:00Z 2025-11-24T10:00Z Fired";
        check(&[ONE, &renamed, third], &["a: 0", "a: 0 1"]);
        // Twice in one calendar is twice.
        check(&[ONE, "0 b 2025-11-24T09:00Z 2025-11-24T10:00Z Call"], &["a: 0", "b: 0"]);
        let other = "1 b 2025-11-24T09:00Z 2025-11-24T10:00Z Call";
        check(&[ONE, other, &other.replace('b', "c")], &["a: 0 1", "c: 1"]);
        // Two without a title have nothing in common.
        let (untitled, twin) = (ONE.replace("Call", ""), other.replace("Call", ""));
        check(&[&untitled, &twin], &["a: 0", "b: 1"]);
    }

    #[test]
    fn a_private_one_is_never_another() {
        const ONE: &str = "0 a 2025-11-24T09:00Z 2025-11-24T10:00Z Call";
        check(&[ONE, "1 a 2025-11-24T09:00Z 2025-11-24T10:00Z !Call"], &["a: 0", "a: 1"]);
        check(&[ONE, "2 a 2025-11-24T09:00Z 2025-11-24T10:00Z Call"], &["a: 0", "a: 2"]);
        let (mine, yours) = (ONE.replace('C', "!C"), ONE.replace("0 a", "2 a"));
        check(&[&mine, &yours], &["a: 0", "a: 2"]);
    }
}
