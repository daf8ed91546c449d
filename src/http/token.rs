//! Who may see and change how the program runs: programs on this machine, and who knows the token.
//! Pure but for the key that tokens are compared under.
//!
//! ```text
//!          wrong token, the fifth in a minute
//!   open ────────────────────────────────────> locked, for whoever showed them
//!     ^                                           │
//!     └──── the first of them a minute ago ───────┘
//! ```
//!
//! A guest must not be able to lock the owner out, so the lock is for an address alone; and who has
//! many addresses must not have as many tries, so a larger number of wrong tokens locks the gate
//! for everybody who needs one. Neither keeps anybody out who is on this machine.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;

use super::peer::Peer;
use super::rate::subscriber;
use crate::clock::Moment;

/// Wrong tokens of one address in [`LOCK_TIME`] that lock it out.
const FAILURES_MAX: usize = 5;
/// The same of all addresses, and how many are remembered.
const FAILURES_OF_ALL_MAX: usize = 60;
/// How long a wrong token counts.
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

/// One gate for each thing that is kept from strangers.
#[derive(Default)]
pub struct Gates {
    /// What operators do.
    pub operators: Gate,
    /// What a voice assistant may ask.
    pub assistants: Gate,
    /// The home network may change settings.
    pub settings_from_lan: Cell<bool>,
}

impl Gates {
    /// True for a client in the home network, if it may change settings. Who seems to be on this
    /// machine is a proxy, unless it came directly.
    pub fn opens_settings(&self, client: Peer) -> bool {
        self.settings_from_lan.get() && client.is_private() && !client.is_near()
    }
}

/// Decides who comes in.
#[derive(Default)]
pub struct Gate {
    token: RefCell<Option<Bearer>>,
    /// From where and when the last wrong tokens came, the oldest first; `None` is a Unix socket.
    failures: RefCell<VecDeque<(Option<IpAddr>, Moment)>>,
}

impl Gate {
    /// From now on this token is the right one.
    pub fn set_token(&self, token: Option<Bearer>) {
        *self.token.borrow_mut() = token;
    }

    /// Lets a client in who is on this machine, or whose `Authorization` field (RFC 6750 section
    /// 2.1) has the token.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        &self,
        is_here: bool,
        client: Peer,
        authorization: Option<&[u8]>,
        now: Moment,
    ) -> Result<(), Barred> {
        if is_here {
            return Ok(());
        }
        let token = self.token.borrow();
        let token = token.as_ref().ok_or(Barred::NoToken)?;
        let address = match client {
            Peer::Address(address) => Some(subscriber(address)),
            Peer::Local => None,
        };
        if let Some(wait) = self.lock_time(address, now) {
            return Err(Barred::Locked(wait));
        }
        // Who shows none guesses none.
        let presented = authorization.and_then(bearer).ok_or(Barred::Wrong)?;
        if token.is(presented) {
            return Ok(());
        }
        let mut failures = self.failures.borrow_mut();
        if failures.len() == FAILURES_OF_ALL_MAX {
            failures.pop_front();
        }
        failures.push_back((address, now));
        Err(Barred::Wrong)
    }

    /// The same where everybody may come in as long as there is no token. Once there is one, who is
    /// on this machine needs it, too: assistants come through a tunnel that ends here.
    ///
    /// # Errors
    /// Why not.
    pub fn admit_if_set(
        &self,
        client: Peer,
        authorization: Option<&[u8]>,
        now: Moment,
    ) -> Result<(), Barred> {
        match self.admit(false, client, authorization, now) {
            Err(Barred::NoToken) => Ok(()),
            admitted => admitted,
        }
    }

    /// How long no token from there is looked at; `None` when it is.
    fn lock_time(&self, address: Option<IpAddr>, now: Moment) -> Option<Duration> {
        let failures = self.failures.borrow();
        let mut theirs = failures.iter().rev().filter(|(from, _)| *from == address);
        let nth_last =
            [theirs.nth(FAILURES_MAX - 1), failures.iter().rev().nth(FAILURES_OF_ALL_MAX - 1)];
        let age = nth_last.into_iter().flatten().map(|(_, at)| now.since(*at)).min()?;
        LOCK_TIME.checked_sub(age).filter(|wait| !wait.is_zero())
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

    const GUEST: Peer = Peer::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 9)));

    fn at(second: u64) -> Moment {
        Moment::default() + Duration::from_secs(second)
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let gate = Gate::default();
        let admit = |field: Option<&str>| gate.admit(false, GUEST, field.map(str::as_bytes), at(0));
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
        assert_eq!(gate.admit(true, GUEST, None, at(0)), Ok(()));
        gate.set_token(Bearer::new("other"));
        assert_eq!(admit(Some("Bearer sesame")), Err(Barred::Wrong));
    }

    #[test]
    fn the_home_network_changes_settings_where_that_is_configured() {
        let gates = Gates::default();
        assert!(!gates.opens_settings(GUEST));
        gates.settings_from_lan.set(true);
        for (address, is_open) in [
            ("192.168.1.9", true),
            ("10.0.0.1", true),
            ("169.254.3.4", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::ffff:10.0.0.1", true),
            ("127.0.0.1", false),
            ("8.8.8.8", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
            ("::ffff:8.8.8.8", false),
        ] {
            let client = Peer::Address(address.parse().unwrap());
            assert_eq!(gates.opens_settings(client), is_open, "{address}");
        }
        assert!(!gates.opens_settings(Peer::Local));
    }

    #[test]
    fn without_a_token_a_gate_may_stand_open() {
        let gate = Gate::default();
        let admit = |field: Option<&[u8]>| gate.admit_if_set(GUEST, field, at(0));
        assert_eq!([admit(None), admit(Some(b"Bearer x"))], [Ok(()); 2]);
        gate.set_token(Bearer::new("sesame"));
        assert_eq!(admit(Some(b"Bearer sesame")), Ok(()));
        assert_eq!(admit(None), Err(Barred::Wrong));
        for _ in 0..FAILURES_MAX {
            assert_eq!(admit(Some(b"Bearer x")), Err(Barred::Wrong));
        }
        assert_eq!(admit(Some(b"Bearer sesame")), Err(Barred::Locked(LOCK_TIME)));
    }

    #[test]
    fn five_wrong_tokens_in_a_minute_lock_their_address_out() {
        let gate = Gate::default();
        gate.set_token(Bearer::new("sesame"));
        let wrong = |second| gate.admit(false, GUEST, Some(b"Bearer x"), at(second));
        let right = |second| gate.admit(false, GUEST, Some(b"Bearer sesame"), at(second));
        for second in [0, 15, 30, 45, 60, 75, 90] {
            assert_eq!(wrong(second), Err(Barred::Wrong), "never five in a minute: {second}");
        }
        assert_eq!(right(91), Ok(()));
        assert_eq!(wrong(92), Err(Barred::Wrong));
        let wait = |seconds| Err(Barred::Locked(Duration::from_secs(seconds)));
        assert_eq!(right(92), wait(13));
        assert_eq!(gate.admit(true, GUEST, None, at(92)), Ok(()));
        let owner = Peer::Address([192, 168, 1, 2].into());
        assert_eq!(gate.admit(false, owner, Some(b"Bearer sesame"), at(92)), Ok(()));
        assert_eq!(wrong(104), wait(1), "what is not looked at does not count");
        assert_eq!(right(105), Ok(()));
    }

    #[test]
    fn many_addresses_have_not_as_many_tries() {
        let gate = Gate::default();
        gate.set_token(Bearer::new("sesame"));
        let all = u8::try_from(FAILURES_OF_ALL_MAX).unwrap();
        let from = |last: u8, token: &[u8]| {
            gate.admit(false, Peer::Address([192, 168, 1, last].into()), Some(token), at(1))
        };
        for last in 1..all {
            assert_eq!(from(last, b"Bearer x"), Err(Barred::Wrong));
        }
        assert_eq!(from(0, b"Bearer sesame"), Ok(()));
        assert_eq!(from(all, b"Bearer x"), Err(Barred::Wrong));
        assert_eq!(from(0, b"Bearer sesame"), Err(Barred::Locked(LOCK_TIME)));
    }
}
