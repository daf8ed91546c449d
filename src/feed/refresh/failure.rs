//! Why a refresh failed, and when the next one may be tried.

use std::time::Duration;

use crate::budget::RefreshLimits;
use crate::error::Error;
use crate::feed::fetch::{self, FetchError};
use crate::ical::component::NotACalendar;

/// Why a refresh failed, and how soon it may be tried again.
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) retry: Retry,
}

/// How soon it may be tried again.
#[derive(Clone, Copy)]
pub(super) enum Retry {
    /// It may pass by itself: after doubling waits.
    Soon,
    /// Somebody must act: the same, up to a longer wait.
    Seldom,
    /// When the server says.
    After(Duration),
    /// When somebody asks.
    Never,
}

impl Failure {
    /// A failure of ours or of the body.
    pub(super) fn passing(text: impl ToString) -> Self {
        Self { text: text.to_string(), retry: Retry::Soon }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::passing(error)
    }
}

impl From<NotACalendar> for Failure {
    fn from(error: NotACalendar) -> Self {
        Self::passing(error)
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let retry = match error.kind() {
            fetch::Kind::RetryAfter(wait) => Retry::After(wait),
            fetch::Kind::Gone => Retry::Never,
            fetch::Kind::Refused => Retry::Seldom,
            fetch::Kind::Transient(_) | fetch::Kind::Malformed => Retry::Soon,
        };
        Self { text: error.to_string(), retry }
    }
}

/// Exponential back-off with full jitter: anywhere up to the doubled wait, so that many displays
/// that lost their network together do not come back together.
pub(super) fn wait_after(retry: Retry, failures: u32, limits: &RefreshLimits) -> Option<Duration> {
    let longest = match retry {
        Retry::Never => return None,
        Retry::After(wait) => return Some(wait),
        Retry::Soon => limits.backoff_max,
        Retry::Seldom => limits.backoff_refused_max,
    };
    let doubled = limits.backoff_min.saturating_mul(1 << failures.min(16)).min(longest);
    Some(doubled.mul_f64(fastrand::f64()).max(limits.backoff_floor))
}
