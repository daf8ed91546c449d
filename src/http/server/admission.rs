//! Who gets a slot, and who must leave it.

use rustix::event::epoll;

use super::Server;
use crate::budget::HttpLimits;
use crate::http::connection::{Connection, State, read_once};
use crate::http::listener::{Accepted, Socket};
use crate::http::peer::Peer;
use crate::http::response::{Outgoing, Status};
use crate::http::route::Family;
use crate::http::slab::Token;

/// Clients accepted in one turn, so that a flood of them does not starve those already here.
const ACCEPTS_A_TURN: usize = 32;

/// What clients have yet to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unsent {
    /// Those that have left their socket full.
    clients: usize,
    /// What is held of their answers.
    bytes: usize,
}

impl Unsent {
    /// True when so much more may be held. An answer alone may be larger than all together: what it
    /// takes beyond that it has from the views.
    fn leaves_room_for(self, more: Self, limits: &HttpLimits) -> bool {
        let Self { clients, bytes } = self;
        clients + more.clients <= limits.blocked_max
            && (clients == 0 || bytes + more.bytes <= limits.outgoing_bytes_max)
    }
}

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
        let more = Unsent { clients: 1, bytes: outgoing.share_bytes() };
        if !is_large || self.make_way(more) {
            return outgoing;
        }
        let detail = "others are still taking large answers";
        outgoing.replaced_by(self.service.api.failure(Family::Native, Status::UNAVAILABLE, detail))
    }

    /// Closes a client that has left its socket full of answers when there is no room for one more.
    /// A large answer has been given its room before.
    pub(super) fn check_holding(&mut self, token: Token) {
        let at_once = self.service.limits.answer_bytes_at_once;
        let others_hold =
            || self.slab.iter().any(|(other, it)| other != token && it.outgoing_bytes() > 0);
        let tenant = self.slab.iter().find(|(other, _)| *other == token);
        let is_counted = match tenant.map(|(_, tenant)| &tenant.state) {
            Some(State::Writing(outgoing)) => outgoing.total_bytes() <= at_once,
            // As with an answer, one alone may be larger.
            Some(State::Exporting(_)) => others_hold(),
            _ => false,
        };
        if is_counted && !self.make_way(Unsent::default()) {
            self.service.metrics.slab_evicted.count();
            self.close(token);
        }
    }

    /// Closes slow readers, the slowest first, until what clients have yet to take leaves room for
    /// `more`: answers are as many as clients care to ask for, and not to read one costs a client
    /// nothing. False when all that is left is being taken.
    fn make_way(&mut self, more: Unsent) -> bool {
        while !self.unsent().leaves_room_for(more, &self.service.limits) {
            let (now, limits) = (self.turn.now, &self.service.limits);
            let slow = self
                .slab
                .iter()
                .filter(|(_, tenant)| tenant.outgoing_bytes() > 0 && tenant.is_slow(now, limits));
            let Some((slowest, _)) = slow.min_by_key(|(_, tenant)| tenant.since) else {
                return false;
            };
            self.service.metrics.slab_evicted.count();
            self.close(slowest);
        }
        true
    }

    fn unsent(&self) -> Unsent {
        let held = self.slab.iter().map(|(_, tenant)| tenant.outgoing_bytes());
        held.filter(|bytes| *bytes > 0).fold(Unsent::default(), |sum, bytes| Unsent {
            clients: sum.clients + 1,
            bytes: sum.bytes + bytes,
        })
    }

    /// Weighs what clients have yet to take, here and in the kernel. Of a socket that is full both
    /// buffers count: who does not read may have sent as well.
    pub(super) fn note_unsent(&self) {
        let Unsent { clients, bytes } = self.unsent();
        let (limits, memory) = (&self.service.limits, &self.service.metrics.memory);
        memory.socket_buffers.set(clients * limits.socket_bytes());
        memory.slow_readers.set(bytes.min(limits.outgoing_bytes_max));
        // No view is being made at this moment.
        memory.views.set(bytes.saturating_sub(limits.outgoing_bytes_max));
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
            .filter(|(_, tenant)| tenant.is_overdue(self.turn.now, &self.service.limits, pressed))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{FeedLimits, Plan};

    #[test]
    fn there_is_room_up_to_the_bounds_and_for_one_large_answer_alone() {
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http;
        let (clients_max, bytes_max) = (limits.blocked_max, limits.outgoing_bytes_max);
        let check = |[clients, bytes]: [usize; 2], more: [usize; 2], expected: bool| {
            let held = Unsent { clients, bytes };
            let more = Unsent { clients: more[0], bytes: more[1] };
            assert_eq!(held.leaves_room_for(more, &limits), expected, "{held:?} {more:?}");
        };
        check([clients_max - 1, 0], [1, 0], true);
        check([clients_max, 0], [1, 0], false);
        check([clients_max, bytes_max], [0, 0], true);
        check([clients_max + 1, 0], [0, 0], false);
        check([1, bytes_max - 1], [1, 1], true);
        check([1, bytes_max], [1, 1], false);
        check([1, bytes_max + 1], [0, 0], false);
        check([0, 0], [1, 2 * bytes_max], true);
    }
}
