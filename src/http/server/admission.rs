//! Who gets a slot, and who must leave it.

use rustix::event::epoll;

use super::Server;
use crate::http::connection::{Connection, State, read_once};
use crate::http::listener::{Accepted, Socket};
use crate::http::peer::Peer;
use crate::http::response::{Outgoing, Status};
use crate::http::slab::Token;

/// Clients accepted in one turn, so that a flood of them does not starve those already here.
const ACCEPTS_A_TURN: usize = 32;

impl Server {
    pub(super) fn accept(&mut self, listener: usize) {
        let mut made_room = false;
        for _ in 0..ACCEPTS_A_TURN {
            let Some(listener) = self.listeners.get(listener) else { return };
            match listener.accept() {
                Accepted::Client(socket, peer) => {
                    made_room = false;
                    self.admit(socket, peer);
                }
                Accepted::Retry => {}
                Accepted::Nobody => return,
                Accepted::Exhausted(error) => {
                    self.service.metrics.accept_errors.count();
                    // As with a full slab. Where one that leaves is not enough, it is not us who
                    // hold too many.
                    if !made_room && self.evict_one() {
                        made_room = true;
                        continue;
                    }
                    log::warn!("cannot accept a client: {error}; waiting for one to leave");
                    self.listen_for(epoll::EventFlags::empty());
                    self.accept_paused = true;
                    return;
                }
            }
        }
    }

    /// Gives a client a slot, taking one from somebody less deserving when all are let.
    fn admit(&mut self, socket: Socket, peer: Peer) {
        let limits = &self.service.limits;
        let is_crowding = !peer.is_near()
            && self.slab.iter().filter(|(_, tenant)| tenant.peer == peer).count()
                >= limits.slots_per_address_max;
        let has_room = self.slab.len() < self.slab.capacity();
        if is_crowding || !(has_room || self.evict_one()) {
            self.service.metrics.slab_refused.count();
            // One attempt: a client that cannot even take this is not waited for.
            let mut busy = self.service.last_words(
                Status::UNAVAILABLE,
                "no connection is free",
                b"",
                &self.turn,
            );
            let _ = busy.send(&mut &socket);
            // What it has sent would turn the end into a reset, which can overtake the answer.
            let _ = read_once(&socket, &mut [0; 4096]);
            let _ = socket.finish();
            return;
        }
        let (epoll, now) = (self.event_loop.set(), self.turn.now);
        let let_to = self.slab.insert_with(|token| {
            let data = epoll::EventData::new_u64(token.to_u64());
            epoll::add(epoll, &socket, data, epoll::EventFlags::IN)?;
            Ok::<_, rustix::io::Errno>(Connection::new(socket, peer, now))
        });
        self.count_slots();
        match let_to {
            // Its request is most often here already.
            Some(Ok(token)) => self.on_event(token, epoll::EventFlags::IN),
            Some(Err(error)) => {
                self.service.metrics.accept_errors.count();
                log::warn!("cannot watch a client's socket: {error}");
            }
            None => {}
        }
    }

    /// Closes whoever has the least claim to a slot, the longest in its state first.
    fn evict_one(&mut self) -> bool {
        let (now, limits) = (self.turn.now, &self.service.limits);
        let ranked = self.slab.iter().filter_map(|(token, tenant)| {
            tenant.eviction_rank(now, limits).map(|rank| ((rank, tenant.since), token))
        });
        let Some((_, token)) = ranked.min_by_key(|(key, _)| *key) else { return false };
        self.service.metrics.slab_evicted.count();
        self.drop_stream(token);
        self.close(token);
        true
    }

    /// A large answer, if there is room for it while its client takes it; else one that says when
    /// to come again.
    pub(super) fn ration(&mut self, outgoing: Outgoing) -> Outgoing {
        let is_large = outgoing.total_bytes() > self.service.limits.answer_bytes_at_once;
        if !is_large || self.make_way(outgoing.share_bytes()) {
            return outgoing;
        }
        let detail = "others are still taking large answers";
        outgoing.replaced_by(self.service.api.failure(Status::UNAVAILABLE, detail))
    }

    /// Closes a client that has left its socket full of answers when there is no room for one more.
    /// A large answer has been given its room before.
    pub(super) fn check_holding(&mut self, token: Token) {
        let limits = &self.service.limits;
        let is_small = |outgoing: &Outgoing| outgoing.total_bytes() <= limits.answer_bytes_at_once;
        let Some(tenant) = self.slab.get_mut(token) else { return };
        if matches!(&tenant.state, State::Writing(outgoing) if is_small(outgoing))
            && !self.make_way(0)
        {
            self.service.metrics.slab_evicted.count();
            self.close(token);
        }
    }

    /// Closes slow readers, the slowest first, until what clients have yet to take leaves room for
    /// `bytes` more: answers are as many as clients care to ask for, and not to read one costs a
    /// client nothing. False when all that is left is being taken.
    fn make_way(&mut self, bytes: usize) -> bool {
        loop {
            let (now, limits) = (self.turn.now, &self.service.limits);
            let holders = || self.slab.iter().filter(|(_, tenant)| tenant.outgoing_bytes() > 0);
            let held: usize = holders().map(|(_, tenant)| tenant.outgoing_bytes()).sum();
            if held == 0 || held + bytes <= limits.outgoing_bytes_max {
                return true;
            }
            let slow = holders().filter(|(_, tenant)| tenant.is_slow(now, limits));
            let Some((slowest, _)) = slow.min_by_key(|(_, tenant)| tenant.since) else {
                return false;
            };
            self.service.metrics.slab_evicted.count();
            self.close(slowest);
        }
    }

    /// Weighs what clients have yet to take, here and in the kernel. Of a socket that is full the
    /// whole send buffer counts, which the kernel doubles.
    pub(super) fn note_unsent(&self) {
        let held = self.slab.iter().map(|(_, tenant)| tenant.outgoing_bytes());
        let (full, bytes) = held
            .filter(|bytes| *bytes > 0)
            .fold((0, 0), |(full, sum), bytes| (full + 1, sum + bytes));
        let memory = &self.service.metrics.memory;
        memory.slow_readers.set(bytes);
        memory.socket_buffers.set(full * 2 * self.service.limits.socket_send_bytes);
    }

    /// Closes whoever has outstayed its state.
    pub(super) fn sweep(&mut self) {
        self.resume_accepting();
        self.comment();
        self.note_unsent();
        let pressed = self.slab.len() * 5 > self.slab.capacity() * 4;
        let overdue: Vec<(Token, bool)> = self
            .slab
            .iter()
            .filter(|(_, tenant)| {
                self.turn.now.since(tenant.since) >= tenant.patience(&self.service.limits, pressed)
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

    /// Tries to accept again after a pause.
    pub(super) fn resume_accepting(&mut self) {
        if std::mem::take(&mut self.accept_paused) {
            self.listen_for(epoll::EventFlags::IN);
        }
    }

    pub(super) fn stop_accepting(&mut self) {
        self.end_streams();
        for listener in self.listeners.drain(..) {
            let _ = epoll::delete(self.event_loop.set(), &listener);
        }
        let idle: Vec<Token> = self
            .slab
            .iter()
            .filter(|(_, tenant)| tenant.filled == 0)
            .filter(|(_, tenant)| matches!(tenant.state, State::Idle | State::Head))
            .map(|(token, _)| token)
            .collect();
        idle.into_iter().for_each(|token| self.close(token));
    }

    fn listen_for(&self, flags: epoll::EventFlags) {
        for (listener, number) in self.listeners.iter().zip(self.slab.capacity()..) {
            let data = epoll::EventData::new_u64(number as u64);
            if let Err(error) = epoll::modify(self.event_loop.set(), listener, data, flags) {
                log::error!("cannot watch the listening socket: {error}");
            }
        }
    }
}
