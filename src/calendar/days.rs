//! Some days in a row and what happens on each: bars for what fills days, slots on the wall's
//! clock for the rest.
//!
//! A slot stands where the hands of a clock on the wall stand when it begins and ends. On the two
//! days a year whose hours are 23 or 25 the hour that is left out stays empty, and what happens in
//! the hour that comes twice stands side by side.

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

use super::Agenda;
use super::selection::{self, Meeting, resolve};
use crate::ical::Time;

/// Minutes of a wall clock's day.
pub const DAY_MINUTES: u16 = 24 * 60;
/// What lasts as long as this fills days, and is a bar.
const BAR_TIME: SignedDuration = SignedDuration::from_hours(24);

/// Days in a row.
pub struct Days<'a> {
    /// The first of them.
    pub first: Date,
    /// Each of them.
    pub days: Vec<Day<'a>>,
    /// What fills one or more of them, the earliest first and of those the longest.
    pub bars: Vec<Bar<'a>>,
    /// There was more than could be read.
    pub truncated: bool,
    /// The next instant at which what is said of all this changes.
    pub changes_at: Timestamp,
}

/// One of them.
pub struct Day<'a> {
    /// Which.
    pub date: Date,
    /// It is today.
    pub is_today: bool,
    /// Its hours; 24 but for two days a year.
    pub hours: i64,
    /// What happens at some time of it, in order.
    pub slots: Vec<Slot<'a>>,
}

/// The part of a meeting that is on one day.
pub struct Slot<'a> {
    /// The meeting.
    pub meeting: Meeting<'a>,
    /// Minutes from midnight to its start by the clock on the wall.
    pub start: u16,
    /// The same to its end, never before its start.
    pub end: u16,
}

/// The part of an event that fills days, among these.
pub struct Bar<'a> {
    /// The event.
    pub meeting: Meeting<'a>,
    /// The first day of it here, from 0.
    pub first: usize,
    /// The last one.
    pub last: usize,
    /// It began before.
    pub began: bool,
    /// It goes on.
    pub goes_on: bool,
}

/// The first moment of each of `count` days from `first` on, and the end of the last.
pub fn window(first: Date, count: usize, zone: &jiff::tz::TimeZone) -> (Timestamp, Timestamp) {
    let moment = |date| resolve(Time::Date(date), zone);
    (moment(first), moment(day_at(first, count)))
}

/// The day so many days after `first`.
pub fn day_at(first: Date, index: usize) -> Date {
    first.saturating_add(Span::new().days(i64::try_from(index).unwrap_or(0).min(1000)))
}

impl<'a> Days<'a> {
    /// What happens on `count` days from `first` on, in one calendar or in all.
    pub fn new(agenda: &Agenda<'a>, first: Date, count: usize, calendar: Option<&str>) -> Self {
        let zone = agenda.zone;
        let (from, to) = window(first, count, zone);
        let today = zone.to_datetime(agenda.now).date();
        let day = |index: usize| {
            let date = day_at(first, index);
            let (start, end) = window(date, 1, zone);
            let is_today = date == today && agenda.clock_is_set;
            let hours = end.duration_since(start).as_hours();
            Day { date, is_today, hours, slots: Vec::new() }
        };
        let days = (0..count).map(day).collect();
        let (meetings, truncated) = selection::in_window(agenda, from, to, calendar, usize::MAX);
        let changes_at = selection::changes_of(&meetings, agenda);
        let mut all = Self { first, days, bars: Vec::new(), truncated, changes_at };
        for meeting in meetings {
            all.add(agenda, meeting);
        }
        let length = |bar: &Bar<'_>| bar.last - bar.first;
        all.bars.sort_by(|a, b| a.first.cmp(&b.first).then(length(b).cmp(&length(a))));
        all
    }

    /// Nothing happens on any of them.
    pub fn is_empty(&self) -> bool {
        self.bars.is_empty() && self.days.iter().all(|day| day.slots.is_empty())
    }

    fn add(&mut self, agenda: &Agenda<'a>, meeting: Meeting<'a>) {
        let zone = agenda.zone;
        let (start, end) = (zone.to_datetime(meeting.start), zone.to_datetime(meeting.end));
        let last_date = zone.to_datetime(selection::last_moment(&meeting)).date();
        let index = |date: Date| {
            let days = date.since(self.first).map_or(0, |span| i64::from(span.get_days()));
            usize::try_from(days).unwrap_or(0).min(self.days.len().saturating_sub(1))
        };
        let (first, last) = (index(start.date()), index(last_date));
        if meeting.all_day || meeting.end.duration_since(meeting.start) >= BAR_TIME {
            let began = start.date() < self.first;
            let goes_on = self.days.last().is_some_and(|day| last_date > day.date);
            self.bars.push(Bar { meeting, first, last, began, goes_on });
            return;
        }
        let minutes = |at: jiff::civil::DateTime| {
            u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0)
        };
        let lasts = meeting.end.duration_since(meeting.start).as_mins();
        for day in &mut self.days[first..=last] {
            let begins = if start.date() < day.date { 0 } else { minutes(start) };
            let ends = match end.date() {
                date if date > day.date => DAY_MINUTES,
                // It ended before: the clock was set back over midnight.
                date if date < day.date => begins,
                _ => minutes(end),
            };
            // Of what ends in the hour that comes twice the hands have gone back.
            let ends = if ends < begins {
                begins.saturating_add(u16::try_from(lasts).unwrap_or(0)).min(DAY_MINUTES)
            } else {
                ends
            };
            day.slots.push(Slot { meeting, start: begins, end: ends });
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::calendar::Entry;
    use crate::calendar::fixture::{Desk, entry};

    /// What the days say, one line for each day with anything, and one for each bar.
    fn check(zone: &str, first: Date, count: usize, entries: Vec<Entry>, expected: &[&str]) {
        let desk = Desk::new("2025-11-24T08:00:00Z", zone, entries);
        let agenda = desk.agenda();
        let days = Days::new(&agenda, first, count, None);
        let mut found: Vec<String> = Vec::new();
        for Bar { meeting, first, last, began, goes_on } in &days.bars {
            let (before, after) = (if *began { "<" } else { "" }, if *goes_on { ">" } else { "" });
            found.push(format!("{} {before}{first}-{last}{after}", meeting.entry.id));
        }
        for (index, day) in days.days.iter().enumerate() {
            for Slot { meeting, start, end } in &day.slots {
                let time = |m: &u16| format!("{:02}:{:02}", m / 60, m % 60);
                found.push(format!("{index} {} {}-{}", meeting.entry.id, time(start), time(end)));
            }
            if day.hours != 24 {
                found.push(format!("{index} has {} hours", day.hours));
            }
        }
        assert_eq!(found, expected);
    }

    const MONDAY: Date = date(2025, 11, 24);

    #[test]
    fn bars_span_days_and_are_cut_at_both_ends() {
        let entries = vec![
            entry("short", "2025-11-25", "2025-11-26"),
            entry("long", "2025-11-20", "2025-12-05"),
            entry("trip", "2025-11-25T10:00:00Z", "2025-11-26T10:00:00Z"),
            entry("fair", "2025-11-25", "2025-11-28"),
        ];
        let expected = ["long <0-6>", "fair 1-3", "trip 1-2", "short 1-1"];
        check("UTC", MONDAY, 7, entries, &expected);
    }

    #[test]
    fn what_crosses_midnight_is_on_both_days() {
        let entries = vec![
            entry("party", "2025-11-24T21:00:00Z", "2025-11-25T02:30:00Z"),
            entry("late", "2025-11-25T22:00:00Z", "2025-11-26T00:00:00Z"),
            entry("instant", "2025-11-26T09:00:00Z", "2025-11-26T09:00:00Z"),
            entry("before", "2025-11-23T23:00:00Z", "2025-11-24T01:00:00Z"),
        ];
        let expected = [
            "0 before 00:00-01:00",
            "0 party 21:00-24:00",
            "1 party 00:00-02:30",
            "1 late 22:00-24:00",
            "2 instant 09:00-09:00",
        ];
        check("UTC", MONDAY, 3, entries, &expected);
    }

    #[test]
    fn days_of_23_and_of_25_hours() {
        let spring = vec![
            entry("over", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
            entry("noon", "2026-03-29T10:00:00Z", "2026-03-29T11:00:00Z"),
            entry("all", "2026-03-29", "2026-03-30"),
        ];
        let expected = ["all 1-1", "1 over 01:30-03:30", "1 noon 12:00-13:00", "1 has 23 hours"];
        check("Europe/Berlin", date(2026, 3, 28), 3, spring, &expected);
        let autumn = vec![
            entry("first", "2025-10-26T00:15:00Z", "2025-10-26T00:45:00Z"),
            entry("over", "2025-10-26T00:45:00Z", "2025-10-26T01:15:00Z"),
            entry("second", "2025-10-26T01:15:00Z", "2025-10-26T01:45:00Z"),
            entry("noon", "2025-10-26T11:00:00Z", "2025-10-26T12:00:00Z"),
            entry("next", "2025-10-26T23:00:00Z", "2025-10-27T00:00:00Z"),
        ];
        let expected = [
            "1 first 02:15-02:45",
            "1 over 02:45-03:15",
            "1 second 02:15-02:45",
            "1 noon 12:00-13:00",
            "1 has 25 hours",
            "2 next 00:00-01:00",
        ];
        check("Europe/Berlin", date(2025, 10, 25), 3, autumn, &expected);
    }

    /// Cairo's clocks go from midnight to one: a day that begins at one.
    #[test]
    fn a_day_without_its_midnight() {
        let entries = vec![
            entry("dawn", "2025-04-24T22:30:00Z", "2025-04-24T23:30:00Z"),
            entry("over", "2025-04-24T21:30:00Z", "2025-04-24T22:30:00Z"),
        ];
        let expected =
            ["0 over 23:30-24:00", "1 over 00:00-01:30", "1 dawn 01:30-02:30", "1 has 23 hours"];
        check("Africa/Cairo", date(2025, 4, 24), 2, entries, &expected);
    }

    #[test]
    fn days_at_the_end_of_time_are_days() {
        let desk = Desk::new("2025-11-24T08:00:00Z", "UTC", vec![]);
        assert_eq!(Days::new(&desk.agenda(), Date::MAX, 42, None).days.len(), 42);
        assert_eq!(Days::new(&desk.agenda(), Date::MIN, 1, None).days.len(), 1);
    }
}
