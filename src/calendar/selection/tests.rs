//! Tables over selections: days, zones, ties, busy states.

use super::*;
use crate::calendar::fixture::{Desk, at, calendar, entry, time, titled, with};

fn ids(meetings: &[Meeting<'_>]) -> String {
    meetings.iter().map(|m| m.entry.id.as_str()).collect::<Vec<_>>().join(" ")
}

/// `current | next | later | all-day | today | changes at`, at a moment of a day in Berlin.
fn check(now: &str, entries: Vec<Entry>, expected: &str) {
    check_in("Europe/Berlin", now, entries, expected);
}

fn check_in(zone: &str, now: &str, entries: Vec<Entry>, expected: &str) {
    let desk = Desk::new(now, zone, entries);
    let view = whats_next(&desk.agenda(), 3);
    let next = view.next.map_or("-", |m| m.entry.id.as_str());
    let (current, later, all_day) = (ids(&view.current), ids(&view.later), ids(&view.all_day));
    let found = format!(
        "{current} | {next} | {later} | {all_day} | {:?} | {}",
        view.today, view.changes_at
    );
    assert_eq!(found, expected, "at {now} in {zone}");
}

fn monday() -> Vec<Entry> {
    vec![
        entry("c", "2025-11-24T14:00:00Z", "2025-11-24T15:00:00Z"),
        entry("a", "2025-11-24T09:00:00Z", "2025-11-24T10:00:00Z"),
        entry("b", "2025-11-24T10:00:00Z", "2025-11-24T11:00:00Z"),
        entry("d", "2025-11-25T08:00:00Z", "2025-11-25T09:00:00Z"),
    ]
}

#[test]
fn a_day_from_morning_to_night() {
    check("2025-11-24T05:00:00Z", monday(), " | a | b c d |  | Ahead | 2025-11-24T09:00:00Z");
    check("2025-11-24T08:59:59Z", monday(), " | a | b c d |  | Ahead | 2025-11-24T09:00:00Z");
    check("2025-11-24T09:00:00Z", monday(), "a | b | c d |  | Ahead | 2025-11-24T10:00:00Z");
    check("2025-11-24T10:00:00Z", monday(), "b | c | d |  | Ahead | 2025-11-24T11:00:00Z");
    check("2025-11-24T12:00:00Z", monday(), " | c | d |  | Ahead | 2025-11-24T14:00:00Z");
    check("2025-11-24T15:00:00Z", monday(), " | d |  |  | Done | 2025-11-24T23:00:00Z");
    check("2025-11-24T23:00:00Z", monday(), " | d |  |  | Ahead | 2025-11-25T08:00:00Z");
    check("2025-11-25T23:00:00Z", monday(), " | - |  |  | Free | 2025-11-26T23:00:00Z");
    check("2025-11-24T05:00:00Z", vec![], " | - |  |  | Free | 2025-11-24T23:00:00Z");
}

#[test]
fn meetings_that_cross_midnight() {
    let late = || vec![entry("n", "2025-11-24T22:30:00Z", "2025-11-24T23:30:00Z")];
    check("2025-11-24T22:45:00Z", late(), "n | - |  |  | Ahead | 2025-11-24T23:00:00Z");
    check("2025-11-24T23:15:00Z", late(), "n | - |  |  | Ahead | 2025-11-24T23:30:00Z");
    check("2025-11-24T23:30:00Z", late(), " | - |  |  | Done | 2025-11-25T23:00:00Z");
    // One that ends at midnight was yesterday's.
    let until = vec![entry("n", "2025-11-24T22:00:00Z", "2025-11-24T23:00:00Z")];
    check("2025-11-24T23:00:00Z", until, " | - |  |  | Free | 2025-11-25T23:00:00Z");
}

#[test]
fn days_with_a_change_of_the_clock() {
    // 30 March 2025 has 23 hours in Berlin, 26 October 25; New York changes on other days.
    let check_midnight = |zone, now, changes: &str| {
        check_in(zone, now, vec![], &format!(" | - |  |  | Free | {changes}"));
    };
    check_midnight("Europe/Berlin", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z");
    check_midnight("Europe/Berlin", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z");
    check_midnight("America/New_York", "2025-03-09T05:00:00Z", "2025-03-10T04:00:00Z");
    check_midnight("America/New_York", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z");
    // Midnight itself does not exist: the day begins at one o'clock.
    check_midnight("America/Santiago", "2025-09-07T03:00:00Z", "2025-09-07T04:00:00Z");

    let all_day = || vec![entry("x", "2025-10-26", "2025-10-27")];
    check("2025-10-25T21:59:59Z", all_day(), " | - | x |  | Free | 2025-10-25T22:00:00Z");
    check("2025-10-25T22:00:00Z", all_day(), " | - |  | x | Free | 2025-10-26T23:00:00Z");
    check("2025-10-26T22:59:59Z", all_day(), " | - |  | x | Free | 2025-10-26T23:00:00Z");
    check("2025-10-26T23:00:00Z", all_day(), " | - |  |  | Free | 2025-10-27T23:00:00Z");
}

#[test]
fn dates_are_those_dates_everywhere() {
    let day = || vec![entry("x", "2025-11-24", "2025-11-25")];
    let shown = |midnight: &str| format!(" | - |  | x | Free | {midnight}");
    let tokyo = shown("2025-11-24T15:00:00Z");
    check_in("Asia/Tokyo", "2025-11-23T15:00:00Z", day(), &tokyo);
    let apia = shown("2025-11-24T11:00:00Z");
    check_in("Pacific/Apia", "2025-11-23T11:00:00Z", day(), &apia);
    let honolulu = shown("2025-11-25T10:00:00Z");
    check_in("Pacific/Honolulu", "2025-11-25T09:59:59Z", day(), &honolulu);
}

#[test]
fn all_day_events_never_come_next() {
    let entries = vec![
        entry("trip", "2025-11-23", "2025-11-27"),
        entry("today", "2025-11-24", "2025-11-25"),
        entry("soon", "2025-11-25", "2025-11-26"),
        entry("endless", "2025-11-24", "2025-11-24"),
        entry("t", "2025-11-26T08:00:00Z", "2025-11-26T09:00:00Z"),
    ];
    let expected = " | t | soon | trip endless today | Free | 2025-11-24T23:00:00Z";
    check("2025-11-24T12:00:00Z", entries, expected);
}

#[test]
fn equal_starts_are_told_apart_by_title_and_id() {
    let slot = |id, title| titled(entry(id, "2025-11-24T14:00:00Z", "2025-11-24T15:00:00Z"), title);
    let entries = || vec![slot("3", "B"), slot("2", "B"), slot("9", "A"), slot("4", "C")];
    let expected = " | 9 | 2 3 4 |  | Ahead | 2025-11-24T14:00:00Z";
    check("2025-11-24T12:00:00Z", entries(), expected);
    check("2025-11-24T12:00:00Z", entries().into_iter().rev().collect(), expected);
    let expected = "9 2 3 4 | - |  |  | Ahead | 2025-11-24T15:00:00Z";
    check("2025-11-24T14:30:00Z", entries(), expected);
}

#[test]
fn floating_times_are_those_of_the_wall() {
    let check = |zone, civil, expected: &str| {
        let zone = TimeZone::get(zone).unwrap();
        assert_eq!(resolve(time(civil), &zone), at(expected), "{civil}");
    };
    check("Europe/Berlin", "2025-11-24T09:00", "2025-11-24T08:00:00Z");
    check("America/New_York", "2025-11-24T09:00", "2025-11-24T14:00:00Z");
    // In the gap the offset before it holds; in the fold the first.
    check("Europe/Berlin", "2025-03-30T02:30", "2025-03-30T01:30:00Z");
    check("Europe/Berlin", "2025-10-26T02:30", "2025-10-26T00:30:00Z");
    check("Europe/Berlin", "9999-12-31", "9999-12-30T22:00:00.999999999Z");
}

#[test]
fn marks_decide_what_is_shown() {
    type Change = fn(&mut Details);
    let check = |change: Change, expected: &str| {
        let shown = with(entry("x", "2025-11-24T14:00:00Z", "2025-11-24T15:00:00Z"), |e| {
            change(e.details_mut());
        });
        let desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![shown]);
        let found = match meetings(&desk.agenda()).next() {
            None => "hidden",
            Some(meeting) if meeting.tentative => "tentative",
            Some(_) => "confirmed",
        };
        assert_eq!(found, expected);
    };
    check(|_| {}, "confirmed");
    check(|d| d.status = Status::Confirmed, "confirmed");
    check(|d| d.status = Status::Tentative, "tentative");
    check(|d| d.status = Status::Cancelled, "hidden");
    check(|d| d.deleted = true, "hidden");
    check(|d| d.busy = Some(Busy::Free), "hidden");
    check(|d| d.busy = Some(Busy::Tentative), "tentative");
    check(|d| d.busy = Some(Busy::Away), "confirmed");
    check(|d| d.transparent = true, "hidden");
    check(|d| (d.transparent, d.status) = (true, Status::Confirmed), "tentative");
    check(|d| (d.transparent, d.status) = (true, Status::Tentative), "tentative");
    check(|d| (d.transparent, d.status) = (true, Status::Cancelled), "hidden");
    check(|d| d.summary = "Following: board".to_owned(), "tentative");
    check(|d| (d.summary, d.busy) = ("Following: x".to_owned(), Some(Busy::Free)), "tentative");
    check(|d| (d.summary, d.transparent) = ("Following: x".to_owned(), true), "hidden");
    check(|d| (d.summary, d.status) = ("Following: x".to_owned(), Status::Cancelled), "hidden");
}

#[test]
fn private_events_show_their_time_alone() {
    let secret = |private| {
        with(entry("x", "2025-11-24T14:00:00Z", "2025-11-24T15:00:00Z"), |e| {
            e.details_mut().private = private;
            e.details_mut().location = "Clinic".to_owned();
            e.details_mut().description = "Results".to_owned();
            e.details_mut().url = "https://clinic.example.org/".to_owned();
            e.details_mut().attendees = vec![Person::default()];
        })
    };
    let check = |event_private: bool, calendar_private: bool| {
        let mut desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![secret(event_private)]);
        desk.calendars[0].private = calendar_private;
        let agenda = desk.agenda();
        let meeting = meetings(&agenda).next().unwrap();
        let private = event_private || calendar_private;
        assert_eq!(meeting.private, private);
        assert_eq!(meeting.title() == "Busy", private);
        assert_eq!(meeting.location().is_empty(), private);
        assert_eq!(meeting.description().is_empty(), private);
        assert_eq!(meeting.url().is_none(), private);
        assert_eq!(meeting.attendees().is_empty(), private);
    };
    check(false, false);
    check(true, false);
    check(false, true);
    check(true, true);
}

#[test]
fn odd_entries_do_no_harm() {
    let check = |entry: Entry, expected: Option<(&str, &str)>| {
        let desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![entry]);
        let agenda = desk.agenda();
        let found = meetings(&agenda).next().map(|m| (m.start, m.end));
        assert_eq!(found, expected.map(|(start, end)| (at(start), at(end))));
    };
    let backwards = entry("x", "2025-11-24T14:00:00Z", "2025-11-24T13:00:00Z");
    check(backwards, Some(("2025-11-24T14:00:00Z", "2025-11-24T14:00:00Z")));
    let backwards = entry("x", "2025-11-24", "2025-11-20");
    check(backwards, Some(("2025-11-24T00:00:00Z", "2025-11-25T00:00:00Z")));
    let lost = with(entry("x", "2025-11-24", "2025-11-25"), |e| e.calendar = 7);
    check(lost, None);
    let blank = titled(entry("x", "2025-11-24", "2025-11-25"), "  ");
    let desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![blank]);
    assert_eq!(meetings(&desk.agenda()).next().unwrap().title(), "No Title");
}

#[test]
fn a_window_holds_what_touches_it() {
    let entries = vec![
        entry("before", "2025-11-24T09:00:00Z", "2025-11-24T10:00:00Z"),
        entry("into", "2025-11-24T09:30:00Z", "2025-11-24T10:30:00Z"),
        entry("moment", "2025-11-24T10:00:00Z", "2025-11-24T10:00:00Z"),
        entry("day", "2025-11-24", "2025-11-25"),
        with(entry("home", "2025-11-24T11:00:00Z", "2025-11-24T11:30:00Z"), |e| e.calendar = 1),
        entry("after", "2025-11-24T12:00:00Z", "2025-11-24T13:00:00Z"),
    ];
    let mut desk = Desk::new("2025-11-24T12:00:00Z", "UTC", entries);
    desk.calendars.push(calendar("home"));
    let check = |calendar, limit, expected: (&str, bool)| {
        let (from, to) = (at("2025-11-24T10:00:00Z"), at("2025-11-24T12:00:00Z"));
        let agenda = desk.agenda();
        let (meetings, truncated) = in_window(&agenda, from, to, calendar, limit);
        assert_eq!((ids(&meetings).as_str(), truncated), expected);
    };
    check(None, 10, ("day into moment home", false));
    check(None, 4, ("day into moment home", false));
    check(None, 3, ("day into moment", true));
    check(None, 0, ("", true));
    check(Some("home"), 10, ("home", false));
    check(Some("nobody"), 10, ("", false));
}

#[test]
fn the_limit_counts_later_meetings() {
    let desk = Desk::new("2025-11-24T05:00:00Z", "UTC", monday());
    let later = |limit| ids(&whats_next(&desk.agenda(), limit).later);
    assert_eq!([later(0), later(1), later(9)], ["", "b", "b c d"]);
}

#[test]
fn freshness_says_why() {
    let broken = |name: &str, error: Option<&str>, success: Option<&str>| CalendarStatus {
        stale: true,
        last_error: error.map(str::to_owned),
        last_success: success.map(at),
        ..calendar(name)
    };
    let check = |calendars: &[CalendarStatus], as_of: Option<&str>, reason: Option<&str>| {
        let mut desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![]);
        desk.calendars = calendars.to_vec();
        let found = freshness(&desk.agenda());
        assert_eq!(found.stale, reason.is_some());
        assert_eq!((found.as_of, found.reason.as_deref()), (as_of.map(at), reason));
    };
    let nine = Some("2025-11-24T09:00:00Z");
    let eight = Some("2025-11-24T08:00:00Z");
    check(&[], None, None);
    check(&[calendar("a")], nine, None);
    let timeout = broken("b", Some("no answer"), eight);
    check(&[calendar("a"), timeout.clone()], eight, Some("b: no answer"));
    check(&[broken("b", None, eight)], eight, Some("b: not refreshed in time"));
    check(&[calendar("a"), broken("b", None, None)], None, Some("b: never fetched yet"));
    check(
        &[timeout.clone(), timeout.clone(), timeout.clone(), timeout.clone(), timeout],
        eight,
        Some("b: no answer; b: no answer; b: no answer; and 2 more"),
    );
}

#[test]
fn without_a_clock_there_is_no_now() {
    let mut desk = Desk::new("1970-01-01T00:00:09Z", "UTC", monday());
    desk.clock_is_set = false;
    let view = whats_next(&desk.agenda(), 9);
    assert!(view.next.is_none() && view.later.is_empty() && view.all_day.is_empty());
    let found = freshness(&desk.agenda());
    assert_eq!((found.stale, found.reason.as_deref()), (true, Some("the clock is not set")));
    let (all, _) = in_window(&desk.agenda(), Timestamp::MIN, Timestamp::MAX, None, 9);
    assert_eq!(all.len(), monday().len(), "who names the time is told");
}

/// It stays in its window, and is back a day after it was skipped.
#[test]
fn what_is_skipped_does_not_come_next() {
    let view = |now: &str, skipped: &[&str]| {
        let mut desk = Desk::new("2025-11-24T09:30:00Z", "Europe/Berlin", monday());
        skipped.iter().for_each(|id| desk.skip(id));
        desk.now = at(now);
        let agenda = desk.agenda();
        let WhatsNext { current, next, later, today, changes_at, .. } = whats_next(&agenda, 3);
        let next = next.map_or("-", |m| m.entry.id.as_str());
        let (all, _) = in_window(&agenda, at("2025-11-24T00:00:00Z"), Timestamp::MAX, None, 9);
        let marked: Vec<_> = all.into_iter().filter(|m| m.skipped_until.is_some()).collect();
        assert_eq!(super::changes_at(&agenda), changes_at);
        let (current, later, marked) = (ids(&current), ids(&later), ids(&marked));
        format!("{current} | {next} | {later} | {today:?} | {changes_at} | {marked}")
    };
    let now = "2025-11-24T09:30:00Z";
    for (skipped, expected) in [
        (&[][..], "a | b | c d | Ahead | 2025-11-24T10:00:00Z | "),
        (&["a"], " | b | c d | Ahead | 2025-11-24T10:00:00Z | a"),
        (&["b"], "a | c | d | Ahead | 2025-11-24T10:00:00Z | b"),
        (&["c"], "a | b | d | Ahead | 2025-11-24T10:00:00Z | c"),
        (&["a", "b", "c"], " | d |  | Free | 2025-11-24T23:00:00Z | a b c"),
        (&["nothing"], "a | b | c d | Ahead | 2025-11-24T10:00:00Z | "),
    ] {
        assert_eq!(view(now, skipped), expected, "{skipped:?}");
    }
    let skipped = &["d"];
    let done = " | - |  | Done | 2025-11-24T23:00:00Z | d";
    assert_eq!(view("2025-11-24T15:00:00Z", skipped), done);
    let tomorrow = " | - |  | Free | 2025-11-25T09:30:00Z | d";
    assert_eq!(
        view("2025-11-25T08:30:00Z", skipped),
        tomorrow,
        "the skip's end is the next change"
    );
    let over = " | - |  | Done | 2025-11-25T23:00:00Z | ";
    assert_eq!(view("2025-11-25T09:30:00Z", skipped), over);
}
