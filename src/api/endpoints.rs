//! Everything that is not a view of the calendar: health, statistics, assets, wishes, refusals.

use std::collections::HashMap;
use std::rc::Rc;

use super::{lite, native, stats};
use crate::budget::Plan;
use crate::clock::{Clock, Moment};
use crate::display;
use crate::feed::Feeds;
use crate::http::decode::Decoded;
use crate::http::response::{Answer, Status, media};
use crate::http::route::{Allow, Endpoint, Refusal};
use crate::metrics::Metrics;

/// What these endpoints answer from.
pub struct Api {
    clock: Clock,
    metrics: Rc<Metrics>,
    feeds: Rc<Feeds>,
    plan: Plan,
    started: Moment,
    assets: HashMap<&'static str, Rc<Answer>>,
    no_data: Rc<Answer>,
}

/// Seconds after which a client without data may ask again: the first refresh takes about that.
const RETRY_SECONDS: u32 = 5;

impl Api {
    /// The endpoints of a program that starts now.
    pub fn new(clock: Clock, metrics: Rc<Metrics>, feeds: Rc<Feeds>, plan: Plan) -> Self {
        let assets = display::ASSETS
            .iter()
            .map(|asset| (asset.path, Rc::new(Answer::ok(asset.content_type, asset.bytes))))
            .collect();
        let detail = "no calendar has been read yet; it is being fetched";
        let no_data = Rc::new(failure(Status::UNAVAILABLE, detail, None));
        Self { started: clock.now(), clock, metrics, feeds, plan, assets, no_data }
    }

    /// True once there is anything to show.
    pub fn has_data(&self) -> bool {
        self.feeds.has_data()
    }

    /// The answer while there is not.
    pub fn no_data(&self) -> Rc<Answer> {
        Rc::clone(&self.no_data)
    }

    /// A file that is part of the program.
    pub fn asset(&self, path: &str) -> Rc<Answer> {
        match self.assets.get(path) {
            Some(answer) => Rc::clone(answer),
            None => self.failure(Status::NOT_FOUND, "there is nothing at this path"),
        }
    }

    /// Answers a request that is not for a view or an asset.
    pub fn act(&self, endpoint: &Endpoint, decoded: &Decoded) -> Rc<Answer> {
        match endpoint {
            Endpoint::Stats => self.stats(),
            Endpoint::LiteHealth => self.lite_health(),
            Endpoint::Alive => Rc::new(Answer::plain(Status::OK, media::TEXT, "", *b"alive\n")),
            Endpoint::Ready if self.has_data() => {
                Rc::new(Answer::plain(Status::OK, media::TEXT, "", *b"ready\n"))
            }
            Endpoint::Ready => self.no_data(),
            Endpoint::Refresh => self.refresh(decoded),
            Endpoint::Options(Allow(methods)) => {
                let allow = format!("Allow: {methods}\r\n");
                Rc::new(Answer::plain(Status::NO_CONTENT, "", &allow, *b""))
            }
            Endpoint::Asset(path) => self.asset(path),
            Endpoint::View(_) => self.no_data(),
        }
    }

    /// An RFC 9457 problem.
    pub fn failure(&self, status: Status, detail: &str) -> Rc<Answer> {
        Rc::new(failure(status, detail, None))
    }

    /// The answer to a request that leads nowhere.
    pub fn refusal(&self, refusal: &Refusal) -> Rc<Answer> {
        Rc::new(failure(refusal.status, &refusal.detail, refusal.allow))
    }

    fn refresh(&self, decoded: &Decoded) -> Rc<Answer> {
        if is_foreign(decoded) {
            let detail = "a page of another site may not change anything here";
            return self.failure(Status::FORBIDDEN, detail);
        }
        self.feeds.nudge_all();
        let body = *b"{\"status\":\"accepted\"}";
        Rc::new(Answer::plain(Status::ACCEPTED, media::JSON, "", body))
    }

    fn stats(&self) -> Rc<Answer> {
        let now = self.clock.wall();
        let uptime_seconds = self.clock.now().since(self.started).as_secs();
        let feeds: Vec<_> = self.feeds.list().iter().map(|feed| feed.status(now)).collect();
        let body = stats::stats(&self.metrics, &self.plan, uptime_seconds, &feeds);
        Rc::new(Answer::plain(Status::OK, media::JSON, "", body.into_bytes()))
    }

    fn lite_health(&self) -> Rc<Answer> {
        let now = self.clock.wall();
        let statuses: Vec<_> = self.feeds.list().iter().map(|feed| feed.status(now)).collect();
        let newest = statuses.iter().filter_map(|status| status.last_success).max();
        let age = newest.map(|at| u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0));
        let (code, body) = lite::health(&lite::HealthInputs {
            now,
            uptime_s: self.clock.now().since(self.started).as_secs(),
            pid: std::process::id(),
            event_count: statuses.iter().map(|status| status.events).sum(),
            refresh_age_s: age,
            window_initialized: self.has_data(),
            heartbeat_age_s: age,
            last_probe: None,
            platform: std::env::consts::OS,
            version: env!("CARGO_PKG_VERSION"),
        });
        let status = if code == Status::OK.code { Status::OK } else { Status::UNAVAILABLE };
        Rc::new(Answer::plain(status, media::JSON, "", body.into_bytes()))
    }
}

/// True for a request that a browser made for a page of another site.
fn is_foreign(decoded: &Decoded) -> bool {
    let field =
        |name: &str| decoded.request.header(name).map(|values| values.last().as_str().to_owned());
    let is_cross_site = field("sec-fetch-site").is_some_and(|site| site == "cross-site");
    let is_other_origin = match (field("origin"), field("host")) {
        (Some(origin), Some(host)) => origin.split_once("://").map(|(_, rest)| rest) != Some(&host),
        (Some(_), None) => true,
        (None, _) => false,
    };
    is_cross_site || is_other_origin
}

fn failure(status: Status, detail: &str, allow: Option<Allow>) -> Answer {
    let mut further = String::new();
    if let Some(Allow(methods)) = allow {
        further = format!("Allow: {methods}\r\n");
    }
    if status == Status::METHOD_NOT_ALLOWED && allow.is_none() {
        further = "Allow: GET, HEAD, POST, OPTIONS\r\n".to_owned();
    }
    if status == Status::UNAVAILABLE {
        further = format!("Retry-After: {RETRY_SECONDS}\r\n");
    }
    let body = native::problem(status.code, status.reason(), detail);
    Answer::plain(status, media::PROBLEM, &further, body.into_bytes())
}
