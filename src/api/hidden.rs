//! What people hide: `/api/v1/hidden`, and the same for front-ends of the full family.

use std::rc::Rc;

use nanoserde::SerJson;

use super::endpoints::failure;
use super::full::error;
use super::json::{Text, Value};
use super::people::Told;
use super::skips::UNFIT;
use crate::calendar::settings::Settings;
use crate::http::response::{Answer, Status};
use crate::http::route::Hiding;
use crate::ical::is_unfit_for_id;
use crate::pipeline::key::{View, full};

/// The id that is meant: that of the path, or that in a body.
pub(super) fn id(what: Hiding, id: String, body: &[u8]) -> String {
    match what {
        Hiding::Hide | Hiding::Unhide => id,
        Hiding::FullHide | Hiding::FullUnhide => {
            let named = Value::read(body).and_then(|value| value.member("graph_id"));
            named.and_then(Value::text).unwrap_or_default()
        }
    }
}

/// The answer to an id that is no id.
pub(super) fn refused(what: Hiding, id: &str, id_bytes_max: usize) -> Option<Rc<Answer>> {
    fault(id, id_bytes_max).map(|detail| bad(what, &detail))
}

fn bad(what: Hiding, detail: &str) -> Rc<Answer> {
    match what {
        Hiding::Hide | Hiding::Unhide => Rc::new(failure(Status::BAD_REQUEST, detail, "")),
        Hiding::FullHide | Hiding::FullUnhide => error(Status::BAD_REQUEST, detail),
    }
}

/// What is wrong with an id.
pub(super) fn fault(id: &str, id_bytes_max: usize) -> Option<String> {
    match id.len() {
        0 => Some("Missing graph_id".to_owned()),
        length if length > id_bytes_max => Some(format!("an id has at most {id_bytes_max} bytes")),
        _ => id.contains(is_unfit_for_id).then(|| UNFIT.to_owned()),
    }
}

/// What is set once a wish is fulfilled.
///
/// # Errors
/// The answer when there is no room for it.
pub(super) fn applied(
    what: Hiding,
    id: &str,
    settings: &Settings,
    bytes_max: usize,
) -> Result<Settings, Rc<Answer>> {
    let no_room = "there is room for no more: take back something that is hidden, or a filter";
    match what {
        Hiding::Hide | Hiding::FullHide => {
            settings.with_hidden(id, bytes_max).ok_or_else(|| bad(what, no_room))
        }
        Hiding::Unhide | Hiding::FullUnhide => Ok(settings.without_hidden(id)),
    }
}

/// What to tell when that is on the disk.
pub(super) fn fulfilled(what: Hiding, id: &str, before: &Settings) -> Told {
    let was_hidden = before.filters.hidden.iter().any(|hidden| **hidden == *id);
    let full = |said| Told::View(View::Full(full::View::Changed(said)));
    Told::Answer(match what {
        Hiding::Hide => {
            let status = if was_hidden { Status::OK } else { Status::CREATED };
            let body = HiddenShape { id: id.into() }.serialize_json();
            Rc::new(Answer::json(status, &body))
        }
        Hiding::Unhide if was_hidden => Rc::new(Answer::plain(Status::NO_CONTENT, "", "", b"")),
        Hiding::Unhide => {
            let detail = "nothing with this id is hidden";
            Rc::new(failure(Status::NOT_FOUND, detail, ""))
        }
        Hiding::FullHide => return full("Event hidden successfully"),
        Hiding::FullUnhide if was_hidden => return full("Event unhidden successfully"),
        Hiding::FullUnhide => return full("Event was not hidden"),
    })
}

/// The answer when nothing was changed, since it cannot be now.
pub(super) fn unavailable(what: Hiding, detail: &str) -> Rc<Answer> {
    let status = Status::UNAVAILABLE;
    match what {
        Hiding::Hide | Hiding::Unhide => Rc::new(failure(status, detail, "Retry-After: 1\r\n")),
        Hiding::FullHide | Hiding::FullUnhide => error(status, detail),
    }
}

/// `GET /api/v1/hidden`: the newest last.
pub(super) fn list(settings: &Settings) -> Rc<Answer> {
    let hidden = settings.filters.hidden.iter().map(|id| HiddenShape { id: (&**id).into() });
    let body = ListShape { hidden: hidden.collect() }.serialize_json();
    Rc::new(Answer::json(Status::OK, &body))
}

#[derive(SerJson)]
struct HiddenShape<'a> {
    id: Text<'a>,
}

#[derive(SerJson)]
struct ListShape<'a> {
    hidden: Vec<HiddenShape<'a>>,
}
