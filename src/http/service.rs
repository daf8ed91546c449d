//! One request -> its answer, at once or by the pipeline. What its head alone tells is judged
//! first, so that a body is read only for a request that may be answered.

mod ongoing;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

mod admission;

use super::accept;
use super::connection::Asked;
use super::decode;
use super::frame::{Message, Method, begins_with_head};
use super::hosts::Hosts;
use super::peer::{Peer, TrustedProxies};
use super::rate::RateLimit;
use super::recent::Recent;
use super::response::{Answer, DateField, Manner, Outgoing, Status};
use super::route::{Admin, Change, Endpoint, Family, Route, Series, Setup};
use super::slab::Token;
use super::stream::{self, Places};
use super::token::Gates;
use crate::api::{Api, Done, json};
use crate::budget::HttpLimits;
use crate::clock::{Clock, Moment};
use crate::flags::rollout::Rollout;
use crate::hash::{fnv1a, fnv1a_parts};
use crate::metrics::Metrics;
use crate::pipeline::key::ViewKey;
use crate::pipeline::{Asking, Pipeline};

/// What the loop needs from the rest of the program.
pub struct Service {
    /// The clock.
    pub clock: Clock,
    /// The limits of this room.
    pub limits: HttpLimits,
    /// Who may ask what.
    pub edge: Edge,
    /// Requests that were judged a moment ago.
    pub(super) recent: RefCell<Recent>,
    /// Clients that are told of changes as they happen, and how that begins.
    pub(super) streams: Places,
    beginning: Rc<Answer>,
    /// Clients that a feed is read out to.
    exports: Places,
    /// Tells the entity tags of this life of the program from those of others.
    process: u64,
    /// Where it counts.
    pub metrics: Rc<Metrics>,
    /// Views of the calendar.
    pub pipeline: Rc<Pipeline>,
    /// Everything else.
    pub api: Rc<Api>,
}

/// What is known about clients and names before anything is answered.
pub struct Edge {
    /// The names that are ours.
    pub hosts: Hosts,
    /// What stands in front of every path; empty, or `/` and a name without a slash at its end.
    pub base_path: String,
    /// Whose word about their clients is taken.
    pub proxies: TrustedProxies,
    /// How often one client may ask.
    pub rate: Rc<RefCell<RateLimit>>,
    /// Every answer gets a line in the log.
    pub access_log: bool,
    /// Who may do what not everybody may.
    pub gates: Rc<Gates>,
    /// Which clients have the pipeline.
    pub rollout: Rc<Rollout>,
}

/// When something is asked.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    /// The monotonic clock.
    pub(super) now: Moment,
    /// The wall clock, in seconds since 1970.
    pub(super) wall_second: i64,
    /// The same for `Date`.
    pub(super) date: DateField,
    /// One client alone has woken the loop.
    pub(super) is_alone: bool,
}

/// Who asks, and whether it was judged already.
pub(super) struct Asker<'c> {
    pub(super) token: Token,
    pub(super) peer: Peer,
    /// Its head has passed before; only the body is new.
    pub(super) is_admitted: bool,
    /// The place of its last request among the recent ones.
    pub(super) recent: &'c Cell<usize>,
}

/// What became of a whole request.
pub(super) enum Answered {
    /// Here is its answer, which was there.
    Kept(Outgoing),
    /// Here is its answer, which had to be made.
    Made(Outgoing),
    /// The pipeline makes it.
    Later(Asked),
}

/// What was found for a request.
enum Found {
    Kept(Rc<Answer>),
    Made(Rc<Answer>),
    Later,
}

impl Found {
    /// What was made at once, if it was.
    fn made(answer: Option<Rc<Answer>>) -> Self {
        answer.map_or(Self::Later, Self::Made)
    }
}

impl Service {
    /// Puts the parts together.
    pub fn new(
        clock: Clock,
        limits: HttpLimits,
        edge: Edge,
        metrics: Rc<Metrics>,
        pipeline: Rc<Pipeline>,
        api: Rc<Api>,
    ) -> Self {
        let recent = Recent::new(limits.recent_heads, limits.recent_head_bytes_max);
        let (recent, streams) = (RefCell::new(recent), Places::new(limits.streams_max));
        let (beginning, exports) = (Rc::new(stream::beginning()), Places::new(limits.exports_max));
        Self {
            clock,
            limits,
            edge,
            recent,
            streams,
            beginning,
            exports,
            process: fastrand::u64(..),
            metrics,
            pipeline,
            api,
        }
    }

    /// What is kept of clients that are not connected.
    pub(super) fn weight_bytes(&self) -> usize {
        self.edge.rate.borrow().weight_bytes() + self.recent.borrow().weight_bytes()
    }

    /// Answers the request that a client sends again and again, if `bytes` begin with it and
    /// nothing about the client has to be looked up.
    pub(super) fn answer_again(
        &self,
        asker: &Asker<'_>,
        bytes: &[u8],
        turn: &Turn,
    ) -> Option<(Answered, usize)> {
        let recent = self.recent.borrow();
        let settings = self.pipeline.settings_generation();
        let known = recent.at(asker.recent.get(), bytes, settings)?;
        let is_plain = !asker.is_admitted && !self.edge.proxies.trust(asker.peer);
        if !is_plain || self.charge(asker.peer, turn.now).is_err() {
            return None;
        }
        let asked = Asked { client: asker.peer, ..known.asked.clone() };
        let consumed = asked.consumed;
        let found = self.view(&known.key, asker, (asked.client, known.agent), turn);
        Some((self.answered(asked, found, bytes, turn), consumed))
    }

    /// Answers a whole request, or has the pipeline do it.
    pub(super) fn answer(
        &self,
        asker: &Asker<'_>,
        message: &Message<'_, '_>,
        bytes: &[u8],
        turn: &Turn,
    ) -> Answered {
        let way = self.edge.proxies.resolve(asker.peer, message.headers);
        let place = self.place(message);
        let admitted = self.admit(asker, message, place, &way, turn.now);
        let is_refused = admitted.is_err();
        let asked = Asked {
            manner: Manner {
                head_only: message.method == Method::Head,
                unchanged: false,
                // A refusal is one as if the body had not come yet: what was cut where decides
                // nothing.
                keep_alive: message.keep_alive && !(is_refused && message.has_body()),
                is_1_0: message.is_1_0,
            },
            // Only what is fetched can be there already (RFC 9110 section 13.1.2).
            if_none_match: message
                .if_none_match
                .filter(|_| matches!(message.method, Method::Get | Method::Head))
                .map(|value| range_in(bytes, value)),
            consumed: message.consumed,
            client: way.client,
            series: series(place.0, message.method, is_refused),
            is_watched: matches!(admitted, Ok(Endpoint::Setup(Setup::Try))),
        };
        let found = match admitted {
            Ok(Endpoint::View(key)) if !is_sound(message, bytes) => {
                let (family, detail) = (key.view.family(), "the body is not valid JSON");
                Found::Kept(self.api.failure(family, Status::BAD_REQUEST, detail))
            }
            Ok(Endpoint::View(key)) => {
                let key = self.pipeline.normalized(key);
                let settings = self.pipeline.settings_generation();
                let agent = fnv1a(message.user_agent());
                // Who may hear something is looked at each time.
                if !key.view.is_spoken() {
                    let mut recent = self.recent.borrow_mut();
                    asker.recent.set(recent.keep(bytes, &asked, &key, agent, settings));
                }
                self.view(&key, asker, (asked.client, agent), turn)
            }
            Ok(Endpoint::Guarded(key)) => self.view_of(key, message, asker, asked.client, turn),
            Ok(Endpoint::Setup(what)) => {
                Found::made(self.set_up(what, message, bytes, asker.token))
            }
            Ok(Endpoint::Admin(what)) => {
                Found::made(self.administer(what, message, bytes, asker.token))
            }
            Ok(Endpoint::Change(change)) => {
                match self.change(change, message, bytes, asker.token) {
                    Done::Answer(answer) => Found::Made(answer),
                    Done::Later => Found::Later,
                    Done::View(key) => self.view_of(key, message, asker, asked.client, turn),
                }
            }
            Ok(Endpoint::Explain(question)) => self.explain(question, asker.token, &asked, turn),
            Ok(Endpoint::Events) => return self.listen(&asked, bytes, turn),
            Ok(Endpoint::Feed(name)) => return self.export(&name, &asked, bytes, turn),
            Ok(endpoint) if endpoint.is_made() => {
                self.owe(asked.client, turn.now);
                Found::Made(self.act(endpoint, message))
            }
            Ok(endpoint) => Found::Kept(self.act(endpoint, message)),
            Err(refused) => Found::Kept(refused),
        };
        self.answered(asked, found, bytes, turn)
    }

    fn answered(&self, asked: Asked, found: Found, bytes: &[u8], turn: &Turn) -> Answered {
        let outgoing = |answer| self.outgoing(&asked, answer, bytes, turn.date);
        match found {
            Found::Kept(answer) => Answered::Kept(outgoing(answer)),
            Found::Made(answer) => Answered::Made(outgoing(answer)),
            Found::Later => Answered::Later(asked),
        }
    }

    /// What a client gets whose head alone rules its request out; `None` when the body is to be
    /// read.
    pub(super) fn refuse(
        &self,
        asker: &Asker<'_>,
        message: &Message<'_, '_>,
        bytes: &[u8],
        turn: &Turn,
    ) -> Option<Outgoing> {
        let way = self.edge.proxies.resolve(asker.peer, message.headers);
        let place = self.place(message);
        let answer = self.admit(asker, message, place, &way, turn.now).err()?;
        let manner = Manner { head_only: message.method == Method::Head, ..Manner::CLOSE };
        let series = series(place.0, message.method, true);
        let outgoing = Outgoing::new(answer, turn.date, manner, series);
        self.note(way.client, bytes, &outgoing);
        Some(outgoing)
    }

    /// An answer on its way to the client that asked. `bytes` still begin with the request.
    pub(super) fn outgoing(
        &self,
        asked: &Asked,
        answer: Rc<Answer>,
        bytes: &[u8],
        date: DateField,
    ) -> Outgoing {
        let known = asked.if_none_match.clone().and_then(|range| bytes.get(range));
        let unchanged = known.is_some_and(|tags| answer.is_known_by(tags));
        let manner = Manner { unchanged, ..asked.manner };
        let outgoing = Outgoing::new(answer, date, manner, asked.series);
        self.note(asked.client, bytes, &outgoing);
        outgoing
    }

    /// An error after which the connection closes, for whoever sent `bytes`.
    pub(super) fn last_words(
        &self,
        status: Status,
        detail: &str,
        bytes: &[u8],
        turn: &Turn,
    ) -> Outgoing {
        let manner = Manner { head_only: begins_with_head(bytes), ..Manner::CLOSE };
        let answer = self.api.failure(Family::Native, status, detail);
        Outgoing::new(answer, turn.date, manner, Series::NONE)
    }

    /// A line in the access log: who, the request line, status, bytes.
    pub(super) fn note(&self, client: Peer, bytes: &[u8], outgoing: &Outgoing) {
        if self.edge.access_log {
            let lines = bytes.split(|byte| *byte == b'\r' || *byte == b'\n');
            let line = lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
            let line = String::from_utf8_lossy(&line[..line.len().min(ACCESS_LINE_BYTES_MAX)]);
            let (code, length) = (outgoing.status().code, outgoing.total_bytes());
            log::info!(target: "calendarbot::access", "{client} \"{line}\" {code} {length}");
        }
    }

    /// A view whose request is not remembered.
    fn view_of(
        &self,
        key: ViewKey,
        message: &Message<'_, '_>,
        asker: &Asker<'_>,
        client: Peer,
        turn: &Turn,
    ) -> Found {
        let agent = fnv1a(message.user_agent());
        self.view(&self.pipeline.normalized(key), asker, (client, agent), turn)
    }

    /// A view of the calendar.
    fn view(
        &self,
        key: &ViewKey,
        asker: &Asker<'_>,
        (client, agent): (Peer, u64),
        turn: &Turn,
    ) -> Found {
        if let Some(nothing) = self.api.nothing(&key.view, &self.pipeline.sources().screen) {
            return Found::Kept(nothing);
        }
        let rollout = &self.edge.rollout;
        let has_pipeline = rollout.has(|salt| number(client, agent, salt));
        let asking = if has_pipeline {
            self.pipeline.ask(key, asker.token, turn.wall_second, turn.is_alone)
        } else {
            self.pipeline.ask_directly(key)
        };
        if rollout.is_partial() && matches!(asking, Asking::Kept(_) | Asking::Made(_)) {
            self.compare(has_pipeline, self.clock.now().since(turn.now));
        }
        let answer = match asking {
            Asking::Kept(answer) => return Found::Kept(answer),
            Asking::Full => {
                let detail = "too much is being asked";
                let refused = self.api.failure(key.view.family(), Status::UNAVAILABLE, detail);
                return Found::Kept(refused);
            }
            Asking::Made(answer) => Found::Made(answer),
            Asking::Pending => Found::Later,
        };
        self.owe(client, turn.now);
        answer
    }

    /// Counts how long an answer took, as long as there are clients with the pipeline and without:
    /// from the beginning of the turn in which it was asked for, on either side, so that both wait
    /// alike.
    pub(super) fn compare(&self, has_pipeline: bool, took: Duration) {
        let Metrics { seconds_with_pipeline, seconds_without_pipeline, .. } = &*self.metrics;
        if self.edge.rollout.is_partial() {
            let side = if has_pipeline { seconds_with_pipeline } else { seconds_without_pipeline };
            side.record(took);
        }
    }

    /// What an operator asks for; `None` when the app will bring it.
    fn administer(
        &self,
        what: Admin,
        message: &Message<'_, '_>,
        bytes: &[u8],
        asker: Token,
    ) -> Option<Rc<Answer>> {
        match decode::decode(message, bytes) {
            Ok(decoded) => self.api.administer(what, &decoded.body, asker),
            Err(status) => Some(self.api.failure(Family::Native, status, UNDECODED)),
        }
    }

    /// The same for a new feed; `None` when the answer comes once it was tried, or is configured.
    fn set_up(
        &self,
        what: Setup,
        message: &Message<'_, '_>,
        bytes: &[u8],
        asker: Token,
    ) -> Option<Rc<Answer>> {
        match decode::decode(message, bytes) {
            Ok(decoded) => self.api.set_up(what, &decoded.body, asker),
            Err(status) => {
                Some(self.api.failure(Family::Native, status, "this request cannot be decoded"))
            }
        }
    }

    /// A client has gone that waited for an answer.
    pub(super) fn leave(&self, asker: Token) {
        self.pipeline.leave(asker);
        self.api.leave(asker);
    }

    /// The answer to an admitted message that only asks, and not for a view.
    fn act(&self, endpoint: Endpoint, message: &Message<'_, '_>) -> Rc<Answer> {
        match endpoint {
            Endpoint::View(_)
            | Endpoint::Guarded(_)
            | Endpoint::Change(_)
            | Endpoint::Admin(_)
            | Endpoint::Setup(_)
            | Endpoint::Events
            | Endpoint::Feed(_)
            | Endpoint::Explain(_) => self.api.no_data(Family::Native),
            Endpoint::Asset(path) => {
                self.api.asset(path, message.accepts_gzip(), self.pipeline.sources().screen.get())
            }
            Endpoint::Skips => self.api.skips(),
            Endpoint::Hidden => self.api.hidden(),
            Endpoint::Metrics => self.api.metrics(accept::prefers_openmetrics(message.headers)),
            Endpoint::Figures(figures) => self.api.figures(figures),
            Endpoint::Options(allow) => self.api.options(allow),
            Endpoint::Moved(path) => self.api.moved(&path),
        }
    }

    /// Does what is asked, or has it done.
    fn change(
        &self,
        change: Change,
        message: &Message<'_, '_>,
        bytes: &[u8],
        asker: Token,
    ) -> Done {
        match decode::decode(message, bytes) {
            Ok(decoded) => self.api.change(change, &decoded.body, asker),
            Err(status) => Done::Answer(self.api.failure(change.family(), status, UNDECODED)),
        }
    }
}

/// False for a view that is asked for with a body that is no JSON.
fn is_sound(message: &Message<'_, '_>, bytes: &[u8]) -> bool {
    let is_json = |body: &[u8]| body.is_empty() || json::is_sound(body);
    message.method != Method::Post
        || decode::decode(message, bytes).is_ok_and(|decoded| is_json(&decoded.body))
}

/// What framing has passed and async-h1 does not.
const UNDECODED: &str = "this request cannot be decoded";

/// What a request is counted by. Refusals by its head are counted together: whoever tries every
/// method everywhere must not fill the table.
fn series(route: Route, method: Method, is_refused: bool) -> Series {
    Series { route: if is_refused { Route::NONE } else { route }, method }
}

/// Tells clients apart, as far as they can be without a cookie: the same at every request.
fn number(client: Peer, agent: u64, salt: u64) -> u64 {
    let address = match client {
        Peer::Address(IpAddr::V4(address)) => address.to_ipv6_mapped(),
        Peer::Address(IpAddr::V6(address)) => address,
        Peer::Local => Ipv6Addr::UNSPECIFIED,
    };
    fnv1a_parts(&[&salt.to_le_bytes(), &address.octets(), &agent.to_le_bytes()])
}

/// A longer request line is cut off in the log.
const ACCESS_LINE_BYTES_MAX: usize = 256;

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}
