//! The HTTP/1 loop: one task that drains one epoll set.
//!
//! The set is level-triggered and stands inside a single [`Async`], so that the reactor knows
//! one file descriptor however many clients there are. A turn reads the clock once, then reads,
//! frames, answers and writes for every client that is ready; a cached answer costs one `read`
//! and one `writev`. Nothing here waits for anything but the set, an answer from the pipeline,
//! the sweep of the deadlines and the order to stop.

mod admission;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use async_channel::Receiver;
use async_io::Async;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use smol::future;

use super::buffers::Buffers;
use super::connection::{Connection, Input, Interest, State, read_once};
use super::frame::{Framed, Progress, frame, header_room};
use super::listener::Listener;
use super::response::{DateField, Manner, Outgoing, Sent, Status};
use super::service::{Service, Verdict};
use super::slab::{Slab, Token};
use crate::clock::{Moment, Sleep};
use crate::error::{Error, Result};
use crate::pipeline::Completion;

/// Events taken from the epoll set at once.
const EVENTS_AT_ONCE: usize = 64;
/// Rounds of events in one turn before other tasks get theirs.
const ROUNDS_A_TURN: usize = 4;
/// How often the deadlines are looked at while anybody is connected.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The listening socket in the epoll set; no slot has this token.
const LISTENER: u64 = u64::MAX;

/// The server.
pub struct Server {
    service: Service,
    epoll: Async<OwnedFd>,
    listener: Option<Listener>,
    /// Accepting stopped because the system has no more descriptors; tried again at the sweep.
    accept_paused: bool,
    slab: Slab<Connection>,
    buffers: Buffers,
    completions: Receiver<Completion>,
    date: DateField,
    now: Moment,
    wall_second: i64,
}

/// Why the loop woke up.
enum Woken {
    Ready,
    Completed(Completion),
    Sweep,
    Stop,
}

impl Server {
    /// A server on a bound listener. `completions` brings what the pipeline has made.
    ///
    /// # Errors
    /// When the kernel gives no epoll set.
    pub fn new(
        service: Service,
        listener: Listener,
        completions: Receiver<Completion>,
    ) -> Result<Self> {
        let refused = |error: io::Error| Error::system("cannot make an epoll set").because(error);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| refused(e.into()))?;
        let data = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, listener.socket(), data, epoll::EventFlags::IN)
            .map_err(|error| refused(error.into()))?;
        let limits = &service.limits;
        Ok(Self {
            epoll: Async::new_nonblocking(epoll).map_err(refused)?,
            listener: Some(listener),
            accept_paused: false,
            slab: Slab::new(limits.slots),
            buffers: Buffers::new(limits),
            completions,
            date: DateField::at(service.clock.http_date()),
            now: service.clock.now(),
            wall_second: service.clock.wall().as_second(),
            service,
        })
    }

    /// Serves until `stop` says so (or its sender is gone), then lets answers under way finish,
    /// for `drain_time` at most.
    pub async fn run(mut self, stop: Receiver<()>) {
        let mut drain: Option<Sleep> = None;
        let mut sweep: Option<Sleep> = None;
        loop {
            if drain.is_some() && self.slab.is_empty() {
                return;
            }
            if self.slab.is_empty() && !self.accept_paused {
                sweep = None;
            } else if sweep.is_none() {
                sweep = Some(self.service.clock.sleep(SWEEP_INTERVAL));
            }
            let woken = self.wait(&stop, &mut sweep, &mut drain).await;
            self.read_clock();
            match woken {
                Woken::Ready => self.drain_events(),
                Woken::Completed(completion) => self.on_completion(completion),
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
            while let Ok(completion) = self.completions.try_recv() {
                self.on_completion(completion);
            }
            future::yield_now().await;
        }
    }

    /// Waits for the first of everything. While draining, the order to stop has been heard and
    /// its place is taken by the end of the drain.
    async fn wait(
        &self,
        stop: &Receiver<()>,
        sweep: &mut Option<Sleep>,
        drain: &mut Option<Sleep>,
    ) -> Woken {
        let ready = async {
            // An epoll set is readable when it holds events; an error would be a closed set.
            let _ = self.epoll.readable().await;
            Woken::Ready
        };
        let completed = async {
            match self.completions.recv().await {
                Ok(completion) => Woken::Completed(completion),
                Err(_) => future::pending().await,
            }
        };
        let swept = async {
            match sweep {
                Some(sleep) => sleep.await,
                None => future::pending().await,
            }
            Woken::Sweep
        };
        let stopped = async {
            match drain {
                Some(sleep) => sleep.await,
                None => drop(stop.recv().await),
            }
            Woken::Stop
        };
        future::or(future::or(ready, completed), future::or(swept, stopped)).await
    }

    fn read_clock(&mut self) {
        let clock = &self.service.clock;
        self.now = clock.now();
        self.wall_second = clock.wall().as_second();
        self.date.refresh(clock.http_date());
    }

    fn drain_events(&mut self) {
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        for _ in 0..ROUNDS_A_TURN {
            let taken =
                epoll::wait(self.epoll.get_ref(), spare_capacity(&mut events), Some(&at_once));
            if taken.is_err() || events.is_empty() {
                return;
            }
            let taken = events.len();
            for event in events.drain(..) {
                if event.data.u64() == LISTENER {
                    self.accept();
                } else {
                    self.on_event(Token::from_u64(event.data.u64()), event.flags);
                }
            }
            if taken < EVENTS_AT_ONCE {
                return;
            }
        }
    }

    fn on_event(&mut self, token: Token, flags: epoll::EventFlags) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let gone = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
        match &mut connection.state {
            State::Writing(_) if !gone => self.write(token),
            State::Answering(_) | State::Writing(_) => {
                if gone {
                    self.close(token);
                }
            }
            State::Lingering { .. } => self.read_to_end(token),
            State::Idle | State::Reading { .. } => self.read(token),
        }
        self.set_interest(token);
    }

    fn read(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        match connection.read(self.buffers.slot(token)) {
            Input::Bytes(count) => {
                self.service.metrics.http_bytes_in.add(count as u64);
                self.advance(token);
            }
            Input::Nothing => {}
            Input::End => self.close(token),
        }
    }

    /// Answers every whole request in the buffer, as far as the socket takes the answers.
    fn advance(&mut self, token: Token) {
        loop {
            let verdict = self.judge(token);
            let Some(connection) = self.slab.get_mut(token) else { return };
            let buffer = self.buffers.slot(token);
            match verdict {
                Verdict::Partial(progress) => return self.await_more(token, progress),
                Verdict::Wait(asked) => {
                    return connection.enter(State::Answering(asked), self.now);
                }
                Verdict::Answer(outgoing, consumed) => {
                    connection.consume(consumed, buffer);
                    connection.enter(State::Writing(outgoing), self.now);
                    if !self.send(token) {
                        return;
                    }
                }
            }
        }
    }

    /// Looks at the bytes of a connection that has none or part of a request under way.
    fn judge(&mut self, token: Token) -> Verdict {
        let limits = &self.service.limits;
        let buffer = self.buffers.slot(token);
        let Some(connection) = self.slab.get_mut(token) else {
            return Verdict::Partial(Progress::Head);
        };
        let bytes = connection.bytes(buffer);
        let mut room = header_room();
        match frame(bytes, &mut room, limits) {
            Framed::Partial(progress) => Verdict::Partial(progress),
            Framed::Complete(message) => {
                self.service.metrics.http_requests.count();
                self.service.answer(token, &message, bytes, self.date, self.wall_second)
            }
            Framed::Reject(status) => {
                self.service.metrics.http_rejected.count();
                let length = bytes.len();
                Verdict::Answer(self.last_words(status, "this is not a valid request"), length)
            }
        }
    }

    /// Makes room for the rest of a request, and asks for its body when the client waits to be
    /// asked.
    fn await_more(&mut self, token: Token, progress: Progress) {
        let limits = &self.service.limits;
        let Some(connection) = self.slab.get_mut(token) else { return };
        if connection.filled == 0 {
            self.give_back_large(token);
            return;
        }
        let mut continued = matches!(connection.state, State::Reading { continued: true, .. });
        let was_at = match connection.state {
            State::Reading { progress, .. } => Some(progress),
            _ => None,
        };
        if progress == (Progress::Body { expects_continue: true }) && !continued {
            continued = true;
            let sent = io::Write::write(&mut &connection.socket, b"HTTP/1.1 100 Continue\r\n\r\n");
            if sent.is_err() {
                return self.close(token);
            }
        }
        let state = State::Reading { progress, continued };
        // The deadlines of head and body count from their first byte, whatever trickles in.
        let since = if was_at == Some(progress) { connection.since } else { self.now };
        connection.enter(state, since);
        let is_full = connection.large.is_none() && connection.filled == limits.slot_buffer_bytes;
        if is_full && !self.lend_large(token) {
            let outgoing = self.last_words(Status::UNAVAILABLE, "no large buffer is free");
            if let Some(connection) = self.slab.get_mut(token) {
                connection.enter(State::Writing(outgoing), self.now);
                self.send(token);
            }
        }
    }

    fn on_completion(&mut self, (token, answer): Completion) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let State::Answering(asked) = &connection.state else { return };
        let buffer = self.buffers.slot(token);
        let consumed = asked.consumed;
        let outgoing = asked.outgoing(answer, connection.bytes(buffer), self.date);
        connection.consume(consumed, buffer);
        connection.enter(State::Writing(outgoing), self.now);
        self.write(token);
        self.set_interest(token);
    }

    fn write(&mut self, token: Token) {
        if self.send(token) {
            self.advance(token);
        }
    }

    /// Sends what the socket takes. True when the answer is out and the next request may be
    /// looked at.
    fn send(&mut self, token: Token) -> bool {
        let draining = self.listener.is_none();
        let Some(connection) = self.slab.get_mut(token) else { return false };
        let State::Writing(outgoing) = &mut connection.state else { return false };
        match outgoing.send(&mut &connection.socket) {
            Ok(Sent::Done) => {
                let metrics = &self.service.metrics;
                metrics.http_bytes_out.add(outgoing.total_bytes() as u64);
                if outgoing.status().code >= 500 {
                    metrics.http_5xx.count();
                }
                if outgoing.keeps_alive() && !(draining && connection.filled == 0) {
                    connection.enter(State::Idle, self.now);
                    return true;
                }
                self.give_back_large(token);
                let lingers =
                    self.slab.get_mut(token).is_some_and(|connection| connection.linger(self.now));
                if !lingers {
                    self.close(token);
                }
                false
            }
            Ok(Sent::Blocked(0)) => false,
            Ok(Sent::Blocked(_)) => {
                connection.since = self.now;
                false
            }
            Err(_) => {
                self.close(token);
                false
            }
        }
    }

    fn read_to_end(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let State::Lingering { dropped_bytes } = &mut connection.state else { return };
        let mut scratch = [0; 4096];
        match read_once(&connection.socket, &mut scratch) {
            Input::Bytes(count) => *dropped_bytes += count,
            Input::Nothing => return,
            Input::End => return self.close(token),
        }
        if *dropped_bytes > self.service.limits.linger_bytes_max {
            self.close(token);
        }
    }

    /// Makes the epoll set wait for what the connection's state needs; usually it does already.
    fn set_interest(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let interest = match connection.state {
            State::Idle | State::Reading { .. } | State::Lingering { .. } => Interest::Read,
            State::Answering(_) => Interest::Nothing,
            State::Writing(_) => Interest::Write,
        };
        if interest == connection.interest {
            return;
        }
        let flags = match interest {
            Interest::Read => epoll::EventFlags::IN,
            Interest::Write => epoll::EventFlags::OUT,
            Interest::Nothing => epoll::EventFlags::empty(),
        };
        connection.interest = interest;
        let data = epoll::EventData::new_u64(token.to_u64());
        if epoll::modify(self.epoll.get_ref(), &connection.socket, data, flags).is_err() {
            self.close(token);
        }
    }

    /// Ends a tenancy. Dropping the socket takes it out of the epoll set.
    fn close(&mut self, token: Token) {
        self.give_back_large(token);
        self.slab.remove(token);
        self.count_slots();
    }

    fn lend_large(&mut self, token: Token) -> bool {
        let Some(connection) = self.slab.get_mut(token) else { return false };
        connection.large = self.buffers.lend(token);
        connection.large.is_some()
    }

    fn give_back_large(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        if let Some(large) = connection.large.take() {
            self.buffers.take_back(large);
        }
    }

    /// An error after which the connection closes.
    fn last_words(&self, status: Status, detail: &str) -> Outgoing {
        let manner =
            Manner { head_only: false, unchanged: false, keep_alive: false, is_1_0: false };
        Outgoing::new(self.service.api.failure(status, detail), self.date, manner)
    }

    fn count_slots(&self) {
        let used = self.slab.len() as u64;
        self.service.metrics.slab_used.set(used);
        self.service.metrics.slab_peak.raise(used);
    }
}
