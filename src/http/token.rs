//! Who may see and change how the program runs: programs on this machine, and who knows the token.
//! Pure but for the key that tokens are compared under.
//!
//! ```text
//!          wrong token, the fifth in a minute
//!   open ────────────────────────────────────> locked, for everybody who needs a token
//!     ^                                           │
//!     └──────────────── a minute later ───────────┘
//! ```
//!
//! The lock holds for everybody: whoever has many addresses must not have as many tries. It keeps
//! nobody out who is on this machine.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;

use crate::clock::Moment;

/// Wrong tokens in [`LOCK_TIME`] that lock the gate.
const FAILURES_MAX: usize = 5;
/// How long failures count, and how long the gate is locked.
const LOCK_TIME: Duration = Duration::from_secs(60);

/// Why somebody is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// There is no token that could be right.
    NoToken,
    /// No token, or a wrong one.
    Wrong,
    /// Too many wrong ones lately; it may be tried again after this time.
    Locked(Duration),
}

/// A token in a form that it is compared in, which takes as long for a wrong one as for the right
/// one, wherever it is wrong: both are signed with a key that nobody knows.
pub struct Bearer {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Bearer {
    /// `None` when the system has no random numbers.
    pub fn new(text: &str) -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let tag = hmac::sign(&key, text.as_bytes());
        Some(Self { key, tag })
    }

    fn is(&self, presented: &[u8]) -> bool {
        hmac::verify(&self.key, presented, self.tag.as_ref()).is_ok()
    }
}

/// Decides who comes in.
#[derive(Default)]
pub struct Gate {
    token: RefCell<Option<Bearer>>,
    /// When the last wrong tokens came, the oldest first.
    failures: Cell<[Option<Moment>; FAILURES_MAX]>,
    locked_until: Cell<Option<Moment>>,
}

impl Gate {
    /// From now on this token is the right one.
    pub fn set_token(&self, token: Option<Bearer>) {
        *self.token.borrow_mut() = token;
    }

    /// Lets somebody in who is on this machine, or whose `Authorization` field (RFC 6750 section
    /// 2.1) has the token.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        &self,
        is_here: bool,
        authorization: Option<&[u8]>,
        now: Moment,
    ) -> Result<(), Barred> {
        if is_here {
            return Ok(());
        }
        let token = self.token.borrow();
        let token = token.as_ref().ok_or(Barred::NoToken)?;
        if let Some(until) = self.locked_until.get().filter(|until| *until > now) {
            return Err(Barred::Locked(until.since(now)));
        }
        // Who shows none guesses none.
        let presented = authorization.and_then(bearer).ok_or(Barred::Wrong)?;
        if token.is(presented) {
            return Ok(());
        }
        self.note_failure(now);
        Err(Barred::Wrong)
    }

    fn note_failure(&self, now: Moment) {
        let mut failures = self.failures.get();
        failures.rotate_left(1);
        failures[FAILURES_MAX - 1] = Some(now);
        if failures[0].is_some_and(|first| now.since(first) < LOCK_TIME) {
            self.locked_until.set(Some(now + LOCK_TIME));
            failures = [None; FAILURES_MAX];
            log::warn!("five wrong tokens in a minute: none is looked at for a minute");
        }
        self.failures.set(failures);
    }
}

/// What follows the name of the scheme, whose case does not count (RFC 9110 section 11.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment::default() + Duration::from_secs(second)
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let gate = Gate::default();
        let admit = |field: Option<&str>| gate.admit(false, field.map(str::as_bytes), at(0));
        assert_eq!(admit(Some("Bearer sesame")), Err(Barred::NoToken));
        gate.set_token(Bearer::new("sesame"));
        for (field, expected) in [
            (Some("Bearer sesame"), Ok(())),
            (Some("bearer  sesame "), Ok(())),
            (None, Err(Barred::Wrong)),
            (Some(""), Err(Barred::Wrong)),
            (Some("Basic sesame"), Err(Barred::Wrong)),
            (Some("sesame"), Err(Barred::Wrong)),
            (Some("Bearer"), Err(Barred::Wrong)),
            (Some("Bearer "), Err(Barred::Wrong)),
            (Some("Bearer Sesame"), Err(Barred::Wrong)),
            (Some("Bearer sesame1"), Err(Barred::Wrong)),
        ] {
            assert_eq!(admit(field), expected, "{field:?}");
        }
        assert_eq!(gate.admit(true, None, at(0)), Ok(()));
        gate.set_token(Bearer::new("other"));
        assert_eq!(admit(Some("Bearer sesame")), Err(Barred::Wrong));
    }

    #[test]
    fn five_wrong_tokens_in_a_minute_lock_it_for_a_minute() {
        let gate = Gate::default();
        gate.set_token(Bearer::new("sesame"));
        let wrong = |second| gate.admit(false, Some(b"Bearer x"), at(second));
        let right = |second| gate.admit(false, Some(b"Bearer sesame"), at(second));
        for second in [0, 15, 30, 45, 60, 75, 90] {
            assert_eq!(wrong(second), Err(Barred::Wrong), "never five in a minute: {second}");
        }
        assert_eq!(right(91), Ok(()));
        assert_eq!(wrong(92), Err(Barred::Wrong));
        let wait = |seconds| Err(Barred::Locked(Duration::from_secs(seconds)));
        assert_eq!(right(92), wait(60));
        assert_eq!(gate.admit(true, None, at(92)), Ok(()));
        assert_eq!(wrong(151), wait(1));
        assert_eq!(right(152), Ok(()));
        assert_eq!(wrong(152), Err(Barred::Wrong), "what was before the lock is forgotten");
    }
}
