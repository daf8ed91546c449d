//! The calendar that is asked about, and what is asked: all of it in 2026, around a day in June.

use crate::feeds::seeded::{Random, fold};

/// The product's "now": a Monday morning.
pub(crate) const NOW: &str = "2026-06-01T08:10:00Z";
const YEAR: usize = 2026;
/// The same day, as the number of days of its year before it.
const TODAY: usize = 151;
/// Events of the calendar that most is asked about.
pub(crate) const EVENTS: usize = 500;
/// Days before and after today on which something happens once.
const DAYS_AROUND: usize = 90;
const DAY: usize = 86_400;
const WEEK: usize = 7 * DAY;
const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const RULES: [&str; 4] = [
    "RRULE:FREQ=WEEKLY",
    "RRULE:FREQ=WEEKLY;INTERVAL=2",
    "RRULE:FREQ=MONTHLY",
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR",
];

/// Views that displays and scripts ask for, each in the zone of the display and in another.
const VIEWS: [&str; 10] = [
    "/?",
    "/api/v1/next?",
    "/api/v1/next?limit=3",
    "/api/v1/next?limit=20",
    "/api/v1/calendars?",
    "/api/v1/events?limit=20",
    "/api/v1/events?from=2026-06-01&to=2026-06-02",
    "/api/v1/events?from=2026-06-02&to=2026-06-03",
    "/api/v1/events?from=2026-06-03&to=2026-06-04",
    "/api/v1/events?from=2026-06-04&to=2026-06-05",
];
const ZONES: [&str; 2] = ["", "&tz=America/New_York"];
/// How many views that makes.
pub(crate) const VIEWS_COUNT: u64 = (VIEWS.len() * ZONES.len()) as u64;

/// Where the events beyond the first [`EVENTS`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// On the same days as those: a crowded half of a year.
    SameDays,
    /// As many as those in each of the years before: a calendar that was kept for long.
    EarlierYears,
}

/// How many of so many events, up to [`EVENTS`], are series.
pub(crate) fn series(events: usize) -> usize {
    events.min(EVENTS) * 60 / EVENTS
}

/// A calendar of so many events.
pub(crate) fn text(events: usize, beyond: Beyond) -> String {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n".to_owned();
    for number in 0..events {
        let is_series = number % EVENTS < series(events);
        let rule = is_series.then(|| RULES[number % RULES.len()]);
        let day = match rule {
            // A series begins in January.
            Some(_) => random.below(28),
            None => TODAY - DAYS_AROUND + random.below(2 * DAYS_AROUND),
        };
        let (month, day) = date(day);
        let hour = 7 + random.below(12);
        let year = match beyond {
            Beyond::SameDays => YEAR,
            Beyond::EarlierYears => YEAR - number / EVENTS,
        };
        // This year's have no end.
        let end = if year < YEAR { format!(";UNTIL={year}1231T220000Z") } else { String::new() };
        let start = format!("{year}{month:02}{day:02}T{hour:02}");
        let lines = [
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{:016x}@office.example", random.next()),
            format!("DTSTART;TZID=Europe/Berlin:{start}0000"),
            format!("DTEND;TZID=Europe/Berlin:{start}3000"),
            format!("SUMMARY:Meeting {number} about the figures"),
            "LOCATION:Room 4\\, second floor".to_owned(),
            "DESCRIPTION:What was decided last time\\, and what is left to do.".to_owned(),
        ];
        lines.iter().for_each(|line| fold(&mut text, line));
        rule.iter().for_each(|rule| fold(&mut text, &format!("{rule}{end}")));
        fold(&mut text, "END:VEVENT");
    }
    text + "END:VCALENDAR\r\n"
}

/// What a command begins with for which it is always "now".
pub(crate) fn stand_still() -> [String; 2] {
    ["env".to_owned(), format!("CALENDARBOT_TEST_TIME={NOW}")]
}

/// The nth of the views that are asked for one after the other.
pub(crate) fn view(nth: u64) -> String {
    let nth = (nth % VIEWS_COUNT) as usize;
    format!("{}{}", VIEWS[nth % VIEWS.len()], ZONES[nth / VIEWS.len()])
}

/// A week that begins so many seconds after this morning.
pub(crate) fn week(second: u64) -> String {
    let from = TODAY * DAY + second as usize;
    format!("/api/v1/events?from={}&to={}", moment(from), moment(from + WEEK))
}

/// A second of the year, as a query has it.
fn moment(second: usize) -> String {
    let ((month, day), second) = (date(second / DAY), second % DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Month and day of a day of the year, which is counted from 0.
fn date(mut day: usize) -> (usize, usize) {
    let mut month = 0;
    while day >= MONTHS[month] {
        day -= MONTHS[month];
        month += 1;
    }
    (month + 1, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_year_are_dates() {
        for (day, expected) in [(0, (1, 1)), (31, (2, 1)), (TODAY, (6, 1)), (364, (12, 31))] {
            assert_eq!(date(day), expected);
        }
        let week = week(61);
        assert_eq!(week, "/api/v1/events?from=2026-06-01T00:01:01Z&to=2026-06-08T00:01:01Z");
    }

    #[test]
    fn the_calendar_has_the_events_that_it_should_have() {
        for (events, beyond, series, years) in [
            (10, Beyond::SameDays, 1, 1),
            (EVENTS, Beyond::EarlierYears, 60, 1),
            (2 * EVENTS, Beyond::SameDays, 120, 1),
            (2 * EVENTS, Beyond::EarlierYears, 120, 2),
        ] {
            let text = text(events, beyond);
            assert_eq!(text.matches("BEGIN:VEVENT").count(), events);
            assert_eq!(text.matches("RRULE:").count(), series);
            assert_eq!(text.matches(";UNTIL=2025").count(), (years - 1) * 60);
        }
    }
}
