//! A [`Rule`] and its DTSTART to civil times, in order, one period at a time.
//!
//! The table of RFC 5545 section 3.3.10 says for each BY part whether it expands or limits a
//! period. Both are the same thing seen from the days: a period is a stretch of days (a year, a
//! month, a week, a day), and every BY part about days is a test that a day passes or fails.
//! What remains of the days is multiplied with the hours, minutes and seconds. That product is
//! never built: its n-th member is found by division, which is all that BYSETPOS asks for. So a
//! period costs the memory of its days, whatever the rule says.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, Weekday};

use super::rule::{Bits, Frequency, Rule};

/// The work that one series may still cause: a step is one candidate or one period looked at.
pub(super) struct Steps {
    left: usize,
    refused: bool,
}

impl Steps {
    pub(super) fn new(steps_max: usize) -> Self {
        Self { left: steps_max, refused: false }
    }

    /// True when a step was wanted and there was none left.
    pub(super) fn spent(&self) -> bool {
        self.refused
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    fn take(&mut self) -> bool {
        self.refused |= self.left == 0;
        self.left = self.left.saturating_sub(1);
        !self.refused
    }
}

/// The times of a rule from a given time on.
pub(super) struct Recurrence {
    rule: Rule,
    from: DateTime,
    /// Periods are numbered in units of the frequency: years, months, weeks … since some epoch.
    next: i64,
    last: i64,
    period: Period,
    /// The next candidate of the period.
    at: usize,
}

/// The candidates of one period: `days` × `hours` × `minutes` × `seconds`, or those of them that
/// BYSETPOS picks.
#[derive(Default)]
struct Period {
    days: Vec<Date>,
    hours: Bits,
    minutes: Bits,
    seconds: Bits,
    picks: Option<Vec<usize>>,
}

impl Recurrence {
    /// The times of `rule`, [completed](Rule::completed) by `start`, that are not before `start`
    /// and `from`; in no period that begins after `to`. Without a COUNT to keep it does not
    /// matter how long ago the series began.
    pub(super) fn new(rule: Rule, start: DateTime, from: DateTime, to: DateTime) -> Self {
        let from = from.max(start);
        let origin = ordinal(&rule, start);
        let interval = i64::from(rule.interval);
        let passed = (ordinal(&rule, from) - origin) / interval;
        Self {
            from,
            next: origin + passed * interval,
            last: ordinal(&rule, to),
            rule,
            period: Period::default(),
            at: 0,
        }
    }

    /// The next time, or `None` when there is none, or no step left to look for it.
    pub(super) fn next(&mut self, steps: &mut Steps) -> Option<DateTime> {
        loop {
            while let Some(candidate) = self.period.candidate(self.at) {
                if !steps.take() {
                    return None;
                }
                self.at += 1;
                if candidate >= self.from {
                    return Some(candidate);
                }
            }
            if self.next > self.last || !steps.take() {
                return None;
            }
            self.load()?;
        }
    }

    /// Takes up the next period; it may turn out empty. `None` beyond the calendar's end.
    fn load(&mut self) -> Option<()> {
        self.at = 0;
        self.period.days.clear();
        let current = self.next;
        self.next += i64::from(self.rule.interval);
        let (first, days) = self.days_of(current)?;
        let rule = &self.rule;
        let mut day = first;
        for _ in 0..days {
            if passes(rule, day) {
                self.period.days.push(day);
            }
            day = day.tomorrow().ok()?;
        }
        (self.period.hours, self.period.minutes, self.period.seconds) =
            (rule.hours, rule.minutes, rule.seconds);
        if let Some(unit) = seconds_of(rule.frequency) {
            self.limit_to_unit(current, unit);
        }
        if self.rule.positions.is_empty() {
            // The days before `from` need not be walked through.
            let passed = self.period.days.partition_point(|day| *day < self.from.date());
            self.at = passed * self.period.times();
        } else {
            self.period.pick(&self.rule.positions);
        }
        Some(())
    }

    /// The first day of a period and how many days it has. A part of a day counts as that day.
    fn days_of(&self, period: i64) -> Option<(Date, u16)> {
        Some(match self.rule.frequency {
            Frequency::Yearly => {
                let first = Date::new(i16::try_from(period).ok()?, 1, 1).ok()?;
                (first, first.days_in_year().unsigned_abs())
            }
            Frequency::Monthly => {
                let year = i16::try_from(period.div_euclid(12)).ok()?;
                let month = i8::try_from(period.rem_euclid(12)).ok()? + 1;
                let first = Date::new(year, month, 1).ok()?;
                (first, u16::from(first.days_in_month().unsigned_abs()))
            }
            Frequency::Weekly => (day_numbered(period * 7 - week_offset(self.rule.week_start))?, 7),
            Frequency::Daily => (day_numbered(period)?, 1),
            finer => {
                let unit = seconds_of(finer)?;
                (day_numbered((period * unit).div_euclid(86_400))?, 1)
            }
        })
    }

    /// Narrows a period of the day that it lies in to its own hour, minute or second, and when
    /// that is not wanted skips to the next one that may be: a rule such as
    /// `SECONDLY;BYHOUR=9` is not walked through second by second.
    fn limit_to_unit(&mut self, current: i64, unit: i64) {
        let second_of_day = (current * unit).rem_euclid(86_400);
        let midnight = current * unit - second_of_day;
        let parts = [(second_of_day / 3600, 3600), (second_of_day / 60, 60), (second_of_day, 1)];
        let sets = [&mut self.period.hours, &mut self.period.minutes, &mut self.period.seconds];
        let mut blocked = self.period.days.is_empty().then_some(midnight + 86_400);
        for ((part, length), set) in parts.into_iter().zip(sets) {
            if length < unit {
                break;
            }
            // Bounded by the hours of a day and the minutes and seconds of the next larger unit.
            let number = i8::try_from(if length == 3600 { part } else { part % 60 }).unwrap_or(0);
            if !set.is_empty() && !set.contains(number) && blocked.is_none() {
                blocked = Some(midnight + (part + 1) * length);
            }
            *set = Bits::single(number);
        }
        if let Some(second) = blocked {
            self.period.days.clear();
            let interval = i64::from(self.rule.interval);
            let missing = (second.div_euclid(unit) - self.next).max(0);
            self.next += (missing + interval - 1) / interval * interval;
        }
    }
}

impl Period {
    /// How many times there are in one day.
    fn times(&self) -> usize {
        self.hours.len() * self.minutes.len() * self.seconds.len()
    }

    /// BYSETPOS: turns positions, from 1 or from -1 backwards, into indexes, in order.
    fn pick(&mut self, positions: &[i16]) {
        let len = self.days.len() * self.times();
        let mut picks: Vec<usize> = positions
            .iter()
            .filter_map(|&position| match usize::from(position.unsigned_abs()) {
                back if position < 0 => len.checked_sub(back),
                forth => Some(forth - 1).filter(|&index| index < len),
            })
            .collect();
        picks.sort_unstable();
        picks.dedup();
        self.picks = Some(picks);
    }

    fn candidate(&self, at: usize) -> Option<DateTime> {
        let index = match &self.picks {
            Some(picks) => *picks.get(at)?,
            None => at,
        };
        let times = self.times();
        let day = self.days.get(index.checked_div(times)?)?;
        let time = index % times;
        let (rest, second) = (time / self.seconds.len(), time % self.seconds.len());
        let (hour, minute) = (rest / self.minutes.len(), rest % self.minutes.len());
        let (hour, minute) = (self.hours.nth(hour), self.minutes.nth(minute));
        Some(day.to_datetime(Time::new(hour, minute, self.seconds.nth(second), 0).ok()?))
    }
}

/// The number of the period that a time lies in.
fn ordinal(rule: &Rule, time: DateTime) -> i64 {
    let day = day_number(time.date());
    match rule.frequency {
        Frequency::Yearly => i64::from(time.year()),
        Frequency::Monthly => i64::from(time.year()) * 12 + i64::from(time.month()) - 1,
        Frequency::Weekly => (day + week_offset(rule.week_start)).div_euclid(7),
        Frequency::Daily => day,
        finer => {
            let hours = day * 24 + i64::from(time.hour());
            let seconds = (hours * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
            seconds.div_euclid(seconds_of(finer).unwrap_or(1))
        }
    }
}

/// The length of a period that is shorter than a day.
fn seconds_of(frequency: Frequency) -> Option<i64> {
    match frequency {
        Frequency::Hourly => Some(3600),
        Frequency::Minutely => Some(60),
        Frequency::Secondly => Some(1),
        _ => None,
    }
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// Days since the epoch.
fn day_number(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

fn day_numbered(number: i64) -> Option<Date> {
    let hours = SignedDuration::try_from_hours(number.checked_mul(24)?)?;
    EPOCH.checked_add(hours).ok()
}

/// How far the epoch, a Thursday, lies behind the beginning of its week.
fn week_offset(week_start: Weekday) -> i64 {
    i64::from(Weekday::Thursday.since(week_start))
}

/// Whether a day passes every BY part about days.
fn passes(rule: &Rule, day: Date) -> bool {
    (rule.months.is_empty() || rule.months.contains(day.month()))
        && passes_month_day(rule, day)
        && passes_weekday(rule, day)
        && passes_year_day(rule, day)
        && passes_week(rule, day)
}

fn passes_month_day(rule: &Rule, day: Date) -> bool {
    let (forth, back) = (rule.month_days, rule.month_days_from_end);
    forth.is_empty() && back.is_empty()
        || forth.contains(day.day())
        || back.contains(day.days_in_month() - day.day() + 1)
}

fn passes_year_day(rule: &Rule, day: Date) -> bool {
    let forth = day.day_of_year();
    let back = forth - day.days_in_year() - 1;
    rule.year_days.is_empty()
        || rule.year_days.iter().any(|&wanted| wanted == forth || wanted == back)
}

/// An ordinal counts within the month, or within the year when a yearly rule names no month.
fn passes_weekday(rule: &Rule, day: Date) -> bool {
    if rule.weekdays.is_empty() {
        return true;
    }
    let in_year = rule.frequency == Frequency::Yearly && rule.months.is_empty();
    let (number, length) = if in_year {
        (day.day_of_year(), day.days_in_year())
    } else {
        (i16::from(day.day()), i16::from(day.days_in_month()))
    };
    let (forth, back) = ((number - 1) / 7 + 1, -((length - number) / 7 + 1));
    let weekday = day.weekday();
    rule.weekdays.iter().any(|&(ordinal, wanted)| {
        wanted == weekday && (ordinal == 0 || ordinal == forth || ordinal == back)
    })
}

/// A week belongs to the year that holds at least four of its days (section 3.3.10). A day
/// counts with its week's number even when that week belongs to a neighbouring year.
fn passes_week(rule: &Rule, day: Date) -> bool {
    if rule.weeks.is_empty() {
        return true;
    }
    let into_week = i64::from(day.weekday().since(rule.week_start));
    let Some(fourth_day) = day_numbered(day_number(day) - into_week + 3) else { return false };
    let (number, length) = (fourth_day.day_of_year(), fourth_day.days_in_year());
    let (forth, back) = ((number - 1) / 7 + 1, -((length - number) / 7 + 1));
    rule.weeks.iter().any(|&wanted| wanted == forth || wanted == back)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::value::Value;
    use super::*;

    fn times(text: &str, start: &str, from: Option<&str>, steps: &mut Steps) -> Vec<String> {
        let civil = |text: &str| Value::parse(text).unwrap().civil();
        let dated = start.len() == 8;
        let start = civil(start);
        let rule = Rule::parse(text).unwrap();
        let count = rule.count.unwrap_or(20) as usize;
        let rule = rule.completed(start, dated);
        let to = date(2100, 1, 1).at(0, 0, 0, 0);
        let mut recurrence = Recurrence::new(rule, start, from.map_or(start, civil), to);
        let format = if dated { "%Y%m%d" } else { "%Y%m%dT%H%M%S" };
        std::iter::from_fn(|| recurrence.next(steps))
            .take(count)
            .map(|time| time.strftime(format).to_string())
            .collect()
    }

    /// The first times of a rule, worked out by hand.
    fn check(rule: &str, start: &str, expected: &str) {
        let found = times(rule, start, None, &mut Steps::new(100_000));
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(found[..expected.len().min(found.len())], expected, "{rule}");
    }

    #[test]
    fn weeks_count_from_their_own_beginning() {
        let biweekly = |week_start| format!("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST={week_start}");
        check(&biweekly("MO"), "20240102", "20240102 20240107 20240116 20240121");
        check(&biweekly("SU"), "20240102", "20240102 20240114 20240116 20240128");
        check("FREQ=WEEKLY;BYDAY=MO", "20240103", "20240108 20240115");
        check("FREQ=WEEKLY", "20240103", "20240103 20240110");
    }

    #[test]
    fn months_and_years_skip_days_that_do_not_exist() {
        check("FREQ=MONTHLY", "20240131", "20240131 20240331 20240531");
        check("FREQ=YEARLY", "20240229", "20240229 20280229 20320229");
        check("FREQ=MONTHLY;BYMONTHDAY=-1", "20240131", "20240131 20240229 20240331");
        check("FREQ=MONTHLY;BYDAY=-1FR", "20240126", "20240126 20240223 20240329");
        check("FREQ=MONTHLY;BYDAY=2TU,MO", "20240501", "20240506 20240513 20240514 20240520");
        check("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "20240601", "20240628 20240731");
        check("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "20240101", "20240913 20241213 20250613");
        check("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "20240101", "20241128 20251127");
        check("FREQ=YEARLY;BYDAY=1MO,-1MO", "20240101", "20240101 20241230 20250106 20251229");
        check("FREQ=YEARLY;BYYEARDAY=1,-1", "20240101", "20240101 20241231 20250101");
    }

    #[test]
    fn what_a_rule_leaves_out_comes_from_its_start() {
        check("FREQ=YEARLY;BYMONTH=6,7", "20240610", "20240610 20240710 20250610");
        check("FREQ=YEARLY;BYMONTHDAY=-1", "20240201", "20240229 20250228");
        check("FREQ=YEARLY;BYWEEKNO=20", "20240514", "20240514 20250513");
        check("FREQ=YEARLY;BYWEEKNO=53;BYDAY=TU,SA", "20130101", "20151229 20160102");
        check("FREQ=DAILY;BYHOUR=9,10", "20240101", "20240101 20240102");
        check(
            "FREQ=HOURLY;INTERVAL=6;BYMINUTE=0,30",
            "20240101T090000",
            "20240101T090000 20240101T093000 20240101T150000",
        );
    }

    #[test]
    fn parts_of_a_day_are_reached_without_walking() {
        let mut steps = Steps::new(200);
        let rule = "FREQ=SECONDLY;BYMONTH=3;BYMONTHDAY=1;BYHOUR=9;BYMINUTE=30;BYSECOND=15";
        let found = times(&format!("{rule};COUNT=1"), "20240201T000000", None, &mut steps);
        assert_eq!(found, ["20240301T093015"]);
        check(
            "FREQ=MINUTELY;INTERVAL=61;BYMINUTE=5,25",
            "20250101T050500",
            "20250101T050500 20250102T012500 20250103T180500",
        );
    }

    #[test]
    fn a_huge_period_is_never_built() {
        let all = |last: u8| (0..=last).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let rule = format!(
            "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={};BYSECOND={};BYSETPOS=-1,1",
            all(23),
            all(59),
            all(59),
        );
        let mut steps = Steps::new(10);
        let found = times(&format!("{rule};COUNT=2"), "20240101T000000", None, &mut steps);
        assert_eq!(found, ["20240101T000000", "20241231T235959"]);
    }

    #[test]
    fn the_window_is_reached_by_a_jump() {
        for (rule, expected) in [
            ("FREQ=SECONDLY;INTERVAL=7", "20240501T000003"),
            ("FREQ=DAILY;INTERVAL=3", "20240502T090000"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE", "20240508T090000"),
            ("FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=7", "20240807T090000"),
            ("FREQ=YEARLY;INTERVAL=4;BYMONTH=1,12", "20260101T090000"),
        ] {
            let slow = times(rule, "19700101T090000", None, &mut Steps::new(10)).len();
            let mut steps = Steps::new(40);
            let found = times(rule, "19700101T090000", Some("20240501T000000"), &mut steps);
            assert_eq!((slow > 0, found[0].as_str()), (true, expected), "{rule}");
        }
    }

    #[test]
    fn a_rule_that_never_matches_ends() {
        let mut steps = Steps::new(100_000);
        let found = times("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "20240101", None, &mut steps);
        assert_eq!((found.len(), steps.spent()), (0, false));
        let found = times(
            "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
            "20240101T000000",
            None,
            &mut Steps::new(50),
        );
        assert!(found.is_empty());
    }
}
