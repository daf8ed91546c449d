//! How each family of routes says that something is wrong.

use nanoserde::SerJson;

use super::json::{Text, indented};
use super::native;
use crate::http::response::{Answer, Status, media};
use crate::http::route::Family;

/// The answer to a client of this family, with further header fields (each ending in CRLF).
/// `detail` says in words what is wrong.
pub(crate) fn error(family: Family, status: Status, detail: &str, further: &str) -> Answer {
    let (media_type, body) = match (family, status) {
        (Family::Native, _) => {
            (media::PROBLEM, native::problem(status.code, status.reason(), detail))
        }
        (Family::Lite, Status::NOT_FOUND | Status::METHOD_NOT_ALLOWED) => {
            (media::TEXT, format!("{}: {}", status.code, status.reason()))
        }
        (Family::Lite, _) => (media::JSON, lite(status, detail)),
        (Family::Full, _) => (media::JSON, full(status, detail)),
    };
    Answer::plain(status, media_type, further, body.as_bytes())
}

/// The words of the Python web server where it has any for a status.
fn full(status: Status, detail: &str) -> String {
    let error = match status {
        Status::NOT_FOUND => "API endpoint not found",
        Status::METHOD_NOT_ALLOWED => "Method not allowed",
        _ => detail,
    };
    indented(Full { error: error.into() }.serialize_json())
}

/// The words of calendarbot_lite where it has any for a status.
fn lite(status: Status, detail: &str) -> String {
    let (error, message) = match status {
        Status::BAD_REQUEST => ("Bad request", Some(detail.into())),
        Status::UNAUTHORIZED => ("Unauthorized", None),
        _ => (status.reason(), Some(detail.into())),
    };
    Lite { error: error.into(), message }.serialize_json()
}

#[derive(SerJson)]
struct Lite<'a> {
    error: Text<'a>,
    message: Option<Text<'a>>,
}

#[derive(SerJson)]
struct Full<'a> {
    error: Text<'a>,
}
