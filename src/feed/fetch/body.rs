//! The body of a 200: read in pieces, within its deadline and its cap, and verified to its end.

use std::mem;
use std::time::Duration;

use super::gzip::Gzip;
use super::message::{Coding, Head, Malformed};
use super::{Cause, Exchange, FetchError, Request, broken, outcome};
use crate::budget::{GZIP_BYTES, GZIP_WIRE_BYTES, RefreshLimits, show_bytes};
use crate::clock::{Clock, Moment};
use crate::connections::outbound::within;

/// A body on its way in. Dropping it before its end closes the connection.
pub struct Body {
    /// To be sent with the next request, when it is worth keeping: at most 256 visible bytes.
    pub etag: Option<String>,
    /// The same.
    pub last_modified: Option<String>,
    state: State,
    clock: Clock,
    begun: Moment,
    time: Duration,
    time_max: Duration,
    bytes_per_second_min: usize,
    coded: Coded,
    /// Bytes of the body as it was sent, and as it was read from us.
    received: usize,
    decoded: usize,
    bytes_max: usize,
}

/// How what is sent becomes what is read.
enum Coded {
    Identity,
    Gzip(Box<Unzipping>),
}

/// A gzip stream and what was received of it and not yet decoded: `wire[start..end]`.
struct Unzipping {
    gzip: Gzip,
    wire: [u8; GZIP_WIRE_BYTES],
    start: usize,
    end: usize,
    /// The framing has confirmed that no more will come.
    ended: bool,
}

enum State {
    Reading(Box<Exchange>),
    Complete,
    Failed(FetchError),
}

impl Body {
    pub(super) fn new(
        exchange: Exchange,
        head: Head,
        clock: &Clock,
        limits: &RefreshLimits,
        request: &Request<'_>,
    ) -> Result<Self, FetchError> {
        let bytes_max = request.body_bytes_max;
        let coded = match head.coding {
            Coding::Identity => Coded::Identity,
            Coding::Gzip => Coded::Gzip(Box::new(Unzipping::new())),
            Coding::Unknown => {
                return Err(FetchError::malformed("a Content-Encoding that was not asked for"));
            }
        };
        if head.length.is_some_and(|length| length > bytes_max as u64) {
            return Err(too_large(bytes_max));
        }
        Ok(Self {
            etag: outcome::validator(head.etag),
            last_modified: outcome::validator(head.last_modified),
            state: State::Reading(Box::new(exchange)),
            clock: clock.clone(),
            begun: clock.now(),
            time: request.body_time,
            time_max: limits.body_time_max,
            bytes_per_second_min: limits.body_bytes_per_second_min.max(1),
            coded,
            received: 0,
            decoded: 0,
            bytes_max,
        })
    }

    /// Puts the next piece of the body into `buffer`: how many bytes. 0 means that the body is
    /// complete and that its framing has said so; it is never the answer for a short one.
    ///
    /// Does not yield while bytes keep coming; the caller does, between two pieces of work. A
    /// read that is dropped half-way spoils the body.
    ///
    /// # Errors
    /// When the body is cut short, malformed, over its cap or too slow; and then every time.
    ///
    /// # Panics
    /// When `buffer` is empty: 0 could not mean the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        assert!(!buffer.is_empty(), "a read needs room");
        let unfinished = State::Failed(FetchError::malformed("the body was not read on"));
        let mut exchange = match mem::replace(&mut self.state, unfinished) {
            State::Reading(exchange) => exchange,
            State::Complete => {
                self.state = State::Complete;
                return Ok(0);
            }
            State::Failed(error) => {
                self.state = State::Failed(error.clone());
                return Err(error);
            }
        };
        let read = self.pull(&mut exchange, buffer).await;
        self.state = match &read {
            Ok(0) => {
                exchange.finish();
                State::Complete
            }
            Ok(_) => State::Reading(exchange),
            Err(error) => State::Failed(error.clone()),
        };
        read
    }

    /// What it takes in memory.
    pub fn weight_bytes(&self) -> usize {
        let exchange = match &self.state {
            State::Reading(exchange) => size_of::<Exchange>() + exchange.buffer.len(),
            State::Complete | State::Failed(_) => 0,
        };
        let coded = match &self.coded {
            Coded::Identity => 0,
            Coded::Gzip(_) => GZIP_BYTES,
        };
        size_of::<Self>() + exchange + coded
    }

    async fn pull(
        &mut self,
        exchange: &mut Exchange,
        buffer: &mut [u8],
    ) -> Result<usize, FetchError> {
        loop {
            let (received, filled, ended) = match &mut self.coded {
                Coded::Identity => {
                    let (filled, ended) = exchange.drain(buffer)?;
                    (filled, filled, ended)
                }
                Coded::Gzip(unzipping) => unzipping.drain(exchange, buffer)?,
            };
            self.received += received;
            self.decoded += filled;
            if self.received.max(self.decoded) > self.bytes_max {
                return Err(too_large(self.bytes_max));
            }
            if filled > 0 || ended {
                return Ok(filled);
            }
            self.receive(exchange).await?;
        }
    }

    async fn receive(&self, exchange: &mut Exchange) -> Result<(), FetchError> {
        let earned = Duration::from_secs((self.received / self.bytes_per_second_min) as u64);
        let deadline = self.begun + (self.time + earned).min(self.time_max);
        let late = || FetchError::transient(Cause::Timeout, "the body did not arrive in time");
        // A server that always has a few bytes ready never lets the timer below fire.
        if self.clock.now() >= deadline {
            return Err(late());
        }
        match within(&self.clock, deadline, exchange.receive()).await.ok_or_else(late)? {
            Ok(0) => Ok(exchange.answer.close()?),
            Ok(_) => Ok(()),
            Err(error) => Err(broken(&error)),
        }
    }
}

impl Unzipping {
    fn new() -> Self {
        Self { gzip: Gzip::new(), wire: [0; GZIP_WIRE_BYTES], start: 0, end: 0, ended: false }
    }

    /// Decodes what has been received into `out`: how much was received for that, how much was
    /// decoded, and whether that was all.
    fn drain(
        &mut self,
        exchange: &mut Exchange,
        out: &mut [u8],
    ) -> Result<(usize, usize, bool), Malformed> {
        let mut received = 0;
        loop {
            let (taken, made) = self.gzip.decode(&self.wire[self.start..self.end], out)?;
            self.start += taken;
            if made > 0 {
                return Ok((received, made, false));
            }
            if self.start < self.end {
                return Err(Malformed("the gzip body is damaged"));
            }
            if self.ended {
                let cut = Malformed("the gzip body was cut short");
                return if self.gzip.has_ended() { Ok((received, 0, true)) } else { Err(cut) };
            }
            let (filled, ended) = exchange.drain(&mut self.wire)?;
            (self.start, self.end, self.ended) = (0, filled, ended);
            received += filled;
            if filled == 0 && !ended {
                return Ok((received, 0, false));
            }
        }
    }
}

fn too_large(bytes_max: usize) -> FetchError {
    FetchError::malformed(format!("the feed exceeds {} (feed_bytes_max)", show_bytes(bytes_max)))
}
