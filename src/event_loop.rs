//! The loop at the bottom of the main thread: it runs the executor, and sleeps in the epoll set
//! of the HTTP server when there is nothing to run.
//!
//! ```text
//!        ┌──────────────────────────────────────────────────────────┐
//!        v                                                          │
//!   run a few tasks ──> any left? ──yes──> look at the set ─────────┤
//!                         │ no                                      │
//!                         └──> sleep in the set until a socket is ──┘
//!                              ready or a waker rings the bell
//! ```
//!
//! Sleeping in the server's own set, rather than in a reactor that watches that set, leaves three
//! system calls to a lone request: wait, read, write. Everything else that is waited for (timers,
//! feed servers, the threads that block) comes through async-io's own thread, which wakes tasks
//! and thereby rings the bell.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use smol::{LocalExecutor, future};

use crate::error::{Error, Result};

/// Events taken from the set at once.
const EVENTS_AT_ONCE: usize = 64;
/// Tasks that run before the set is looked at again: a refresh yields every few milliseconds, and
/// clients must not wait for many of them.
const TASKS_A_TURN: usize = 4;
/// The bell's number in the set; no slot or listener has it.
const BELL: u64 = u64::MAX;

/// The loop and its set.
pub struct EventLoop {
    epoll: OwnedFd,
    events: RefCell<Vec<epoll::Event>>,
    /// Who wants to know of events.
    reader: Cell<Option<Waker>>,
    bell: Arc<Bell>,
}

impl EventLoop {
    /// A loop that watches nothing yet.
    ///
    /// # Errors
    /// When the kernel gives no epoll set.
    pub fn new() -> Result<Self> {
        let refused =
            |error: rustix::io::Errno| Error::system("cannot make an epoll set").because(error);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(refused)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(refused)?;
        // Edge-triggered: every ring is an event, and nobody need read the count.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(BELL), flags).map_err(refused)?;
        Ok(Self {
            epoll,
            events: RefCell::default(),
            reader: Cell::new(None),
            bell: Arc::new(Bell { eventfd: bell, state: AtomicU8::new(RUNNING) }),
        })
    }

    /// Runs the executor until `main` is done, asleep whenever there is nothing to run. Call it
    /// on the main thread, once at a time.
    pub fn run<'a, T: 'a>(
        &self,
        executor: &LocalExecutor<'a>,
        main: impl Future<Output = T> + 'a,
    ) -> T {
        let main = executor.spawn(main);
        let mut turns = pin!(future::or(main, async {
            loop {
                for _ in 0..TASKS_A_TURN {
                    executor.tick().await;
                }
                future::yield_now().await;
            }
        }));
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut context = Context::from_waker(&waker);
        loop {
            self.bell.muffle();
            if let Poll::Ready(done) = turns.as_mut().poll(&mut context) {
                return done;
            }
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            self.wait(if self.bell.may_sleep() { None } else { Some(&at_once) });
        }
    }

    /// Takes the events of this moment and tells their reader, without waiting. For an executor
    /// that another loop runs.
    pub fn collect(&self) {
        self.wait(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    }

    /// What sockets are added to; their numbers are the reader's business.
    pub fn set(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Moves the events that have come into `events`, which is empty. One task may read.
    pub fn poll_events(
        &self,
        context: &mut Context<'_>,
        events: &mut Vec<epoll::Event>,
    ) -> Poll<()> {
        let mut come = self.events.borrow_mut();
        if !come.is_empty() {
            std::mem::swap(&mut *come, events);
            return Poll::Ready(());
        }
        let reader = self.reader.take();
        let is_same = |reader: &Waker| reader.will_wake(context.waker());
        self.reader.set(reader.filter(is_same).or_else(|| Some(context.waker().clone())));
        Poll::Pending
    }

    fn wait(&self, timeout: Option<&Timespec>) {
        let mut events = self.events.borrow_mut();
        let reader = self.reader.take();
        if !events.is_empty() && reader.is_none() && timeout.is_some() {
            // Their reader has been told and has not had its turn. Were nothing left to run, it
            // would be gone.
            return;
        }
        events.clear();
        events.reserve(EVENTS_AT_ONCE);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                // It cannot happen to a set of our own; spinning on it would be worse than saying so.
                log::error!("cannot wait for events: {}", io::Error::from(error));
            }
        }
        // Awake: telling the reader must not ring for those who are up.
        self.bell.muffle();
        events.retain(|event| event.data.u64() != BELL);
        match reader {
            Some(reader) if !events.is_empty() => reader.wake(),
            reader => self.reader.set(reader),
        }
    }
}

/// Nothing has been woken since the tasks began to run.
const RUNNING: u8 = 0;
/// Something has: do not sleep.
const RUNG: u8 = 1;
/// The loop is asleep, or about to be.
const ASLEEP: u8 = 2;

/// Wakes the loop. Only a ring that finds it asleep costs a system call.
struct Bell {
    eventfd: OwnedFd,
    state: AtomicU8,
}

impl Bell {
    fn muffle(&self) {
        self.state.store(RUNNING, Ordering::SeqCst);
    }

    /// True when nobody has rung; from now on a ring reaches the set.
    fn may_sleep(&self) -> bool {
        let order = Ordering::SeqCst;
        self.state.compare_exchange(RUNNING, ASLEEP, order, order).is_ok()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(RUNG, Ordering::SeqCst) == ASLEEP {
            // Full means that it has been rung 2^64 times over.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_and_other_threads_wake_it() {
        let event_loop = EventLoop::new().unwrap();
        let executor = LocalExecutor::new();
        let word = event_loop.run(&executor, async {
            async_io::Timer::after(Duration::from_millis(1)).await;
            smol::unblock(|| "done").await
        });
        assert_eq!(word, "done");
    }

    #[test]
    fn a_socket_s_event_reaches_its_reader_while_others_are_busy() {
        let event_loop = Rc::new(EventLoop::new().unwrap());
        let executor = LocalExecutor::new();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let data = epoll::EventData::new_u64(7);
        epoll::add(event_loop.set(), &ours, data, epoll::EventFlags::IN).unwrap();
        theirs.write_all(b"x").unwrap();
        let busy = executor.spawn(async {
            loop {
                future::yield_now().await;
            }
        });
        let reader = {
            let event_loop = Rc::clone(&event_loop);
            async move {
                let mut events = Vec::new();
                poll_fn(|context| event_loop.poll_events(context, &mut events)).await;
                events.iter().map(|event| event.data.u64()).collect::<Vec<_>>()
            }
        };
        assert_eq!(event_loop.run(&executor, reader), [7]);
        drop(busy);
    }
}
