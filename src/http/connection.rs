//! One client's connection.
//!
//! ```text
//!                    accepted
//!           first byte  │       head ends, body under way      refused by its head
//!   ┌─ Idle ─────────> Head ──────────────────────────> Body ─────────────────┐
//!   │   ^               │ message whole                   │ message whole     │
//!   │   │               └────────────────┬────────────────┘                   │
//!   │   │                                v                                    │
//!   │   │                    answer there at once? ──no──> Answering ─┐       │
//!   │   │                                │ yes                        │       │
//!   │   ├───── keep-alive ───────── Writing <─────────────────────────┴───────┘
//!   │   │                            │ │ │ events follow
//!   │   └──── Exporting <── a feed ──┘ │ └──────────> Streaming ──> gone
//!   │             └──────────────────┐ │ close
//!   │   deadline, client gone,       v v
//!   └── evicted ──> gone <──────── Lingering
//! ```
//!
//! `Lingering` reads and drops what the client still sends, so that closing does not reset the
//! connection before the client has read its answer (RFC 9112 section 9.6). `Streaming` waits for
//! nothing: an event that the socket does not take at once is for nobody, and ends it. `Exporting`
//! makes a piece when the one before it is out.

use std::cell::Cell;
use std::io::{self, Write};
use std::ops::Range;
use std::time::Duration;

use super::listener::Socket;
use super::peer::Peer;
use super::response::{Manner, Outgoing};
use super::route::Series;
use super::stream::{EXPORT_TIME_MAX, Exporting, Place};
use crate::budget::HttpLimits;
use crate::clock::Moment;

/// Where a connection stands.
pub enum State {
    /// Between two requests; the buffer is empty.
    Idle,
    /// Part of a head is in the buffer, or the first has not begun: who has just come is not who
    /// has been idle, and does not make room for the next.
    Head,
    /// A good head is in the buffer, and part of the body.
    Body {
        /// The message cannot end before so many bytes are there.
        bytes_min: usize,
    },
    /// The request is whole and its answer is being made.
    Answering(Asked),
    /// The socket is full.
    Writing(Outgoing),
    /// A feed is read out to the client.
    Exporting(Box<Exporting>),
    /// The client is told of changes as they happen.
    Streaming {
        /// One of a few.
        place: Place,
        /// The generation that it knows of.
        told: u64,
    },
    /// Answered and half closed; reading to the end.
    Lingering {
        /// Bytes thrown away so far.
        dropped_bytes: usize,
    },
}

/// What must be remembered of a request while its answer is being made. The request itself
/// stays at the front of the buffer.
#[derive(Clone)]
pub struct Asked {
    /// How the client wants its answer; `unchanged` is decided once there is one.
    pub manner: Manner,
    /// Where `If-None-Match` lies in the buffer.
    pub if_none_match: Option<Range<usize>>,
    /// The length of the request.
    pub consumed: usize,
    /// Who asked, for the access log.
    pub client: Peer,
    /// What it is counted by.
    pub series: Series,
    /// What is under way for its client ends when that says that it has no more to send. Others may
    /// say so and wait for their answer.
    pub is_watched: bool,
}

/// The tenant of a slot.
pub struct Connection {
    /// The socket.
    pub socket: Socket,
    /// Where the client is.
    pub peer: Peer,
    /// Where the connection stands.
    pub state: State,
    /// When it got there, or last made progress in writing.
    pub since: Moment,
    /// What its client has taken of the answer since then.
    pub taken_bytes: usize,
    /// A borrowed large buffer, when the slot's own is too small for the request.
    pub large: Option<Box<[u8]>>,
    /// Bytes in the buffer.
    pub filled: usize,
    /// Requests in the buffer are answered in the next turn.
    pub is_put_off: bool,
    /// What the epoll set waits for.
    pub interest: Interest,
    /// The place of its last request among the recent ones, where another's may stand by now.
    pub recent: Cell<usize>,
}

/// What a connection wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes from the client.
    Read,
    /// Room in the socket.
    Write,
    /// Nothing but the end of the connection.
    Nothing,
    /// The end of what the client sends, too.
    End,
}

/// What came of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// So many bytes more.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The client has finished or gone.
    End,
}

impl Connection {
    /// A client that has just been accepted.
    pub fn new(socket: Socket, peer: Peer, now: Moment) -> Self {
        Self {
            socket,
            peer,
            state: State::Head,
            since: now,
            taken_bytes: 0,
            large: None,
            filled: 0,
            is_put_off: false,
            interest: Interest::Read,
            recent: Cell::new(0),
        }
    }

    /// Reads once into the free part of the buffer, which must not be full.
    pub fn read(&mut self, slot_buffer: &mut [u8]) -> Input {
        let buffer = self.large.as_deref_mut().unwrap_or(slot_buffer);
        let input = read_once(&self.socket, &mut buffer[self.filled..]);
        if let Input::Bytes(count) = input {
            self.filled += count;
        }
        input
    }

    /// The bytes read and not yet consumed.
    pub fn bytes<'b>(&'b self, slot_buffer: &'b [u8]) -> &'b [u8] {
        let buffer = self.large.as_deref().unwrap_or(slot_buffer);
        &buffer[..self.filled]
    }

    /// Drops an answered request from the front; what follows it stays for the next turn.
    pub fn consume(&mut self, count: usize, slot_buffer: &mut [u8]) {
        let buffer = self.large.as_deref_mut().unwrap_or(slot_buffer);
        buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    /// Takes the next state.
    pub fn enter(&mut self, state: State, now: Moment) {
        self.state = state;
        self.since = now;
        self.taken_bytes = 0;
    }

    /// The client has taken more of its answer. Whoever sips makes no progress until it has taken as
    /// much as one who reads takes in a moment.
    pub fn note_taken(&mut self, bytes: usize, now: Moment, limits: &HttpLimits) {
        self.taken_bytes += bytes;
        if self.taken_bytes >= limits.progress_bytes_min {
            self.taken_bytes = 0;
            self.since = now;
        }
    }

    /// True when it has been in its state, or without progress, for longer than others need wait.
    pub fn is_slow(&self, now: Moment, limits: &HttpLimits) -> bool {
        now.since(self.since) >= limits.grace_time
    }

    /// What the connection holds of an answer that its client has not taken.
    pub fn outgoing_bytes(&self) -> usize {
        match &self.state {
            State::Writing(outgoing) => outgoing.share_bytes(),
            State::Exporting(export) => export.weight_bytes(),
            _ => 0,
        }
    }

    /// How long the connection may stay as it is. `pressed` shortens idling.
    pub fn patience(&self, limits: &HttpLimits, pressed: bool) -> Duration {
        match &self.state {
            State::Idle if pressed => limits.idle_pressed_time,
            State::Idle => limits.idle_time,
            State::Head => limits.head_time,
            State::Body { .. } => limits.body_time,
            // The answer is ours to make; the client is not at fault.
            State::Answering(_) => Duration::MAX,
            // A dead client is found out by what it is told.
            State::Streaming { .. } => Duration::MAX,
            State::Writing(_) | State::Exporting(_) => limits.write_time,
            State::Lingering { .. } => limits.linger_time,
        }
    }

    /// True when it has outstayed its state. However fast a client takes a feed, others wait for the
    /// place.
    pub fn is_overdue(&self, now: Moment, limits: &HttpLimits, pressed: bool) -> bool {
        let is_past =
            matches!(&self.state, State::Exporting(it) if now.since(it.since) >= EXPORT_TIME_MAX);
        is_past || now.since(self.since) >= self.patience(limits, pressed)
    }

    /// Who goes first when a new client needs a slot: the lower, the sooner, and within a rank the
    /// longest in its state. Who is slow goes before who is not; of those that are not, who has
    /// been given most goes first. `None` is never evicted: its answer is being made.
    pub fn eviction_rank(&self, now: Moment, limits: &HttpLimits) -> Option<u8> {
        match (&self.state, self.is_slow(now, limits)) {
            (State::Lingering { .. }, _) => Some(0),
            (State::Idle, _) => Some(1),
            (State::Head, true) => Some(2),
            (State::Body { .. }, true) => Some(3),
            (State::Writing(_) | State::Exporting(_), true) => Some(4),
            // It comes back by itself, and there are places for a part of all clients only.
            (State::Streaming { .. }, _) => Some(5),
            (State::Writing(_) | State::Exporting(_), false) => Some(6),
            (State::Body { .. }, false) => Some(7),
            (State::Head, false) => Some(8),
            (State::Answering(_), _) => None,
        }
    }

    /// Sends `100 Continue` (RFC 9110 section 15.2.1). False when the socket does not take it: it
    /// is empty before, so the client has gone.
    pub fn ask_for_body(&self) -> bool {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        (&self.socket).write(CONTINUE).is_ok_and(|count| count == CONTINUE.len())
    }

    /// Tells the client that nothing more will come, and begins to read to the end. False when
    /// it has gone already.
    pub fn linger(&mut self, now: Moment) -> bool {
        self.filled = 0;
        self.enter(State::Lingering { dropped_bytes: 0 }, now);
        self.socket.finish().is_ok()
    }
}

/// One `read`, told apart by what it means.
pub fn read_once(socket: &Socket, buffer: &mut [u8]) -> Input {
    loop {
        match socket.read(buffer) {
            Ok(0) => return Input::End,
            Ok(count) => return Input::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Input::Nothing,
            Err(_) => return Input::End,
        }
    }
}
