//! When the events of a series happen, their zones found: what becomes of one instance of a
//! master under exclusions and overrides.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};

use super::frame::{Frame, touches};
use super::value::Duration;
use super::{Occurrence, Time, Window};

/// When an event happens.
pub(super) struct Schedule {
    pub(super) frame: Frame,
    pub(super) civil: DateTime,
    pub(super) time: Time,
    pub(super) length: Duration,
}

/// One instance of a master.
#[derive(Clone, Copy)]
pub(super) struct Instance {
    pub(super) time: Time,
    pub(super) civil: DateTime,
    pub(super) length: Duration,
}

/// What stands in for an instance, or for all from there on.
pub(super) struct Override {
    pub(super) event: usize,
    /// The original start that it stands in for, in its master's frame.
    pub(super) original: Time,
    pub(super) and_future: bool,
}

/// An event with a start of its own, and what bears on its instances.
pub(super) struct Master<'a> {
    pub(super) event: usize,
    pub(super) repeats: bool,
    pub(super) window: Window,
    pub(super) schedule: &'a Schedule,
    pub(super) excluded: Exclusions,
    /// By original start.
    pub(super) overrides: &'a [Override],
    /// By first instance.
    pub(super) templates: &'a [Template],
}

impl Master<'_> {
    /// What people see of an instance. `None` when it is excluded, stood in for, cancelled, or
    /// outside the window.
    pub(super) fn occurrence(&self, instance: Instance) -> Option<Occurrence> {
        let frame = &self.schedule.frame;
        let Instance { time: original, civil, length } = instance;
        let replaced = self.overrides.binary_search_by_key(&original, |other| other.original);
        if replaced.is_ok() || self.excluded.contains(original, frame) {
            return None;
        }
        let template = self.templates.iter().rev().find(|template| template.from <= original);
        let (event, start, end) = match template {
            Some(template) => {
                let (start, end) = template.apply(original)?;
                (template.event, start, end)
            }
            None => (self.event, original, frame.end(civil, original, length)?),
        };
        let recurrence = self.repeats.then_some(original);
        touches(self.window, start, end).then_some(Occurrence { start, end, event, recurrence })
    }

    /// The first and the last civil time whose instance may touch the window, given how long
    /// instances last and how far templates move them.
    pub(super) fn reach(&self) -> (DateTime, DateTime) {
        let frame = &self.schedule.frame;
        let shifts = self.templates.iter().map(|template| template.shift);
        let lengths = self.templates.iter().map(|template| template.schedule.length);
        let zero = SignedDuration::ZERO;
        let longest = lengths.map(span).fold(span(self.schedule.length), SignedDuration::max);
        let after = longest.saturating_add(shifts.clone().fold(zero, SignedDuration::max));
        let before = zero.saturating_sub(shifts.fold(zero, SignedDuration::min));
        // Days and floating times are seen in a window that is a day wider; and a length may
        // cross a change of offset.
        let exact =
            matches!(frame, Frame::Zone(_)) && longest.is_zero() && self.templates.is_empty();
        let slack = if exact { zero } else { SignedDuration::from_hours(24) };
        let from = frame.civil(Time::Instant(self.window.start));
        let to = frame.civil(Time::Instant(self.window.end));
        (
            from.saturating_sub(slack.saturating_add(after)),
            to.saturating_add(slack.saturating_add(before)),
        )
    }
}

/// The original start of an instance of a master.
pub(super) fn original(occurrence: &Occurrence) -> Time {
    occurrence.recurrence.unwrap_or(occurrence.start)
}

/// The length on a clock that never changes its offset.
fn span(length: Duration) -> SignedDuration {
    let seconds = length.days.saturating_mul(86_400).saturating_add(length.seconds);
    SignedDuration::from_secs(seconds)
}

/// A THISANDFUTURE override, as it shapes the instances after it.
pub(super) struct Template {
    pub(super) event: usize,
    pub(super) from: Time,
    pub(super) cancelled: bool,
    /// How far it moved its own instance, in civil time.
    pub(super) shift: SignedDuration,
    pub(super) schedule: Schedule,
}

impl Template {
    /// When an instance happens instead; `None` when it does not.
    fn apply(&self, original: Time) -> Option<(Time, Time)> {
        let frame = &self.schedule.frame;
        let civil = frame.civil(original).checked_add(self.shift).ok()?;
        let start = frame.time(civil)?;
        let end = frame.end(civil, start, self.schedule.length)?;
        (!self.cancelled).then_some((start, end))
    }
}

/// EXDATE: times to the second, and whole days; both in order.
#[derive(Default)]
pub(super) struct Exclusions {
    pub(super) times: Vec<Time>,
    pub(super) days: Vec<Date>,
}

impl Exclusions {
    pub(super) fn contains(&self, time: Time, frame: &Frame) -> bool {
        self.times.binary_search(&time).is_ok()
            || self.days.binary_search(&frame.civil(time).date()).is_ok()
    }
}
