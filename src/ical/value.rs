//! Dates, times and durations as they are written (RFC 5545 section 3.3), before any zone is
//! known.

use jiff::civil::{Date, DateTime};

/// A DATE or DATE-TIME as written. Which zone a [`Value::Local`] belongs to stands beside it, in
/// TZID; without one it is floating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A day.
    Date(Date),
    /// A local time, in TZID's zone or floating.
    Local(DateTime),
    /// A time that ends in `Z`.
    Utc(DateTime),
}

impl Value {
    /// Reads `20240131`, `20240131T093000` or `20240131T093000Z`. The shape decides, not the
    /// VALUE parameter: feeds forget the one more often than they garble the other. A leap
    /// second counts as the second before it.
    pub fn parse(text: &str) -> Option<Value> {
        let text = text.trim().as_bytes();
        let (date, rest) = text.split_at_checked(8)?;
        let date = Date::new(
            number(&date[..4])?,
            i8::try_from(number(&date[4..6])?).ok()?,
            i8::try_from(number(&date[6..])?).ok()?,
        )
        .ok()?;
        let (time, utc) = match rest {
            [] => return Some(Value::Date(date)),
            [b'T' | b't', time @ .., b'Z' | b'z'] => (time, true),
            [b'T' | b't', time @ ..] => (time, false),
            _ => return None,
        };
        if time.len() != 6 {
            return None;
        }
        let part = |at: usize| i8::try_from(number(&time[at..at + 2])?).ok();
        let (hour, minute, second) = (part(0)?, part(2)?, part(4)?.min(59));
        let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
        let civil = date.to_datetime(time);
        Some(if utc { Value::Utc(civil) } else { Value::Local(civil) })
    }

    /// The day as written.
    pub fn date(self) -> Date {
        match self {
            Value::Date(date) => date,
            Value::Local(civil) | Value::Utc(civil) => civil.date(),
        }
    }

    /// The time as written; a day begins at midnight.
    pub fn civil(self) -> DateTime {
        match self {
            Value::Date(date) => date.at(0, 0, 0, 0),
            Value::Local(civil) | Value::Utc(civil) => civil,
        }
    }
}

/// A DURATION (RFC 5545 section 3.3.6): days and weeks are nominal, the rest is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duration {
    /// Calendar days, a week being seven.
    pub days: i64,
    /// Seconds on the clock.
    pub seconds: i64,
}

/// A longer duration means nothing on a calendar and would only invite overflow.
const DURATION_DAYS_MAX: i64 = 366 * 400;

impl Duration {
    /// Reads `P1W`, `-P1DT2H30M` and the like.
    pub fn parse(text: &str) -> Option<Duration> {
        let text = text.trim().to_ascii_uppercase();
        let (sign, rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (-1, rest),
            [b'+', rest @ ..] | rest => (1, rest),
        };
        let mut duration = Duration::default();
        let mut amount: Option<i64> = None;
        let mut units = 0;
        for &byte in rest.strip_prefix(b"P")? {
            let scale = match byte {
                b'0'..=b'9' => {
                    let digit = i64::from(byte - b'0');
                    amount = Some(amount.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                    continue;
                }
                b'T' if amount.is_none() => continue,
                b'W' => (7, 0),
                b'D' => (1, 0),
                b'H' => (0, 3600),
                b'M' => (0, 60),
                b'S' => (0, 1),
                _ => return None,
            };
            let amount = amount.take()?.checked_mul(sign)?;
            duration.days = duration.days.checked_add(amount.checked_mul(scale.0)?)?;
            duration.seconds = duration.seconds.checked_add(amount.checked_mul(scale.1)?)?;
            units += 1;
        }
        let days = duration.days.saturating_abs().saturating_add(duration.seconds.abs() / 86_400);
        (units > 0 && amount.is_none() && days <= DURATION_DAYS_MAX).then_some(duration)
    }

    /// Before its own beginning.
    pub fn is_negative(self) -> bool {
        self.days < 0 || self.seconds < 0
    }
}

/// Digits alone, few enough to fit.
fn number(digits: &[u8]) -> Option<i16> {
    let mut number: i16 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(i16::from(digit - b'0'))?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_shape_decides_what_a_value_is() {
        let day = date(2024, 2, 29);
        let check = |text, expected| assert_eq!(Value::parse(text), expected, "{text}");
        check("20240229", Some(Value::Date(day)));
        check("20240229T093000", Some(Value::Local(day.at(9, 30, 0, 0))));
        check(" 20240229T093000Z ", Some(Value::Utc(day.at(9, 30, 0, 0))));
        check("20240229T235960Z", Some(Value::Utc(day.at(23, 59, 59, 0))));
        for wrong in [
            "",
            "2024",
            "20230229",
            "20240229T25",
            "20240229T240000",
            "2024022é",
            "é0240229T093000",
            "20240229T093000ZZ",
            "+0240229",
            "20240229T09300é",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn durations_keep_days_apart_from_seconds() {
        let check = |text, expected: Option<(i64, i64)>| {
            let found = Duration::parse(text).map(|duration| (duration.days, duration.seconds));
            assert_eq!(found, expected, "{text}");
        };
        check("P1W", Some((7, 0)));
        check("P1DT2H30M5S", Some((1, 9005)));
        check("-PT15M", Some((0, -900)));
        check("+pt1h", Some((0, 3600)));
        for wrong in
            ["", "P", "PT", "P1", "1D", "P1X", "P99999999999999999999D", "P9999999D", "PT1H5"]
        {
            check(wrong, None);
        }
    }
}
