//! Feeds that are read out: a piece when the socket has taken the one before it, and no more than
//! one in a turn.

use std::io::{self, Write};

use super::Server;
use crate::http::connection::State;
use crate::http::slab::Token;

impl Server {
    /// Sends what the socket takes of the piece at hand, or of the next one.
    pub(super) fn export(&mut self, token: Token) {
        let Some(connection) = self.slab.get_mut(token) else { return };
        let State::Exporting(export) = &mut connection.state else { return };
        if export.is_sent() {
            if export.is_through() {
                return self.end_export(token);
            }
            if let Err(error) = export.make_next(&self.service.pipeline) {
                // Without its last chunk the client knows that something is missing.
                log::warn!("a feed is not read out to its end: {error}");
                return self.close(token);
            }
        }
        match (&connection.socket).write(export.rest()) {
            Ok(count) => {
                let is_sent = export.note_sent(count);
                let metrics = &self.service.metrics;
                metrics.http_bytes_out.add(count as u64);
                connection.note_taken(count, self.turn.now, &self.service.limits);
                if !is_sent {
                    self.check_holding(token);
                    self.note_unsent();
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.close(token),
        }
    }

    fn end_export(&mut self, token: Token) {
        let is_stopping = self.listeners.is_empty();
        let Some(connection) = self.slab.get_mut(token) else { return };
        let State::Exporting(export) = &connection.state else { return };
        if export.keeps_alive() && !(is_stopping && connection.filled == 0) {
            connection.enter(State::Idle, self.turn.now);
            return self.advance(token);
        }
        if !connection.linger(self.turn.now) {
            self.close(token);
        }
    }
}
