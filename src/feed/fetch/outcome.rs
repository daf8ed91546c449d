//! What an answer's head means: where a redirect leads, what a status asks for, which
//! validators are worth keeping. Pure.

use std::str;
use std::time::Duration;

use http_types::Url;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::message::Head;
use super::{Cause, FetchError, Kind};

const RETRY_TIME_MIN: Duration = Duration::from_secs(60);
const RETRY_TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longest ETag or Last-Modified that is stored and sent back. Real ones have under a hundred
/// bytes.
const VALIDATOR_BYTES_MAX: usize = 256;

/// The three forms of an HTTP-date (RFC 9110 section 5.6.7), today's first.
const DATE_FORMATS: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Where a redirect from `from` leads.
pub(super) fn follow(from: &Url, location: Option<&[u8]>) -> Result<Url, FetchError> {
    let to = location
        .and_then(|location| str::from_utf8(location).ok())
        .and_then(|location| from.join(location).ok())
        .ok_or_else(|| FetchError::malformed("a redirect without a readable Location"))?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => {
            Err(FetchError::malformed("a redirect from https to http is not followed"))
        }
        (_, "http" | "https") => Ok(to),
        _ => Err(FetchError::malformed("a redirect to something other than http and https")),
    }
}

/// What a head means that brings neither a body to read nor a redirect.
pub(super) fn failure(head: &Head, now: Timestamp) -> FetchError {
    let status = head.status;
    let said = format!("the server answered {status}");
    let error = match status {
        401 | 403 | 404 => FetchError::refused(said),
        410 => FetchError::new(Kind::Gone, said),
        429 | 503 => match head.retry_after.as_deref().and_then(|text| retry_after(text, now)) {
            Some(wait) => {
                let seconds = wait.as_secs();
                let said = format!("{said} and asks for {seconds} seconds");
                FetchError::new(Kind::RetryAfter(wait), said)
            }
            None => FetchError::transient(Cause::Status, said),
        },
        400.. => FetchError::transient(Cause::Status, said),
        304 => FetchError::malformed("the server answered 304 to a request without a condition"),
        _ => FetchError::malformed(format!("{said}, which is not a calendar")),
    };
    error.answered(status)
}

/// Retry-After (RFC 9110 section 10.2.3), seconds or a date, brought to 60 s … 24 h; `None` when
/// it is neither.
fn retry_after(text: &[u8], now: Timestamp) -> Option<Duration> {
    let text = str::from_utf8(text).ok()?;
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is a long time all the same.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = DATE_FORMATS.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
        let until = TimeZone::UTC.to_timestamp(date).ok()?;
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    };
    Some(wait.clamp(RETRY_TIME_MIN, RETRY_TIME_MAX))
}

/// A validator that is worth storing.
pub(super) fn validator(value: Option<Vec<u8>>) -> Option<String> {
    value.filter(|value| is_validator(value)).and_then(|value| String::from_utf8(value).ok())
}

/// Short, and nothing but visible ASCII and spaces.
pub(super) fn is_validator(value: &[u8]) -> bool {
    let visible = |byte: &u8| (b' '..=b'~').contains(byte);
    (1..=VALIDATOR_BYTES_MAX).contains(&value.len()) && value.iter().all(visible)
}

#[cfg(test)]
mod tests {
    use super::super::message::Coding;
    use super::*;

    fn failed(status: u16, retry_after: Option<&str>) -> FetchError {
        let head = Head {
            status,
            etag: None,
            last_modified: None,
            location: None,
            retry_after: retry_after.map(|text| text.as_bytes().to_vec()),
            coding: Coding::Identity,
            length: None,
            keep_alive: true,
            idle_time: None,
        };
        failure(&head, "1994-11-06T08:00:00Z".parse().expect("a time"))
    }

    #[test]
    fn every_status_asks_for_something() {
        let check = |status, kind, text: &str| {
            let error = failed(status, None);
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        };
        check(401, Kind::Refused, "the server answered 401");
        check(403, Kind::Refused, "the server answered 403");
        check(404, Kind::Refused, "the server answered 404");
        check(410, Kind::Gone, "the server answered 410");
        for status in [400, 402, 405, 407, 408, 418, 425, 429, 451, 500, 502, 503, 504, 599] {
            let text = format!("the server answered {status}");
            check(status, Kind::Transient(Cause::Status), &text);
        }
        for status in [201, 202, 204, 205, 206, 226, 300, 305, 306, 399] {
            let text = format!("the server answered {status}, which is not a calendar");
            check(status, Kind::Malformed, &text);
        }
        let text = "the server answered 304 to a request without a condition";
        check(304, Kind::Malformed, text);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_clamped() {
        let check = |text: &str, seconds: Option<u64>| {
            let expected = match seconds {
                Some(seconds) => Kind::RetryAfter(Duration::from_secs(seconds)),
                None => Kind::Transient(Cause::Status),
            };
            assert_eq!(failed(503, Some(text)).kind(), expected, "{text}");
            assert_eq!(failed(429, Some(text)).kind(), expected, "{text}");
            assert_eq!(failed(500, Some(text)).kind(), Kind::Transient(Cause::Status));
        };
        check("120", Some(120));
        check("0", Some(60));
        check("3600", Some(3600));
        check("99999", Some(86_400));
        check("99999999999999999999999999", Some(86_400));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(49 * 60 + 37));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(49 * 60 + 37));
        check("Sun Nov  6 08:49:37 1994", Some(49 * 60 + 37));
        check("Sun, 06 Nov 1994 07:00:00 GMT", Some(60));
        check("Fri, 06 Nov 2094 08:49:37 GMT", None);
        check("Sat, 06 Nov 2094 08:49:37 GMT", Some(86_400));
        for text in ["", "-5", "+5", "1.5", "soon", "12 s", "Sun, 06 Nov 1994", "\u{fc}"] {
            check(text, None);
        }
    }

    #[test]
    fn redirects_stay_on_http_and_never_go_down() {
        let check = |from: &str, location: &str, to: Option<&str>| {
            let from: Url = from.parse().expect("a URL");
            let followed = follow(&from, Some(location.as_bytes())).ok();
            assert_eq!(followed.as_ref().map(Url::as_str), to, "{from} to {location}");
        };
        check("http://a/x/y?z", "/q", Some("http://a/q"));
        check("http://a/x/y?z", "w", Some("http://a/x/w"));
        check("https://a/x", "//b/c", Some("https://b/c"));
        check("http://a/x", "https://a/x", Some("https://a/x"));
        check("https://a/x", "https://b/x", Some("https://b/x"));
        check("https://a/x", "http://a/x", None);
        check("https://a/x", "HTTP://a/x", None);
        check("http://a/x", "http://", None);
        for other in
            ["ftp://a/", "file:///etc/passwd", "gopher://a/", "data:,BEGIN", "javascript:1"]
        {
            check("http://a/x", other, None);
        }
        let from: Url = "http://a/".parse().expect("a URL");
        assert!(follow(&from, None).is_err());
        assert!(follow(&from, Some(b"/\xff")).is_err());
    }

    #[test]
    fn only_short_and_visible_validators_are_kept() {
        let check = |value: &[u8], kept: bool| {
            assert_eq!(validator(Some(value.to_vec())).is_some(), kept, "{value:?}");
        };
        check(b"\"abc\"", true);
        check(b"W/\"abc\"", true);
        check(b"Sun, 06 Nov 1994 08:49:37 GMT", true);
        check(&[b'x'; 256], true);
        check(&[b'x'; 257], false);
        check(b"", false);
        check(b"\"a\tb\"", false);
        check(b"\"\xff\"", false);
        check("\"é\"".as_bytes(), false);
    }
}
