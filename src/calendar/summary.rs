//! What a morning will be like: how full, how early, and where there is time.

use jiff::civil::{Date, Time as Clock};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::selection::{self, Meeting};
use super::{Agenda, lite};
use crate::ical::Time;

/// The morning, by the clock on the wall.
const MORNING_HOURS: [i8; 2] = [6, 12];
/// A meeting that begins before this hour is an early one.
const EARLY_HOUR: i8 = 8;
/// Up to so many meetings a morning is light; more than the next is busy. In halves of a meeting,
/// which an all-day event counts for.
const LIGHT_HALVES_MAX: usize = 2 * 2;
const MODERATE_HALVES_MAX: usize = 2 * 4;
/// A shorter break between two meetings is none.
const BREAK: SignedDuration = SignedDuration::from_mins(15);
/// Shorter gaps are not free time.
const FREE: SignedDuration = SignedDuration::from_mins(30);
/// In this much time something can be done.
const SIGNIFICANT: SignedDuration = SignedDuration::from_mins(45);
/// From getting up to the first meeting.
const GETTING_READY: SignedDuration = SignedDuration::from_mins(90);
/// The same for whoever would have to get up before the morning.
const GETTING_READY_AT_LEAST: SignedDuration = SignedDuration::from_mins(30);

/// Which morning somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// Of which day; `None` is tomorrow.
    pub date: Option<Date>,
    /// Meetings that are looked at, at most, all-day events and focus time included.
    pub meetings_max: u8,
    /// How much is said of it.
    pub detail: Detail,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// How full and how early it is.
    Brief,
    /// And the first meeting, free time, and what fills the day.
    Normal,
    /// And the first few meetings.
    Detailed,
    /// And all of them.
    Verbose,
}

impl Detail {
    /// The level of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "brief" => Self::Brief,
            "normal" => Self::Normal,
            "detailed" => Self::Detailed,
            "verbose" => Self::Verbose,
            _ => return None,
        })
    }
}

/// A morning.
pub struct Morning<'a> {
    /// The day.
    pub date: Date,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Timed meetings that touch it, by start. Focus time is none.
    pub meetings: Vec<Meeting<'a>>,
    /// All-day events.
    pub all_day: Vec<Meeting<'a>>,
    /// Meetings that begin less than 15 minutes after all before them are over, or before that.
    pub back_to_back: usize,
    /// Where nothing is going on for half an hour or more; focus time is taken.
    pub free: Vec<Gap>,
    /// There are more meetings than were looked at.
    pub truncated: bool,
    /// Its first meeting that begins on the day itself and before 8:00.
    pub early: Option<Meeting<'a>>,
}

/// How full a morning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Density {
    /// At most two meetings.
    Light,
    /// At most four.
    Moderate,
    /// More.
    Busy,
}

/// Free time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
}

/// From when to when the morning of a day goes, or that of tomorrow.
pub fn timeframe(date: Option<Date>, now: Timestamp, zone: &TimeZone) -> (Date, [Timestamp; 2]) {
    let today = zone.to_datetime(now).date();
    let date = date.unwrap_or_else(|| today.tomorrow().unwrap_or(today));
    (date, MORNING_HOURS.map(|hour| at_hour(date, hour, zone)))
}

/// Looks at a morning.
pub fn morning<'a>(agenda: &Agenda<'a>, query: &Query) -> Morning<'a> {
    let zone = agenda.zone;
    let (date, [start, end]) = timeframe(query.date, agenda.now, zone);
    let (mut found, _) = selection::in_window(agenda, start, end, None, usize::MAX);
    found.retain(|m| m.skipped_until.is_none());
    let meetings_max = usize::from(query.meetings_max);
    let truncated = agenda.truncated || found.len() > meetings_max;
    found.truncate(meetings_max);
    let (all_day, timed): (Vec<_>, Vec<_>) = found.into_iter().partition(|m| m.all_day);
    let free = gaps(start, end, &timed);
    let mut meetings = timed;
    meetings.retain(|m| !lite::is_focus(&m.entry.details.summary));
    let early = meetings.iter().copied().find(|m| {
        zone.to_datetime(m.start).date() == date && m.start < at_hour(date, EARLY_HOUR, zone)
    });
    let back_to_back = back_to_back(&meetings);
    Morning { date, start, end, meetings, all_day, back_to_back, free, truncated, early }
}

impl Morning<'_> {
    /// How many meetings it is as much as: an all-day event is half of one. In halves.
    pub fn halves(&self) -> usize {
        2 * self.meetings.len() + self.all_day.len()
    }

    /// How full it is.
    pub fn density(&self) -> Density {
        match self.halves() {
            halves if halves <= LIGHT_HALVES_MAX => Density::Light,
            halves if halves <= MODERATE_HALVES_MAX => Density::Moderate,
            _ => Density::Busy,
        }
    }

    /// When to get up for an early meeting: an hour and a half before it, but not before the
    /// morning begins while half an hour is left then.
    pub fn wake_up(&self) -> Option<Timestamp> {
        let before = |span| self.early?.start.checked_sub(span).ok();
        let (soon, latest) = (before(GETTING_READY)?, before(GETTING_READY_AT_LEAST)?);
        Some(soon.max(latest.min(self.start)))
    }

    /// The longest free time, if it is long enough to do something in it.
    pub fn longest_gap(&self) -> Option<Gap> {
        let longest = self.free.iter().rev().max_by_key(|gap| gap.length());
        longest.copied().filter(|gap| gap.is_significant())
    }
}

impl Gap {
    /// How long it is, in whole minutes.
    pub fn minutes(&self) -> i64 {
        self.length().as_mins()
    }

    /// Something can be done in it.
    pub fn is_significant(&self) -> bool {
        self.length() >= SIGNIFICANT
    }

    fn length(&self) -> SignedDuration {
        self.end.duration_since(self.start)
    }
}

/// Where none of these, which come by start, is going on.
fn gaps(start: Timestamp, end: Timestamp, meetings: &[Meeting<'_>]) -> Vec<Gap> {
    let (mut gaps, mut free_from) = (Vec::new(), start);
    for (from, to) in meetings.iter().map(|m| (m.start, m.end)).chain([(end, end)]) {
        let gap = Gap { start: free_from, end: from };
        if gap.length() >= FREE {
            gaps.push(gap);
        }
        free_from = free_from.max(to);
    }
    gaps
}

fn back_to_back(meetings: &[Meeting<'_>]) -> usize {
    let Some((first, rest)) = meetings.split_first() else { return 0 };
    let (mut count, mut over) = (0, first.end);
    for meeting in rest {
        count += usize::from(meeting.start.duration_since(over) < BREAK);
        over = over.max(meeting.end);
    }
    count
}

fn at_hour(date: Date, hour: i8, zone: &TimeZone) -> Timestamp {
    let civil = date.to_datetime(Clock::constant(hour, 0, 0, 0));
    selection::resolve(Time::Floating(civil), zone)
}

#[cfg(test)]
mod tests;
