//! One connection's part of a turn: what is read is judged, what is judged is answered, what is
//! answered is sent, as far as the socket goes along.

use rustix::event::epoll;

use super::Server;
use crate::http::connection::{Asked, Input, Interest, State, read_once};
use crate::http::frame::{Framed, Message, Method, frame, header_room};
use crate::http::response::{Outgoing, Sent, Status};
use crate::http::service::{Answered, Asker};
use crate::http::slab::Token;
use crate::pipeline::Completion;

/// What the bytes of a connection amount to, once nothing borrows them any more.
enum Verdict {
    /// Part of a head.
    Head,
    /// A head that may be answered once its body is here.
    Body { bytes_min: usize, expects_continue: bool },
    /// So many bytes are answered by this; none when the answer comes before their end.
    Answer { outgoing: Outgoing, consumed: usize, is_made: bool },
    /// The pipeline makes the answer.
    Wait(Asked),
}

impl Verdict {
    fn of(answered: Answered, consumed: usize) -> Self {
        match answered {
            Answered::Kept(outgoing) => Self::Answer { outgoing, consumed, is_made: false },
            Answered::Made(outgoing) => Self::Answer { outgoing, consumed, is_made: true },
            Answered::Later(asked) => Self::Wait(asked),
        }
    }

    /// Nothing is read any further.
    fn refusal(outgoing: Outgoing) -> Self {
        Self::Answer { outgoing, consumed: 0, is_made: false }
    }
}

/// Answers that one connection gets in a turn, or one that has to be made: whoever sends many
/// requests at once has others wait for no more.
const ANSWERS_A_TURN: usize = 8;

impl Server {
    pub(super) fn on_event(&mut self, token: Token, flags: epoll::EventFlags) {
        use epoll::EventFlags;
        let Some(connection) = self.slab.get_mut(token) else { return };
        let gone = flags.intersects(EventFlags::ERR | EventFlags::HUP | EventFlags::RDHUP);
        match &mut connection.state {
            // What has come meanwhile is still there afterwards.
            _ if connection.is_put_off && !gone => return,
            State::Writing(_) if !gone => self.write(token),
            State::Exporting(_) if !gone => self.export(token),
            State::Answering(_) | State::Writing(_) | State::Exporting(_) => {
                if gone {
                    self.close(token);
                }
            }
            State::Lingering { .. } => self.read_to_end(token),
            State::Streaming { .. } => self.hear(token, gone),
            State::Idle | State::Head | State::Body { .. } => self.read(token),
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

    /// Answers the whole requests in the buffer, as far as the socket takes the answers, and puts
    /// off what is too much for one turn.
    pub(super) fn advance(&mut self, token: Token) {
        let mut answers_left = ANSWERS_A_TURN;
        while answers_left > 0 {
            let Some(verdict) = self.judge(token) else { return };
            let Some(connection) = self.slab.get_mut(token) else { return };
            match verdict {
                Verdict::Head => return self.await_head(token),
                Verdict::Body { bytes_min, expects_continue } => {
                    return self.await_body(token, bytes_min, expects_continue);
                }
                Verdict::Wait(asked) => {
                    return connection.enter(State::Answering(asked), self.turn.now);
                }
                Verdict::Answer { outgoing, consumed, is_made } => {
                    self.consume(token, consumed);
                    if !self.answer(token, outgoing) {
                        return;
                    }
                    answers_left = if is_made { 0 } else { answers_left - 1 };
                }
            }
        }
        self.put_off(token);
    }

    /// Leaves what is still in the buffer to the next turn.
    fn put_off(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        if connection.filled > 0 {
            connection.is_put_off = true;
            self.put_off.push(token);
        }
    }

    /// Goes on with what was put off in the turn before.
    pub(super) fn go_on(&mut self, put_off: &mut Vec<Token>) {
        for token in put_off.drain(..) {
            let Some(connection) = self.slab.get_mut(token) else { continue };
            connection.is_put_off = false;
            self.advance(token);
            self.set_interest(token);
        }
    }

    /// Looks at the bytes of a connection that has none or part of a request under way; `None`
    /// while they cannot be a whole one.
    fn judge(&mut self, token: Token) -> Option<Verdict> {
        let buffer = self.buffers.slot(token);
        let connection = self.slab.get_mut(token)?;
        let is_admitted = match connection.state {
            State::Body { bytes_min } if connection.filled < bytes_min => return None,
            State::Body { .. } => true,
            _ => false,
        };
        let bytes = connection.bytes(buffer);
        let (service, turn) = (&self.service, &self.turn);
        let asker = Asker { token, peer: connection.peer, is_admitted, recent: &connection.recent };
        if let Some((answered, consumed)) = service.answer_again(&asker, bytes, turn) {
            service.metrics.http_requests.count();
            return Some(Verdict::of(answered, consumed));
        }
        let mut room = header_room();
        Some(match frame(bytes, &mut room, &service.limits) {
            Framed::Head => Verdict::Head,
            Framed::Body { message: Message { expects_continue, .. }, bytes_min }
                if is_admitted =>
            {
                Verdict::Body { bytes_min, expects_continue }
            }
            Framed::Body { message, bytes_min } => {
                match service.refuse(&asker, &message, bytes, turn) {
                    Some(outgoing) => {
                        service.metrics.http_requests.count();
                        Verdict::refusal(outgoing)
                    }
                    None => {
                        let expects_continue = message.expects_continue;
                        Verdict::Body { bytes_min, expects_continue }
                    }
                }
            }
            Framed::Complete(message) => {
                service.metrics.http_requests.count();
                let answered = service.answer(&asker, &message, bytes, turn);
                Verdict::of(answered, message.consumed)
            }
            Framed::Reject(status) => {
                service.metrics.http_rejected.count();
                let detail = "this is not a valid request";
                let outgoing = service.last_words(status, detail, bytes, turn);
                service.note(connection.peer, bytes, &outgoing);
                Verdict::refusal(outgoing)
            }
        })
    }

    /// Waits for the rest of a head, or for the next one. The deadline counts from the first
    /// byte, whatever trickles in.
    fn await_head(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        if connection.filled == 0 {
            return;
        }
        if !matches!(connection.state, State::Head) {
            connection.enter(State::Head, self.turn.now);
        }
        let bytes_min = connection.filled + 1;
        self.make_room(token, bytes_min);
    }

    /// Waits for a body, and asks for it when the client waits to be asked and there is room.
    fn await_body(&mut self, token: Token, bytes_min: usize, expects_continue: bool) {
        if !self.make_room(token, bytes_min) {
            return;
        }
        let Some(connection) = self.slab.get_mut(token) else { return };
        if let State::Body { bytes_min: least } = &mut connection.state {
            *least = bytes_min;
            return;
        }
        connection.enter(State::Body { bytes_min }, self.turn.now);
        if expects_continue && !connection.ask_for_body() {
            self.close(token);
        }
    }

    /// Lends a large buffer to a request that outgrows its slot's own. False when there is none:
    /// the client is told to come again.
    fn make_room(&mut self, token: Token, bytes_min: usize) -> bool {
        let Some(connection) = self.slab.get_mut(token) else { return false };
        if connection.large.is_some() || bytes_min <= self.service.limits.slot_buffer_bytes {
            return true;
        }
        connection.large = self.buffers.lend(token);
        if connection.large.is_some() {
            let large_requests = &self.service.metrics.memory.large_requests;
            large_requests.set(self.buffers.large_weight_bytes());
            return true;
        }
        let detail = "no large buffer is free";
        let bytes = connection.bytes(self.buffers.slot(token));
        let outgoing = self.service.last_words(Status::UNAVAILABLE, detail, bytes, &self.turn);
        self.answer(token, outgoing);
        false
    }

    /// Drops an answered request from the front of the buffer. What follows it returns to the
    /// slot's own as soon as it fits: who pipelines does not keep a large one from everybody else.
    fn consume(&mut self, token: Token, count: usize) {
        let slot_buffer = self.buffers.slot(token);
        let Some(connection) = self.slab.get_mut(token) else { return };
        connection.consume(count, slot_buffer);
        let rest = connection.filled;
        if let Some(large) = connection.large.as_deref().filter(|_| rest <= slot_buffer.len()) {
            slot_buffer[..rest].copy_from_slice(&large[..rest]);
            self.give_back_large(token);
        }
    }

    pub(super) fn on_completion(&mut self, (token, answer): Completion) {
        let buffer = self.buffers.slot(token);
        let Some(connection) = self.slab.get_mut(token) else { return };
        let State::Answering(asked) = &connection.state else { return };
        // Who waits for the pipeline has it; a change waits for the disk.
        if matches!(asked.series.method, Method::Get | Method::Head) {
            self.service.compare(true, self.turn.now.since(connection.since));
        }
        let (consumed, bytes) = (asked.consumed, connection.bytes(buffer));
        let outgoing = self.service.outgoing(asked, answer, bytes, self.turn.date);
        self.consume(token, consumed);
        if self.answer(token, outgoing) {
            self.advance(token);
        }
        self.set_interest(token);
    }

    /// Begins to send an answer. True when it is out and the next request may be looked at.
    fn answer(&mut self, token: Token, outgoing: Outgoing) -> bool {
        let outgoing = self.ration(outgoing);
        let Some(connection) = self.slab.get_mut(token) else { return false };
        let metrics = &self.service.metrics;
        let code = outgoing.status().code;
        metrics.requests.count(outgoing.series().to_bytes(), code);
        match connection.state {
            // Refusals are quick, and however many there are, nobody waits less for an answer.
            _ if (400..500).contains(&code) => {}
            // It was whole when this began.
            State::Answering(_) if connection.since != self.turn.now => {
                metrics.request_seconds.record(self.turn.now.since(connection.since));
                self.caught_up = true;
            }
            _ => self.answered += 1,
        }
        connection.enter(State::Writing(outgoing), self.turn.now);
        let is_out = self.send(token);
        if !is_out {
            self.check_holding(token);
            self.note_unsent();
        }
        is_out
    }

    fn write(&mut self, token: Token) {
        if self.send(token) {
            self.advance(token);
        }
    }

    /// Sends what the socket takes. True when the answer is out and the next request may be
    /// looked at.
    fn send(&mut self, token: Token) -> bool {
        let draining = self.listeners.is_empty();
        let Some(connection) = self.slab.get_mut(token) else { return false };
        let State::Writing(outgoing) = &mut connection.state else { return false };
        match outgoing.send(&mut &connection.socket) {
            Ok(Sent::Done) => {
                let metrics = &self.service.metrics;
                metrics.http_bytes_out.add(outgoing.total_bytes() as u64);
                let status = outgoing.status();
                if status.code >= 500 {
                    metrics.http_5xx.count();
                    metrics.http_failed.add(u64::from(status == Status::INTERNAL));
                }
                if let Some(follow) = outgoing.take_follow() {
                    self.follow(token, follow);
                    return false;
                }
                if outgoing.keeps_alive() && !(draining && connection.filled == 0) {
                    connection.enter(State::Idle, self.turn.now);
                    return true;
                }
                // Who still sends would lose the answer to a reset (RFC 9112 section 9.6).
                let lingers = connection.linger(self.turn.now);
                self.give_back_large(token);
                if !lingers {
                    self.close(token);
                }
                false
            }
            Ok(Sent::Blocked(bytes)) => {
                connection.note_taken(bytes, self.turn.now, &self.service.limits);
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
            State::Idle | State::Head | State::Body { .. } => Interest::Read,
            State::Lingering { .. } | State::Streaming { .. } => Interest::Read,
            State::Answering(Asked { is_watched: true, .. }) => Interest::End,
            State::Answering(_) => Interest::Nothing,
            State::Writing(_) | State::Exporting(_) => Interest::Write,
        };
        if interest == connection.interest {
            return;
        }
        let flags = match interest {
            Interest::Read => epoll::EventFlags::IN,
            Interest::Write => epoll::EventFlags::OUT,
            Interest::Nothing => epoll::EventFlags::empty(),
            Interest::End => epoll::EventFlags::RDHUP,
        };
        connection.interest = interest;
        let data = epoll::EventData::new_u64(token.to_u64());
        if epoll::modify(self.event_loop.set(), &connection.socket, data, flags).is_err() {
            self.close(token);
        }
    }

    /// Ends a tenancy. Dropping the socket takes it out of the epoll set.
    pub(super) fn close(&mut self, token: Token) {
        let connection = self.slab.get_mut(token);
        if connection.is_some_and(|connection| matches!(connection.state, State::Answering(_))) {
            self.service.leave(token);
        }
        self.give_back_large(token);
        self.slab.remove(token);
        self.count_slots();
        self.resume_accepting();
    }

    pub(super) fn give_back_large(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        if let Some(large) = connection.large.take() {
            self.buffers.take_back(large);
        }
    }
}
