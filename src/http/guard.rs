//! Which requests may change anything (the rules against forged ones). Pure.
//!
//! A page of another site can make a visitor's browser send a request here; what it cannot do is
//! hide where it comes from. A browser says so in `Origin` and `Sec-Fetch-Site`; scripts and
//! devices send neither and pass.

use super::frame::{Message, Method};
use super::response::Status;

/// Checks a message that wants to change something by its head. `scheme` is what the client spoke,
/// where that is known; `is_change` is true where even a GET changes something; `media_types` are
/// those that a body may have.
///
/// # Errors
/// The status to refuse it with, and why.
pub fn check_change(
    message: &Message<'_, '_>,
    scheme: Option<&str>,
    is_change: bool,
    media_types: &[&str],
) -> Result<(), (Status, &'static str)> {
    if !is_change && matches!(message.method, Method::Get | Method::Head | Method::Options) {
        return Ok(());
    }
    let is_foreign = message.headers.iter().any(|field| {
        if field.name.eq_ignore_ascii_case("sec-fetch-site") {
            field.value.eq_ignore_ascii_case(b"cross-site")
        } else {
            field.name.eq_ignore_ascii_case("origin")
                && !is_origin(field.value, scheme, message.host)
        }
    });
    if is_foreign {
        return Err((Status::FORBIDDEN, "a page of another site may not change anything here"));
    }
    if message.has_body() && !has_media_type(message, media_types) {
        let detail = "a body of this media type is not read here; application/json is";
        return Err((Status::UNSUPPORTED_MEDIA, detail));
    }
    Ok(())
}

/// True when `Origin` names the very place that the request was sent to. `null` is no place.
fn is_origin(origin: &[u8], scheme: Option<&str>, host: &[u8]) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let Some((its_scheme, its_host)) = origin.split_once("://") else { return false };
    !host.is_empty()
        && its_host.as_bytes().eq_ignore_ascii_case(host)
        && scheme.is_none_or(|scheme| its_scheme.eq_ignore_ascii_case(scheme))
}

/// One media type, which may have parameters (RFC 9110 section 8.3.1).
fn has_media_type(message: &Message<'_, '_>, allowed: &[&str]) -> bool {
    let mut types =
        message.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("content-type"));
    let (Some(field), None) = (types.next(), types.next()) else { return false };
    let essence = field.value.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii();
    allowed.iter().any(|allowed| essence.eq_ignore_ascii_case(allowed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Framed, frame, header_room};
    use super::*;
    use crate::budget::{FeedLimits, Plan};

    fn check(method: &str, is_change: bool, fields: &str, expected: Option<u16>) {
        let raw = format!("{method} /x HTTP/1.1\r\nHost: wall:8080\r\n{fields}\r\n");
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http;
        let mut room = header_room();
        let message = match frame(raw.as_bytes(), &mut room, &limits) {
            Framed::Body { message, .. } | Framed::Complete(message) => message,
            other => panic!("{other:?}"),
        };
        let refused = check_change(&message, None, is_change, &["application/json"])
            .err()
            .map(|(status, _)| status.code);
        assert_eq!(refused, expected, "{method} {fields:?}");
    }

    #[test]
    fn who_may_change_something() {
        for (fields, expected) in [
            ("", None),
            ("Origin: http://wall:8080\r\n", None),
            ("Origin: https://WALL:8080\r\n", None),
            ("Origin: http://wall\r\n", Some(403)),
            ("Origin: http://evil:8080\r\n", Some(403)),
            ("Origin: http://wall:8080.evil\r\n", Some(403)),
            ("Origin: null\r\n", Some(403)),
            ("Origin:\r\n", Some(403)),
            ("Origin: http://wall:8080\r\nOrigin: http://evil\r\n", Some(403)),
            ("Sec-Fetch-Site: same-origin\r\n", None),
            ("Sec-Fetch-Site: none\r\n", None),
            ("Sec-Fetch-Site: cross-site\r\n", Some(403)),
            ("Sec-Fetch-Site: Cross-Site\r\nOrigin: http://wall:8080\r\n", Some(403)),
            ("Content-Length: 0\r\n", None),
            ("Content-Length: 2\r\n", Some(415)),
            ("Transfer-Encoding: chunked\r\n", Some(415)),
            ("Content-Length: 2\r\nContent-Type: text/plain\r\n", Some(415)),
            ("Content-Length: 2\r\nContent-Type: application/json\r\n", None),
            ("Content-Length: 2\r\nContent-Type: Application/JSON ; charset=utf-8\r\n", None),
            ("Content-Length: 2\r\nContent-Type: application/jsonp\r\n", Some(415)),
            (
                "Content-Length: 2\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n",
                Some(415),
            ),
        ] {
            check("POST", false, fields, expected);
            check("DELETE", true, fields, expected);
            check("GET", true, fields, expected);
        }
    }

    #[test]
    fn a_known_scheme_is_part_of_the_origin() {
        for (scheme, same) in [(None, true), (Some("https"), true), (Some("http"), false)] {
            assert_eq!(is_origin(b"https://wall", scheme, b"wall"), same, "{scheme:?}");
        }
        assert!(!is_origin(b"https://", None, b""));
    }

    #[test]
    fn reading_is_not_changing() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            check(method, false, "Origin: http://evil\r\nSec-Fetch-Site: cross-site\r\n", None);
        }
    }
}
