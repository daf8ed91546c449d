//! What must hold for every calendar of `tests/data/ics`, whatever it is about.

use std::fs;
use std::path::Path;

use jiff::tz::TimeZone;

use super::super::component::{Component, Item, Kind};
use super::super::zone::Zones;
use super::super::{Occurrence, Window, export};
use super::{calendars, expand_all, read};
use crate::budget::FeedLimits;
use crate::tzdb::bundled;

/// So many of the calendars are without a limit or a guess, and can be judged.
const JUDGED_MIN: usize = 200;

/// A calendar of the folder, with the window and the zone of its golden file.
struct Sample {
    name: String,
    items: Vec<Item>,
    calendar_zone: Option<String>,
    window: Window,
    zone: TimeZone,
}

/// Those that are calendars at all.
fn samples() -> Vec<Sample> {
    let sample = |path: &Path| {
        let golden = fs::read_to_string(path.with_extension("golden")).unwrap();
        let mut head = golden.lines().next().unwrap().split(' ').skip(1);
        let mut word = || head.next().unwrap();
        let window = Window { start: word().parse().unwrap(), end: word().parse().unwrap() };
        let zone = bundled().get(word()).unwrap();
        let (items, summary) = read(&fs::read(path).unwrap());
        let calendar_zone = summary.ok()?.zone;
        Some(Sample { name: path.display().to_string(), items, calendar_zone, window, zone })
    };
    calendars().iter().filter_map(|path| sample(path)).collect()
}

impl Sample {
    /// Every occurrence in a window, as (UID, title, occurrence), in order and each once; and
    /// whether a limit or a guess had a part in it.
    fn expand(&self, window: Window, zone: &TimeZone) -> (Vec<(String, String, String)>, bool) {
        let limits = FeedLimits::default();
        let calendar_zone = self.calendar_zone.as_deref();
        let mut found = Vec::new();
        let mut doubtful = false;
        for (events, expansion) in expand_all(&self.items, calendar_zone, window, zone, &limits) {
            doubtful |= expansion.truncated.is_some();
            doubtful |= expansion.warnings.iter().any(|warning| warning.contains("is not known"));
            found.extend(expansion.occurrences.iter().map(|occurrence| {
                let event = &events[occurrence.event];
                let Occurrence { start, end, recurrence, .. } = occurrence;
                let times = format!("{start:?} {end:?} {recurrence:?}");
                (event.uid.clone(), event.details.summary.clone(), times)
            }));
        }
        found.sort();
        found.dedup();
        (found, doubtful)
    }
}

#[test]
fn a_window_is_the_same_in_one_piece_and_in_many() {
    let mut judged = 0;
    for sample in samples() {
        let Window { start, end } = sample.window;
        let (whole, doubtful) = sample.expand(sample.window, &sample.zone);
        let step = (end.as_second() - start.as_second()) / 7 + 1;
        let mut pieces = Vec::new();
        let mut from = start;
        while from < end {
            let to = (from + jiff::SignedDuration::from_secs(step)).min(end);
            pieces.extend(sample.expand(Window { start: from, end: to }, &sample.zone).0);
            from = to;
        }
        pieces.sort();
        pieces.dedup();
        if !doubtful {
            assert_eq!(pieces, whole, "{}", sample.name);
            judged += 1;
        }
    }
    assert!(judged >= JUDGED_MIN, "{judged} calendars");
}

#[test]
fn where_the_display_hangs_changes_no_instant() {
    let mut judged = 0;
    for sample in samples() {
        let here = sample.expand(sample.window, &sample.zone);
        // A name that nobody knows is taken for the display's zone.
        if here.1 {
            continue;
        }
        for name in ["Pacific/Auckland", "America/Los_Angeles"] {
            let zone = bundled().get(name).unwrap();
            let there = sample.expand(sample.window, &zone);
            assert_eq!(there, here, "{} in {name}", sample.name);
        }
        judged += 1;
    }
    assert!(judged >= JUDGED_MIN, "{judged} calendars");
}

#[test]
fn what_is_exported_reads_the_same() {
    let mask = Some(export::Mask { source: 0, everything: false });
    for sample in samples() {
        let zone = sample.zone.clone();
        let calendar_zone = sample.calendar_zone.as_deref();
        let mut zones = Zones::new(bundled(), zone.clone(), calendar_zone);
        let components: Vec<&Component> = sample
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Component(component) => Some(component),
                Item::Skipped(_) => None,
            })
            .collect();
        for component in components.iter().filter(|component| component.kind == Kind::TimeZone) {
            zones.define(&component.text, &FeedLimits::default());
        }
        let mut exported = export::HEAD.to_owned();
        for Component { kind, uid, text } in components {
            match kind {
                Kind::TimeZone => export::zone(uid, text, mask, &zones, &mut exported),
                Kind::Event => export::event(text, mask, &zones, &mut exported),
            }
        }
        exported += export::TAIL;
        let (items, summary) = read(exported.as_bytes());
        let before = sample.expand(sample.window, &zone).0;
        let exported = Sample { items, calendar_zone: summary.unwrap().zone, ..sample };
        let after = exported.expand(exported.window, &zone).0;
        // A private event is exported without its title and UID.
        let times = |found: Vec<(String, String, String)>| {
            let mut times: Vec<String> = found.into_iter().map(|(_, _, times)| times).collect();
            times.sort();
            times
        };
        assert_eq!(times(after), times(before), "{}", exported.name);
    }
}
