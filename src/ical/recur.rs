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

use super::rule::{Bits, Frequency, Numbers, Rule, nth_weekday};

/// The work that one series may still cause: a step is one candidate, or one day of a period,
/// looked at.
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

    fn take(&mut self, number: usize) -> Option<()> {
        self.refused |= self.left < number;
        self.left = self.left.saturating_sub(number);
        (!self.refused).then_some(())
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
    /// For a part of a day that is not wanted: the next that may be.
    resume: Option<i64>,
}

impl Recurrence {
    /// The times of `rule`, [completed](Rule::completed) by `start`, that are not before `start`
    /// and `from`; in no period that begins after `to`. It does not matter how long ago the series
    /// began.
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
            if let Some(candidate) = self.period.candidate(self.at) {
                steps.take(1)?;
                self.at += 1;
                return Some(candidate);
            }
            if self.next > self.last {
                return None;
            }
            self.load(steps)?;
        }
    }

    /// Takes up the next period; it may turn out empty. `None` beyond the calendar's end.
    fn load(&mut self, steps: &mut Steps) -> Option<()> {
        let interval = i64::from(self.rule.interval);
        self.period.fill(&self.rule, self.next, steps)?;
        self.next += interval;
        if let Some(period) = self.period.resume {
            let missing = (period - self.next).max(0);
            self.next += (missing + interval - 1) / interval * interval;
        }
        self.at = self.period.position(self.from);
        Some(())
    }
}

/// Counts the times of a rule by multiplication instead of walking through them. That takes
/// periods that all hold equally many.
pub(super) struct Tally<'a> {
    rule: &'a Rule,
    start: DateTime,
    /// The times of one period, and those of the first one that lie before `start`.
    times: i64,
    missed: i64,
}

impl<'a> Tally<'a> {
    /// `None` when the periods of `rule`, [completed](Rule::completed) by `start`, differ.
    pub(super) fn new(rule: &'a Rule, start: DateTime, steps: &mut Steps) -> Option<Self> {
        let mut period = Period::default();
        rule.is_regular().then_some(())?;
        period.fill(rule, ordinal(rule, start), steps)?;
        let (times, missed) = (period.len() as i64, period.position(start) as i64);
        Some(Self { rule, start, times, missed })
    }

    /// How many times there are from the start to before `end`.
    pub(super) fn before(&self, end: DateTime, steps: &mut Steps) -> Option<i64> {
        if end <= self.start {
            return Some(0);
        }
        let (first, last) = (ordinal(self.rule, self.start), ordinal(self.rule, end));
        let interval = i64::from(self.rule.interval);
        let (passed, rest) = ((last - first) / interval, (last - first) % interval);
        let of_last = if rest == 0 {
            let mut period = Period::default();
            period.fill(self.rule, last, steps)?;
            period.position(end) as i64
        } else {
            self.times
        };
        Some(passed * self.times + of_last - self.missed)
    }
}

impl Period {
    /// Becomes the period with this number; it may turn out empty. `None` beyond the calendar's
    /// end, and without a step left.
    fn fill(&mut self, rule: &Rule, number: i64, steps: &mut Steps) -> Option<()> {
        let (mut day, last) = days_of(rule, number)?;
        self.days.clear();
        loop {
            steps.take(1)?;
            if !rule.months.is_empty() && !rule.months.contains(day.month()) {
                day = day.last_of_month();
            } else if passes(rule, day) {
                self.days.push(day);
            }
            if day >= last {
                break;
            }
            day = day.tomorrow().ok()?;
        }
        (self.hours, self.minutes, self.seconds) = (rule.hours, rule.minutes, rule.seconds);
        self.resume = seconds_of(rule.frequency).and_then(|unit| self.limit_to_unit(number, unit));
        if !rule.positions.is_empty() {
            steps.take(rule.positions.len())?;
            self.pick(&rule.positions);
        }
        Some(())
    }

    /// Narrows a period of the day that it lies in to its own hour, minute or second. When that
    /// is not wanted, it is empty and the number of the next one that may be comes back: a rule
    /// such as `SECONDLY;BYHOUR=9` is not walked through second by second.
    fn limit_to_unit(&mut self, number: i64, unit: i64) -> Option<i64> {
        let second_of_day = (number * unit).rem_euclid(86_400);
        let midnight = number * unit - second_of_day;
        let parts = [(second_of_day / 3600, 3600), (second_of_day / 60, 60), (second_of_day, 1)];
        let sets = [&mut self.hours, &mut self.minutes, &mut self.seconds];
        let mut blocked = self.days.is_empty().then_some(midnight + 86_400);
        for ((part, length), set) in parts.into_iter().zip(sets) {
            if length < unit {
                break;
            }
            // Bounded by the hours of a day and the minutes and seconds of the next larger unit.
            let own = i8::try_from(if length == 3600 { part } else { part % 60 }).unwrap_or(0);
            if !set.is_empty() && !set.contains(own) && blocked.is_none() {
                blocked = Some(midnight + (part + 1) * length);
            }
            *set = Bits::single(own);
        }
        let second = blocked?;
        self.days.clear();
        Some(second.div_euclid(unit))
    }

    /// How many times there are in one day.
    fn times(&self) -> usize {
        self.hours.len() * self.minutes.len() * self.seconds.len()
    }

    fn len(&self) -> usize {
        self.picks.as_ref().map_or(self.days.len() * self.times(), Vec::len)
    }

    /// BYSETPOS: turns positions, from 1 or from -1 backwards, into indexes, in order.
    fn pick(&mut self, positions: &Numbers) {
        let len = self.days.len() * self.times();
        let picks = self.picks.get_or_insert_default();
        picks.clear();
        picks.extend(positions.iter().filter_map(|position| {
            match usize::from(position.unsigned_abs()) {
                back if position < 0 => len.checked_sub(back),
                forth => Some(forth - 1).filter(|&index| index < len),
            }
        }));
        picks.sort_unstable();
        picks.dedup();
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

    /// How many candidates lie before a time.
    fn position(&self, time: DateTime) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.candidate(middle) {
                Some(candidate) if candidate < time => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }
}

/// The first and the last day of a period. A part of a day counts as that day.
fn days_of(rule: &Rule, period: i64) -> Option<(Date, Date)> {
    let first = match rule.frequency {
        Frequency::Yearly => Date::new(i16::try_from(period).ok()?, 1, 1).ok()?,
        Frequency::Monthly => {
            let year = i16::try_from(period.div_euclid(12)).ok()?;
            Date::new(year, i8::try_from(period.rem_euclid(12)).ok()? + 1, 1).ok()?
        }
        Frequency::Weekly => day_numbered(period * 7 - week_offset(rule.week_start))?,
        Frequency::Daily => day_numbered(period)?,
        finer => day_numbered((period * seconds_of(finer)?).div_euclid(86_400))?,
    };
    let last = match rule.frequency {
        Frequency::Yearly => first.last_of_year(),
        Frequency::Monthly => first.last_of_month(),
        Frequency::Weekly => day_numbered(day_number(first) + 6)?,
        _ => first,
    };
    Some((first, last))
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

/// Whether a day passes every BY part about days but BYMONTH.
fn passes(rule: &Rule, day: Date) -> bool {
    passes_month_day(rule, day)
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
    rule.year_days.is_empty() || rule.year_days.contains(forth) || rule.year_days.contains(back)
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
    [0, forth, back].into_iter().any(|nth| rule.weekdays.contains(nth_weekday(nth, weekday)))
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
    rule.weeks.contains(forth) || rule.weeks.contains(back)
}

#[cfg(test)]
mod tests;
