//! Limits and what a series is; `tests/data/ics` has the calendars.

use super::*;
use crate::tzdb::bundled;

/// Expands events, given as their lines, over January 2024 in Madrid.
fn january(events: &[&str], limits: &FeedLimits) -> Expansion {
    let events: Vec<Event> =
        events.iter().map(|text| Event::parse(text, limits).unwrap()).collect();
    let database = bundled();
    let zones = Zones::new(database, database.get("Europe/Madrid").unwrap(), None);
    let instant = |text: &str| text.parse().unwrap();
    let (start, end) = (instant("2024-01-01T00:00:00Z"), instant("2024-02-01T00:00:00Z"));
    expand(&events, &zones, Window { start, end }, limits)
}

#[test]
fn passing_a_limit_leaves_a_mark_and_the_earliest_occurrences() {
    let check = |rule: &str, limits: FeedLimits, count: usize, mark: &str| {
        let event = format!("DTSTART:20200101T000000Z\nRRULE:{rule}");
        let expansion = january(&[&event], &limits);
        assert_eq!(expansion.occurrences.len(), count, "{rule}");
        assert_eq!(expansion.truncated.as_deref(), Some(mark), "{rule}");
    };
    let defaults = FeedLimits::default;
    let many = "more than 5000 occurrences in the window (occurrences_max)";
    check("FREQ=MINUTELY", defaults(), 5_000, many);
    check(
        "FREQ=SECONDLY",
        FeedLimits { occurrences_max: 7, ..defaults() },
        7,
        "more than 7 occurrences in the window (occurrences_max)",
    );
    check("FREQ=SECONDLY;COUNT=4000000000", defaults(), 5_000, many);
    check(
        "FREQ=MINUTELY;BYHOUR=1,2;COUNT=4000000000",
        defaults(),
        0,
        "the recurrence rule took more than 100000 steps (steps_max)",
    );
}

#[test]
fn a_series_may_have_too_many_overrides() {
    let limits = FeedLimits { series_components_max: 1, ..FeedLimits::default() };
    let event = "DTSTART:20240102T000000Z\nRECURRENCE-ID:20240102T000000Z";
    let other = "DTSTART:20240103T000000Z\nRECURRENCE-ID:20240103T000000Z";
    let expansion = january(&[event, other], &limits);
    assert_eq!(expansion.occurrences.len(), 1);
    let mark = "more than 1 overrides in the series (series_components_max)";
    assert_eq!(expansion.truncated.as_deref(), Some(mark));
}

#[test]
fn only_what_repeats_has_a_place_in_a_series() {
    let original =
        |event: &str| january(&[event], &FeedLimits::default()).occurrences[0].recurrence.is_some();
    assert!(!original("DTSTART:20240102T000000Z"));
    assert!(!original("DTSTART:20240102T000000Z\nRRULE:FREQ=DAILY;COUNT=0"));
    assert!(original("DTSTART:20240102T000000Z\nRRULE:FREQ=DAILY;COUNT=1"));
    assert!(original("DTSTART:20240102T000000Z\nRDATE:20240103T000000Z"));
}

#[test]
fn a_rule_finer_than_a_day_means_nothing_for_days() {
    let expansion = january(&["DTSTART:20240102\nRRULE:FREQ=HOURLY"], &FeedLimits::default());
    assert_eq!(expansion.occurrences.len(), 1);
    assert_eq!(expansion.warnings.len(), 1);
}
