//! What people skip: what is asked, and what they are told once it is on the disk.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nanoserde::SerJson;

use super::endpoints::failure;
use super::json::{Text, Value};
use crate::calendar::skips::Skips;
use crate::calendar::text::local;
use crate::http::response::{Answer, Status, media};
use crate::http::route::Skipping;
use crate::ical::is_unfit_for_id;

/// The answer to an id that is no id.
pub(super) fn refused(what: Skipping, id: &str, id_bytes_max: usize) -> Option<Rc<Answer>> {
    let (is_long, is_unfit) = (id.len() > id_bytes_max, id.contains(is_unfit_for_id));
    match what {
        Skipping::LiteSkip if is_long || is_unfit || id.is_empty() => {
            Some(lite_error(Status::BAD_REQUEST, "", "missing or invalid meeting_id"))
        }
        _ if is_long => {
            let detail = format!("an id has at most {id_bytes_max} bytes");
            Some(Rc::new(failure(Status::BAD_REQUEST, &detail, "")))
        }
        _ if is_unfit => Some(Rc::new(failure(Status::BAD_REQUEST, UNFIT, ""))),
        _ => None,
    }
}

pub(super) const UNFIT: &str = "no id has control characters";

/// The id in the body of `POST /api/skip`; empty where there is none.
///
/// # Errors
/// The answer to a body that is no JSON.
pub(super) fn lite_id(body: &[u8]) -> Result<String, Rc<Answer>> {
    let value = Value::read(body);
    let value = value.ok_or_else(|| lite_error(Status::BAD_REQUEST, "", "invalid json"))?;
    Ok(value.member("meeting_id").and_then(Value::text).unwrap_or_default())
}

/// What is skipped once a wish is fulfilled.
pub(super) fn applied(
    what: Skipping,
    id: &str,
    skips: &Skips,
    now: Timestamp,
    bytes_max: usize,
) -> Skips {
    match what {
        Skipping::Skip | Skipping::LiteSkip => skips.with(id, now, bytes_max),
        Skipping::Unskip => skips.without(id),
        Skipping::LiteClear | Skipping::LiteClearAndRefresh => Skips::default(),
    }
}

/// The answer when that is on the disk.
pub(super) fn fulfilled(
    what: Skipping,
    id: &str,
    (before, after): (&Skips, &Skips),
    now: Timestamp,
    zone: &TimeZone,
) -> Rc<Answer> {
    let was_skipped = before.at(now).any(|skip| *skip.id == *id);
    let count = before.at(now).count();
    // The newest is that which was wished for.
    let until = after.at(now).last().map_or(now, |skip| skip.until);
    match what {
        Skipping::Skip => {
            let status = if was_skipped { Status::OK } else { Status::CREATED };
            let skipped_until = local(until, zone).into();
            json(status, &Skipped { id: id.into(), skipped_until })
        }
        Skipping::Unskip if was_skipped => Rc::new(Answer::plain(Status::NO_CONTENT, "", "", b"")),
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

/// `GET /api/v1/skips`: those that hold at `now`.
pub(super) fn list(skips: &Skips, now: Timestamp, zone: &TimeZone) -> Rc<Answer> {
    let skipped = skips.at(now).map(|skip| Skipped {
        id: (*skip.id).into(),
        skipped_until: local(skip.until, zone).into(),
    });
    json(Status::OK, &List { now: local(now, zone).into(), skips: skipped.collect() })
}

/// The answer when nothing was changed, since it cannot be now.
pub(super) fn unavailable(what: Skipping, detail: &str) -> Rc<Answer> {
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
