//! Which requests may change anything (the rules against forged ones). Pure.
//!
//! A page of another site can make a visitor's browser send a request here; what it cannot do is
//! hide where it comes from. A browser says so in `Origin` and `Sec-Fetch-Site`; scripts and
//! devices send neither and pass. Over plain HTTP browsers say neither with a GET, such as that of
//! an image: where even a GET changes something, they have to name a page of ours as `Referer`.

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
    let reads = matches!(message.method, Method::Get | Method::Head | Method::Options);
    if !is_change && reads {
        return Ok(());
    }
    let is_foreign = message.headers.iter().any(|field| {
        if field.name.eq_ignore_ascii_case("sec-fetch-site") {
            // Another port or name of this site is another's, too.
            !is_one_of(field.value, &["same-origin", "none"])
        } else {
            field.name.eq_ignore_ascii_case("origin")
                && !is_origin(field.value, scheme, message.host)
        }
    });
    if is_foreign || (reads && !is_meant(message, scheme)) {
        return Err((Status::FORBIDDEN, "a page of another site may not change anything here"));
    }
    if message.has_body() && !has_media_type(message, media_types) {
        let detail = "a body of this media type is not read here; application/json is";
        return Err((Status::UNSUPPORTED_MEDIA, detail));
    }
    Ok(())
}

/// True for a GET that nothing but a script or a page of ours has asked for.
fn is_meant(message: &Message<'_, '_>, scheme: Option<&str>) -> bool {
    let accepts = message.field("accept").unwrap_or_default().trim_ascii();
    let is_image = accepts.get(..6).is_some_and(|it| it.eq_ignore_ascii_case(b"image/"));
    let referer = message.field("referer").and_then(origin_of);
    let is_browser = message.user_agent().starts_with(b"Mozilla/");
    let is_ours = message.field("sec-fetch-site").is_some()
        || referer.is_some_and(|origin| is_origin(origin, scheme, message.host));
    !is_image && (is_ours || !is_browser)
}

/// The scheme and host of a URL.
fn origin_of(url: &[u8]) -> Option<&[u8]> {
    let host = url.windows(3).position(|bytes| bytes == b"://")? + 3;
    let length = url[host..].iter().position(|byte| b"/?#".contains(byte));
    Some(length.map_or(url, |length| &url[..host + length]))
}

fn is_one_of(value: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
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
    is_one_of(essence.trim_ascii(), allowed)
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
            ("Sec-Fetch-Site: same-site\r\n", Some(403)),
            ("Sec-Fetch-Site: anything\r\n", Some(403)),
            ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-site\r\n", Some(403)),
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

    /// Over plain HTTP a browser says nothing of where an image's GET comes from.
    #[test]
    fn a_browser_has_to_come_from_a_page_of_ours() {
        const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux aarch64)\r\n";
        for (fields, expected) in [
            ("", Some(403)),
            ("Accept: text/html\r\n", Some(403)),
            ("Referer: http://wall:8080/\r\n", None),
            ("Referer: http://WALL:8080/week?a=b\r\n", None),
            ("Referer: http://wall:8080\r\n", None),
            ("Referer: http://wall:8080/\r\nAccept: image/avif,*/*\r\n", Some(403)),
            ("Referer: http://wall/\r\n", Some(403)),
            ("Referer: http://evil/http://wall:8080/\r\n", Some(403)),
            ("Referer: http://evil?://wall:8080/\r\n", Some(403)),
            ("Referer: http://wall:8080@evil/\r\n", Some(403)),
            ("Referer: about:blank\r\n", Some(403)),
            ("Referer:\r\n", Some(403)),
            ("Sec-Fetch-Site: same-origin\r\n", None),
            ("Sec-Fetch-Site: none\r\n", None),
            ("Sec-Fetch-Site: same-site\r\nReferer: http://wall:8080/\r\n", Some(403)),
        ] {
            check("GET", true, &format!("{BROWSER}{fields}"), expected);
            check("HEAD", true, &format!("{BROWSER}{fields}"), expected);
            check("GET", false, &format!("{BROWSER}{fields}"), None);
        }
        // A POST of a browser always names its origin.
        check("POST", true, BROWSER, None);
        for (fields, expected) in [
            ("User-Agent: curl/8.14.1\r\nAccept: */*\r\n", None),
            ("User-Agent: kiosk (like Mozilla/5.0)\r\n", None),
            ("Accept: image/png\r\n", Some(403)),
            ("Accept: text/html,image/png\r\n", None),
        ] {
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
