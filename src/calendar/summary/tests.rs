//! Mornings, a line for each event: how full, how early, and where there is time.

use std::fmt::Write;

use super::*;
use crate::calendar::fixture::{Desk, at, event};

/// Monday evening, before Tuesday 6 January.
const EVENING: &str = "2026-01-05T20:00:00Z";
const ALL: Query = Query { date: None, meetings_max: 100, detail: Detail::Normal };

/// Events of the day as `09:00 09:30 Title`, or `day Title`; `<` and `>` mark the days before and
/// after. Each is known by its place.
fn desk(lines: &[&str]) -> Desk {
    let entries = lines.iter().enumerate().map(|(id, line)| {
        if let Some(title) = line.strip_prefix("day ") {
            return event(&format!("{id} 2026-01-06 2026-01-07 {title}"));
        }
        let (from, rest) = line.split_once(' ').expect("a start");
        let (to, title) = rest.split_once(' ').expect("an end");
        let moment = |text: &str| match text.split_at(1) {
            ("<", time) => format!("2026-01-05T{time}"),
            (">", time) => format!("2026-01-07T{time}"),
            _ => format!("2026-01-06T{text}"),
        };
        event(&format!("{id} {} {} {title}", moment(from), moment(to)))
    });
    Desk::new(EVENING, "Europe/Berlin", entries.collect())
}

/// What becomes of a morning: meetings, density, transitions, free time, getting up.
fn told(desk: &Desk, query: &Query) -> String {
    let agenda = desk.agenda();
    let morning = morning(&agenda, query);
    let clock = |at| desk.zone.to_datetime(at).strftime("%H:%M").to_string();
    let equivalent = morning.halves() as f64 / 2.0;
    let mut told = format!("{equivalent} {:?} {}", morning.density(), morning.back_to_back);
    for gap in &morning.free {
        let mark = if gap.is_significant() { "!" } else { "" };
        let _ = write!(told, " {}-{}{mark}", clock(gap.start), clock(gap.end));
    }
    if let (Some(early), Some(wake_up)) = (&morning.early, morning.wake_up()) {
        let _ = write!(told, " early {} up {}", clock(early.start), clock(wake_up));
    }
    told
}

fn check(lines: &[&str], expected: &str) {
    assert_eq!(told(&desk(lines), &ALL), expected, "{lines:?}");
}

#[test]
fn density_turns_above_two_and_above_four() {
    check(&[], "0 Light 0 06:00-12:00!");
    check(&["09:00 10:00 A"], "1 Light 0 06:00-09:00! 10:00-12:00!");
    check(&["08:00 09:00 A", "10:00 11:00 B"], "2 Light 0 06:00-08:00! 09:00-10:00! 11:00-12:00!");
    check(
        &["08:00 09:00 A", "10:00 11:00 B", "day C"],
        "2.5 Moderate 0 06:00-08:00! 09:00-10:00! 11:00-12:00!",
    );
    let four = ["08:00 08:30 A", "09:00 09:30 B", "10:00 10:30 C", "11:00 11:30 D"];
    let free = "06:00-08:00! 08:30-09:00 09:30-10:00 10:30-11:00 11:30-12:00";
    check(&four, &format!("4 Moderate 0 {free}"));
    check(&[&four[..], &["day E"]].concat(), &format!("4.5 Busy 0 {free}"));
    check(&["day A", "day B", "day C", "day D"], "2 Light 0 06:00-12:00!");
    check(&["day A", "day B", "day C", "day D", "day E"], "2.5 Moderate 0 06:00-12:00!");
}

#[test]
fn what_is_no_meeting_counts_for_none() {
    check(&["09:00 10:00 Focus time"], "0 Light 0 06:00-09:00! 10:00-12:00!");
    check(
        &["06:30 07:00 Deep work", "09:00 10:00 A"],
        "1 Light 0 06:00-06:30 07:00-09:00! 10:00-12:00!",
    );
    check(&["<09:00 <10:00 Monday", ">09:00 >10:00 Wednesday"], "0 Light 0 06:00-12:00!");
    check(&["12:00 13:00 Noon", "05:00 06:00 Before six"], "0 Light 0 06:00-12:00!");
    let mut skipping = desk(&["09:00 10:00 A"]);
    skipping.skip("0");
    assert_eq!(told(&skipping, &ALL), "0 Light 0 06:00-12:00!");
    let mut deleted = desk(&["09:00 10:00 A"]);
    deleted.entries[0].details_mut().deleted = true;
    assert_eq!(told(&deleted, &ALL), "0 Light 0 06:00-12:00!");
}

#[test]
fn less_than_a_quarter_of_an_hour_is_no_break() {
    let after = |second: &str, count| {
        let told = told(&desk(&["09:00 10:00 A", second]), &ALL);
        assert!(told.starts_with(&format!("2 Light {count} ")), "{second}: {told}");
    };
    after("10:00 11:00 B", 1);
    after("10:14 11:00 B", 1);
    after("10:15 11:00 B", 0);
    after("09:30 11:00 B", 1);
    after("09:00 10:00 B", 1);
    // The first is not over before the third begins, whatever the second does.
    check(
        &["08:00 11:00 A", "08:30 09:00 B", "10:00 10:30 C"],
        "3 Moderate 2 06:00-08:00! 11:00-12:00!",
    );
    check(
        &["08:00 09:00 A", "09:05 09:10 Focus", "09:20 10:00 B"],
        "2 Light 0 06:00-08:00! 10:00-12:00!",
    );
}

#[test]
fn free_time_begins_at_half_an_hour_and_matters_from_three_quarters() {
    let gap = |to: &str, expected: &str| {
        let lines = ["06:00 09:00 A".to_owned(), format!("{to} 12:00 B")];
        let lines = lines.each_ref().map(String::as_str);
        let free = morning(&desk(&lines).agenda(), &ALL).free;
        let shown: Vec<_> =
            free.iter().map(|gap| format!("{} {}", gap.minutes(), gap.is_significant())).collect();
        assert_eq!(shown.join(","), expected, "{to}");
    };
    gap("09:29", "");
    gap("09:30", "30 false");
    gap("09:44", "44 false");
    gap("09:45", "45 true");
    let longest = |lines: &[&str]| {
        morning(&desk(lines).agenda(), &ALL).longest_gap().map(|gap| gap.minutes())
    };
    assert_eq!(longest(&[]), Some(360));
    assert_eq!(longest(&["06:00 12:00 A"]), None);
    assert_eq!(longest(&["06:30 11:30 A"]), None, "half an hour is not enough for anything");
    assert_eq!(longest(&["07:00 11:00 A"]), Some(60));
}

#[test]
fn early_is_before_eight_on_the_day_itself() {
    check(&["08:00 09:00 A"], "1 Light 0 06:00-08:00! 09:00-12:00!");
    check(&["07:59 09:00 A"], "1 Light 0 06:00-07:59! 09:00-12:00! early 07:59 up 06:29");
    check(&["07:15 12:00 A"], "1 Light 0 06:00-07:15! early 07:15 up 06:00");
    check(&["06:30 12:00 A"], "1 Light 0 06:00-06:30 early 06:30 up 06:00");
    check(&["06:10 12:00 A"], "1 Light 0 early 06:10 up 05:40");
    check(&["05:00 12:00 A"], "1 Light 0 early 05:00 up 04:30");
    check(&["07:00 08:00 Focus"], "0 Light 0 06:00-07:00! 08:00-12:00!");
    // It began the day before: nobody gets up for it.
    check(&["<22:00 07:00 Night shift"], "1 Light 0 07:00-12:00!");
    check(&["<22:00 >22:00 Long shift"], "1 Light 0");
}

#[test]
fn a_morning_is_six_to_noon_in_its_zone_and_on_every_day() {
    let frame = |date: Option<&str>, now: &str, zone: &str| {
        let zone = TimeZone::get(zone).unwrap();
        let (date, [start, end]) = timeframe(date.map(|d| d.parse().unwrap()), at(now), &zone);
        format!("{date} {start} {end}")
    };
    for (date, now, zone, expected) in [
        (None, EVENING, "UTC", "2026-01-06 2026-01-06T06:00:00Z 2026-01-06T12:00:00Z"),
        (None, EVENING, "Europe/Berlin", "2026-01-06 2026-01-06T05:00:00Z 2026-01-06T11:00:00Z"),
        (None, EVENING, "Asia/Tokyo", "2026-01-07 2026-01-06T21:00:00Z 2026-01-07T03:00:00Z"),
        (
            Some("2026-01-09"),
            EVENING,
            "America/New_York",
            "2026-01-09 2026-01-09T11:00:00Z 2026-01-09T17:00:00Z",
        ),
        // Clocks go forward and back that night.
        (
            None,
            "2026-03-28T20:00:00Z",
            "Europe/Berlin",
            "2026-03-29 2026-03-29T04:00:00Z 2026-03-29T10:00:00Z",
        ),
        (
            None,
            "2026-10-24T20:00:00Z",
            "Europe/Berlin",
            "2026-10-25 2026-10-25T05:00:00Z 2026-10-25T11:00:00Z",
        ),
        (
            Some("2200-12-31"),
            EVENING,
            "UTC",
            "2200-12-31 2200-12-31T06:00:00Z 2200-12-31T12:00:00Z",
        ),
    ] {
        assert_eq!(frame(date, now, zone), expected, "{date:?} {now} {zone}");
    }
}

#[test]
fn as_many_as_are_asked_for_are_looked_at() {
    let desk = desk(&["08:00 09:00 A", "10:00 11:00 B", "11:00 12:00 C"]);
    let with = |meetings_max| told(&desk, &Query { meetings_max, ..ALL });
    assert_eq!(with(1), "1 Light 0 06:00-08:00! 09:00-12:00!");
    assert_eq!(with(3), "3 Moderate 1 06:00-08:00! 09:00-10:00!");
    let truncated =
        |meetings_max| morning(&desk.agenda(), &Query { meetings_max, ..ALL }).truncated;
    assert_eq!([truncated(2), truncated(3)], [true, false]);
}
