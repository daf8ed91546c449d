//! A series of events and a window to the occurrences in it (RFC 5545 sections 3.8.4.4 and
//! 3.8.5).
//!
//! A series is all components with one UID: masters, which have a start of their own and may
//! repeat, and overrides, which stand in for single instances. Work and memory are bounded by
//! [`FeedLimits`]; passing a limit cuts the result short and says so.

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::event::{End, Event, PeriodEnd, Stamp};
use super::frame::{Frame, Until, touches};
use super::recur::{Recurrence, Steps, Tally};
use super::rule::Rule;
use super::schedule::{Exclusions, Instance, Master, Override, Schedule, Template, original};
use super::value::{Duration, Value};
use super::zone::Zones;
use super::{Occurrence, Status, Time, Window, YEARS};
use crate::budget::FeedLimits;

/// What became of a series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// By start. [`Occurrence::event`] is an index into the series.
    pub occurrences: Vec<Occurrence>,
    /// Which limit cut the occurrences short.
    pub truncated: Option<String>,
    /// What was left out or guessed, in words.
    pub warnings: Vec<String>,
    /// Events that are not used: a newer revision has the same start, or the same instance.
    pub outdated: Vec<usize>,
    /// Steps that the recurrence generator took.
    pub steps: usize,
}

/// The occurrences of a series, given in any order, that touch the window.
///
/// An instance excluded by EXDATE stays away even if it is overridden. Nothing happens before
/// 1900 or after 2200.
pub fn expand(series: &[Event], zones: &Zones, window: Window, limits: &FeedLimits) -> Expansion {
    let mut run = Run {
        series,
        zones,
        window: clamp(window),
        limits,
        steps: Steps::new(limits.steps_max),
        last_zone: None,
        expansion: Expansion::default(),
    };
    run.expand();
    run.expansion.steps = limits.steps_max - run.steps.left();
    run.expansion
}

fn clamp(window: Window) -> Window {
    let midnight = |year| TimeZone::UTC.to_timestamp(date(year, 1, 1).at(0, 0, 0, 0));
    let first = midnight(*YEARS.start()).unwrap_or(Timestamp::MIN);
    let last = midnight(*YEARS.end() + 1).unwrap_or(Timestamp::MAX);
    Window { start: window.start.max(first), end: window.end.min(last) }
}

struct Run<'a> {
    series: &'a [Event],
    zones: &'a Zones,
    window: Window,
    limits: &'a FeedLimits,
    steps: Steps,
    /// A series mostly keeps to one zone, and may name it ten thousand times.
    last_zone: Option<(String, TimeZone)>,
    expansion: Expansion,
}

impl Run<'_> {
    fn expand(&mut self) {
        for event in self.series {
            event.warnings.iter().for_each(|warning| self.warn(warning.clone()));
        }
        let masters = self.masters();
        let mut overrides = self.overrides(masters.first().map(|(_, schedule)| schedule));
        // EXDATE takes away one instance, and not what an override says about those after it.
        let templates = self.templates(&overrides);
        for (event, schedule) in &masters {
            let excluded = self.excluded(*event, &schedule.frame);
            overrides.retain(|other| !excluded.contains(other.original, &schedule.frame));
        }
        for (event, schedule) in &masters {
            if self.series[*event].details.status != Status::Cancelled {
                self.expand_master(*event, schedule, &overrides, &templates);
            }
        }
        for other in &overrides {
            self.emit_override(other);
        }
        self.keep_earliest_occurrences();
        if self.steps.spent() {
            let max = self.limits.steps_max;
            self.expansion.truncated =
                Some(format!("the recurrence rule took more than {max} steps (steps_max)"));
        }
    }

    /// The masters by start, with duplicates of one start reduced to the newest revision.
    fn masters(&mut self) -> Vec<(usize, Schedule)> {
        let mut masters: Vec<(usize, Schedule)> = Vec::new();
        for (index, event) in self.series.iter().enumerate() {
            if event.recurrence_id.is_some() {
                continue;
            }
            if masters.len() == self.limits.series_components_max {
                self.too_long("events");
                break;
            }
            masters.extend(self.schedule(event).map(|schedule| (index, schedule)));
        }
        let newest_first = |event: usize| std::cmp::Reverse(revision(&self.series[event]));
        masters.sort_by_key(|(event, schedule)| (schedule.time, newest_first(*event)));
        masters.dedup_by(|(event, schedule), (_, newest)| {
            let is_outdated = schedule.time == newest.time;
            self.expansion.outdated.extend(is_outdated.then_some(*event));
            is_outdated
        });
        masters
    }

    /// The overrides by original start, with duplicates for one instance reduced to the newest
    /// revision. Those whose master is not in the feed go by their own zone.
    fn overrides(&mut self, master: Option<&Schedule>) -> Vec<Override> {
        let mut overrides: Vec<Override> = Vec::new();
        for (event, component) in self.series.iter().enumerate() {
            let Some(id) = &component.recurrence_id else { continue };
            if overrides.len() == self.limits.series_components_max {
                self.too_long("overrides");
                break;
            }
            let original = match (master, id.at.value) {
                // A day names the instance of a timed series on that day.
                (Some(master), Value::Date(day)) => {
                    master.frame.time(day.to_datetime(master.civil.time()))
                }
                (Some(master), value) => self.time(value, &id.at.zone, &master.frame),
                (None, value) => self.frame(&id.at).time(value.civil()),
            };
            let and_future = id.and_future;
            overrides.extend(original.map(|original| Override { event, original, and_future }));
        }
        let newest_first = |event: usize| std::cmp::Reverse(revision(&self.series[event]));
        overrides.sort_by_key(|other| (other.original, newest_first(other.event)));
        overrides.dedup_by(|other, newest| {
            let is_outdated = other.original == newest.original;
            self.expansion.outdated.extend(is_outdated.then_some(other.event));
            is_outdated
        });
        overrides
    }

    fn expand_master(
        &mut self,
        event: usize,
        schedule: &Schedule,
        overrides: &[Override],
        templates: &[Template],
    ) {
        let master = Master {
            event,
            repeats: self.series[event].repeats(),
            window: self.window,
            schedule,
            excluded: self.excluded(event, &schedule.frame),
            overrides,
            templates,
        };
        let series = self.series;
        let mut found: Vec<Occurrence> = Vec::new();
        let mut starts = series[event].rules.is_empty();
        for rule in &series[event].rules {
            starts |= self.follow(rule, &master, &mut found);
            self.keep_earliest(&mut found);
        }
        let Schedule { time, civil, length, .. } = *schedule;
        if starts {
            self.keep(master.occurrence(Instance { time, civil, length }), &mut found);
        }
        for extra in &series[event].extra {
            for &(value, end) in &extra.values {
                let Some(time) = self.time(value, &extra.zone, &schedule.frame) else { continue };
                let length = match end {
                    PeriodEnd::Absent => Some(length),
                    PeriodEnd::After(length) => Some(length),
                    PeriodEnd::At(value) => self
                        .time(value, &extra.zone, &schedule.frame)
                        .map(|end| schedule.frame.length(time, end)),
                };
                if let Some(length) = length.filter(|length| !length.is_negative()) {
                    let civil = schedule.frame.civil(time);
                    self.keep(master.occurrence(Instance { time, civil, length }), &mut found);
                }
                if self.is_far_too_many(found.len()) {
                    self.keep_earliest(&mut found);
                }
            }
        }
        self.keep_earliest(&mut found);
        match &mut self.expansion.occurrences {
            all if all.is_empty() => *all = found,
            all => all.append(&mut found),
        }
        if self.is_far_too_many(self.expansion.occurrences.len()) {
            self.keep_earliest_occurrences();
        }
    }

    /// Adds an occurrence. Many take no more room than there are: doubled at the end it would be
    /// twice what the budget has for them.
    fn keep(&self, occurrence: Option<Occurrence>, found: &mut Vec<Occurrence>) {
        if occurrence.is_some() && found.len() == found.capacity() {
            let most = (self.limits.occurrences_max / 8).max(1);
            found.reserve_exact(found.len().max(4).min(most));
        }
        found.extend(occurrence);
    }

    /// Time to make room: earlier, and each occurrence would cost a sort.
    fn is_far_too_many(&self, count: usize) -> bool {
        count > self.limits.occurrences_max + self.limits.occurrences_max / 4
    }

    fn keep_earliest_occurrences(&mut self) {
        let occurrences = &mut self.expansion.occurrences;
        occurrences.sort_unstable_by_key(|found| (found.start, found.end, found.event));
        if occurrences.len() > self.limits.occurrences_max {
            occurrences.truncate(self.limits.occurrences_max);
            self.too_many();
        }
    }

    /// In order of their original starts, each once; of duplicates the first one found.
    fn keep_earliest(&mut self, found: &mut Vec<Occurrence>) {
        found.sort_by_key(original);
        found.dedup_by_key(|occurrence| original(occurrence));
        if found.len() > self.limits.occurrences_max {
            found.truncate(self.limits.occurrences_max);
            self.too_many();
        }
    }

    /// Adds the occurrences of a rule in the window. Returns whether the rule allows DTSTART at
    /// all: a series whose UNTIL is before its start has no instances. A DTSTART that does not
    /// match its rule happens all the same, and COUNT does not count it.
    fn follow(&mut self, rule: &Rule, master: &Master<'_>, found: &mut Vec<Occurrence>) -> bool {
        let Schedule { frame, civil: start, time: start_time, length } = master.schedule;
        let days = matches!(frame, Frame::Days);
        if days && rule.is_finer_than_a_day() {
            self.warn("RRULE ignored: hours, minutes and seconds of an all-day event".to_owned());
            return true;
        }
        let until = Until::new(rule.until, frame);
        if until.is_before(*start, *start_time) {
            return false;
        }
        let (from, to) = master.reach();
        let counted = rule.count.is_some();
        let mut left = i64::from(rule.count.unwrap_or(u32::MAX));
        let rule = rule.completed(*start, days);
        let mut first = from;
        if counted {
            match self.passed(&rule, master.schedule, from) {
                Some(passed) => left -= passed,
                // Only walking from the start tells which instance is the last.
                None => first = *start,
            }
        }
        let mut recurrence = Recurrence::new(rule, *start, first, to);
        // When there is no room left, only what is earlier than the last of them counts.
        let is_full = found.len() == self.limits.occurrences_max;
        let mut last = found.last().filter(|_| is_full).map(original);
        while left > 0
            && let Some(civil) = recurrence.next(&mut self.steps)
            && civil <= to
        {
            let time = match civil == *start {
                true => Some(*start_time),
                false => frame.generated(civil),
            };
            let Some(time) = time else { continue };
            if until.is_before(civil, time) {
                break;
            }
            left -= i64::from(counted);
            if civil < from {
                continue;
            }
            if last.is_some_and(|last| time > last) {
                self.too_many();
                break;
            }
            self.keep(master.occurrence(Instance { time, civil, length: *length }), found);
            if self.is_far_too_many(found.len()) {
                self.keep_earliest(found);
                last = found.last().map(original);
            }
        }
        true
    }

    /// How many instances of a rule there are before `from`, those in gaps left out; `None` when
    /// they cannot be counted without making them.
    fn passed(&mut self, rule: &Rule, schedule: &Schedule, from: DateTime) -> Option<i64> {
        let start = schedule.civil;
        if from <= start {
            return Some(0);
        }
        let steps = &mut self.steps;
        let tally = Tally::new(rule, start, steps)?;
        let mut passed = tally.before(from, steps)?;
        // DTSTART is not made by the rule: it happens even in a gap.
        let made = start.saturating_add(SignedDuration::from_secs(1));
        for (opens, closes) in schedule.frame.gaps(schedule.time) {
            let (opens, closes) = (opens.max(made), closes.min(from));
            if opens >= from {
                break;
            }
            if opens < closes {
                passed -= tally.before(closes, steps)? - tally.before(opens, steps)?;
            }
        }
        Some(passed)
    }

    fn emit_override(&mut self, other: &Override) {
        let event = &self.series[other.event];
        if event.details.status == Status::Cancelled {
            return;
        }
        let Some(schedule) = self.schedule(event) else { return };
        let Schedule { frame, civil, time: start, length } = schedule;
        let Some(end) = frame.end(civil, start, length) else { return };
        if touches(self.window, start, end) {
            let recurrence = Some(other.original);
            self.expansion.occurrences.push(Occurrence {
                start,
                end,
                event: other.event,
                recurrence,
            });
        }
    }

    /// THISANDFUTURE overrides in order, ready to be applied to the instances after them.
    fn templates(&mut self, overrides: &[Override]) -> Vec<Template> {
        let future = overrides.iter().filter(|other| other.and_future);
        future.filter_map(|other| self.template(other)).collect()
    }

    fn template(&mut self, other: &Override) -> Option<Template> {
        let event = &self.series[other.event];
        let schedule = self.schedule(event)?;
        let shift = schedule.frame.civil(other.original).duration_until(schedule.civil);
        Some(Template {
            event: other.event,
            from: other.original,
            cancelled: event.details.status == Status::Cancelled,
            shift,
            schedule,
        })
    }

    /// `None` for times beyond the calendar's end.
    fn schedule(&mut self, event: &Event) -> Option<Schedule> {
        let frame = self.frame(&event.start);
        let civil = event.start.value.civil();
        let time = frame.time(civil)?;
        let length = match &event.end {
            End::After(length) => *length,
            End::At(end) => {
                let length = frame.length(time, self.time(end.value, &end.zone, &frame)?);
                if length.is_negative() {
                    self.warn("DTEND is before DTSTART: shown without length".to_owned());
                }
                if length.is_negative() { Duration::default() } else { length }
            }
            End::Absent => Duration::default(),
        };
        let length = match frame {
            // A day lasts a day at least, and does not end within one.
            Frame::Days => {
                let part = i64::from(length.seconds % 86_400 > 0);
                Duration { days: (length.days + length.seconds / 86_400 + part).max(1), seconds: 0 }
            }
            _ => length,
        };
        Some(Schedule { frame, civil, time, length })
    }

    fn frame(&mut self, stamp: &Stamp) -> Frame {
        match (stamp.value, &stamp.zone) {
            (Value::Date(_), _) => Frame::Days,
            (Value::Utc(_), _) => Frame::Zone(TimeZone::UTC),
            (Value::Local(_), None) => Frame::Floating,
            (Value::Local(_), Some(tzid)) => Frame::Zone(self.zone(tzid)),
        }
    }

    fn zone(&mut self, tzid: &str) -> TimeZone {
        if let Some((name, zone)) = &self.last_zone
            && name == tzid
        {
            return zone.clone();
        }
        let found = self.zones.resolve(tzid);
        if let Some(guess) = found.guess(tzid) {
            self.warn(guess);
        }
        self.last_zone = Some((tzid.to_owned(), found.zone.clone()));
        found.zone
    }

    /// What a written value means in a frame that need not be its own. A local time without zone
    /// belongs to the frame; a date is its midnight.
    fn time(&mut self, value: Value, zone: &Option<String>, frame: &Frame) -> Option<Time> {
        match (frame, value, zone) {
            (Frame::Zone(_), Value::Utc(civil), _) => Frame::Zone(TimeZone::UTC).time(civil),
            (Frame::Zone(_), Value::Local(civil), Some(tzid)) => {
                Frame::Zone(self.zone(tzid)).time(civil)
            }
            _ => frame.time(value.civil()),
        }
    }

    fn excluded(&mut self, event: usize, frame: &Frame) -> Exclusions {
        let mut excluded = Exclusions::default();
        let series = self.series;
        for line in &series[event].excluded {
            for &value in &line.values {
                match value {
                    Value::Date(date) => excluded.days.push(date),
                    _ => excluded.times.extend(self.time(value, &line.zone, frame)),
                }
            }
        }
        excluded.days.sort_unstable();
        excluded.times.sort_unstable();
        excluded
    }

    fn too_long(&mut self, what: &str) {
        let max = self.limits.series_components_max;
        let mark = format!("more than {max} {what} in the series (series_components_max)");
        self.expansion.truncated.get_or_insert(mark);
    }

    fn too_many(&mut self) {
        let max = self.limits.occurrences_max;
        let mark = format!("more than {max} occurrences in the window (occurrences_max)");
        self.expansion.truncated.get_or_insert(mark);
    }

    /// Warnings are for people: the first few tell the story.
    fn warn(&mut self, warning: String) {
        let warnings = &mut self.expansion.warnings;
        if warnings.len() < 16 && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

fn revision(event: &Event) -> (u32, Option<Timestamp>) {
    (event.sequence, event.last_modified)
}

#[cfg(test)]
mod tests;
