//! Fetching a feed from servers that behave, misbehave and attack.
//!
//! | the server | the tests |
//! |---|---|
//! | 200, complete | `answers`: a complete calendar, one that drips in, without a length, gzip, a large one |
//! | 304, and 304 to a request without a condition | `requests` |
//! | 204, 206 and other 2xx | `answers::a_204_and_a_206_are_errors` |
//! | empty, HTML, wrong start or end; old data kept with its age | `refresh::a_bad_answer_changes_nothing_but_the_mark` |
//! | cut short, bad chunks, bad lengths, bad heads | `framing`, a row each |
//! | gzip cut, wrong CRC, none at all | `answers::a_gzip_body_…` |
//! | redirects: each kind, 5 and 6 hops, schemes, credentials, addresses | `redirects` |
//! | the address rule on a feed's own URL | `connections::a_private_address_…`, `the_resolved_address_…` |
//! | 401, 403, 404, 410, other 4xx and 5xx | `answers::refusals_…`; 410 stops: `refresh::gone_…` |
//! | 429 and 503 with Retry-After | `answers::retry_after_…`; wishes wait, too: `refresh::no_wish_…` |
//! | resets and time-outs | `answers::a_connection_reset_…`, `a_server_that_does_not_answer_…` |
//! | no name, a stalled resolver, a closed port | `connections` |
//! | TLS: expired, early, self-signed, unknown, wrong host, broken off, cut | `tls` |
//! | endless 1xx, an endless head | `answers::endless_interim_…`, `framing` |
//! | one byte a second, a body that stalls | `answers::one_byte_a_second_…`; nobody waits: `outbound` |
//! | as slowly as may be, long body or many hops | `answers::no_body_earns_…`, `redirects::redirects_have_…` |
//! | over the cap, gzip bomb | `answers::a_body_may_be_as_long_…`, `a_gzip_bomb_…` |
//! | bytes on an idle connection, a stale one | `connections` |
//! | an unusual ETag | `requests::an_unusual_etag_…` |

mod answers;
mod connections;
mod framing;
mod redirects;
mod requests;
pub(crate) mod tls;

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

    fn active_and_idle(&self) -> (u64, u64) {
        (self.metrics.outbound_active.get(), self.metrics.outbound_idle.get())
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
