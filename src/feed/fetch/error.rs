//! Why a fetch gave nothing, for the scheduler and for people.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::message::Malformed;
use crate::connections::outbound::ConnectError;

/// Why a fetch gave nothing. In words it holds nothing of the URL, the request or the answer
/// but a status code: a feed's address is a secret. The caller says which feed it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    kind: Kind,
    what: Cow<'static, str>,
    status: Option<u16>,
}

/// What the scheduler should make of a failed fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody must act (401, 403, 404, or a request that cannot be sent): ask rarely.
    Refused,
    /// 410: the feed will not come back. Stop asking.
    Gone,
    /// The server has said how long to wait (429, 503); clamped to 60 s … 24 h.
    RetryAfter(Duration),
    /// It may pass by itself.
    Transient(Cause),
    /// The server answered, and the answer cannot be used.
    Malformed,
}

/// What failed, of the things that pass by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The host's name could not be looked up.
    Dns,
    /// The host's address is not one that this feed may use. Transient because a router that
    /// has lost its uplink answers every name with its own address.
    Address,
    /// No TCP connection.
    Connect,
    /// No TLS session.
    Tls,
    /// The connection broke.
    Reset,
    /// The server was too slow.
    Timeout,
    /// The server said so: 5xx and most of 4xx.
    Status,
    /// Our own pool of connections is full.
    Busy,
}

impl FetchError {
    /// What the scheduler should make of it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the server answered with, if that is why.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    pub(super) fn answered(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(super) fn new(kind: Kind, what: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, what: what.into(), status: None }
    }

    pub(super) fn refused(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Refused, what)
    }

    pub(super) fn transient(cause: Cause, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Transient(cause), what)
    }

    pub(super) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, what)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for FetchError {}

impl From<Malformed> for FetchError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::malformed(what)
    }
}

impl From<ConnectError> for FetchError {
    fn from(error: ConnectError) -> Self {
        let cause = match error {
            ConnectError::Dns(_) => Cause::Dns,
            ConnectError::Address(_) => Cause::Address,
            ConnectError::Tcp(_) => Cause::Connect,
            ConnectError::Tls(_) => Cause::Tls,
            ConnectError::Full => Cause::Busy,
        };
        Self::transient(cause, error.to_string())
    }
}
