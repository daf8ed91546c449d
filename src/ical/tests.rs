//! Whole calendars: `tests/data/ics/SUBJECT/NAME.ics` and what must come of it, `NAME.golden`.
//!
//! The first line of a golden file gives the window and the display's zone:
//! `# 2024-01-01T00:00:00Z 2024-02-01T00:00:00Z Europe/Berlin`. Every further line is an
//! occurrence (start, end, original start, summary; `=` for an original start that was not
//! moved, `-` for an event that does not repeat) or begins with `!` and says what was left out.
//! `BLESS=1` writes the files anew; read the difference before you commit it.

mod properties;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::component::{Component, Item, Kind, NotACalendar, Reader, Summary};
use super::event::Event;
use super::expand::{Expansion, expand};
use super::zone::Zones;
use super::{Time, Window, is_unfit_for_id, known_uid};
use crate::budget::FeedLimits;
use crate::tzdb::{Tzdb, bundled};

mod rfc5545;

/// Reads a calendar in chunks of this many bytes.
fn read_chunks(
    bytes: &[u8],
    chunk: usize,
    limits: &FeedLimits,
) -> (Vec<Item>, Result<Summary, NotACalendar>) {
    let mut items = Vec::new();
    let mut sink = |item| items.push(item);
    let mut reader = Reader::new(limits);
    for piece in bytes.chunks(chunk) {
        if let Err(reason) = reader.push(piece, &mut sink) {
            return (items, Err(reason));
        }
    }
    let summary = reader.finish(&mut sink);
    (items, summary)
}

fn read(bytes: &[u8]) -> (Vec<Item>, Result<Summary, NotACalendar>) {
    read_chunks(bytes, usize::MAX, &FeedLimits::default())
}

fn database() -> &'static Tzdb {
    bundled()
}

/// Every series of a calendar with its occurrences.
fn expand_all(
    items: &[Item],
    calendar_zone: Option<&str>,
    window: Window,
    zone: &TimeZone,
    limits: &FeedLimits,
) -> Vec<(Vec<Event>, Expansion)> {
    let mut zones = Zones::new(database(), zone.clone(), calendar_zone);
    let mut series: BTreeMap<&str, Vec<Event>> = BTreeMap::new();
    for item in items {
        match item {
            Item::Component(Component { kind: Kind::TimeZone, text, .. }) => {
                zones.define(text, limits)
            }
            Item::Component(Component { uid, text, .. }) => {
                let event = Event::parse(text, limits).unwrap();
                assert_eq!(event.uid, *uid);
                series.entry(uid).or_default().push(event);
            }
            Item::Skipped(_) => {}
        }
    }
    let expand = |events: Vec<Event>| {
        let expansion = expand(&events, &zones, window, limits);
        (events, expansion)
    };
    series.into_values().map(expand).collect()
}

fn show(time: Time, zone: &TimeZone) -> String {
    match time {
        Time::Instant(instant) => {
            instant.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        }
        Time::Floating(civil) => civil.to_string(),
        Time::Date(date) => date.to_string(),
    }
}

/// The golden text of a calendar, without its first line.
fn golden(bytes: &[u8], window: Window, zone: &TimeZone) -> String {
    let limits = FeedLimits::default();
    let (items, summary) = read(bytes);
    let summary = match summary {
        Ok(summary) => summary,
        Err(reason) => return format!("! {reason}\n"),
    };
    let mut lines = Vec::new();
    lines.extend(items.iter().filter_map(|item| match item {
        Item::Skipped(skip) => Some(format!("! {skip}")),
        Item::Component(_) => None,
    }));
    let mut found = Vec::new();
    for (events, expansion) in expand_all(&items, summary.zone.as_deref(), window, zone, &limits) {
        let uid = &events[0].uid;
        lines.extend(expansion.warnings.iter().map(|warning| format!("! {uid}: {warning}")));
        lines.extend(expansion.truncated.iter().map(|mark| format!("! {uid}: {mark}")));
        for occurrence in expansion.occurrences {
            let original = match occurrence.recurrence {
                None => "-".to_owned(),
                Some(original) if original == occurrence.start => "=".to_owned(),
                Some(original) => show(original, zone),
            };
            let (start, end) = (show(occurrence.start, zone), show(occurrence.end, zone));
            let summary = &events[occurrence.event].details.summary;
            found.push(format!("{start} {end} {original} {summary}"));
        }
    }
    found.sort();
    lines.extend(found);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn calendars() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ics")];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ics") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    assert!(paths.len() >= 150, "{} calendars", paths.len());
    paths
}

#[test]
fn every_calendar_expands_to_its_golden_file() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in calendars() {
        let golden_path = path.with_extension("golden");
        let expected = fs::read_to_string(&golden_path).unwrap();
        let head = expected.lines().next().unwrap();
        let [_, start, end, zone] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{}: the first line gives window and zone", golden_path.display());
        };
        let window = Window { start: start.parse().unwrap(), end: end.parse().unwrap() };
        let zone = database().get(zone).unwrap();
        let found = format!("{head}\n{}", golden(&fs::read(&path).unwrap(), window, &zone));
        if found == expected {
            continue;
        }
        // Other tests read these files at the same time: only what differs is written.
        if bless {
            fs::write(&golden_path, found).unwrap();
        } else {
            wrong.push(format!("{}\nexpected:\n{expected}\nfound:\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `make oracle` gives a set, a window, a zone and a path a line in `cases`; `answers` gets each
/// line again with its golden text below.
#[test]
#[ignore = "`make oracle` runs it"]
fn answers_for_the_oracle() {
    let folder = PathBuf::from(std::env::var_os("ORACLE").expect("`make oracle` sets it"));
    let mut answers = String::new();
    for case in fs::read_to_string(folder.join("cases")).unwrap().lines() {
        let [_, start, end, zone, path] = case.splitn(5, ' ').collect::<Vec<_>>()[..] else {
            panic!("not a case: {case}");
        };
        let window = Window { start: start.parse().unwrap(), end: end.parse().unwrap() };
        let zone = database().get(zone).unwrap();
        let text = golden(&fs::read(path).unwrap(), window, &zone);
        answers += &format!("# {case}\n{text}");
    }
    fs::write(folder.join("answers"), answers).unwrap();
}

#[test]
fn a_calendar_is_the_same_however_it_is_cut() {
    let limits = FeedLimits::default();
    for path in calendars() {
        let bytes = fs::read(&path).unwrap();
        let whole = read(&bytes);
        for chunk in [1, 2, 3, 7, 64] {
            assert_eq!(read_chunks(&bytes, chunk, &limits), whole, "{} by {chunk}", path.display());
        }
    }
}

/// An answer writes no such characters, and two UIDs are never one.
#[test]
fn a_uid_is_known_by_what_can_be_told() {
    for uid in ["a@b", "../x", "ü 日本", "a\u{fffd}"] {
        assert_eq!(known_uid(uid), uid);
    }
    let odd =
        ["a\tb", "a\u{9b}b", "a\u{202e}b", "a\u{2066}b", "a\u{61c}b", "a\u{2028}b", "ab\u{7f}"];
    let known = odd.map(|uid| known_uid(uid).into_owned());
    assert!(known.iter().all(|it| it.starts_with("odd-") && !it.contains(is_unfit_for_id)));
    assert_eq!(known.iter().collect::<std::collections::BTreeSet<_>>().len(), odd.len());
    let feed = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\u{202e}b\r\nDTSTART:20260105T090000Z\r\n\
                END:VEVENT\r\nEND:VCALENDAR\r\n";
    let (items, _) = read(feed.as_bytes());
    let [Item::Component(Component { uid, text, .. })] = &items[..] else { panic!("{items:?}") };
    assert_eq!(*uid, known_uid("a\u{202e}b"));
    assert!(text.contains(&format!("UID:{uid}\n")), "{text:?}");
}
