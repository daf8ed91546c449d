//! One conditional GET of one feed: redirects, deadlines, caps, and what every answer means.
//!
//! Nothing of a body is trusted before all of it has arrived: [`Body::read`] returns 0 only
//! after an end that the framing has confirmed. Credentials go to the feed's own origin and
//! nowhere else. No error holds anything of the URL.

mod body;
mod encode;
mod error;
mod gzip;
mod message;
mod outcome;

use std::io;
use std::time::Duration;

use http_types::Url;

use crate::budget::RefreshLimits;
use crate::clock::Clock;
use crate::connections::outbound::{Lease, Origin, Outbound, Policy, within};
pub use body::Body;
use encode::Fields;
pub use error::{Cause, FetchError, Kind};
use message::{Answer, Event, Head, Malformed};

/// What to fetch, and how.
pub struct Request<'a> {
    /// http or https. Its user and password are not used.
    pub url: &'a Url,
    /// Credentials and other fields of one's own, none of which the configuration reserves; they are
    /// sent to the URL's origin only.
    pub headers: &'a [(String, String)],
    /// User-Agent.
    pub user_agent: &'a str,
    /// The ETag of the data that is kept.
    pub etag: Option<&'a str>,
    /// The Last-Modified of the data that is kept.
    pub last_modified: Option<&'a str>,
    /// Which addresses this feed may be fetched from.
    pub policy: &'a Policy,
    /// Longest body, decoded, in bytes.
    pub body_bytes_max: usize,
    /// From an answer's first byte to its last, beyond what its size needs.
    pub body_time: Duration,
}

/// What the server had to say.
pub enum Fetched {
    /// 304: what is kept is still right.
    NotModified,
    /// 200: what is kept is to be replaced by this, once it has been read to its end.
    Body(Body),
}

/// Fetches `request`'s URL up to the beginning of the body.
///
/// # Errors
/// Everything but a 200 and an expected 304; see [`Kind`].
pub async fn fetch(
    outbound: &Outbound,
    clock: &Clock,
    limits: &RefreshLimits,
    request: Request<'_>,
) -> Result<Fetched, FetchError> {
    let deadline = clock.now() + limits.answer_time;
    let fetched = within(clock, deadline, follow_redirects(outbound, clock, limits, request)).await;
    let late = || FetchError::transient(Cause::Timeout, "the redirects took too long");
    fetched.unwrap_or_else(|| Err(late()))
}

/// Posts a text as JSON, and waits for the head of the answer. Redirects are not followed.
///
/// # Errors
/// Everything but a 2xx; see [`Kind`].
pub async fn post(
    outbound: &Outbound,
    clock: &Clock,
    limits: &RefreshLimits,
    request: &Request<'_>,
    text: &str,
) -> Result<(), FetchError> {
    let mut fields = Fields::new();
    fields.set("user-agent", request.user_agent)?;
    fields.set("content-type", "application/json")?;
    for (name, value) in request.headers {
        fields.set(name, value)?;
    }
    let bytes = encode::post(request.url, &fields, text);
    let errand = Errand { outbound, clock, limits, policy: request.policy };
    let (exchange, head) = errand.ask(&origin(request.url)?, &bytes).await?;
    exchange.settle();
    match head.status {
        200..300 => Ok(()),
        _ => Err(outcome::failure(&head, clock.http_date())),
    }
}

async fn follow_redirects(
    outbound: &Outbound,
    clock: &Clock,
    limits: &RefreshLimits,
    request: Request<'_>,
) -> Result<Fetched, FetchError> {
    let errand = Errand { outbound, clock, limits, policy: request.policy };
    let public = public_fields(&request)?;
    let own = own_fields(&request)?;
    let home = origin(request.url)?;
    let mut at_home = true;
    let mut url = request.url.clone();
    for _ in 0..=limits.redirects_max {
        let origin = origin(&url)?;
        // Once away it stays without credentials: a stranger must not choose what they open.
        at_home &= origin == home;
        let fields = if at_home { &own } else { &public.fields };
        let bytes = encode::get(&url, fields);
        let (exchange, head) = errand.ask(&origin, &bytes).await?;
        match head.status {
            200 => {
                return Body::new(exchange, head, clock, limits, &request).map(Fetched::Body);
            }
            304 if public.conditional => {
                exchange.settle();
                return Ok(Fetched::NotModified);
            }
            301 | 302 | 303 | 307 | 308 => {
                url = outcome::follow(&url, head.location.as_deref())?;
                exchange.settle();
            }
            _ => {
                exchange.settle();
                return Err(outcome::failure(&head, clock.http_date()));
            }
        }
    }
    Err(FetchError::malformed("too many redirects"))
}

/// The fields that any server may see.
struct Public {
    fields: Fields,
    conditional: bool,
}

fn public_fields(request: &Request<'_>) -> Result<Public, FetchError> {
    let mut fields = Fields::new();
    fields.set("user-agent", request.user_agent)?;
    fields.set("accept", "text/calendar")?;
    fields.set("accept-encoding", "gzip")?;
    let etag = request.etag.filter(|etag| outcome::is_validator(etag.as_bytes()));
    let modified = request.last_modified.filter(|date| outcome::is_validator(date.as_bytes()));
    if let Some(etag) = etag {
        fields.set("if-none-match", etag)?;
    }
    if let Some(modified) = modified {
        fields.set("if-modified-since", modified)?;
    }
    Ok(Public { fields, conditional: etag.is_some() || modified.is_some() })
}

/// The same, and those that only the feed's own origin may see.
fn own_fields(request: &Request<'_>) -> Result<Fields, FetchError> {
    let mut fields = public_fields(request)?.fields;
    for (name, value) in request.headers {
        fields.set(name, value)?;
    }
    Ok(fields)
}

fn origin(url: &Url) -> Result<Origin, FetchError> {
    Origin::of(url).ok_or_else(|| FetchError::refused("a feed's URL must be http or https"))
}

/// What every hop of one fetch needs.
struct Errand<'a> {
    outbound: &'a Outbound,
    clock: &'a Clock,
    limits: &'a RefreshLimits,
    policy: &'a Policy,
}

/// Why there is no head.
enum Failure {
    /// The connection ended without a byte of an answer. An idle connection that the server has
    /// closed meanwhile looks like that.
    Unanswered,
    Other(FetchError),
}

impl<E: Into<FetchError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Errand<'_> {
    /// Sends a request and reads the head of its answer; once more on a new connection when the
    /// one from the pool turns out to be dead.
    async fn ask(&self, origin: &Origin, bytes: &[u8]) -> Result<(Exchange, Head), FetchError> {
        let lease = self.outbound.lease(origin, self.policy).await?;
        let reused = lease.reused();
        let mut asked = self.converse(lease, bytes).await;
        if reused && matches!(asked, Err(Failure::Unanswered)) {
            let lease = self.outbound.reconnect(origin, self.policy).await?;
            asked = self.converse(lease, bytes).await;
        }
        asked.map_err(|failure| match failure {
            Failure::Unanswered => FetchError::transient(
                Cause::Reset,
                "the server closed the connection without an answer",
            ),
            Failure::Other(error) => error,
        })
    }

    async fn converse(&self, lease: Lease, bytes: &[u8]) -> Result<(Exchange, Head), Failure> {
        let deadline = self.clock.now() + self.limits.first_byte_time;
        let mut exchange = Exchange::new(lease, self.limits);
        match within(self.clock, deadline, exchange.open(bytes)).await {
            Some(head) => Ok((exchange, head?)),
            None => {
                Err(FetchError::transient(Cause::Timeout, "the server did not answer in time"))?
            }
        }
    }
}

/// One request on one connection and its answer.
struct Exchange {
    lease: Lease,
    answer: Answer,
    keep_alive: bool,
    idle_time: Option<Duration>,
    buffer: Box<[u8]>,
    /// What was received and not yet judged: `buffer[start..end]`.
    start: usize,
    end: usize,
}

impl Exchange {
    fn new(lease: Lease, limits: &RefreshLimits) -> Self {
        Self {
            lease,
            answer: Answer::new(limits.head_bytes_max, limits.interim_max),
            keep_alive: false,
            idle_time: None,
            buffer: vec![0; limits.read_buffer_bytes].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// Sends the request, and receives up to the end of the final head.
    async fn open(&mut self, request: &[u8]) -> Result<Head, Failure> {
        if self.lease.write_all(request).await.is_err() {
            return Err(Failure::Unanswered);
        }
        let mut answered = false;
        loop {
            match self.receive().await {
                Ok(0) | Err(_) if !answered => return Err(Failure::Unanswered),
                Ok(0) => self.answer.close()?,
                Ok(_) => answered = true,
                Err(error) => return Err(broken(&error).into()),
            }
            while self.start < self.end {
                let (taken, event) = self.answer.advance(&self.buffer[self.start..self.end])?;
                self.start += taken;
                if let Event::Head(head) = event {
                    (self.keep_alive, self.idle_time) = (head.keep_alive, head.idle_time);
                    return Ok(*head);
                }
            }
        }
    }

    /// Receives more bytes in place of those that have been judged; 0 at the end.
    async fn receive(&mut self) -> io::Result<usize> {
        (self.start, self.end) = (0, 0);
        self.end = self.lease.read(&mut self.buffer).await?;
        Ok(self.end)
    }

    /// Moves what has been received of the body into `out`: how much, and whether that was all.
    fn drain(&mut self, out: &mut [u8]) -> Result<(usize, bool), Malformed> {
        let mut filled = 0;
        loop {
            let received = &self.buffer[self.start..self.end];
            let fits = received.len().min(out.len() - filled);
            let (taken, event) = self.answer.advance(&received[..fits])?;
            self.start += taken;
            match event {
                Event::Data(data) => {
                    out[filled..filled + data.len()].copy_from_slice(data);
                    filled += data.len();
                }
                Event::End => return Ok((filled, true)),
                Event::More if taken == 0 => return Ok((filled, false)),
                Event::More | Event::Head(_) => {}
            }
        }
    }

    /// Leaves the rest of the answer unread. The connection is kept if nothing of it is missing:
    /// a refusal's page is rarely worth waiting for.
    fn settle(mut self) {
        while let Ok((taken, event)) = self.answer.advance(&self.buffer[self.start..self.end]) {
            self.start += taken;
            match event {
                Event::End => return self.finish(),
                _ if taken == 0 => return,
                _ => {}
            }
        }
    }

    /// Keeps the connection, after a complete answer, unless there is more on it than that.
    fn finish(self) {
        if self.keep_alive && self.start == self.end {
            self.lease.give_back(self.idle_time);
        }
    }
}

fn broken(error: &io::Error) -> FetchError {
    match error.kind() {
        // TLS ended without its own goodbye: anybody on the way can do that.
        io::ErrorKind::UnexpectedEof => FetchError::malformed("the body was cut short"),
        io::ErrorKind::ConnectionReset => {
            FetchError::transient(Cause::Reset, "the connection was reset")
        }
        _ => FetchError::transient(Cause::Reset, "the connection broke"),
    }
}
