//! A row of `occurrence`, and its times as numbers.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rusqlite::Row;

use crate::ical::{Occurrence, Time};

/// One row of `occurrence`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stored {
    pub(super) start: i64,
    pub(super) component: i64,
    pub(super) recurrence: i64,
    pub(super) stop: i64,
    pub(super) form: i64,
}

/// `recurrence` of an event that does not repeat. No time has this number: calendars end in the
/// year 9999.
pub(super) const NOT_RECURRING: i64 = i64::MIN;

impl Stored {
    /// The row of an occurrence of this component.
    pub(super) fn new(occurrence: &Occurrence, component: i64) -> Self {
        let (form, start) = number_of(occurrence.start);
        let recurrence = occurrence.recurrence.map_or(NOT_RECURRING, |time| number_of(time).1);
        let stop = number_of(occurrence.end).1;
        Self { start, component, recurrence, stop, form }
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            start: row.get(0)?,
            component: row.get(1)?,
            recurrence: row.get(2)?,
            stop: row.get(3)?,
            form: row.get(4)?,
        })
    }

    /// From when to when; `None` when its numbers are no times, in a damaged database.
    pub(super) fn times(&self) -> Option<(Time, Time)> {
        Some((time_of(self.form, self.start)?, time_of(self.form, self.stop)?))
    }

    /// The original start of an instance of a series.
    pub(super) fn original(&self) -> Option<Time> {
        let recurs = self.recurrence != NOT_RECURRING;
        recurs.then(|| time_of(self.form, self.recurrence)).flatten()
    }
}

/// A time as (form, seconds).
fn number_of(time: Time) -> (i64, i64) {
    let as_if_utc = |civil: DateTime| {
        let zoned = civil.to_zoned_datetime(TimeZone::UTC);
        zoned.map_or(i64::MAX, |zoned| zoned.timestamp().as_second())
    };
    match time {
        Time::Instant(timestamp) => (0, timestamp.as_second()),
        Time::Floating(civil) => (1, as_if_utc(civil)),
        Time::Date(date) => (2, as_if_utc(date.to_datetime(jiff::civil::Time::midnight()))),
    }
}

fn time_of(form: i64, second: i64) -> Option<Time> {
    let timestamp = instant(second).ok()?;
    let civil = || TimeZone::UTC.to_datetime(timestamp);
    match form {
        0 => Some(Time::Instant(timestamp)),
        1 => Some(Time::Floating(civil())),
        2 => Some(Time::Date(Date::from(civil()))),
        _ => None,
    }
}

pub(super) fn instant(second: i64) -> std::result::Result<Timestamp, jiff::Error> {
    Timestamp::from_second(second)
}

/// The same for what only a damaged database has wrong.
pub(super) fn instant_or_epoch(second: i64) -> Timestamp {
    instant(second).unwrap_or(Timestamp::UNIX_EPOCH)
}
