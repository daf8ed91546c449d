//! Clients that are told of changes as they happen: one write each for a change, of the same bytes.

use std::io::Write;

use super::{SWEEP_INTERVAL, Server};
use crate::clock::Moment;
use crate::http::connection::{Input, State, read_once};
use crate::http::slab::Token;
use crate::http::stream::{COMMENT, COMMENT_INTERVAL, Follow, Place};

impl Server {
    /// What comes after an answer that has been sent.
    pub(super) fn follow(&mut self, token: Token, follow: Follow) {
        match follow {
            Follow::Events(place) => self.begin_stream(token, place),
            Follow::Export(export) => {
                if let Some(connection) = self.slab.get_mut(token) {
                    connection.enter(State::Exporting(export), self.turn.now);
                }
            }
        }
    }

    fn begin_stream(&mut self, token: Token, place: Place) {
        self.give_back_large(token);
        let Some(connection) = self.slab.get_mut(token) else { return };
        let told = self.service.api.generation();
        // Whatever it has sent behind its request would never be answered.
        connection.filled = 0;
        connection.enter(State::Streaming { place, told }, self.turn.now);
        if self.service.streams.taken() == 1 {
            self.told_at = self.turn.now;
        }
        self.service.metrics.streams_opened.count();
        self.service.metrics.streams.set(self.service.streams.taken() as u64);
        let is_said = say(&mut &connection.socket, self.event.of(told));
        if !is_said {
            self.end_stream(token);
        }
    }

    /// Tells everybody who does not know yet which generation the data is of.
    pub(super) fn tell_streams(&mut self) {
        let generation = self.service.api.generation();
        for token in self.streaming(|told| told != generation) {
            let Some(connection) = self.slab.get_mut(token) else { continue };
            if let State::Streaming { told, .. } = &mut connection.state {
                *told = generation;
            }
            if !say(&mut &connection.socket, self.event.of(generation)) {
                self.end_stream(token);
            }
        }
        self.told_at = self.turn.now;
    }

    /// Says something that is for nobody, so that the connections pass for alive; and finds out
    /// about those that are not.
    pub(super) fn comment(&mut self) {
        if self.turn.now.since(self.told_at) < COMMENT_INTERVAL {
            return;
        }
        for token in self.streaming(|_| true) {
            let Some(connection) = self.slab.get_mut(token) else { continue };
            if !say(&mut &connection.socket, COMMENT) {
                self.end_stream(token);
            }
        }
        self.told_at = self.turn.now;
    }

    /// When the deadlines are to be looked at. Those who are told of changes have none: as long as
    /// nobody else is here, nothing is looked at before something has to be said.
    pub(super) fn sweep_due(&self) -> Moment {
        let streams = self.service.streams.taken();
        let is_streaming = |state: &State| matches!(state, State::Streaming { .. });
        let is_quiet = streams > 0
            && streams == self.slab.len()
            && !self.accept_paused
            && self.slab.iter().all(|(_, tenant)| is_streaming(&tenant.state));
        match is_quiet {
            true => self.told_at + COMMENT_INTERVAL,
            false => self.turn.now + SWEEP_INTERVAL,
        }
    }

    /// A client that is told of changes has nothing to say: it has gone, or is none that listens.
    pub(super) fn hear(&mut self, token: Token, gone: bool) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let input = if gone { Input::End } else { read_once(&connection.socket, &mut [0; 64]) };
        match input {
            Input::Nothing => {}
            Input::End => self.close(token),
            Input::Bytes(_) => self.end_stream(token),
        }
    }

    /// Everybody is told the end: whoever listens comes back.
    pub(super) fn end_streams(&mut self) {
        self.streaming(|_| true).into_iter().for_each(|token| self.close(token));
    }

    /// Closes a stream that does not go on by our will.
    fn end_stream(&mut self, token: Token) {
        self.drop_stream(token);
        self.close(token);
    }

    /// Counts one that is about to be closed, if it is a stream.
    pub(super) fn drop_stream(&mut self, token: Token) {
        let state = self.slab.get_mut(token).map(|connection| &connection.state);
        if matches!(state, Some(State::Streaming { .. })) {
            self.service.metrics.streams_dropped.count();
        }
    }

    fn streaming(&self, is_meant: impl Fn(u64) -> bool) -> Vec<Token> {
        let tenants = self.slab.iter().filter(
            |(_, tenant)| matches!(tenant.state, State::Streaming { told, .. } if is_meant(told)),
        );
        tenants.map(|(token, _)| token).collect()
    }
}

/// False when the socket does not take all of it at once: some hundred events before it have not
/// been read.
fn say(socket: &mut impl Write, bytes: &[u8]) -> bool {
    socket.write(bytes).is_ok_and(|count| count == bytes.len())
}
