//! The only reader of time.
//!
//! Everything else is handed a [`Moment`] (for timers and ages) or a [`Timestamp`] (for
//! calendars), so that every test can say what time it is. A [`Clock::manual`] stands still
//! until somebody advances it, and its timers fire exactly then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A point on the monotonic clock, in nanoseconds since the clock was made. Unlike the wall
/// clock it never jumps: use it for deadlines, ages and intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the clock was made.
    pub fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;
    fn sub(self, span: Duration) -> Moment {
        Moment(self.0.saturating_sub(nanos(span)))
    }
}

/// 584 years fit in 64 bits of nanoseconds; anything longer means "never".
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A handle to the clock; cheap to clone.
#[derive(Clone)]
pub struct Clock(Rc<Source>);

enum Source {
    System {
        origin: Instant,
        /// `CALENDARBOT_TEST_TIME`: the calendar's "now" stands still, timers still run.
        frozen: Option<Timestamp>,
    },
    Manual(Manual),
}

struct Manual {
    elapsed: Cell<Duration>,
    wall_origin: Cell<Timestamp>,
    /// Who sleeps until when, by the number that each [`Sleep`] was given.
    sleepers: RefCell<BTreeMap<u64, (Moment, Waker)>>,
    next_sleeper: Cell<u64>,
}

impl Clock {
    /// The operating system's clocks. With `frozen` the calendar's "now" stands still.
    pub fn system(frozen: Option<Timestamp>) -> Self {
        Self(Rc::new(Source::System { origin: Instant::now(), frozen }))
    }

    /// A clock that stands at `now` until it is advanced.
    pub fn manual(now: Timestamp) -> Self {
        Self(Rc::new(Source::Manual(Manual {
            elapsed: Cell::new(Duration::ZERO),
            wall_origin: Cell::new(now),
            sleepers: RefCell::new(BTreeMap::new()),
            next_sleeper: Cell::new(0),
        })))
    }

    /// The monotonic clock.
    pub fn now(&self) -> Moment {
        match &*self.0 {
            Source::System { origin, .. } => Moment(nanos(origin.elapsed())),
            Source::Manual(manual) => Moment(nanos(manual.elapsed.get())),
        }
    }

    /// The calendar's "now", to the whole second, as calendars count.
    pub fn wall(&self) -> Timestamp {
        let precise = match &*self.0 {
            Source::System { frozen: Some(frozen), .. } => *frozen,
            Source::System { frozen: None, .. } => Timestamp::now(),
            Source::Manual(manual) => {
                manual.wall_origin.get().checked_add(manual.elapsed.get()).unwrap_or(Timestamp::MAX)
            }
        };
        Timestamp::from_second(precise.as_second()).unwrap_or(precise)
    }

    /// The civil date and time in `HTTP-date` terms: the real wall clock, never frozen, since
    /// proxies compare it with their own.
    pub fn http_date(&self) -> Timestamp {
        match &*self.0 {
            Source::System { .. } => Timestamp::now(),
            Source::Manual(_) => self.wall(),
        }
    }

    /// Completes once the monotonic clock has reached `deadline`.
    pub fn sleep_until(&self, deadline: Moment) -> Sleep {
        Sleep { clock: self.clone(), deadline, timer: None, sleeper: None }
    }

    /// Completes after `span`.
    pub fn sleep(&self, span: Duration) -> Sleep {
        self.sleep_until(self.now() + span)
    }

    /// Moves a manual clock forward and wakes every sleeper whose time has come.
    ///
    /// # Panics
    /// On the system clock, which nobody can move.
    pub fn advance(&self, span: Duration) {
        let Source::Manual(manual) = &*self.0 else {
            panic!("only a manual clock can be advanced");
        };
        manual.elapsed.set(manual.elapsed.get() + span);
        let now = self.now();
        let mut due = Vec::new();
        manual.sleepers.borrow_mut().retain(|_, (deadline, waker)| {
            let asleep = *deadline > now;
            if !asleep {
                due.push(waker.clone());
            }
            asleep
        });
        due.into_iter().for_each(Waker::wake);
    }

    /// Sets a manual clock's wall time without touching the monotonic one, as NTP does.
    ///
    /// # Panics
    /// On the system clock.
    pub fn set_wall(&self, now: Timestamp) {
        let Source::Manual(manual) = &*self.0 else {
            panic!("only a manual clock can be set");
        };
        let origin = now.checked_sub(manual.elapsed.get()).unwrap_or(now);
        manual.wall_origin.set(origin);
    }
}

/// The future of [`Clock::sleep_until`].
pub struct Sleep {
    clock: Clock,
    deadline: Moment,
    timer: Option<async_io::Timer>,
    sleeper: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.clock.now();
        if self.deadline <= now {
            return Poll::Ready(());
        }
        let remaining = self.deadline.since(now);
        let clock = self.clock.clone();
        match &*clock.0 {
            Source::System { .. } => {
                let timer = self.timer.get_or_insert_with(|| async_io::Timer::after(remaining));
                match Pin::new(timer).poll(cx) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => Poll::Pending,
                }
            }
            Source::Manual(manual) => {
                let sleeper = *self.sleeper.get_or_insert_with(|| {
                    manual.next_sleeper.replace(manual.next_sleeper.get() + 1)
                });
                let waker = cx.waker().clone();
                manual.sleepers.borrow_mut().insert(sleeper, (self.deadline, waker));
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Source::Manual(manual), Some(sleeper)) = (&*self.clock.0, self.sleeper) {
            manual.sleepers.borrow_mut().remove(&sleeper);
        }
    }
}
