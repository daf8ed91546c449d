//! What comes next in a calendar that is read once, from its beginning to its end, and not kept.
//!
//! What is stored is expanded series by series; here one component is seen at a time. An instance
//! that was moved may come before or after the series that it belongs to, so the first few
//! occurrences are kept, and those that something else stands in for are left out at the end.
//! X-WR-TIMEZONE is not followed: it makes a difference to few events, and to none of how many.

use std::rc::Rc;

use jiff::tz::TimeZone;

use super::Entry;
use super::filter::Filter;
use super::selection::resolve;
use super::text::cut;
use crate::budget::FeedLimits;
use crate::hash::fnv1a;
use crate::ical::component::{Component, Kind};
use crate::ical::event::Event;
use crate::ical::expand::expand;
use crate::ical::zone::Zones;
use crate::ical::{Details, Occurrence, Time, Window};

/// Occurrences that are kept. One is shown; the others take its place when it was moved.
const CANDIDATES_MAX: usize = 16;
/// The same of one component: a series must not push out everybody else.
const CANDIDATES_OF_ONE_MAX: usize = 4;
/// Instances that something stands in for, and that are remembered.
const MOVED_MAX: usize = 256;

/// Of a title, so that all of them together take a few KiB.
const TITLE_CHARS_MAX: usize = 100;

/// An occurrence that may come next.
#[derive(Clone, Debug)]
pub struct Candidate {
    uid: u64,
    occurrence: Occurrence,
    stands_in: bool,
    details: Details,
}

/// A calendar, as far as it was seen.
pub struct Prospect {
    zones: Zones,
    zone: TimeZone,
    window: Window,
    limits: FeedLimits,
    /// The earliest first.
    candidates: Vec<Candidate>,
    /// UIDs and the original starts of instances that something stands in for.
    moved: Vec<(u64, Time)>,
}

impl Prospect {
    /// Nothing was seen yet. What touches the window counts, with dates and floating times as those
    /// of `zone`.
    pub fn new(zones: Zones, zone: TimeZone, window: Window, limits: &FeedLimits) -> Self {
        Self {
            zones,
            zone,
            window,
            limits: limits.clone(),
            candidates: Vec::new(),
            moved: Vec::new(),
        }
    }

    /// Sees one component.
    pub fn see(&mut self, component: &Component) {
        match component.kind {
            Kind::TimeZone => self.zones.define(&component.text, &self.limits),
            Kind::Event => {
                if let Ok(event) = Event::parse(&component.text, &self.limits) {
                    self.see_event(event);
                }
            }
        }
    }

    fn see_event(&mut self, event: Event) {
        let (uid, stands_in) = (fnv1a(event.uid.as_bytes()), event.recurrence_id.is_some());
        // One that was moved far away stands in for its original all the same.
        let window = if stands_in { Window::ALWAYS } else { self.window };
        let expansion = expand(std::slice::from_ref(&event), &self.zones, window, &self.limits);
        if stands_in && self.moved.len() < MOVED_MAX {
            let originals = expansion.occurrences.iter().filter_map(|it| it.recurrence);
            self.moved.extend(originals.map(|original| (uid, original)).take(1));
        }
        if Filter::default().hides(&event.details).is_some() {
            return;
        }
        let Details { summary, private, status, .. } = event.details;
        let summary = cut(&summary, TITLE_CHARS_MAX).to_owned();
        let details = Details { summary, private, status, ..Details::default() };
        let ahead = expansion.occurrences.into_iter().filter(|it| self.is_ahead(it));
        let ahead: Vec<_> = ahead.take(CANDIDATES_OF_ONE_MAX).collect();
        for occurrence in ahead {
            let start = resolve(occurrence.start, &self.zone);
            let is_later = |other: &Candidate| resolve(other.occurrence.start, &self.zone) > start;
            let place = self.candidates.iter().position(is_later).unwrap_or(self.candidates.len());
            if place < CANDIDATES_MAX {
                let details = details.clone();
                self.candidates.insert(place, Candidate { uid, occurrence, stands_in, details });
                self.candidates.truncate(CANDIDATES_MAX);
            }
        }
    }

    fn is_ahead(&self, occurrence: &Occurrence) -> bool {
        let [start, end] = [occurrence.start, occurrence.end].map(|at| resolve(at, &self.zone));
        self.window.touches(start, end)
    }

    /// What it takes in memory, zones apart, which are few.
    pub fn weight_bytes(&self) -> usize {
        let details = self.candidates.iter().map(|candidate| candidate.details.bytes());
        details.sum::<usize>()
            + self.candidates.capacity() * size_of::<Candidate>()
            + self.moved.capacity() * size_of::<(u64, Time)>()
    }

    /// What comes next, the earliest first.
    pub fn finish(self) -> Vec<Candidate> {
        let Self { mut candidates, moved, .. } = self;
        candidates.retain(|candidate| {
            let original = candidate.occurrence.recurrence;
            let is_moved = original.is_some_and(|it| moved.contains(&(candidate.uid, it)));
            candidate.stands_in || !is_moved
        });
        candidates
    }
}

impl Candidate {
    /// The same as what was stored would come out, of the first calendar.
    pub fn into_entry(self) -> Entry {
        Entry {
            id: String::new(),
            uid: "".into(),
            overridden: self.stands_in,
            calendar: 0,
            also: Vec::new(),
            start: self.occurrence.start,
            end: self.occurrence.end,
            recurrence: self.occurrence.recurrence,
            details: Rc::new(self.details),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::component::{Item, Reader};
    use crate::tzdb::bundled;

    /// The titles of what lies ahead at noon of the second Monday of 2026, with their days.
    fn ahead(events: &[&str]) -> Vec<String> {
        let limits = FeedLimits::default();
        let at = |text: &str| text.parse().unwrap();
        let window = Window { start: at("2026-01-12T12:00:00Z"), end: at("2026-04-01T00:00:00Z") };
        let zones = Zones::new(bundled(), TimeZone::UTC, None);
        let mut prospect = Prospect::new(zones, TimeZone::UTC, window, &limits);
        let events: String =
            events.iter().map(|event| format!("BEGIN:VEVENT\n{event}\nEND:VEVENT\n")).collect();
        let text = format!("BEGIN:VCALENDAR\n{events}END:VCALENDAR\n");
        let mut sink = |item| match item {
            Item::Component(component) => prospect.see(&component),
            Item::Skipped(skip) => panic!("{skip}"),
        };
        let mut reader = Reader::new(&limits);
        reader.push(text.as_bytes(), &mut sink).unwrap();
        reader.finish(&mut sink).unwrap();
        let told = |candidate: Candidate| {
            let entry = candidate.into_entry();
            let day = TimeZone::UTC.to_datetime(resolve(entry.start, &TimeZone::UTC)).date();
            format!("{} {}", day, entry.details.summary)
        };
        prospect.finish().into_iter().map(told).collect()
    }

    const DAILY: &str = "UID:d\nSUMMARY:Daily\nDTSTART:20260105T090000Z\nRRULE:FREQ=DAILY";

    #[test]
    fn the_earliest_come_first_and_what_is_over_does_not_come() {
        let single = "UID:s\nSUMMARY:Single\nDTSTART:20260114T080000Z";
        let over = "UID:o\nSUMMARY:Over\nDTSTART:20260112T080000Z\nDURATION:PT1H";
        let running = "UID:r\nSUMMARY:Running\nDTSTART:20260112T110000Z\nDURATION:PT2H";
        let cancelled = "UID:c\nSUMMARY:Off\nSTATUS:CANCELLED\nDTSTART:20260112T130000Z";
        assert_eq!(
            ahead(&[single, over, DAILY, cancelled, running]),
            [
                "2026-01-12 Running",
                "2026-01-13 Daily",
                "2026-01-14 Single",
                "2026-01-14 Daily",
                "2026-01-15 Daily",
                "2026-01-16 Daily"
            ]
        );
    }

    #[test]
    fn what_was_moved_is_where_it_is_now_whichever_comes_first() {
        let moved =
            "UID:d\nSUMMARY:Moved\nRECURRENCE-ID:20260113T090000Z\nDTSTART:20260115T100000Z";
        let away = "UID:d\nSUMMARY:Away\nRECURRENCE-ID:20260114T090000Z\nDTSTART:20270115T100000Z";
        for events in [[DAILY, moved, away], [moved, away, DAILY]] {
            assert_eq!(
                ahead(&events),
                ["2026-01-15 Daily", "2026-01-15 Moved", "2026-01-16 Daily"]
            );
        }
    }

    #[test]
    fn only_the_first_few_are_kept() {
        let single = |day: usize| format!("UID:{day}\nDTSTART:202602{day:02}T080000Z");
        let events: Vec<String> = (1..=20).rev().map(single).collect();
        let kept = ahead(&events.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(kept.len(), CANDIDATES_MAX);
        assert_eq!((kept[0].as_str(), kept[15].as_str()), ("2026-02-01 ", "2026-02-16 "));
    }
}
