//! Fetching a feed from servers that behave, misbehave and attack.

mod answers;
mod connections;
mod requests;
mod tls;

use std::rc::Rc;

use calendarbot::budget::{Plan, RefreshLimits};
use calendarbot::clock::Clock;
use calendarbot::connections::outbound::{Outbound, Policy};
use calendarbot::feed::fetch::{Body, FetchError, Fetched, Kind, Request, fetch};
use calendarbot::metrics::Metrics;
use http_types::Url;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";
const MIB: usize = 1024 * 1024;

/// Everything that a fetch needs, on a clock that stands still.
struct Bench {
    clock: Clock,
    limits: RefreshLimits,
    metrics: Rc<Metrics>,
    outbound: Outbound,
}

/// The variable parts of a request.
struct Ask<'a> {
    headers: &'a [(String, String)],
    etag: Option<&'a str>,
    last_modified: Option<&'a str>,
    policy: Policy,
    body_bytes_max: usize,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            headers: &[],
            etag: None,
            last_modified: None,
            policy: Policy { allow_private: true, ..Policy::default() },
            body_bytes_max: 50 * MIB,
        }
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut RefreshLimits)) -> Self {
        let clock = Clock::manual("2026-01-05T08:00:00Z".parse().expect("a time"));
        let mut limits = Plan::divide(16 * MIB, 1, Default::default()).limits.refresh;
        change(&mut limits);
        let metrics = Rc::new(Metrics::default());
        let outbound = Outbound::new(clock.clone(), &limits, Rc::clone(&metrics));
        Self { clock, limits, metrics, outbound }
    }

    async fn ask(&self, url: &Url, ask: Ask<'_>) -> Result<Fetched, FetchError> {
        let request = Request {
            url,
            headers: ask.headers,
            user_agent: "calendarbot/test",
            etag: ask.etag,
            last_modified: ask.last_modified,
            policy: &ask.policy,
            body_bytes_max: ask.body_bytes_max,
            body_time: self.limits.body_time,
        };
        fetch(&self.outbound, &self.clock, &self.limits, request).await
    }

    async fn body(&self, url: &Url) -> Result<Body, FetchError> {
        match self.ask(url, Ask::default()).await? {
            Fetched::Body(body) => Ok(body),
            Fetched::NotModified => panic!("not modified"),
        }
    }

    /// The whole body as a text.
    async fn text(&self, url: &Url) -> Result<String, FetchError> {
        text(self.body(url).await?).await
    }

    fn opened_and_reused(&self) -> (u64, u64) {
        (self.metrics.outbound_opened.get(), self.metrics.outbound_reused.get())
    }
}

async fn text(mut body: Body) -> Result<String, FetchError> {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match body.read(&mut buffer).await? {
            0 => return Ok(String::from_utf8(text).expect("UTF-8")),
            read => text.extend_from_slice(&buffer[..read]),
        }
    }
}

/// What comes of fetching from a server that sends these steps.
fn fetched(steps: impl Into<Vec<Step>>) -> Result<String, FetchError> {
    let steps = steps.into();
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().reply("/", Reply::new(steps)));
        Bench::new().text(&server.url("/")).await
    })
}

fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

/// A server that sends this and hangs up must be taken for one that is broken, for this reason.
fn check_malformed(answer: impl AsRef<[u8]>, reason: &str) {
    let error = fetched([send(answer), Step::Close]).expect_err("an error");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Malformed, reason));
}
