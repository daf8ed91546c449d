//! The calendar that the program shows when no feed is configured: a week of somebody who is
//! never without a next appointment. It is iCalendar text, and is read like any other feed.

use jiff::civil::{Date, Weekday};

/// The demo calendar, in terms of `today` and for a display in the zone of this IANA name. It is
/// the same text all day long.
pub fn calendar(today: Date, zone_name: &str) -> String {
    // A Monday four weeks ago: the series have a past, and begin on the days they are about.
    let since_monday = i64::from(today.weekday().since(Weekday::Monday));
    let monday = today.saturating_sub(days(since_monday + 28));
    let day = |after_monday: i64| monday.saturating_add(days(after_monday));
    let abroad = if zone_name == "Asia/Tokyo" { "America/New_York" } else { "Asia/Tokyo" };
    let date = |date: Date| date.strftime("%Y%m%d").to_string();

    let mut calendar = APPOINTMENTS.to_owned();
    for (time, title) in EVERY_DAY {
        let event = DAILY.replace("{time}", time).replace("{title}", title);
        calendar.push_str(&event);
    }
    calendar.push_str("END:VCALENDAR\n");
    for (word, value) in [
        ("{zone}", zone_name.to_owned()),
        ("{abroad}", abroad.to_owned()),
        ("{today}", date(today)),
        ("{monday}", date(monday)),
        ("{tuesday}", date(day(1))),
        ("{wednesday}", date(day(2))),
        ("{thursday}", date(day(3))),
        ("{next wednesday}", date(day(37))),
        ("{next friday}", date(day(39))),
        ("{in two days}", date(today.saturating_add(days(2)))),
        ("{in four days}", date(today.saturating_add(days(4)))),
    ] {
        calendar = calendar.replace(word, &value);
    }
    calendar
}

fn days(number: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(number * 24)
}

/// Small things that happen every day, by the clock.
const EVERY_DAY: &[(&str, &str)] = &[
    ("0700", "Feed the cat"),
    ("0815", "Bicycle to work"),
    ("0930", "Read the news"),
    ("1030", "Coffee with Ada"),
    ("1145", "Water the plants"),
    ("1230", "Lunch with Grace"),
    ("1330", "Walk around the block"),
    ("1445", "Tea with Edsger"),
    ("1600", "Answer letters"),
    ("1715", "Bicycle home"),
    ("1830", "Dinner"),
    ("1945", "Call home"),
    ("2100", "Practise the piano"),
    ("2215", "Read a chapter"),
];

const DAILY: &str = "\
BEGIN:VEVENT
UID:daily-{time}@demo
DTSTAMP:{today}T000000Z
DTSTART;TZID={zone}:{monday}T{time}00
DURATION:PT20M
RRULE:FREQ=DAILY
SUMMARY:{title}
END:VEVENT
";

const APPOINTMENTS: &str = "\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//calendarbot//demo//EN
X-WR-CALNAME:Demo
X-WR-TIMEZONE:{zone}
BEGIN:VEVENT
UID:stand-up@demo
DTSTAMP:{today}T000000Z
DTSTART;TZID={zone}:{monday}T091500
DTEND;TZID={zone}:{monday}T093000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
EXDATE;TZID={zone}:{next friday}T091500
SUMMARY:Stand-up
URL:https://meet.example.com/stand-up
END:VEVENT
BEGIN:VEVENT
UID:one-to-one@demo
DTSTAMP:{today}T000000Z
DTSTART;TZID={zone}:{wednesday}T110000
DTEND;TZID={zone}:{wednesday}T113000
RRULE:FREQ=WEEKLY
SUMMARY:One-to-one with Barbara
LOCATION:Room 2.14
END:VEVENT
BEGIN:VEVENT
UID:one-to-one@demo
RECURRENCE-ID;TZID={zone}:{next wednesday}T110000
DTSTAMP:{today}T000000Z
DTSTART;TZID={zone}:{next wednesday}T150000
DTEND;TZID={zone}:{next wednesday}T160000
SUMMARY:One-to-one with Barbara\\, over cake
LOCATION:Café on the corner
DESCRIPTION:Moved to the afternoon.\\nBring the sketches.
END:VEVENT
BEGIN:VEVENT
UID:review@demo
DTSTAMP:{today}T000000Z
DTSTART;TZID={zone}:{tuesday}T140000
DTEND;TZID={zone}:{tuesday}T153000
RRULE:FREQ=MONTHLY;BYDAY=2TU
SUMMARY:Monthly review
LOCATION:Large meeting room
DESCRIPTION:What went well\\, what did not\\, and what comes next.
END:VEVENT
BEGIN:VEVENT
UID:visit@demo
DTSTAMP:{today}T000000Z
DTSTART;VALUE=DATE:{in two days}
DTEND;VALUE=DATE:{in four days}
SUMMARY:Visitors from Delft
TRANSP:TRANSPARENT
END:VEVENT
BEGIN:VEVENT
UID:call-abroad@demo
DTSTAMP:{today}T000000Z
DTSTART;TZID={abroad}:{thursday}T170000
DTEND;TZID={abroad}:{thursday}T173000
RRULE:FREQ=WEEKLY;BYDAY=TH
SUMMARY:Call with the team abroad
CONFERENCE;VALUE=URI:https://meet.example.com/abroad
END:VEVENT
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::tzdb::bundled;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::budget::FeedLimits;
    use crate::ical::component::{Item, Reader};
    use crate::ical::event::Event;
    use crate::ical::expand::expand;
    use crate::ical::zone::Zones;
    use crate::ical::{Occurrence, Time, Window};

    /// Everything that the demo shows in `hours` from `start`, with its title. Panics when
    /// anything of it is skipped, cut short or guessed.
    fn shown(
        text: &str,
        zone: &TimeZone,
        start: Timestamp,
        hours: i64,
    ) -> Vec<(Occurrence, String)> {
        let limits = FeedLimits::default();
        let mut series: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        let mut sink = |item| match item {
            Item::Component(found) => {
                let event = Event::parse(&found.text, &limits).unwrap();
                series.entry(found.uid).or_default().push(event);
            }
            Item::Skipped(skip) => panic!("{skip}"),
        };
        let mut reader = Reader::new(&limits);
        reader.push(text.as_bytes(), &mut sink).unwrap();
        let summary = reader.finish(&mut sink).unwrap();
        let database = bundled();
        let zones = Zones::new(database, zone.clone(), summary.zone.as_deref());
        let end = start.checked_add(SignedDuration::from_hours(hours)).unwrap();
        let mut shown = Vec::new();
        for events in series.values() {
            let expansion = expand(events, &zones, Window { start, end }, &limits);
            assert_eq!((expansion.truncated, expansion.warnings), (None, Vec::new()));
            for found in expansion.occurrences {
                let title = events[found.event].details.summary.clone();
                shown.push((found, title));
            }
        }
        shown
    }

    #[test]
    fn something_comes_next_on_every_day_of_a_year() {
        for zone_name in ["Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo"] {
            let zone = bundled().get(zone_name).unwrap();
            let mut today = date(2024, 1, 1);
            for _ in 0..366 {
                let text = calendar(today, zone_name);
                let now = zone.to_timestamp(today.at(23, 30, 0, 0)).unwrap();
                let next = shown(&text, &zone, now, 24);
                let coming = next.iter().any(|(found, _)| match found.start {
                    Time::Instant(start) => start > now,
                    Time::Floating(_) | Time::Date(_) => false,
                });
                assert!(coming, "{today} {zone_name}");
                today = today.tomorrow().unwrap();
            }
        }
    }

    #[test]
    fn it_has_one_of_everything() {
        let zone = bundled().get("Europe/Berlin").unwrap();
        let today = date(2024, 1, 1);
        let text = calendar(today, "Europe/Berlin");
        assert!(!text.contains(['{', '}']), "a word was not filled in: {text}");
        let start = zone.to_timestamp(today.at(0, 0, 0, 0)).unwrap();
        let shown = shown(&text, &zone, start, 14 * 24);
        let count = |title: &str| shown.iter().filter(|(_, found)| found == title).count();
        assert_eq!(count("Stand-up"), 9, "ten working days, one of them excluded");
        assert_eq!(count("One-to-one with Barbara"), 1);
        assert_eq!(count("One-to-one with Barbara, over cake"), 1);
        assert_eq!(count("Monthly review"), 1);
        assert_eq!(count("Visitors from Delft"), 1);
        assert_eq!(count("Call with the team abroad"), 2);
        assert_eq!(count("Coffee with Ada"), 14);
    }
}
