//! Answers that go on after their head (changes as they happen, feeds) or take their time.

use std::rc::Rc;

use super::{Answered, Found, Service, Turn};
use crate::http::connection::Asked;
use crate::http::response::{Answer, Manner, Status, media};
use crate::http::route::Family;
use crate::http::slab::Token;
use crate::http::stream::{Exporting, Follow};
use crate::pipeline::explain::Question;
use crate::pipeline::export::Nothing;

impl Service {
    /// Begins to tell a client of changes, if there is a place for it.
    pub(super) fn listen(&self, asked: &Asked, bytes: &[u8], turn: &Turn) -> Answered {
        // Its end is that of the connection.
        let manner = Manner { keep_alive: asked.manner.head_only, ..asked.manner };
        let asked = Asked { manner, ..asked.clone() };
        let outgoing = |answer| self.outgoing(&asked, answer, bytes, turn.date);
        let place = self.streams.take(asked.client);
        let Some(place) = place else {
            self.metrics.streams_refused.count();
            let detail = "as many clients as there is room for are told of changes";
            return Answered::Kept(outgoing(self.api.failure(
                Family::Native,
                Status::UNAVAILABLE,
                detail,
            )));
        };
        let outgoing = outgoing(Rc::clone(&self.beginning));
        Answered::Kept(outgoing.followed_by(|_| Follow::Events(place)))
    }

    /// Has somebody find out why something is shown or not.
    pub(super) fn explain(
        &self,
        question: Question,
        asker: Token,
        asked: &Asked,
        turn: &Turn,
    ) -> Found {
        if !self.api.has_data() {
            return Found::Kept(self.api.no_data(Family::Native));
        }
        self.owe(asked.client, turn.now);
        if self.pipeline.ask_why(asker, question) {
            return Found::Later;
        }
        let detail = "others wait for the same";
        Found::Kept(self.api.failure(Family::Native, Status::UNAVAILABLE, detail))
    }

    /// Begins to read a feed out to a client.
    pub(super) fn export(&self, name: &str, asked: &Asked, bytes: &[u8], turn: &Turn) -> Answered {
        self.owe(asked.client, turn.now);
        let refused = |answer| Answered::Kept(self.outgoing(asked, answer, bytes, turn.date));
        let export = match self.pipeline.export(name) {
            Ok(export) => export,
            Err(Nothing::Unknown) => {
                let detail = "there is no feed of this name";
                return refused(self.api.failure(Family::Native, Status::NOT_FOUND, detail));
            }
            Err(Nothing::NoData) => return refused(self.api.no_data(Family::Native)),
        };
        let Some(place) = self.exports.take(asked.client) else {
            let detail = "others are still being read a feed";
            return refused(self.api.failure(Family::Native, Status::UNAVAILABLE, detail));
        };
        // HTTP/1.0 knows no chunks: its end is that of the connection.
        let Manner { is_1_0, head_only, keep_alive, .. } = asked.manner;
        let keep_alive = keep_alive && (head_only || !is_1_0);
        let asked = Asked { manner: Manner { keep_alive, ..asked.manner }, ..asked.clone() };
        let further = if is_1_0 { "" } else { "Transfer-Encoding: chunked\r\n" };
        let tag = export.entity_tag(self.process);
        let head = Rc::new(Answer::open_tagged(media::CALENDAR, &tag, further));
        let outgoing = self.outgoing(&asked, head, bytes, turn.date);
        Answered::Made(outgoing.followed_by(|manner| {
            Follow::Export(Box::new(Exporting::new(export, place, manner, turn.now)))
        }))
    }
}
