//! What must hold for every sequence of bytes that a feed can hold. The fuzz target tries what
//! the coverage leads it to, `tests/it/calendar.rs` what a seed makes of sound calendars.

use std::collections::BTreeMap;

use calendarbot::budget::FeedLimits;
use calendarbot::ical::component::{Component, Item, Kind, NotACalendar, Reader, Summary};
use calendarbot::ical::event::{Event, Taken};
use calendarbot::ical::expand::{Expansion, expand};
use calendarbot::ical::zone::Zones;
use calendarbot::ical::{Time, Window};
use calendarbot::tzdb::bundled;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The limits of the program, but for those on work, which only make a run longer.
pub(super) fn limits() -> FeedLimits {
    FeedLimits { steps_max: 2_000, occurrences_max: 100, ..FeedLimits::default() }
}

/// Limits that a few lines reach.
pub(super) fn tight_limits() -> FeedLimits {
    FeedLimits {
        line_bytes_max: 120,
        nesting_max: 3,
        properties_max: 6,
        people_max: 2,
        component_bytes_max: 400,
        description_bytes_max: 20,
        text_bytes_max: 24,
        exceptions_max: 3,
        series_bytes_max: 2_000,
        series_components_max: 2,
        components_max: 4,
        occurrences_max: 5,
        steps_max: 50,
        ..FeedLimits::default()
    }
}

/// Two changes of offset in Europe and America, and the end of a leap February.
fn window() -> Window {
    let at = |text: &str| text.parse().expect("a time");
    Window { start: at("2024-02-15T00:00:00Z"), end: at("2024-05-01T00:00:00Z") }
}

type Outcome = (Vec<Item>, Result<Summary, NotACalendar>);

fn read<'b>(pieces: impl IntoIterator<Item = &'b [u8]>, limits: &FeedLimits) -> Outcome {
    let mut items = Vec::new();
    let mut sink = |item| items.push(item);
    let mut reader = Reader::new(limits);
    let pushed = pieces.into_iter().try_for_each(|piece| reader.push(piece, &mut sink));
    let summary = pushed.and_then(|()| reader.finish(&mut sink));
    (items, summary)
}

/// However the bytes are cut into pieces, the same components come out, with the same reasons for
/// what does not.
pub(super) fn is_the_same_at_every_cut(bytes: &[u8], limits: &FeedLimits) {
    let whole = read([bytes], limits);
    for length in [1, 2, 7, 64] {
        assert_eq!(read(bytes.chunks(length), limits), whole, "in pieces of {length}");
    }
    let step = bytes.len().div_ceil(4).max(1);
    for (before, after) in (0..bytes.len()).step_by(step).map(|cut| bytes.split_at(cut)) {
        assert_eq!(read([before, after], limits), whole, "cut at {}", before.len());
    }
}

/// What comes out of a feed, stored and expanded, is sound and no more than the limits allow.
pub(super) fn stays_within_its_limits(bytes: &[u8], limits: &FeedLimits) {
    let (items, summary) = read([bytes], limits);
    let calendar_zone = summary.ok().and_then(|summary| summary.zone);
    let default = bundled().get("Europe/Berlin").expect("a zone");
    let mut zones = Zones::new(bundled(), default, calendar_zone.as_deref());
    let mut series: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let components = items.iter().filter_map(|item| match item {
        Item::Component(component) => Some(component),
        Item::Skipped(_) => None,
    });
    for component in components.clone() {
        is_sound(component, limits);
        match component.kind {
            Kind::TimeZone => zones.define(&component.text, limits),
            Kind::Event => series.entry(&component.uid).or_default().push(&component.text),
        }
    }
    assert!(components.count() <= limits.components_max);
    for texts in series.values() {
        let mut taken = Taken::default();
        // The series has no room for more; those that it has room for are read as before.
        let events =
            texts.iter().map_while(|text| Event::parse_times(text, limits, &mut taken).ok());
        let events: Vec<Event> = events.collect();
        let expansion = expand(&events, &zones, window(), limits);
        is_bounded(&expansion, events.len(), limits);
    }
}

/// A component that was handed out can be read from its text.
fn is_sound(component: &Component, limits: &FeedLimits) {
    let Component { kind, uid, text } = component;
    assert!(text.len() <= limits.component_bytes_max, "{} bytes", text.len());
    let control = |char: char| char.is_ascii_control() && !matches!(char, '\n' | '\t');
    assert!(text.ends_with('\n') && !text.contains(control), "{text:?}");
    assert!(!uid.is_empty() && text.contains(uid.as_str()), "{uid:?} in {text:?}");
    if *kind == Kind::TimeZone {
        return;
    }
    let event = Event::parse(text, limits).expect("an event, as the reader has checked");
    assert_eq!(event.uid, *uid);
    let details = &event.details;
    for short in [&details.summary, &details.location, &details.url, &details.conference] {
        assert!(short.len() <= limits.text_bytes_max, "{short:?}");
    }
    assert!(details.description.len() <= limits.description_bytes_max);
    let people = [details.attendees.len(), details.categories.len()];
    assert!(people.into_iter().all(|count| count <= limits.people_max), "{people:?}");
}

fn is_bounded(expansion: &Expansion, events: usize, limits: &FeedLimits) {
    let Expansion { occurrences, truncated, warnings, outdated, steps } = expansion;
    assert!(occurrences.len() <= limits.occurrences_max, "{} occurrences", occurrences.len());
    assert!(*steps <= limits.steps_max, "{steps} steps");
    assert!(warnings.len() <= 16);
    assert!(outdated.len() <= events && outdated.iter().all(|&event| event < events));
    assert!(occurrences.is_sorted_by_key(|occurrence| occurrence.start));
    let (window, slack) = (window(), SignedDuration::from_hours(24));
    for occurrence in occurrences {
        assert!(occurrence.event < events, "of no event: {occurrence:?}");
        let same =
            std::mem::discriminant(&occurrence.start) == std::mem::discriminant(&occurrence.end);
        assert!(same && occurrence.start <= occurrence.end, "{occurrence:?}");
        let (start, end) = (instant(occurrence.start), instant(occurrence.end));
        // What is no instant may be seen a day away, wherever the display hangs.
        let slack = match occurrence.start {
            Time::Instant(_) => SignedDuration::ZERO,
            Time::Floating(_) | Time::Date(_) => slack,
        };
        let touches = start < window.end + slack
            && (end > window.start - slack || start >= window.start - slack);
        assert!(touches, "outside of the window: {occurrence:?}, {truncated:?}");
    }
}

/// A time as if the display hung in UTC.
fn instant(time: Time) -> Timestamp {
    let civil = match time {
        Time::Instant(instant) => return instant,
        Time::Floating(civil) => civil,
        Time::Date(date) => date.at(0, 0, 0, 0),
    };
    TimeZone::UTC.to_timestamp(civil).expect("a time that a calendar can show")
}
