//! RRULE text to [`Rule`] (RFC 5545 section 3.3.10). A `Rule` exists only if it is valid; `recur`
//! turns it into times.

use jiff::civil::{DateTime, Weekday};

use super::line::excerpt;
use super::value::Value;

/// A recurrence rule whose every part is in range.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) frequency: Frequency,
    /// At least 1.
    pub(super) interval: u32,
    /// At least 1.
    pub(super) count: Option<u32>,
    /// Inclusive.
    pub(super) until: Option<Value>,
    pub(super) week_start: Weekday,
    pub(super) seconds: Bits,
    pub(super) minutes: Bits,
    pub(super) hours: Bits,
    /// BYMONTH, 1 to 12.
    pub(super) months: Bits,
    /// BYMONTHDAY from the month's beginning and from its end, 1 to 31.
    pub(super) month_days: Bits,
    pub(super) month_days_from_end: Bits,
    /// BYYEARDAY, ±1 to ±366.
    pub(super) year_days: Numbers,
    /// BYWEEKNO, ±1 to ±53.
    pub(super) weeks: Numbers,
    /// BYDAY, as [`nth_weekday`] has it.
    pub(super) weekdays: Numbers,
    /// BYSETPOS, ±1 to ±366.
    pub(super) positions: Numbers,
}

/// FREQ, the finest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A set of small numbers, 0 to 63, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bits(u64);

impl Bits {
    pub(super) fn single(number: i8) -> Self {
        let mut bits = Self::default();
        bits.insert(number.unsigned_abs());
        bits
    }

    fn insert(&mut self, number: u8) {
        self.0 |= 1 << (number & 63);
    }

    pub(super) fn contains(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| self.0.checked_shr(number).unwrap_or(0) & 1 == 1)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many numbers are in it.
    pub(super) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The number at this place, counted from 0 in ascending order.
    pub(super) fn nth(self, place: usize) -> i8 {
        let mut bits = self.0;
        for _ in 0..place {
            bits &= bits.wrapping_sub(1);
        }
        bits.trailing_zeros() as i8
    }
}

/// A set of numbers that may be negative, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numbers(Vec<i16>);

impl Numbers {
    fn insert(&mut self, number: i16) {
        if let Err(place) = self.0.binary_search(&number) {
            self.0.insert(place, number);
        }
    }

    pub(super) fn contains(&self, number: i16) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i16> {
        self.0.iter().copied()
    }
}

impl FromIterator<i16> for Numbers {
    fn from_iter<I: IntoIterator<Item = i16>>(numbers: I) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

/// One number for the n-th such weekday; 0 is every one.
pub(super) fn nth_weekday(nth: i16, day: Weekday) -> i16 {
    nth * 7 + i16::from(day.to_monday_zero_offset())
}

impl Rule {
    /// Reads the value of an RRULE.
    ///
    /// # Errors
    /// In words, what about it cannot be followed. RSCALE other than GREGORIAN and SKIP other
    /// than OMIT (RFC 7529) are such things.
    pub(super) fn parse(text: &str) -> Result<Rule, String> {
        let mut rule = Rule::new();
        let mut has_frequency = false;
        for part in text.split(';') {
            let part = part.trim();
            let Some((name, value)) = part.split_once('=') else {
                match part {
                    "" => continue,
                    _ => return Err(format!("`{}` has no value", excerpt(part))),
                }
            };
            has_frequency |= name.eq_ignore_ascii_case("FREQ");
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim());
            rule.set(&name, &value.to_ascii_uppercase()).ok_or_else(|| {
                format!("{}={} is not understood", excerpt(&name), excerpt(value))
            })?;
        }
        if !has_frequency {
            return Err("FREQ is missing".to_owned());
        }
        if rule.frequency != Frequency::Yearly && rule.frequency != Frequency::Monthly {
            // An ordinal counts within a month or a year; elsewhere it means nothing.
            rule.weekdays = rule.weekdays.iter().map(|day| day.rem_euclid(7)).collect();
        }
        Ok(rule)
    }

    /// FREQ is HOURLY, MINUTELY or SECONDLY.
    pub(super) fn is_finer_than_a_day(&self) -> bool {
        self.frequency < Frequency::Daily
    }

    /// Every period of the rule, [completed](Self::completed), holds equally many times.
    pub(super) fn is_regular(&self) -> bool {
        let any_date = self.months.is_empty()
            && self.month_days.is_empty()
            && self.month_days_from_end.is_empty()
            && self.year_days.is_empty()
            && self.weeks.is_empty();
        let any_day = any_date && self.weekdays.is_empty();
        match self.frequency {
            Frequency::Secondly => {
                any_day
                    && self.hours.is_empty()
                    && self.minutes.is_empty()
                    && self.seconds.is_empty()
            }
            Frequency::Minutely => any_day && self.hours.is_empty() && self.minutes.is_empty(),
            Frequency::Hourly => any_day && self.hours.is_empty(),
            Frequency::Daily => any_day,
            Frequency::Weekly => any_date,
            Frequency::Monthly | Frequency::Yearly => false,
        }
    }

    fn new() -> Self {
        Self {
            frequency: Frequency::Yearly,
            interval: 1,
            count: None,
            until: None,
            week_start: Weekday::Monday,
            seconds: Bits::default(),
            minutes: Bits::default(),
            hours: Bits::default(),
            months: Bits::default(),
            month_days: Bits::default(),
            month_days_from_end: Bits::default(),
            year_days: Numbers::default(),
            weeks: Numbers::default(),
            weekdays: Numbers::default(),
            positions: Numbers::default(),
        }
    }

    /// Takes in one part. A list without entries says nothing and changes nothing.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "FREQ" => self.frequency = frequency(value)?,
            "INTERVAL" => self.interval = value.parse().ok().filter(|&interval| interval > 0)?,
            "COUNT" => self.count = Some(value.parse().ok().filter(|&count| count > 0)?),
            "UNTIL" => self.until = Some(Value::parse(value)?),
            "WKST" => self.week_start = weekday(value)?,
            "BYSECOND" => self.seconds = bits(value, 0, 60)?,
            "BYMINUTE" => self.minutes = bits(value, 0, 59)?,
            "BYHOUR" => self.hours = bits(value, 0, 23)?,
            "BYMONTH" => self.months = bits(value, 1, 12)?,
            "BYMONTHDAY" => {
                for day in numbers(value, 31)?.iter() {
                    let bits =
                        if day > 0 { &mut self.month_days } else { &mut self.month_days_from_end };
                    bits.insert(u8::try_from(day.unsigned_abs()).ok()?);
                }
            }
            "BYYEARDAY" => self.year_days = numbers(value, 366)?,
            "BYWEEKNO" => self.weeks = numbers(value, 53)?,
            "BYDAY" => self.weekdays = weekdays(value)?,
            "BYSETPOS" => self.positions = numbers(value, 366)?,
            "RSCALE" if value == "GREGORIAN" => {}
            "SKIP" if value == "OMIT" => {}
            // What somebody has added for themselves (RFC 2445 section 4.3.10) changes no day.
            _ if name.starts_with("X-") => {}
            // Anything else may: a misspelt UNTIL would make a meeting that never ends.
            _ => return None,
        }
        Some(())
    }

    /// The rule with the parts that it leaves out taken from DTSTART: "Information, not
    /// contained in the rule, … [is] derived from DTSTART". For a series of `days` parts of a
    /// day mean nothing.
    ///
    /// BYWEEKNO alone is one day a week, and YEARLY;BYMONTHDAY alone one month a year, as in
    /// libical.
    pub(super) fn completed(&self, start: DateTime, days: bool) -> Rule {
        let mut rule = self.clone();
        let time = |bits: &mut Bits, finer: Frequency, number: i8| {
            if days {
                *bits = Bits::single(0);
            } else if bits.is_empty() && self.frequency > finer {
                *bits = Bits::single(number);
            }
        };
        time(&mut rule.seconds, Frequency::Secondly, start.second());
        time(&mut rule.minutes, Frequency::Minutely, start.minute());
        time(&mut rule.hours, Frequency::Hourly, start.hour());

        let month_days = !self.month_days.is_empty() || !self.month_days_from_end.is_empty();
        let only_month_days =
            self.year_days.is_empty() && self.weeks.is_empty() && self.weekdays.is_empty();
        let nothing = only_month_days && !month_days;
        let only_weeks = self.year_days.is_empty() && self.weekdays.is_empty() && !month_days;
        let weekday = || Numbers::from_iter([nth_weekday(0, start.weekday())]);
        match self.frequency {
            Frequency::Yearly if only_month_days => {
                if self.months.is_empty() {
                    rule.months = Bits::single(start.month());
                }
                if nothing {
                    rule.month_days = Bits::single(start.day());
                }
            }
            Frequency::Yearly if only_weeks => rule.weekdays = weekday(),
            Frequency::Monthly if nothing => rule.month_days = Bits::single(start.day()),
            Frequency::Weekly if nothing => rule.weekdays = weekday(),
            _ => {}
        }
        rule
    }
}

fn frequency(value: &str) -> Option<Frequency> {
    Some(match value {
        "SECONDLY" => Frequency::Secondly,
        "MINUTELY" => Frequency::Minutely,
        "HOURLY" => Frequency::Hourly,
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return None,
    })
}

fn weekday(value: &str) -> Option<Weekday> {
    Some(match value {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Numbers from `min` to `max`. A leap second counts as the second before it.
fn bits(value: &str, min: u8, max: u8) -> Option<Bits> {
    let mut bits = Bits::default();
    for item in items(value) {
        let number: u8 = item.parse().ok().filter(|number| (min..=max).contains(number))?;
        bits.insert(number.min(59));
    }
    Some(bits)
}

/// Numbers from `-max` to `max` without 0.
fn numbers(value: &str, max: i16) -> Option<Numbers> {
    let number = |item: &str| item.parse().ok().filter(|n| *n != 0 && (-max..=max).contains(n));
    items(value).map(number).collect()
}

/// `MO`, `2TU`, `-1FR`.
fn weekdays(value: &str) -> Option<Numbers> {
    let weekday = |item: &str| {
        let (nth, day) = item.split_at_checked(item.len().checked_sub(2)?)?;
        let nth = match nth.trim() {
            "" => 0,
            nth => nth.parse().ok().filter(|n| *n != 0 && (-53..=53).contains(n))?,
        };
        Some(nth_weekday(nth, weekday(day)?))
    };
    items(value).map(weekday).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_cannot_be_followed_says_why() {
        let check = |text, reason: &str| assert_eq!(Rule::parse(text), Err(reason.to_owned()));
        check("", "FREQ is missing");
        check("INTERVAL=2", "FREQ is missing");
        check("FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY is not understood");
        check("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is not understood");
        check("FREQ=DAILY;COUNT=0", "COUNT=0 is not understood");
        check("FREQ=DAILY;COUNT=-1", "COUNT=-1 is not understood");
        check("FREQ=DAILY;UNTIL=soon", "UNTIL=soon is not understood");
        check("FREQ=DAILY;UNTL=20260101", "UNTL=20260101 is not understood");
        check("FREQ=WEEKLY;BYDAY=€", "BYDAY=€ is not understood");
        check("FREQ=WEEKLY;BYDAY=MÖ", "BYDAY=MÖ is not understood");
        check("FREQ=MONTHLY;BYDAY=0MO", "BYDAY=0MO is not understood");
        check("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32 is not understood");
        check("FREQ=YEARLY;BYMONTH=0", "BYMONTH=0 is not understood");
        check("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is not understood");
        check("FREQ=YEARLY;RSCALE=HEBREW", "RSCALE=HEBREW is not understood");
        check("FREQ=YEARLY;BYEASTER=0", "BYEASTER=0 is not understood");
        check("FREQ=DAILY;COUNT", "`COUNT` has no value");
    }

    #[test]
    fn what_feeds_write_carelessly_is_understood() {
        let check = |text, same_as| assert_eq!(Rule::parse(text), Rule::parse(same_as), "{text}");
        check("FREQ=WEEKLY;INTERVAL=1;BYDAY=MO;", "FREQ=WEEKLY;BYDAY=MO");
        check("freq=weekly;byday=mo, fr", "FREQ=WEEKLY;BYDAY=MO,FR");
        check("FREQ=WEEKLY;BYDAY=", "FREQ=WEEKLY");
        check("FREQ=WEEKLY;BYDAY=MO,MO;X-NOTE=1", "FREQ=WEEKLY;BYDAY=MO");
        check("FREQ=WEEKLY;BYDAY=+2TU", "FREQ=WEEKLY;BYDAY=TU");
        check("RSCALE=GREGORIAN;FREQ=DAILY;SKIP=OMIT", "FREQ=DAILY");
    }

    #[test]
    fn bits_are_counted_in_order() {
        let set = bits("59,0,7", 0, 59).unwrap();
        assert_eq!((0..set.len()).map(|place| set.nth(place)).collect::<Vec<_>>(), [0, 7, 59]);
        assert!(set.contains(7) && !set.contains(8) && !set.contains(-1));
    }
}
