//! One whole request -> its answer, at once or by the pipeline.

use std::ops::Range;
use std::rc::Rc;

use super::connection::Asked;
use super::decode;
use super::frame::{Message, Method, Progress};
use super::hosts::Hosts;
use super::response::{Answer, DateField, Manner, Outgoing, Status};
use super::route::{Endpoint, route};
use super::slab::Token;
use crate::api::Api;
use crate::budget::HttpLimits;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::pipeline::{Asking, Pipeline};

/// What the loop needs from the rest of the program.
pub struct Service {
    /// The clock.
    pub clock: Clock,
    /// The limits of this room.
    pub limits: HttpLimits,
    /// The names that are ours.
    pub hosts: Hosts,
    /// Where it counts.
    pub metrics: Rc<Metrics>,
    /// Views of the calendar.
    pub pipeline: Rc<Pipeline>,
    /// Everything else.
    pub api: Rc<Api>,
}

/// What became of the bytes in a buffer, once nothing borrows them any more.
pub(super) enum Verdict {
    /// More are needed.
    Partial(Progress),
    /// The answer is here.
    Answer(Outgoing, usize),
    /// The pipeline makes it.
    Wait(Asked),
}

impl Service {
    /// Answers a whole request, or has the pipeline do it.
    pub(super) fn answer(
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
                let consumed = asked.consumed;
                Verdict::Answer(asked.outgoing(answer, bytes, date), consumed)
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
        if !self.hosts.are_ours(message.host) {
            let detail = "this server has another name; see server_names in the configuration";
            return Some(self.api.failure(Status::MISDIRECTED, detail));
        }
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

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}
