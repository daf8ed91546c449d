//! Large calendars that look like people's: made from a seed, a piece at a time.

use std::fmt::Write;

use jiff::civil::{Date, DateTime, date};
use jiff::{Span, ToSpan};

use crate::seeded::{Random, fold};

/// The Monday that generated calendars begin on.
pub(crate) const FIRST_DAY: Date = date(2026, 1, 5);

const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n\
BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
TZNAME:CET\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n\
BEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
TZNAME:CEST\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n";

const WORDS: [&str; 24] = [
    "budget",
    "review",
    "planning",
    "dentist",
    "school",
    "Müller",
    "train",
    "delivery",
    "design",
    "interview",
    "garden",
    "choir",
    "retrospective",
    "invoice",
    "birthday",
    "workshop",
    "café",
    "quarter",
    "release",
    "insurance",
    "swimming",
    "committee",
    "holiday",
    "会議",
];

const ROOMS: [&str; 5] = ["Room 4", "Town hall\\, 2nd floor", "https://meet.example/x", "", "Zoo"];

/// How often events repeat: half of them never, as in most calendars.
const RULES: [&str; 12] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "RRULE:FREQ=DAILY;COUNT=10",
    "RRULE:FREQ=WEEKLY",
    "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR",
    "RRULE:FREQ=MONTHLY;BYDAY=2TU;UNTIL=20271231T235959Z",
    "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1",
    "RRULE:FREQ=YEARLY",
];

/// A whole calendar as one text, about 1.6 kB an event.
pub(crate) fn calendar(events: usize) -> String {
    pieces(events, 1).collect()
}

/// The same from `seed`, a piece at a time: the beginning, each event, the end.
pub(crate) fn pieces(events: usize, seed: u64) -> impl Iterator<Item = String> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let begin = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//generated//EN\r\n\
                 CALSCALE:GREGORIAN\r\nX-WR-CALNAME:Generated\r\n";
    std::iter::once(format!("{begin}{ZONE}"))
        .chain((0..events).map(move |number| event(number, &mut random)))
        .chain(std::iter::once("END:VCALENDAR\r\n".to_owned()))
}

fn event(number: usize, random: &mut Random) -> String {
    let mut out = String::with_capacity(2048);
    let mut line = |text: &str| fold(&mut out, text);
    line("BEGIN:VEVENT");
    line(&format!("UID:{number}-{:016x}@generated.example", random.next()));
    line("DTSTAMP:20260101T000000Z");
    times(random, &mut line);
    let rule = RULES[random.below(RULES.len())];
    if !rule.is_empty() {
        line(rule);
    }
    line(&format!("SUMMARY:{}", words(random, 2, 6)));
    line(&format!("LOCATION:{}", ROOMS[random.below(ROOMS.len())]));
    line(&format!("DESCRIPTION:{}", words(random, 60, 110)));
    line("ORGANIZER;CN=\"Chair, The\":mailto:chair@generated.example");
    for _ in 0..4 + random.below(4) {
        let (name, answer) = (random.below(5000), ["ACCEPTED", "DECLINED"][random.below(2)]);
        line(&format!(
            "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT={answer};CN=Person {name}:\
             mailto:person{name}@generated.example"
        ));
    }
    line("STATUS:CONFIRMED");
    line(&format!("SEQUENCE:{}", random.below(4)));
    line("TRANSP:OPAQUE");
    line("BEGIN:VALARM");
    line("ACTION:DISPLAY");
    line("DESCRIPTION:Reminder");
    line("TRIGGER:-PT15M");
    line("END:VALARM");
    line("END:VEVENT");
    out
}

/// A start between a month before and a year after the first day: zoned, UTC or a whole day.
fn times(random: &mut Random, line: &mut impl FnMut(&str)) {
    let days: Span = (random.below(396) as i64 - 30).days();
    let day = FIRST_DAY.saturating_add(days);
    let quarter_hours = 28 + random.below(48) as i64;
    let start: DateTime = day.at(0, 0, 0, 0).saturating_add((quarter_hours * 15).minutes());
    let end = start.saturating_add(((1 + random.below(8) as i64) * 15).minutes());
    match random.below(10) {
        0 => {
            line(&format!("DTSTART;VALUE=DATE:{}", day.strftime("%Y%m%d")));
            line(&format!("DTEND;VALUE=DATE:{}", day.saturating_add(1.day()).strftime("%Y%m%d")));
        }
        1 | 2 => {
            line(&format!("DTSTART:{}", start.strftime("%Y%m%dT%H%M%SZ")));
            line(&format!("DTEND:{}", end.strftime("%Y%m%dT%H%M%SZ")));
        }
        _ => {
            line(&format!("DTSTART;TZID=Europe/Berlin:{}", start.strftime("%Y%m%dT%H%M%S")));
            line(&format!("DTEND;TZID=Europe/Berlin:{}", end.strftime("%Y%m%dT%H%M%S")));
        }
    }
}

fn words(random: &mut Random, least: usize, most: usize) -> String {
    let mut text = String::new();
    for n in 0..least + random.below(most - least) {
        let gap = match (n, random.below(12)) {
            (0, _) => "",
            (_, 0) => "\\n",
            (_, 1) => "\\, ",
            _ => " ",
        };
        let _ = write!(text, "{gap}{}", WORDS[random.below(WORDS.len())]);
    }
    text
}

#[test]
fn a_generated_calendar_is_the_same_every_time_and_of_the_promised_size() {
    let text = calendar(500);
    assert_eq!(text, calendar(500));
    assert_eq!(text.matches("BEGIN:VEVENT\r\n").count(), 500);
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.split("\r\n").all(|line| line.len() <= 75));
    let per_event = text.len() / 500;
    assert!((1400..1800).contains(&per_event), "{per_event} bytes an event");
    assert_ne!(pieces(5, 1).collect::<String>(), pieces(5, 2).collect::<String>());
}
