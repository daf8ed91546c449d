//! The HTTP/1 loop: one task that handles the events of one epoll set, which is the one that the
//! main thread sleeps in.
//!
//! A turn reads the clock once, then reads, frames, answers and writes for every client that is
//! ready; a cached answer costs one read and one write. Nothing here waits for anything but the
//! set, an answer from the pipeline, the sweep of the deadlines and the order to stop; waiting
//! allocates nothing. The set is level-triggered: what a turn leaves is there at the next.

mod admission;
mod exchange;
mod exports;
mod streams;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Receiver;
use rustix::event::epoll;
use smol::future;
use smol::stream::Stream;

use super::buffers::Buffers;
use super::connection::Connection;
use super::listener::Listener;
use super::response::DateField;
use super::service::{Service, Turn};
use super::slab::{Slab, Token};
use super::stream::Event;
use crate::clock::{Moment, Sleep};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::pipeline::Completion;

/// How often the deadlines are looked at while anybody is connected.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The server.
pub struct Server {
    service: Service,
    event_loop: Rc<EventLoop>,
    events: Vec<epoll::Event>,
    /// In the epoll set their numbers follow those of the slots. None is left once the program is
    /// about to end.
    listeners: Vec<Listener>,
    /// Accepting stopped because the system has no more descriptors; tried again when a client
    /// leaves, and at the sweep.
    accept_paused: bool,
    slab: Slab<Connection>,
    buffers: Buffers,
    completions: Pin<Box<Receiver<Completion>>>,
    changes: Pin<Box<Receiver<()>>>,
    /// What those are told who are told of changes, and when they last heard anything.
    event: Event,
    told_at: Moment,
    turn: Turn,
    /// Connections with requests that are left to the next turn, each once.
    put_off: Vec<Token>,
    /// Requests of this turn that have been answered in it.
    answered: u64,
    /// Some of earlier turns have been.
    caught_up: bool,
}

/// The next look at the deadlines.
struct Sweep {
    due: Moment,
    sleep: Sleep,
}

/// Why the loop woke up.
enum Woken {
    Ready,
    Completed(Completion),
    Changed,
    Sweep,
    Stop,
}

impl Server {
    /// A server on bound listeners. `completions` brings what the pipeline has made.
    ///
    /// # Errors
    /// When the kernel does not watch the listeners.
    pub fn new(
        service: Service,
        listeners: Vec<Listener>,
        completions: Receiver<Completion>,
        event_loop: Rc<EventLoop>,
    ) -> Result<Self> {
        let limits = &service.limits;
        service.metrics.slab_slots.set(limits.slots as u64);
        for (listener, number) in listeners.iter().zip(limits.slots..) {
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(event_loop.set(), listener, data, epoll::EventFlags::IN)
                .map_err(|error| Error::system("cannot watch a socket").because(error))?;
        }
        Ok(Self {
            event_loop,
            events: Vec::new(),
            listeners,
            accept_paused: false,
            slab: Slab::new(limits.slots),
            buffers: Buffers::new(limits),
            completions: Box::pin(completions),
            changes: Box::pin(service.api.changes()),
            event: Event::new(),
            told_at: service.clock.now(),
            turn: Turn {
                now: service.clock.now(),
                wall_second: service.clock.wall().as_second(),
                date: DateField::at(service.clock.http_date()),
                is_alone: false,
            },
            put_off: Vec::with_capacity(limits.slots),
            answered: 0,
            caught_up: false,
            service,
        })
    }

    /// Serves until `stop` says so (or its sender is gone), then lets answers under way finish,
    /// for `drain_time` at most.
    pub async fn run(mut self, stop: Receiver<()>) {
        let mut stop = pin!(stop);
        let mut drain: Option<Sleep> = None;
        let mut sweep: Option<Sweep> = None;
        loop {
            if drain.is_some() && self.slab.is_empty() {
                return;
            }
            self.set_sweep(&mut sweep);
            let woken =
                poll_fn(|cx| self.poll_woken(cx, stop.as_mut(), &mut sweep, &mut drain)).await;
            self.read_clock();
            match woken {
                Woken::Ready => {}
                Woken::Completed(completion) => self.on_completion(completion),
                Woken::Changed => self.tell_streams(),
                Woken::Sweep => {
                    sweep = None;
                    self.sweep();
                }
                Woken::Stop if drain.is_some() => return,
                Woken::Stop => {
                    self.stop_accepting();
                    drain = Some(self.service.clock.sleep(self.service.limits.drain_time));
                }
            }
            self.handle_events();
            while let Ok(completion) = self.completions.try_recv() {
                self.on_completion(completion);
            }
            self.note_time();
            if !self.put_off.is_empty() {
                // Whoever else is ready has its turn first.
                future::yield_now().await;
            }
        }
    }

    /// Sees to it that the deadlines are looked at in time: not at all while nobody is here.
    fn set_sweep(&self, sweep: &mut Option<Sweep>) {
        if self.slab.is_empty() && !self.accept_paused {
            *sweep = None;
            return;
        }
        let due = self.sweep_due();
        if sweep.as_ref().is_none_or(|sweep| sweep.due > due) {
            *sweep = Some(Sweep { due, sleep: self.service.clock.sleep_until(due) });
        }
    }

    /// The first of everything. While draining, the order to stop has been heard and its place
    /// is taken by the end of the drain.
    fn poll_woken(
        &mut self,
        cx: &mut Context<'_>,
        stop: Pin<&mut Receiver<()>>,
        sweep: &mut Option<Sweep>,
        drain: &mut Option<Sleep>,
    ) -> Poll<Woken> {
        let is_over = |sleep: Option<&mut Sleep>, cx: &mut Context<'_>| {
            sleep.is_some_and(|sleep| Pin::new(sleep).poll(cx).is_ready())
        };
        let has_events = self.event_loop.poll_events(cx, &mut self.events).is_ready();
        let is_behind = !self.put_off.is_empty();
        if has_events && !is_behind {
            return Poll::Ready(Woken::Ready);
        }
        if let Poll::Ready(Some(completion)) = self.completions.as_mut().poll_next(cx) {
            return Poll::Ready(Woken::Completed(completion));
        }
        if self.service.streams.taken() > 0 && self.changes.as_mut().poll_next(cx).is_ready() {
            return Poll::Ready(Woken::Changed);
        }
        if is_over(sweep.as_mut().map(|sweep| &mut sweep.sleep), cx) {
            return Poll::Ready(Woken::Sweep);
        }
        let stops = match drain {
            Some(_) => is_over(drain.as_mut(), cx),
            None => stop.poll_next(cx).is_ready(),
        };
        match stops {
            true => Poll::Ready(Woken::Stop),
            false if has_events || is_behind => Poll::Ready(Woken::Ready),
            false => Poll::Pending,
        }
    }

    fn read_clock(&mut self) {
        let clock = &self.service.clock;
        self.turn.now = clock.now();
        self.turn.wall_second = clock.wall().as_second();
        self.turn.date.refresh(clock.http_date());
        self.turn.is_alone = false;
    }

    /// What has come since the last turn, and then what that has put off.
    fn handle_events(&mut self) {
        let mut put_off = std::mem::take(&mut self.put_off);
        let mut events = std::mem::take(&mut self.events);
        self.turn.is_alone = events.len() == 1;
        for event in events.drain(..) {
            let token = Token::from_u64(event.data.u64());
            match token.slot().checked_sub(self.slab.capacity()) {
                Some(listener) => self.accept(listener),
                None => self.on_event(token, event.flags),
            }
        }
        self.events = events;
        self.turn.is_alone = false;
        self.go_on(&mut put_off);
        if self.put_off.is_empty() {
            self.put_off = put_off;
        }
    }

    /// How long the requests of this turn have taken. The clock is read once for all of them, at
    /// the end of the turn: what comes out is what the last of them has waited.
    fn note_time(&mut self) {
        let answered = std::mem::take(&mut self.answered);
        if std::mem::take(&mut self.caught_up) || answered > 0 {
            self.service.metrics.http_turns.count();
        }
        if answered > 0 {
            let took = self.service.clock.now().since(self.turn.now);
            self.service.metrics.request_seconds.record_times(took, answered);
        }
    }

    fn count_slots(&self) {
        let used = self.slab.len() as u64;
        self.service.metrics.slab_used.set(used);
        self.service.metrics.streams.set(self.service.streams.taken() as u64);
        self.service.metrics.slab_peak.raise(used);
        // The buffers of slots that were never let are pages that nobody has touched.
        let touched = self.service.metrics.slab_peak.get() as usize;
        let bytes = self.slab.weight_bytes() + self.buffers.slots_weight_bytes(touched);
        self.service.metrics.memory.connections.set(bytes + self.service.weight_bytes());
    }
}
