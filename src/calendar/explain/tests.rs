//! Tables over explanations: zones, changes of the clock, filters, overrides, private events.

use crate::tzdb::bundled;

use super::*;
use crate::calendar::filter::Pattern;
use crate::calendar::fixture::{at, calendar, entry, titled, with};

/// A desk in Berlin on a Monday, with the calendars `work` and `home`.
struct Table {
    calendars: Vec<CalendarStatus>,
    zones: Zones,
    zone: TimeZone,
    limits: FeedLimits,
    show_private: bool,
    settings: Settings,
    skips: Skips,
}

impl Table {
    fn new() -> Self {
        let database = bundled();
        let zone = database.get("Europe/Berlin").unwrap();
        let zones = Zones::new(database, zone.clone(), None);
        let calendars = vec![calendar("work"), calendar("home")];
        Self {
            calendars,
            zones,
            zone,
            limits: FeedLimits::default(),
            show_private: false,
            settings: Settings::default(),
            skips: Skips::default(),
        }
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            now: at("2026-03-23T07:00:00Z"),
            zone: &self.zone,
            calendars: &self.calendars,
            calendar: 0,
            zones: &self.zones,
            window: Window { start: at("2026-03-21T23:00:00Z"), end: at("2026-04-30T22:00:00Z") },
            limits: &self.limits,
            settings: &self.settings,
            skips: &self.skips,
            show_private: self.show_private,
        }
    }

    fn lines(&self, components: &[&str], others: &[Entry]) -> Vec<String> {
        let mut draft = Draft::new(self.scene(), "u");
        components.iter().for_each(|text| draft.add(&format!("UID:u\n{text}\n")));
        let series = draft.finish();
        let kept = series.entries().count();
        series.lines(others, kept, None)
    }

    /// Every one of `expected` is a line, in this order; the blanks before it do not count.
    fn check(&self, components: &[&str], others: &[Entry], expected: &[&str]) {
        let lines = self.lines(components, others);
        let mut rest = lines.iter().map(|line| line.trim());
        for expected in expected {
            assert!(rest.any(|line| line == *expected), "{expected:?} is not in {lines:#?}");
        }
    }
}

const DAILY: &str = "SUMMARY:Stand-up\nDTSTART;TZID=Europe/Berlin:20260302T090000\n\
                     DTEND;TZID=Europe/Berlin:20260302T091500\nRRULE:FREQ=DAILY;UNTIL=20260326T080000Z";

#[test]
fn a_series_is_told_from_its_lines_to_its_next_instances() {
    Table::new().check(
        &[DAILY],
        &[],
        &[
            "u in `work`",
            "the event:",
            "SUMMARY:Stand-up",
            "DTSTART;TZID=Europe/Berlin:20260302T090000",
            "DTEND;TZID=Europe/Berlin:20260302T091500",
            "RRULE:FREQ=DAILY;UNTIL=20260326T080000Z",
            "TZID `Europe/Berlin` is Europe/Berlin: an IANA name",
            "shown",
            "5 instances from 2026-03-22 to 2026-05-01",
            "Today                  09:00–09:15",
            "Tomorrow               09:00–09:15",
        ],
    );
}

#[test]
fn zones_are_told_with_the_step_that_found_them() {
    let table = Table::new();
    for (start, line) in [
        (
            "DTSTART;TZID=Eastern Standard Time:20260323T090000",
            "TZID `Eastern Standard Time` is America/New_York: a Windows name",
        ),
        (
            "DTSTART;TZID=\"(UTC+01:00) Berlin / Bern\":20260323T090000",
            "TZID `(UTC+01:00) Berlin / Bern` is Europe/Berlin: a display name",
        ),
        (
            "DTSTART;TZID=Mars/Base:20260323T090000",
            "TZID `Mars/Base` is not known: Europe/Berlin is used (the configured zone)",
        ),
        ("DTSTART:20260323T090000", "no zone: it is the time on the wall where the display hangs"),
        (
            "DTSTART;TZID=Europe/Berlin:20260329T023000",
            "DST: 2026-03-29T02:30:00 does not exist in Europe/Berlin; it is taken as \
          2026-03-29T03:30:00+02:00",
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20251026T023000",
            "DST: 2025-10-26T02:30:00 happens twice in Europe/Berlin; the first one counts",
        ),
    ] {
        table.check(&[start], &[], &[line]);
    }
}

#[test]
fn changes_of_the_clock_stand_between_instances() {
    let table = Table::new();
    let abroad = "DTSTART;TZID=America/New_York:20260301T090000\nRRULE:FREQ=WEEKLY";
    table.check(
        &[abroad],
        &[],
        &["DST: Europe/Berlin goes from +01 to +02", "Sunday 29 March        15:00–15:00"],
    );
    let here = "DTSTART;TZID=Europe/Berlin:20260302T090000\nRRULE:FREQ=DAILY";
    table.check(
        &[here],
        &[],
        &[
            "Friday 27 March        09:00–09:00",
            "DST: Europe/Berlin goes from +01 to +02",
            "Sunday 29 March        09:00–09:00",
        ],
    );
    let night = "DTSTART;TZID=Europe/Berlin:20260302T023000\nRRULE:FREQ=DAILY";
    table.check(
        &[night],
        &[],
        &["DST: 2026-03-29T02:30:00 does not exist in Europe/Berlin: no instance"],
    );
    // TZID says nothing of a time in UTC.
    let careless = "DTSTART;TZID=Europe/Berlin:20260329T023000Z";
    for text in [here, careless] {
        let lines = table.lines(&[text], &[]);
        assert!(!lines.iter().any(|line| line.contains("does not exist")), "{lines:?}");
    }
}

#[test]
fn overrides_shift_replace_and_cancel() {
    let table = Table::new();
    let moved = "RECURRENCE-ID;TZID=Europe/Berlin:20260324T090000\n\
                 DTSTART;TZID=Europe/Berlin:20260324T110000\nDURATION:PT15M";
    let cancelled = "RECURRENCE-ID;TZID=Europe/Berlin:20260325T090000\n\
                     DTSTART;TZID=Europe/Berlin:20260325T090000\nSTATUS:CANCELLED";
    table.check(
        &[DAILY, moved, cancelled],
        &[],
        &[
            "for one instance:",
            "RECURRENCE-ID;TZID=Europe/Berlin:20260324T090000",
            "shown",
            "for one instance:",
            "hidden: it is cancelled (STATUS)",
            "4 instances from 2026-03-22 to 2026-05-01",
            "Tomorrow               11:00–11:15   shifted from 2026-03-24T09:00:00+01:00",
            "Thursday 26 March      09:00–09:15",
        ],
    );
    let newer = format!("{DAILY}\nSEQUENCE:1");
    let outdated = "not used: a newer revision has the same start (SEQUENCE, LAST-MODIFIED)";
    table.check(&[DAILY, &newer], &[], &["the event:", outdated, "the event:", "shown"]);
    table.check(&[&newer, DAILY], &[], &["the event:", "shown", "the event:", outdated]);
    let newer = format!("{moved}\nSEQUENCE:1");
    let expected = ["for one instance:", outdated, "for one instance:", "shown"];
    table.check(&[DAILY, moved, &newer], &[], &expected);
}

#[test]
fn filters_and_merged_calendars_are_named() {
    let mut table = Table::new();
    let twin =
        with(titled(entry("x", "2026-03-23T08:00:00Z", "2026-03-23T08:15:00Z"), "STAND-UP"), |e| {
            e.calendar = 1;
        });
    let others = [twin.clone()];
    table.check(&[DAILY], &others, &[
        "Today                  09:00–09:15   merged with `home`: the same title, start and end",
        "Tomorrow               09:00–09:15",
    ]);
    let filter = std::sync::Arc::make_mut(&mut table.calendars[0].filter);
    filter.exclude = vec![Pattern::new("^stand").unwrap()];
    table.check(
        &[DAILY],
        &[],
        &[
            "hidden: `exclude` has the pattern \"^stand\"",
            "0 instances from 2026-03-22 to 2026-05-01",
        ],
    );
}

#[test]
fn a_private_event_shows_its_times_alone() {
    let secret = format!("{DAILY}\nCLASS:PRIVATE").replace("Stand-up", "canary");
    let mut table = Table::new();
    let lines = table.lines(&[&secret], &[]);
    assert_eq!(lines[0], "a private event in `work` (--show-private shows it)");
    assert!(!lines.concat().contains("canary"), "{lines:?}");
    assert!(
        table.scene().is_meant("u", "u", &secret) && !table.scene().is_meant("can", "u", &secret)
    );
    table.show_private = true;
    table.check(
        &[&secret],
        &[],
        &["u in `work`", "SUMMARY:canary", "shown as \"Busy\": it is private"],
    );
    assert!(table.scene().is_meant("CAN", "u", &secret));
}

#[test]
fn foreign_text_is_made_harmless() {
    let lines = Table::new().lines(&["SUMMARY:a\u{1b}[2J\u{202e}b\nDTSTART:20260323T090000Z"], &[]);
    let text = lines.concat();
    assert!(text.contains("a\u{fffd}[2J\u{fffd}b") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_feed_is_summed_up() {
    let mut table = Table::new();
    let filter = std::sync::Arc::make_mut(&mut table.calendars[0].filter);
    filter.exclude = vec![Pattern::new("lunch").unwrap()];
    let reasons = ["line 7, x: no DTSTART".to_owned()];
    let truncated = ["tick", "lunch"].map(|uid| (uid.to_owned(), "more than 5000".to_owned()));
    let totals = Totals {
        checked_at: Some(at("2026-03-23T06:00:00Z")),
        events: 4,
        zones: 1,
        calendar_zone: Some("Europe/Berlin"),
        skipped: 1,
        skipped_reasons: &reasons,
        truncated: 3,
    };
    let events = [
        ("tick", DAILY),
        ("lunch", "SUMMARY:Lunch\nDTSTART;TZID=Eastern Standard Time:20260323T120000"),
        ("lunch", "SUMMARY:Lunch, too\nDTSTART:20260323T120000Z\nCLASS:PRIVATE"),
        ("off", "SUMMARY:Off\nDTSTART;VALUE=DATE:20260323\nSTATUS:CANCELLED"),
    ];
    let told = |table: &Table| {
        let mut summary = Summary::new(table.scene(), &truncated);
        events.iter().for_each(|(uid, text)| summary.add(uid, text));
        summary.lines(&totals).join("\n")
    };
    let expected = "\
feed `work` (work.example.org#ab12)
  known to be right at 2026-03-23T07:00:00+01:00
  4 events, 1 of them private
  kept from 2026-03-22 to 2026-05-01
  shown in Europe/Berlin
  X-WR-TIMEZONE is `Europe/Berlin`
  exclude: \"lunch\"
zones (1 definition of the feed's own):
  TZID `Eastern Standard Time` is America/New_York: a Windows name (1 event)
  TZID `Europe/Berlin` is Europe/Berlin: an IANA name (1 event)
hidden: 3 events
  1: `exclude` has the pattern \"lunch\"
  1: it is cancelled (STATUS)
  1: private (--show-private)
skipped: 1 component as unreadable
  line 7, x: no DTSTART
cut short: 3 series
  tick: more than 5000
  a private event: more than 5000";
    assert_eq!(told(&table), expected);
    table.calendars[0].private = true;
    let masked = told(&table);
    assert!(!masked.contains("line 7") && !masked.contains("tick"), "{masked}");
}

#[test]
fn what_people_have_changed_is_told() {
    let mut table = Table::new();
    let now = table.scene().now;
    let id = |original: &str| super::super::instance_id("u", "work", at(original));
    table.settings = table.settings.with_hidden(&id("2026-03-24T08:00:00Z"), 10_000).unwrap();
    table.skips = table.skips.with(&id("2026-03-25T08:00:00Z"), now, 10_000);
    let lines = table.lines(&[DAILY], &[]);
    let find =
        |text: &str| lines.iter().find(|line| line.contains(text)).cloned().unwrap_or_default();
    assert!(find("somebody has hidden it").contains("Tomorrow"), "{lines:#?}");
    assert!(find("skipped until 2026-03-24T08:00:00+01:00").contains("25"), "{lines:#?}");
    let set = |table: &mut Table, text: &str| {
        let pattern = crate::calendar::settings::Pattern::new(text, true, false, "").unwrap();
        table.settings.filters.patterns = vec![pattern];
    };
    set(&mut table, "^stand");
    table.check(&[DAILY], &[], &["hidden: the settings have the pattern \"^stand\""]);
    set(&mut table, "^up");
    table.check(&[DAILY], &[], &["shown"]);
}
