//! Calendars of `tests/data/ics`, damaged from a seed, against the properties that the fuzz
//! target holds as well. A failure prints the seed and the bytes.

#[path = "../fuzz/properties/calendar.rs"]
mod properties;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use calendarbot::budget::FeedLimits;
use calendarbot::ical::component::{Item, Reader};

use crate::seeded::Random;

/// Calendars of one test.
const CALENDARS: u64 = 1_500;

/// What damages a calendar most: ends, beginnings, and rules that ask for much.
const WORDS: [&str; 10] = [
    "\n",
    "\r\n ",
    ";",
    ":",
    "\"",
    "BEGIN:VEVENT\n",
    "BEGIN:VTIMEZONE\n",
    "END:VEVENT\n",
    "END:VCALENDAR\n",
    ";BYSETPOS=-366;BYHOUR=1,2,3;BYWEEKNO=53",
];

fn sound() -> Vec<Vec<u8>> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let subjects = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ics"));
    let subjects = subjects.iter().filter(|path| path.is_dir());
    let mut paths: Vec<PathBuf> = subjects.flat_map(|subject| entries(subject)).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ics"));
    paths.sort();
    assert!(paths.len() >= 150, "{} calendars", paths.len());
    paths.iter().map(|path| fs::read(path).expect("a calendar")).collect()
}

/// One small change: a byte, a cut, a digit, a piece of another calendar, a word.
fn damage(bytes: &mut Vec<u8>, donor: &[u8], choices: &mut Random) {
    let at = choices.below(bytes.len());
    match choices.below(6) {
        0 if !bytes.is_empty() => bytes[at] = choices.below(256) as u8,
        1 => bytes.truncate(at),
        2 => {
            let end = (at + choices.below(60)).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => {
            let from = choices.below(donor.len());
            let piece = &donor[from..(from + choices.below(80)).min(donor.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
        4 => {
            // Numbers are where overflow hides.
            let digit = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit());
            if let Some(digit) = digit {
                *digit = b"0123456789-"[choices.below(11)];
            }
        }
        _ => drop(bytes.splice(at..at, WORDS[choices.below(WORDS.len())].bytes())),
    }
}

/// A calendar with up to four changes.
fn damaged(sound: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut choices = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut bytes = sound[choices.below(sound.len())].clone();
    for _ in 0..=choices.below(4) {
        damage(&mut bytes, &sound[choices.below(sound.len())], &mut choices);
    }
    bytes
}

fn holds(property: fn(&[u8], &FeedLimits)) {
    let sound = sound();
    for limits in [properties::limits(), properties::tight_limits()] {
        for seed in 1..=CALENDARS {
            let bytes = damaged(&sound, seed);
            let held = catch_unwind(AssertUnwindSafe(|| property(&bytes, &limits)));
            assert!(held.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn a_damaged_calendar_is_the_same_however_it_is_cut() {
    holds(properties::is_the_same_at_every_cut);
}

#[test]
fn a_damaged_calendar_stays_within_its_limits() {
    holds(properties::stays_within_its_limits);
}

/// The damage leaves enough to be read.
#[test]
fn many_of_the_damaged_calendars_have_events_and_many_do_not_end_well() {
    let (sound, limits) = (sound(), properties::limits());
    let (mut events, mut failed) = (0, 0);
    for seed in 1..=CALENDARS {
        let mut count = |item: Item| events += u64::from(matches!(item, Item::Component(_)));
        let mut reader = Reader::new(&limits);
        let pushed = reader.push(&damaged(&sound, seed), &mut count);
        failed += u64::from(pushed.and_then(|()| reader.finish(&mut count)).is_err());
    }
    assert!(events > CALENDARS / 2 && failed > CALENDARS / 10, "{events} {failed}");
}
