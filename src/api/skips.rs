//! What people skip: who asks for it, and what they are told once it is on the disk.

use std::cell::RefCell;
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nanoserde::{DeJson, SerJson};

use super::endpoints::failure;
use super::json::{Text, is_sound};
use crate::budget::SkipLimits;
use crate::calendar::skips::Skips;
use crate::calendar::text::local;
use crate::http::response::{Answer, Status, media};
use crate::http::route::Skipping;
use crate::http::slab::Token;

/// What somebody wants to have changed, and waits for.
pub struct Wish {
    /// Who it is.
    pub asker: Token,
    /// What it is.
    pub what: Skipping,
    /// Of which occurrence; empty where it is about all of them.
    pub id: String,
}

/// What is skipped, as it is on the disk, and the way to change it.
pub struct Book {
    skips: RefCell<Skips>,
    limits: SkipLimits,
    wishes: Sender<Wish>,
}

impl Book {
    /// A book of `skips`, and where wishes come out, to be fulfilled one after the other.
    pub fn new(skips: Skips, limits: &SkipLimits) -> (Self, Receiver<Wish>) {
        let (wishes, taken) = async_channel::bounded(limits.wishes_max);
        (Self { skips: RefCell::new(skips), limits: limits.clone(), wishes }, taken)
    }

    /// What is skipped.
    pub fn all(&self) -> Skips {
        self.skips.borrow().clone()
    }

    /// They have been changed.
    pub fn replace(&self, skips: Skips) {
        self.skips.replace(skips);
    }

    /// The bounds of what they may be.
    pub fn limits(&self) -> &SkipLimits {
        &self.limits
    }

    /// Asks for a change. The answer comes later, unless there is one already.
    pub(super) fn ask(&self, asker: Token, what: Skipping, id: String) -> Option<Rc<Answer>> {
        if id.len() > self.limits.id_bytes_max {
            let detail = format!("an id has at most {} bytes", self.limits.id_bytes_max);
            return Some(Rc::new(failure(Status::BAD_REQUEST, &detail, "")));
        }
        let wish = Wish { asker, what, id };
        let is_full = self.wishes.try_send(wish).is_err();
        is_full.then(|| unavailable(what, "too many wait for the disk"))
    }

    /// The same for the id in the body of `POST /api/skip`.
    pub(super) fn ask_lite(&self, asker: Token, body: &[u8]) -> Option<Rc<Answer>> {
        let refused = |error: &str| Some(lite_error(Status::BAD_REQUEST, "", error));
        let text = std::str::from_utf8(body).ok().filter(|_| is_sound(body));
        let Some(text) = text else { return refused("invalid json") };
        let id = LiteSkip::deserialize_json(text).map(|skip| skip.meeting_id).unwrap_or_default();
        if id.is_empty() || id.len() > self.limits.id_bytes_max {
            return refused("missing or invalid meeting_id");
        }
        self.ask(asker, Skipping::LiteSkip, id)
    }
}

impl Wish {
    /// What is skipped once it is fulfilled.
    pub fn applied(&self, skips: &Skips, now: Timestamp, limits: &SkipLimits) -> Skips {
        match self.what {
            Skipping::Skip | Skipping::LiteSkip => skips.with(&self.id, now, limits),
            Skipping::Unskip => skips.without(&self.id),
            Skipping::LiteClear | Skipping::LiteClearAndRefresh => Skips::default(),
        }
    }

    /// The answer when that is on the disk.
    pub fn fulfilled(
        &self,
        before: &Skips,
        after: &Skips,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Rc<Answer> {
        let was_skipped = before.at(now).any(|skip| *skip.id == *self.id);
        let count = before.at(now).count();
        // The newest is that which was wished for.
        let until = after.at(now).last().map_or(now, |skip| skip.until);
        match self.what {
            Skipping::Skip => {
                let status = if was_skipped { Status::OK } else { Status::CREATED };
                let skipped_until = local(until, zone).into();
                json(status, &Skipped { id: self.id.as_str().into(), skipped_until })
            }
            Skipping::Unskip if was_skipped => {
                Rc::new(Answer::plain(Status::NO_CONTENT, "", "", b""))
            }
            Skipping::Unskip => {
                let detail = "nothing with this id is skipped";
                Rc::new(failure(Status::NOT_FOUND, detail, ""))
            }
            Skipping::LiteSkip => {
                let skipped_until = local(until, &TimeZone::UTC).into();
                json(Status::OK, &LiteSkipped { skipped_until })
            }
            Skipping::LiteClear => {
                json(Status::OK, &LiteCleared { cleared: true, count, message: None })
            }
            Skipping::LiteClearAndRefresh => {
                let message = Some(format!("Cleared {count} skipped meetings").into());
                json(Status::OK, &LiteCleared { cleared: true, count, message })
            }
        }
    }

    /// The answer when nothing was changed, since it cannot be now.
    pub fn failed(&self, detail: &str) -> Rc<Answer> {
        unavailable(self.what, detail)
    }
}

/// `GET /api/v1/skips`: those that hold at `now`.
pub(super) fn list(skips: &Skips, now: Timestamp, zone: &TimeZone) -> Rc<Answer> {
    let skipped = skips.at(now).map(|skip| Skipped {
        id: (*skip.id).into(),
        skipped_until: local(skip.until, zone).into(),
    });
    json(Status::OK, &List { now: local(now, zone).into(), skips: skipped.collect() })
}

fn unavailable(what: Skipping, detail: &str) -> Rc<Answer> {
    let (status, further) = (Status::UNAVAILABLE, "Retry-After: 1\r\n");
    match what {
        Skipping::Skip | Skipping::Unskip => Rc::new(failure(status, detail, further)),
        _ => lite_error(status, further, detail),
    }
}

fn lite_error(status: Status, further: &str, error: &str) -> Rc<Answer> {
    let body = LiteError { error: error.into() }.serialize_json();
    Rc::new(Answer::plain(status, media::JSON, further, body.as_bytes()))
}

fn json(status: Status, body: &impl SerJson) -> Rc<Answer> {
    Rc::new(Answer::json(status, &body.serialize_json()))
}

#[derive(SerJson)]
struct Skipped<'a> {
    id: Text<'a>,
    skipped_until: Text<'a>,
}

#[derive(SerJson)]
struct List<'a> {
    now: Text<'a>,
    skips: Vec<Skipped<'a>>,
}

#[derive(DeJson)]
struct LiteSkip {
    meeting_id: String,
}

#[derive(SerJson)]
struct LiteSkipped<'a> {
    skipped_until: Text<'a>,
}

#[derive(SerJson)]
struct LiteCleared<'a> {
    cleared: bool,
    count: usize,
    message: Option<Text<'a>>,
}

#[derive(SerJson)]
struct LiteError<'a> {
    error: Text<'a>,
}
