//! When a part does harm, it is switched off, and tried again. Pure.
//!
//! | condition, whatever has been done against it | level | what goes |
//! |---|---|---|
//! | memory critical for `memory_hold` | 1 | cache, then pools |
//! | processor critical for `cpu_hold` | 1 | batching; warming is off by then |
//! | latency over `latency_factor` of what is usual for `latency_hold` | 1 | the part without which it falls |
//! | `slower` than the last version | 1 | reported; the pipeline, if those without it fare better |
//! | errors over `errors` for `errors_hold` | 2 | the configuration, for the last that was good |
//!
//! ```text
//!        condition                          latency fell, or it needs no trial
//!   on ────────────> off, on trial (latency) ──────────────────────────────────> off
//!    ^                      │ it did not fall: another part is tried              │
//!    └──────────────────────┘                                                     │
//!    └────────── condition over for `retry`, one part at a time ──────────────────┘
//! ```
//!
//! A part that has to go again soon after it has come back stays off for twice as long.

use std::time::Duration;

use super::latch::{Latch, Threshold};
use super::settings::Rollback;
use crate::clock::Moment;
use crate::flags::{Flag, Flags};

/// Why a part goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Memory.
    Memory,
    /// The processor.
    Cpu,
    /// Latency, against what is usual here.
    Latency,
    /// Latency, against the last version.
    Slower,
}

impl Cause {
    const COUNT: usize = 4;

    const ALL: [Self; Self::COUNT] = [Self::Memory, Self::Cpu, Self::Latency, Self::Slower];

    /// In words, for whoever finds the part off.
    pub fn why(self) -> &'static str {
        match self {
            Self::Memory => "memory stayed critical whatever was done",
            Self::Cpu => "the processor stayed busy whatever was done",
            Self::Latency => "answers took much longer than usual with it",
            Self::Slower => "answers take longer than those of the last version with it",
        }
    }

    /// What may go, in this order.
    fn parts(self) -> &'static [Flag] {
        match self {
            Self::Memory => &[Flag::Caching, Flag::ConnectionPooling],
            // Nothing is made ahead while the processor is busy: that is a response.
            Self::Cpu => &[Flag::Batching],
            Self::Latency => {
                &[Flag::Warming, Flag::Batching, Flag::Deduplication, Flag::RequestPipeline]
            }
            Self::Slower => &[Flag::RequestPipeline],
        }
    }

    /// How long the condition must last before a part goes, and then another, beside the latch's
    /// own hold: a trial is long enough.
    fn hold(self, settings: &Rollback) -> Duration {
        match self {
            Self::Memory => settings.memory_hold,
            Self::Cpu => settings.cpu_hold,
            Self::Latency | Self::Slower => Duration::ZERO,
        }
    }

    /// The figure of the condition, and its bounds.
    fn figure(self, symptoms: &Symptoms, settings: &Rollback) -> (Option<f32>, Threshold) {
        let hold = settings.latency_hold;
        // The alerts have a hold of their own.
        let at_once =
            Threshold { enter: 1.0, exit: 1.0, hold: Duration::ZERO, exit_hold: Duration::ZERO };
        let yes = |is_so: bool| Some(f32::from(u8::from(is_so)));
        match self {
            Self::Memory => (yes(symptoms.memory_critical), at_once),
            Self::Cpu => (yes(symptoms.cpu_critical), at_once),
            Self::Latency => {
                let bound = symptoms.latency_bound.unwrap_or(f32::INFINITY);
                (
                    symptoms.latency,
                    Threshold { enter: bound, exit: bound * BETTER, hold, exit_hold: EXIT_HOLD },
                )
            }
            Self::Slower => {
                let bound = settings.slower as f32;
                (
                    symptoms.slower,
                    Threshold { enter: bound, exit: bound / 2.0, hold, exit_hold: EXIT_HOLD },
                )
            }
        }
    }
}

/// What the matrix looks at. Latencies are 95th percentiles of a minute, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Symptoms {
    /// The alert is critical.
    pub memory_critical: bool,
    /// The alert is critical.
    pub cpu_critical: bool,
    /// Of everybody.
    pub latency: Option<f32>,
    /// The bound that it should not reach; `None` as long as nobody knows what is usual.
    pub latency_bound: Option<f32>,
    /// Of the clients with the pipeline, if there are others.
    pub latency_with: Option<f32>,
    /// Of those without it.
    pub latency_without: Option<f32>,
    /// How much slower answers are than those of the last version, in percent.
    pub slower: Option<f32>,
    /// Requests that the program has failed, in percent.
    pub errors: Option<f32>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The part goes.
    Off(Flag, Cause),
    /// The part comes back.
    Back(Flag),
    /// This version is slower than the last one; or no longer.
    Slower(bool),
    /// The configuration is to be taken back.
    Revert,
}

/// A part that is off.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Off {
    cause: Cause,
    /// The figure that is to fall, as it was when the part went; as long as that is not certain.
    trial: Option<f32>,
    since: Moment,
}

/// How long a condition must be over until it is.
const EXIT_HOLD: Duration = Duration::from_secs(60);
/// How long a part is off until it is certain that it was the cause: the minute that a latency is
/// about, and what is under way.
const TRIAL: Duration = Duration::from_secs(75);
/// A trial that makes things this much worse ends at once, but not before a few answers.
const WORSE: f32 = 1.5;
const WORSE_AFTER: Duration = Duration::from_secs(20);
/// Those without a part fare better when they wait for less than this part of the time.
const BETTER: f32 = 0.75;
/// A part stays off for at most so many doublings of `retry`.
const DOUBLINGS_MAX: u32 = 4;
/// A part that has been on for less than so many times `retry` had come back too soon.
const SOON: u32 = 4;

/// The matrix as it stands.
#[derive(Clone, Debug, Default)]
pub struct State {
    conditions: [Condition; Cause::COUNT],
    errors: Latch,
    parts: [Part; Flag::COUNT],
}

/// A condition, and when it began, when its last part went or came back, or when it was over.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    latch: Latch,
    since: Moment,
}

/// What is known of a part.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    off: Option<Off>,
    /// Latency has been high without it, too.
    acquitted: bool,
    came_back: Option<Moment>,
    doublings: u32,
}

impl State {
    /// Why a part is off, if it is.
    pub fn cause(&self, flag: Flag) -> Option<Cause> {
        self.parts[flag as usize].off.map(|off| off.cause)
    }

    /// Whether a part is off only until it is clear that it was the cause.
    pub fn is_on_trial(&self, flag: Flag) -> bool {
        self.parts[flag as usize].off.is_some_and(|off| off.trial.is_some())
    }

    /// Whether this version is slower than the last one.
    pub fn is_slower(&self) -> bool {
        self.conditions[Cause::Slower as usize].latch.is_on()
    }

    /// Judges the symptoms of `now`. At most one part goes or comes back: none of those that are
    /// `held` on by an operator, and only such as are on.
    pub fn step(
        &mut self,
        symptoms: &Symptoms,
        (on, held): (Flags, Flags),
        settings: &Rollback,
        now: Moment,
        mut tell: impl FnMut(Verdict),
    ) {
        let was_slower = self.is_slower();
        for cause in Cause::ALL {
            let Condition { latch, since } = &mut self.conditions[cause as usize];
            let was_on = latch.is_on();
            let (value, threshold) = cause.figure(symptoms, settings);
            if latch.step(value, &threshold, now) != was_on {
                *since = now;
            }
        }
        if self.is_slower() != was_slower {
            tell(Verdict::Slower(!was_slower));
        }
        let bound = settings.errors as f32;
        let threshold = Threshold {
            enter: bound,
            exit: bound / 2.0,
            hold: settings.errors_hold,
            exit_hold: EXIT_HOLD,
        };
        let had_errors = self.errors.is_on();
        if self.errors.step(symptoms.errors, &threshold, now) && !had_errors && settings.enabled {
            tell(Verdict::Revert);
        }
        let verdict = if settings.enabled {
            let is_held = |flag: &Flag| held.is_on(*flag) && self.cause(*flag).is_some();
            let taken = Flag::ALL.into_iter().find(is_held);
            let may_go = |flag| on.is_on(flag) && !held.is_on(flag);
            taken
                .and_then(|flag| self.return_part(flag, now))
                .or_else(|| self.judge(symptoms, now))
                .or_else(|| self.switch_off(symptoms, may_go, settings, now))
                .or_else(|| self.bring_back(settings, now))
        } else {
            // Whoever turns this off wants back what it has taken.
            Flag::ALL.into_iter().find_map(|flag| self.return_part(flag, now))
        };
        verdict.into_iter().for_each(tell);
    }

    fn on_trial(&self) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| self.is_on_trial(*flag))
    }

    /// The end of the trial that is under way, if it acquits: so does one in which too few have
    /// asked to tell.
    fn judge(&mut self, symptoms: &Symptoms, now: Moment) -> Option<Verdict> {
        let flag = self.on_trial()?;
        let part = &mut self.parts[flag as usize];
        let off = part.off.as_mut()?;
        let (latency, took) = (symptoms.latency, now.since(off.since));
        let worse = off.trial? * WORSE;
        let is_worse = latency.is_some_and(|ms| ms > worse) && took >= WORSE_AFTER;
        if !is_worse && took < TRIAL {
            return None;
        }
        if latency.zip(symptoms.latency_bound).is_some_and(|(ms, bound)| ms < bound) {
            off.trial = None;
            return None;
        }
        part.acquitted = true;
        self.return_part(flag, now)
    }

    /// The next part that has to go, if its time has come.
    fn switch_off(
        &mut self,
        symptoms: &Symptoms,
        may_go: impl Fn(Flag) -> bool,
        settings: &Rollback,
        now: Moment,
    ) -> Option<Verdict> {
        if !self.conditions[Cause::Latency as usize].latch.is_on() {
            self.parts.iter_mut().for_each(|part| part.acquitted = false);
        }
        if self.on_trial().is_some() {
            return None;
        }
        let lasts = |cause: &Cause| {
            let Condition { latch, since } = self.conditions[*cause as usize];
            latch.is_on() && now.since(since) >= cause.hold(settings)
        };
        let (flag, cause, trial) = Cause::ALL.into_iter().filter(lasts).find_map(|cause| {
            let (parts, trial) = suspects(cause, symptoms)?;
            let is_next = |flag: &&Flag| {
                let part = &self.parts[**flag as usize];
                part.off.is_none() && !part.acquitted && may_go(**flag)
            };
            parts.iter().find(is_next).map(|flag| (*flag, cause, trial))
        })?;
        let part = &mut self.parts[flag as usize];
        part.off = Some(Off { cause, trial, since: now });
        let too_soon = part.came_back.is_some_and(|at| now.since(at) < settings.retry * SOON);
        part.doublings = if too_soon { (part.doublings + 1).min(DOUBLINGS_MAX) } else { 0 };
        self.conditions[cause as usize].since = now;
        Some(Verdict::Off(flag, cause))
    }

    /// The part that went last for a reason that has been over for long enough.
    fn bring_back(&mut self, settings: &Rollback, now: Moment) -> Option<Verdict> {
        let due = |flag: Flag| {
            let part = &self.parts[flag as usize];
            let off = part.off.filter(|off| off.trial.is_none())?;
            let Condition { latch, since } = self.conditions[off.cause as usize];
            let wait = settings.retry * (1 << part.doublings);
            (!latch.is_on() && now.since(since) >= wait).then_some((off.since, flag, off.cause))
        };
        let due = Flag::ALL.into_iter().filter_map(due);
        let (_, flag, cause) = due.max_by_key(|(since, ..)| *since)?;
        self.conditions[cause as usize].since = now;
        self.return_part(flag, now)
    }

    fn return_part(&mut self, flag: Flag, now: Moment) -> Option<Verdict> {
        let part = &mut self.parts[flag as usize];
        part.off.take()?;
        part.came_back = Some(now);
        Some(Verdict::Back(flag))
    }
}

/// What may have to go for a cause, and the latency that is to fall if that is to be tried out.
/// Where clients without the pipeline can be compared with, they have told already.
fn suspects(cause: Cause, symptoms: &Symptoms) -> Option<(&'static [Flag], Option<f32>)> {
    let compared = symptoms.latency_with.zip(symptoms.latency_without);
    let fare_better = compared.map(|(with, without)| without < with * BETTER);
    match (cause, fare_better) {
        (Cause::Memory | Cause::Cpu, _) => Some((cause.parts(), None)),
        (Cause::Latency | Cause::Slower, Some(true)) => Some((Cause::Slower.parts(), None)),
        // It may have fallen already, and the condition not be over yet.
        (Cause::Latency, None) => {
            let is_high = symptoms.latency >= symptoms.latency_bound;
            is_high.then_some((cause.parts(), symptoms.latency))
        }
        (Cause::Latency | Cause::Slower, _) => None,
    }
}

#[cfg(test)]
mod tests;
