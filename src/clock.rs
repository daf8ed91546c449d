//! The only reader of time.
//!
//! Everything else is handed a [`Moment`] (for timers and ages) or a [`Timestamp`] (for
//! calendars), so that every test can say what time it is. A [`Clock::manual`] stands still
//! until somebody advances it, and its timers fire exactly then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::{Add, Sub};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Async;
use jiff::{SignedDuration, Timestamp};
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The year of this release, in seconds since 1970: a clock that shows less has not been set. A
/// Pi has no battery, and starts where it stopped or in 1970 until the network tells it better.
const RELEASED: i64 = 1_767_225_600;

/// A clock that is set by more than this has jumped; NTP moves it by less all the time.
const JUMP: SignedDuration = SignedDuration::from_secs(60);

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
    /// Who wants to know when it is set.
    watchers: RefCell<Vec<Waker>>,
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
            watchers: RefCell::default(),
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

    /// The system's CLOCK_MONOTONIC in microseconds, for a service manager that compares it with
    /// its own.
    pub fn monotonic_us() -> u64 {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
        tv_sec.cast_unsigned() * 1_000_000 + tv_nsec.cast_unsigned() / 1000
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

    /// False as long as the wall clock shows a time before this program was made.
    pub fn is_set(&self) -> bool {
        self.wall().as_second() >= RELEASED
            || matches!(&*self.0, Source::System { frozen: Some(_), .. })
    }

    /// How far the wall clock is ahead of the monotonic one. It stays as it is until somebody
    /// sets the clock.
    fn ahead(&self) -> SignedDuration {
        let since_1970 = self.http_date().as_duration();
        since_1970.saturating_sub(SignedDuration::from_nanos_i128(self.now().0.into()))
    }

    /// Tells when the wall clock jumps from now on.
    pub fn jumps(&self) -> Jumps {
        let timer = match &*self.0 {
            // Without it the clock is still looked at now and then.
            Source::System { .. } => setting_timer()
                .inspect_err(|error| log::warn!("nobody tells when the clock is set: {error}"))
                .ok(),
            Source::Manual(_) => None,
        };
        Jumps { clock: self.clone(), ahead: self.ahead(), timer }
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

    /// Moves a manual clock forward and wakes every sleeper whose time has come: how many.
    ///
    /// # Panics
    /// On the system clock, which nobody can move.
    pub fn advance(&self, span: Duration) -> usize {
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
        let woken = due.len();
        due.into_iter().for_each(Waker::wake);
        woken
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
        manual.watchers.take().into_iter().for_each(Waker::wake);
    }
}

/// What [`Clock::jumps`] returns.
pub struct Jumps {
    clock: Clock,
    ahead: SignedDuration,
    timer: Option<Async<OwnedFd>>,
}

impl Jumps {
    /// Completes once the wall clock has been set by more than a minute, and says by how much.
    pub async fn next(&mut self) -> SignedDuration {
        loop {
            let jump = self.clock.ahead().saturating_sub(self.ahead);
            if jump.abs() > JUMP {
                self.ahead = self.ahead.saturating_add(jump);
                return jump;
            }
            self.set().await;
        }
    }

    /// Completes once somebody may have set the clock.
    async fn set(&mut self) {
        let Source::Manual(manual) = &*self.clock.0 else {
            return match &self.timer {
                Some(timer) => cancelled(timer).await,
                None => std::future::pending().await,
            };
        };
        let ahead = self.clock.ahead();
        poll_fn(|cx| {
            if self.clock.ahead() != ahead {
                return Poll::Ready(());
            }
            manual.watchers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A timer that nobody waits for: Linux cancels it when the clock is set.
fn setting_timer() -> io::Result<Async<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
    arm(&timer)?;
    Async::new(timer)
}

fn arm(timer: &OwnedFd) -> io::Result<()> {
    let never = Timespec { tv_sec: Timestamp::MAX.as_second(), tv_nsec: 0 };
    let once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(timer, flags, &Itimerspec { it_interval: once, it_value: never })?;
    Ok(())
}

async fn cancelled(timer: &Async<OwnedFd>) {
    let read = |fd: &OwnedFd| match rustix::io::read(fd, &mut [0; 8]) {
        Err(Errno::CANCELED) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    };
    if timer.read_with(read).await.is_err() || arm(timer.get_ref()).is_err() {
        std::future::pending().await
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

#[cfg(test)]
mod tests {
    use smol::future;

    use super::*;

    #[test]
    fn a_clock_without_a_battery_is_not_set() {
        let check =
            |now: &str, set| assert_eq!(Clock::manual(now.parse().expect("a time")).is_set(), set);
        check("1970-01-01T00:00:10Z", false);
        check("2025-12-31T23:59:59Z", false);
        check("2026-01-01T00:00:00Z", true);
        let frozen = "2020-01-01T00:00:00Z".parse().expect("a time");
        assert!(Clock::system(Some(frozen)).is_set());
    }

    #[test]
    fn a_jump_is_told_and_a_small_step_is_not() {
        let clock = Clock::manual("1970-01-01T00:00:00Z".parse().expect("a time"));
        let mut jumps = clock.jumps();
        smol::block_on(async {
            for (by, told) in
                [(60, false), (61, true), (1_700_000_000, true), (-61, true), (-60, false)]
            {
                let step = SignedDuration::from_secs(by);
                clock.set_wall(clock.wall() + step);
                let jump = future::poll_once(jumps.next()).await;
                assert_eq!(jump, told.then_some(step), "{by}");
                clock.set_wall(clock.wall() - step * i32::from(!told));
                clock.advance(Duration::from_secs(1000));
            }
        });
    }

    #[test]
    fn the_system_s_clock_stands_still_for_a_moment() {
        let clock = Clock::system(None);
        let mut jumps = clock.jumps();
        assert!(jumps.timer.is_some());
        assert_eq!(smol::block_on(future::poll_once(jumps.next())), None);
    }
}
