//! Which meeting is next, which is running, and when the day is over: a line for each event.

use super::*;
use crate::calendar::fixture::{Desk, at, entry, event, with};
use crate::calendar::settings::ConflictMode;

/// Monday noon, UTC.
const NOON: &str = "2025-11-24T12:00:00Z";

/// A desk at some time with these events, where `skipped` is skipped.
fn desk(now: &str, zone: &str, lines: &[&str]) -> Desk {
    let mut desk = Desk::new(now, zone, lines.iter().map(|line| event(line)).collect());
    desk.skip("skipped");
    desk
}

/// The id of the next meeting at noon UTC, seen from Berlin.
fn check(lines: &[&str], expected: &str) {
    let desk = desk(NOON, "Europe/Berlin", lines);
    let next = next_meeting(&desk.agenda()).map_or("-", |m| m.entry.id.as_str());
    assert_eq!(next, expected, "{lines:?}");
}

#[test]
fn the_earliest_that_has_not_begun() {
    const A: &str = "a 2025-11-24T11:59:59Z 2025-11-24T20:00:00Z Running";
    const B: &str = "b 2025-11-24T13:00:00Z 2025-11-24T20:00:00Z Soon";
    const C: &str = "c 2025-11-24T14:00:00Z 2025-11-24T20:00:00Z Later";
    check(&[], "-");
    check(&[A], "-");
    check(&[C, B, A], "b");
    check(&["a 2025-11-24T12:00:00Z 2025-11-24T12:30:00Z This very second"], "a");
    check(&["a 2025-11-24T12:00:00Z 2025-11-24T12:00:00Z Without length"], "a");
    check(&["a 2026-01-20T12:00:00Z 2026-01-20T13:00:00Z In two months"], "a");
    check(&["a 2025-11-24T14:00 2025-11-24T15:00 Floating, in Berlin", C], "a");
    check(&["a 2025-11-24T12:30 2025-11-24T15:00 Floating, begun in Berlin", C], "c");
}

#[test]
fn equal_starts_go_by_id_and_what_is_skipped_is_passed_over() {
    let tie = |id: &str| format!("{id} 2025-11-24T13:00:00Z 2025-11-24T20:00:00Z Tie");
    let (one, two, skipped) = (tie("1"), tie("2"), tie("skipped"));
    check(&[&two, &one], "1");
    check(&[&skipped, &two], "2");
    check(&[&skipped], "-");
    let mut both = desk(NOON, "UTC", &[&one, &two]);
    both.entries[0].details_mut().deleted = true;
    assert_eq!(next_meeting(&both.agenda()).map(|m| m.entry.id.as_str()), Some("2"));
    both.clock_is_set = false;
    assert!(next_meeting(&both.agenda()).is_none(), "nobody knows what time it is");

    let moved = with(event(&tie("u_20251124T120000_12345678")), |e| {
        (e.uid, e.overridden) = ("b".into(), true);
    });
    let by_uid = Desk::new(NOON, "UTC", vec![event(&tie("c")), moved]);
    let next = next_meeting(&by_uid.agenda()).map(|m| m.entry.lite_id());
    assert_eq!(next, Some("b"), "by the id that this family knows it by");
}

#[test]
fn focus_time_is_no_meeting() {
    let named = |title: &str| format!("f 2025-11-24T13:00:00Z 2025-11-24T14:00:00Z {title}");
    for title in ["Focus", "My FOCUS time", "Deep Work", "thinking time", "Planning Time!"] {
        check(&[&named(title)], "-");
    }
    for title in ["Planning", "Deep dive", "Think", "Time planning"] {
        check(&[&named(title)], "f");
    }
}

#[test]
fn lunch_gives_way_for_half_an_hour() {
    const LUNCH: &str = "l 2025-11-24T13:00:00Z 2025-11-24T14:00:00Z Lunch";
    let review = |start: &str| format!("m 2025-11-24T{start}Z 2025-11-24T20:00:00Z Review");
    let at = |title: &str| format!("m 2025-11-24T13:10:00Z 2025-11-24T20:00:00Z {title}");
    check(&[LUNCH], "l");
    check(&[LUNCH, &review("13:00:00")], "m");
    check(&[LUNCH, &review("13:30:00")], "m");
    check(&[LUNCH, &review("13:30:01")], "l");
    check(&[LUNCH, &at("Lunch bag")], "l");
    check(&[LUNCH, &at("Team lunch")], "l");
    check(&[LUNCH, &at("Team lunches")], "m");
    check(&[LUNCH, &at("Focus")], "l");
    check(
        &[
            LUNCH,
            "e 2025-11-24T12:50:00Z 2025-11-24T12:55:00Z Call",
            "m 2025-11-24T13:05:00Z 2025-11-24T20:00:00Z Review",
        ],
        "e",
    );
}

#[test]
fn all_day_counts_from_midnight_utc() {
    const TOMORROW: &str = "day 2025-11-25 2025-11-26 Holiday";
    check(&["today 2025-11-24 2025-11-25 Holiday"], "-");
    check(&[TOMORROW], "day");
    check(&[TOMORROW, "m 2025-11-25T00:00:01Z 2025-11-25T01:00:00Z Night"], "day");
    check(&[TOMORROW, "m 2025-11-24T23:59:59Z 2025-11-25T01:00:00Z Night"], "m");
    let desk = desk(NOON, "Asia/Tokyo", &[TOMORROW]);
    let next = next_meeting(&desk.agenda()).expect("a next one");
    assert_eq!((next.start, next.end), (at("2025-11-25T00:00:00Z"), at("2025-11-26T00:00:00Z")));
}

#[test]
fn the_next_is_known_only_before_what_is_missing() {
    let known = |line: &str, complete: &str| {
        let desk = desk(NOON, "UTC", &[line]);
        is_next_known(&desk.agenda(), at(complete))
    };
    const M: &str = "m 2025-11-24T13:00:00Z 2025-11-24T14:00:00Z Review";
    assert!(known(M, "2025-11-24T13:30:01Z"));
    assert!(!known(M, "2025-11-24T13:30:00Z"), "a meeting at half past might make lunch give way");
    let later = "2025-11-25T00:00:00Z";
    assert!(!known("m 2025-11-24T11:00:00Z 2025-11-24T14:00:00Z Running", later));
    assert!(!known("skipped 2025-11-24T13:00:00Z 2025-11-24T14:00:00Z Review", later));
    assert!(!known("m 2025-11-24T13:00:00Z 2025-11-24T14:00:00Z Focus", later));
    let long = "long 2025-11-24T11:00:00Z 2025-11-24T20:00:00Z Workshop";
    let mut desk = desk(NOON, "UTC", &[long, M]);
    assert!(is_next_known(&desk.agenda(), at(later)));
    desk.settings.conflicts.mode = ConflictMode::Primary;
    assert!(!is_next_known(&desk.agenda(), at(later)), "it has to give way to what is running");
}

/// The id of the meeting of today that ends last.
fn check_last(now: &str, zone: &str, lines: &[&str], expected: &str) {
    let desk = desk(now, zone, lines);
    let last = last_today(&desk.agenda()).map_or("-", |m| m.entry.id.as_str());
    assert_eq!(last, expected, "{now} {zone} {lines:?}");
}

#[test]
fn the_day_is_over_with_its_last_timed_meeting() {
    const EARLY: &str = "early 2025-11-24T08:00:00Z 2025-11-24T09:00:00Z Review";
    const LONG: &str = "long 2025-11-24T08:30:00Z 2025-11-24T17:00:00Z Workshop";
    const LATE: &str = "late 2025-11-24T15:00:00Z 2025-11-24T16:00:00Z Call";
    check_last(NOON, "UTC", &[], "-");
    check_last(NOON, "UTC", &[EARLY], "early");
    check_last(NOON, "UTC", &[LATE, EARLY], "late");
    check_last(NOON, "UTC", &[LONG, LATE, EARLY], "long");
    check_last(NOON, "UTC", &["f 2025-11-24T15:00:00Z 2025-11-24T16:00:00Z Focus", EARLY], "early");
    check_last(NOON, "UTC", &["skipped 2025-11-24T15:00:00Z 2025-11-24T16:00:00Z X"], "-");
    check_last(NOON, "UTC", &["day 2025-11-24 2025-11-25 Holiday"], "-");
}

#[test]
fn today_goes_from_midnight_to_midnight_in_the_zone() {
    const NIGHT: &str = "n 2025-11-24T23:30:00Z 2025-11-25T00:30:00Z Night call";
    check_last(NOON, "UTC", &[NIGHT], "n");
    check_last("2025-11-25T12:00:00Z", "UTC", &[NIGHT], "n");
    check_last(NOON, "Europe/Berlin", &[NIGHT], "-");
    check_last(NOON, "America/New_York", &[NIGHT], "n");
    check_last(NOON, "Asia/Tokyo", &["m 2025-11-24T15:00:00Z 2025-11-24T16:00:00Z Tomorrow"], "-");
    check_last(NOON, "UTC", &["m 2025-11-23T23:00:00Z 2025-11-24T00:00:00Z Until midnight"], "-");
    check_last(NOON, "UTC", &["m 2025-11-25T00:00:00Z 2025-11-25T01:00:00Z At midnight"], "-");
    // A day of 23 hours, and one of 25.
    let spring = "m 2026-03-29T21:30:00Z 2026-03-29T22:00:00Z Until midnight";
    check_last("2026-03-29T10:00:00Z", "Europe/Berlin", &[spring], "m");
    check_last("2026-03-30T10:00:00Z", "Europe/Berlin", &[spring], "-");
    let autumn = "m 2026-10-25T22:30:00Z 2026-10-25T23:00:00Z Until midnight";
    check_last("2026-10-25T10:00:00Z", "Europe/Berlin", &[autumn], "m");
    check_last("2026-10-24T10:00:00Z", "Europe/Berlin", &[autumn], "-");
}

#[test]
fn of_several_that_run_the_last_one_counts() {
    let running = |lines: &[&str]| {
        let desk = desk(NOON, "UTC", lines);
        running(&desk.agenda()).map(|m| m.entry.id.clone()).unwrap_or_default()
    };
    const LONG: &str = "long 2025-11-24T08:00:00Z 2025-11-24T17:00:00Z Workshop";
    assert_eq!(running(&[]), "");
    assert_eq!(running(&[LONG]), "long");
    assert_eq!(running(&["m 2025-11-24T12:00:00Z 2025-11-24T13:00:00Z Call", LONG]), "m");
    assert_eq!(running(&["m 2025-11-24T11:00:00Z 2025-11-24T12:00:00Z Over"]), "");
    assert_eq!(running(&["m 2025-11-24T11:00:00Z 2025-11-24T13:00:00Z Deep work"]), "");
    assert_eq!(running(&["skipped 2025-11-24T11:00:00Z 2025-11-24T13:00:00Z X"]), "");
    let day = Desk::new(NOON, "UTC", vec![entry("d", "2025-11-24", "2025-11-25")]);
    assert!(super::running(&day.agenda()).is_none());
}
