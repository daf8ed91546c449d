//! The HTTP/1 loop: one task that drains one epoll set.
//!
//! The set is level-triggered and stands inside a single [`Async`], so that the reactor knows
//! one file descriptor however many clients there are. A turn reads the clock once, then reads,
//! frames, answers and writes for every client that is ready; a cached answer costs one `read`
//! and one `writev`. Nothing here waits for anything but the set, an answer from the pipeline,
//! the sweep of the deadlines and the order to stop.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use async_channel::Receiver;
use async_io::Async;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use smol::future;

use super::connection::{Asked, Connection, Input, Interest, State};
use super::frame::{Framed, Message, Method, Progress, frame, header_room};
use super::listener::{Accepted, Listener};
use super::response::{Answer, DateField, Manner, Outgoing, Sent, Status};
use super::route::{Endpoint, route};
use super::slab::{Slab, Token};
use super::decode;
use crate::api::Api;
use crate::budget::HttpLimits;
use crate::clock::{Clock, Moment, Sleep};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::pipeline::{Asking, Completion, Pipeline};

/// Events taken from the epoll set at once.
const EVENTS_AT_ONCE: usize = 64;
/// Clients accepted in one turn, so that a flood of them does not starve those already here.
const ACCEPTS_A_TURN: usize = 32;
/// Rounds of events in one turn before other tasks get theirs.
const ROUNDS_A_TURN: usize = 4;
/// How often the deadlines are looked at while anybody is connected.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The listening socket in the epoll set; no slot has this token.
const LISTENER: u64 = u64::MAX;

/// What the loop needs from the rest of the program.
pub struct Service {
    /// The clock.
    pub clock: Clock,
    /// The limits of this room.
    pub limits: HttpLimits,
    /// Where it counts.
    pub metrics: Rc<Metrics>,
    /// Views of the calendar.
    pub pipeline: Rc<Pipeline>,
    /// Everything else.
    pub api: Rc<Api>,
}

/// The server.
pub struct Server {
    service: Service,
    epoll: Async<OwnedFd>,
    listener: Option<Listener>,
    /// Accepting stopped because the system has no more descriptors; tried again at the sweep.
    accept_paused: bool,
    slab: Slab<Connection>,
    /// One buffer a slot, side by side.
    buffers: Box<[u8]>,
    large_free: Vec<Box<[u8]>>,
    large_lent: usize,
    completions: Receiver<Completion>,
    date: DateField,
    now: Moment,
    wall_second: i64,
}

/// What became of the bytes in a buffer, once nothing borrows them any more.
enum Verdict {
    /// More are needed.
    Partial(Progress),
    /// The answer is here.
    Answer(Outgoing, usize),
    /// The pipeline makes it.
    Wait(Asked),
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
        let refused =
            |error: io::Error| Error::system("cannot make an epoll set").because(error);
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
            buffers: vec![0; limits.slots * limits.slot_buffer_bytes].into(),
            large_free: Vec::new(),
            large_lent: 0,
            completions,
            date: DateField::at(service.clock.http_date()),
            now: service.clock.now(),
            wall_second: service.clock.wall().as_second(),
            service,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::address)
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

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_A_TURN {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Accepted::Client(socket, peer) => self.admit(socket, peer),
                Accepted::Retry => {}
                Accepted::Nobody => return,
                Accepted::Exhausted(error) => {
                    self.service.metrics.accept_errors.count();
                    log::warn!("cannot accept a client: {error}; trying again in a second");
                    self.evict_one();
                    self.listen_for(epoll::EventFlags::empty());
                    self.accept_paused = true;
                    return;
                }
            }
        }
    }

    /// Gives a client a slot, taking one from somebody less deserving when all are let.
    fn admit(&mut self, socket: std::net::TcpStream, peer: std::net::IpAddr) {
        let limits = &self.service.limits;
        let is_crowding = !peer.is_loopback()
            && self.slab.iter().filter(|(_, tenant)| tenant.peer == peer).count()
                >= limits.slots_per_address_max;
        let has_room = self.slab.len() < self.slab.capacity();
        if is_crowding || !(has_room || self.evict_one()) {
            self.service.metrics.slab_refused.count();
            let manner =
                Manner { head_only: false, unchanged: false, keep_alive: false, is_1_0: false };
            let busy = self.service.api.failure(Status::UNAVAILABLE, "no connection is free");
            // One attempt: a client that cannot even take this is not waited for.
            let _ = Outgoing::new(busy, self.date, manner).send(&mut &socket);
            return;
        }
        let (epoll, now) = (self.epoll.get_ref(), self.now);
        let let_to = self.slab.insert_with(|token| {
            let data = epoll::EventData::new_u64(token.to_u64());
            epoll::add(epoll, &socket, data, epoll::EventFlags::IN)?;
            Ok::<_, rustix::io::Errno>(Connection::new(socket, peer, now))
        });
        if let Some(Err(error)) = let_to {
            self.service.metrics.accept_errors.count();
            log::warn!("cannot watch a client's socket: {error}");
        }
        self.count_slots();
    }

    /// Closes whoever has the least claim to a slot, the longest in its state first.
    fn evict_one(&mut self) -> bool {
        let ranked = self.slab.iter().filter_map(|(token, tenant)| {
            tenant.eviction_rank().map(|rank| ((rank, tenant.since), token))
        });
        let Some((_, token)) = ranked.min_by_key(|(key, _)| *key) else { return false };
        self.service.metrics.slab_evicted.count();
        self.close(token);
        true
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
        match connection.read(slot_buffer(&mut self.buffers, token, &self.service.limits)) {
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
            let buffer = slot_buffer(&mut self.buffers, token, &self.service.limits);
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
        let buffer = slot_buffer(&mut self.buffers, token, limits);
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
                let answer = self.service.api.failure(status, "this is not a valid request");
                let manner =
                    Manner { head_only: false, unchanged: false, keep_alive: false, is_1_0: false };
                Verdict::Answer(Outgoing::new(answer, self.date, manner), bytes.len())
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
            let answer = self.service.api.failure(Status::UNAVAILABLE, "no large buffer is free");
            let manner =
                Manner { head_only: false, unchanged: false, keep_alive: false, is_1_0: false };
            let outgoing = Outgoing::new(answer, self.date, manner);
            if let Some(connection) = self.slab.get_mut(token) {
                connection.enter(State::Writing(outgoing), self.now);
                self.send(token);
            }
        }
    }

    fn on_completion(&mut self, (token, answer): Completion) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let State::Answering(asked) = &connection.state else { return };
        let buffer = slot_buffer(&mut self.buffers, token, &self.service.limits);
        let consumed = asked.consumed;
        let outgoing =
            Connection::outgoing(asked, answer, connection.bytes(buffer), self.date);
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
        match super::connection::read_once(&connection.socket, &mut scratch) {
            Input::Bytes(count) => *dropped_bytes += count,
            Input::Nothing => return,
            Input::End => return self.close(token),
        }
        if *dropped_bytes > self.service.limits.linger_bytes_max {
            self.close(token);
        }
    }

    /// Closes whoever has outstayed its state, and tries to accept again after a pause.
    fn sweep(&mut self) {
        if self.accept_paused {
            self.accept_paused = false;
            self.listen_for(epoll::EventFlags::IN);
        }
        let pressed = self.slab.len() * 5 > self.slab.capacity() * 4;
        let overdue: Vec<(Token, bool)> = self
            .slab
            .iter()
            .filter(|(_, tenant)| {
                self.now.since(tenant.since) >= tenant.patience(&self.service.limits, pressed)
            })
            .map(|(token, tenant)| (token, !matches!(tenant.state, State::Lingering { .. })))
            .collect();
        for (token, is_news) in overdue {
            if is_news {
                self.service.metrics.deadline_closed.count();
            }
            self.close(token);
        }
    }

    fn stop_accepting(&mut self) {
        if let Some(listener) = self.listener.take() {
            let _ = epoll::delete(self.epoll.get_ref(), listener.socket());
        }
        let idle: Vec<Token> = self
            .slab
            .iter()
            .filter(|(_, tenant)| matches!(tenant.state, State::Idle))
            .map(|(token, _)| token)
            .collect();
        idle.into_iter().for_each(|token| self.close(token));
    }

    fn listen_for(&self, flags: epoll::EventFlags) {
        if let Some(listener) = &self.listener {
            let data = epoll::EventData::new_u64(LISTENER);
            if let Err(error) = epoll::modify(self.epoll.get_ref(), listener.socket(), data, flags) {
                log::error!("cannot watch the listening socket: {error}");
            }
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
        let limits = &self.service.limits;
        if self.large_lent >= limits.large_buffers {
            return false;
        }
        let Some(connection) = self.slab.get_mut(token) else { return false };
        let mut large = self
            .large_free
            .pop()
            .unwrap_or_else(|| vec![0; limits.large_buffer_bytes].into_boxed_slice());
        let buffer = slot_buffer(&mut self.buffers, token, limits);
        large[..connection.filled].copy_from_slice(&buffer[..connection.filled]);
        connection.large = Some(large);
        self.large_lent += 1;
        true
    }

    fn give_back_large(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        if let Some(large) = connection.large.take() {
            self.large_free.push(large);
            self.large_lent -= 1;
        }
    }

    fn count_slots(&self) {
        let used = self.slab.len() as u64;
        self.service.metrics.slab_used.set(used);
        self.service.metrics.slab_peak.raise(used);
    }
}

impl Service {
    /// Answers a whole request, or has the pipeline do it.
    fn answer(
        &self,
        token: Token,
        message: &Message<'_, '_>,
        bytes: &[u8],
        date: DateField,
        now: i64,
    ) -> Verdict {
        let asked = Asked {
            manner: Manner {
                head_only: message.method == Method::Head,
                unchanged: false,
                keep_alive: message.keep_alive,
                is_1_0: message.is_1_0,
            },
            if_none_match: message.if_none_match.map(|value| range_in(bytes, value)),
            consumed: message.consumed,
        };
        match self.find(token, message, bytes, now) {
            Some(answer) => {
                if answer.status().code >= 500 {
                    self.metrics.http_5xx.count();
                }
                let consumed = asked.consumed;
                Verdict::Answer(Connection::outgoing(&asked, answer, bytes, date), consumed)
            }
            None => Verdict::Wait(asked),
        }
    }

    /// The answer to a message; `None` when the pipeline will bring it.
    fn find(
        &self,
        token: Token,
        message: &Message<'_, '_>,
        bytes: &[u8],
        now: i64,
    ) -> Option<Rc<Answer>> {
        let endpoint = match route(message) {
            Ok(endpoint) => endpoint,
            Err(refusal) => return Some(self.api.refusal(&refusal)),
        };
        Some(match endpoint {
            Endpoint::View(_) if !self.api.has_data() => self.api.no_data(),
            Endpoint::View(key) => match self.pipeline.ask(&key, token, now) {
                Asking::Answer(answer) => answer,
                Asking::Pending => return None,
                Asking::Full => self.api.failure(Status::UNAVAILABLE, "too much is being asked"),
            },
            Endpoint::Asset(path) => self.api.asset(path),
            other => match decode::decode(message, bytes) {
                Ok(decoded) => self.api.act(&other, &decoded),
                Err(status) => self.api.failure(status, "this request cannot be decoded"),
            },
        })
    }
}

/// The slot's own part of the buffers.
fn slot_buffer<'b>(buffers: &'b mut [u8], token: Token, limits: &HttpLimits) -> &'b mut [u8] {
    let start = token.slot() * limits.slot_buffer_bytes;
    &mut buffers[start..start + limits.slot_buffer_bytes]
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> std::ops::Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}
