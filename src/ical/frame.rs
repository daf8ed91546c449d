//! From the civil times that calendars count in to points in time, and back.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::value::{Duration, Value};
use super::{Time, Window};

/// How the civil times of an event become points in time.
#[derive(Clone)]
pub(super) enum Frame {
    Days,
    Floating,
    Zone(TimeZone),
}

impl Frame {
    /// A local time in a gap takes the offset before it, one in a fold the first (section
    /// 3.3.5). `None` beyond the ends of time.
    pub(super) fn time(&self, civil: DateTime) -> Option<Time> {
        Some(match self {
            Frame::Days => Time::Date(civil.date()),
            Frame::Floating => Time::Floating(civil),
            Frame::Zone(zone) => Time::Instant(zone.to_timestamp(civil).ok()?),
        })
    }

    /// The same for a time that a rule made: in a gap it does not exist (section 3.3.10).
    pub(super) fn generated(&self, civil: DateTime) -> Option<Time> {
        if let Frame::Zone(zone) = self
            && let AmbiguousOffset::Gap { .. } = zone.to_ambiguous_timestamp(civil).offset()
        {
            return None;
        }
        self.time(civil)
    }

    /// The stretches of civil time that are skipped from about a time on.
    pub(super) fn gaps(&self, from: Time) -> impl Iterator<Item = (DateTime, DateTime)> {
        let zone = match (self, from) {
            (Frame::Zone(zone), Time::Instant(instant)) => Some((zone, instant)),
            _ => None,
        };
        zone.into_iter().flat_map(|(zone, instant)| {
            // An instant inside a gap lies behind its change.
            let from = instant.checked_sub(SignedDuration::from_hours(24));
            let from = from.unwrap_or(Timestamp::MIN);
            let mut offset = zone.to_offset(from);
            zone.following(from).filter_map(move |change| {
                let before = std::mem::replace(&mut offset, change.offset());
                let civil = |offset: Offset| offset.to_datetime(change.timestamp());
                (offset > before).then(|| (civil(before), civil(offset)))
            })
        })
    }

    pub(super) fn civil(&self, time: Time) -> DateTime {
        match (self, time) {
            (Frame::Zone(zone), Time::Instant(instant)) => zone.to_datetime(instant),
            (_, Time::Instant(instant)) => TimeZone::UTC.to_datetime(instant),
            (_, Time::Floating(civil)) => civil,
            (_, Time::Date(date)) => date.at(0, 0, 0, 0),
        }
    }

    /// When an instance ends that starts at `start`, which is `civil` here.
    pub(super) fn end(&self, civil: DateTime, start: Time, length: Duration) -> Option<Time> {
        let seconds = SignedDuration::from_secs(length.seconds);
        let civil = civil.checked_add(days(length.days)?).ok()?;
        Some(match (self, start) {
            (Frame::Zone(_), Time::Instant(start)) if length.days == 0 => {
                Time::Instant(start.checked_add(seconds).ok()?)
            }
            (Frame::Zone(zone), _) => {
                Time::Instant(zone.to_timestamp(civil).ok()?.checked_add(seconds).ok()?)
            }
            (Frame::Floating, _) => Time::Floating(civil.checked_add(seconds).ok()?),
            (Frame::Days, _) => Time::Date(civil.date()),
        })
    }

    /// How long it is from `start` to `end`: exactly, across any change of offset, or in days.
    pub(super) fn length(&self, start: Time, end: Time) -> Duration {
        match (start, end) {
            (Time::Instant(start), Time::Instant(end)) => {
                Duration { days: 0, seconds: start.duration_until(end).as_secs() }
            }
            _ => {
                let seconds = self.civil(start).duration_until(self.civil(end)).as_secs();
                match self {
                    Frame::Days => Duration { days: seconds / 86_400, seconds: 0 },
                    _ => Duration { days: 0, seconds },
                }
            }
        }
    }
}

/// A number of civil days.
fn days(number: i64) -> Option<jiff::Span> {
    jiff::Span::new().try_days(number).ok()
}

/// The last time that a rule may make, inclusive (RFC 5545 section 3.3.10, UNTIL).
#[derive(Clone, Copy)]
pub(super) enum Until {
    Never,
    Day(jiff::civil::Date),
    Civil(DateTime),
    Instant(Timestamp),
}

impl Until {
    /// A date includes its whole day; for an all-day series a time means its day. A local time
    /// is meant in the series' own zone.
    pub(super) fn new(until: Option<Value>, frame: &Frame) -> Until {
        let Some(value) = until else { return Until::Never };
        let zone = match (frame, value) {
            (Frame::Days, _) | (_, Value::Date(_)) => return Until::Day(value.date()),
            (Frame::Floating, _) => return Until::Civil(value.civil()),
            (Frame::Zone(_), Value::Utc(_)) => &TimeZone::UTC,
            (Frame::Zone(zone), _) => zone,
        };
        zone.to_timestamp(value.civil()).map_or(Until::Never, Until::Instant)
    }

    /// Whether a time, in both its forms, is too late.
    pub(super) fn is_before(self, civil: DateTime, time: Time) -> bool {
        match (self, time) {
            (Until::Never, _) => false,
            (Until::Day(day), _) => civil.date() > day,
            (Until::Civil(until), _) => civil > until,
            (Until::Instant(until), Time::Instant(instant)) => instant > until,
            (Until::Instant(_), _) => false,
        }
    }
}

/// Whether something that lasts from `start` to `end` is seen in the window, wherever the display
/// hangs.
pub(super) fn touches(window: Window, start: Time, end: Time) -> bool {
    let utc = |civil| TimeZone::UTC.to_timestamp(civil).ok();
    let instant = |time| match time {
        Time::Instant(instant) => Some(instant),
        Time::Floating(civil) => utc(civil),
        Time::Date(date) => utc(date.at(0, 0, 0, 0)),
    };
    let slack = match start {
        Time::Instant(_) => SignedDuration::ZERO,
        Time::Floating(_) | Time::Date(_) => SignedDuration::from_hours(24),
    };
    let (Some(start), Some(end)) = (instant(start), instant(end)) else { return false };
    let opens = window.start.checked_sub(slack).unwrap_or(Timestamp::MIN);
    let closes = window.end.checked_add(slack).unwrap_or(Timestamp::MAX);
    Window { start: opens, end: closes }.touches(start, end)
}
