//! Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3).

use super::Method;
use crate::http::response::Status;

/// `host[:port]` of RFC 3986 section 3.2.2 without user information: letters, digits, `-._~`,
/// percent escapes and sub-delims for a name, or an IPv6 address in brackets.
pub(super) fn is_authority(value: &[u8]) -> bool {
    let after = match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&rest[..end]).unwrap_or_default();
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            &rest[end + 1..]
        }
        _ => {
            let end = value.iter().position(|byte| !is(NAME, *byte)).unwrap_or(value.len());
            if end == 0 || end > NAME_BYTES_MAX {
                return false;
            }
            &value[end..]
        }
    };
    match after {
        [] => true,
        [b':', port @ ..] => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The longest name that DNS can hold (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 255;

/// May stand in the name of a host.
const NAME: u8 = 1;
/// May stand in a path or query (RFC 3986). Fragments never reach a server; a backslash would be
/// read as a slash by URL parsers further on.
const TARGET: u8 = 2;
/// Stands in a path for itself alone: a target byte that is no escape, dot or question mark.
const PLAIN: u8 = 4;

/// What each byte may be. Every request is looked at byte by byte; this is one look each.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            classes[byte] |= NAME | TARGET;
        }
        if matches!(b, b'%' | b'!' | b'$' | b'&'..=b',' | b';' | b'=') {
            classes[byte] |= NAME | TARGET;
        }
        if matches!(b, b'/' | b':' | b'?' | b'@' | b'[' | b']') {
            classes[byte] |= TARGET;
        }
        if classes[byte] & TARGET != 0 && !matches!(b, b'%' | b'.' | b'?') {
            classes[byte] |= PLAIN;
        }
        byte += 1;
    }
    classes
}

fn is(class: u8, byte: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// A request target (RFC 9112 section 3.2).
pub(super) struct Target<'b> {
    pub(super) authority: Option<&'b [u8]>,
    pub(super) path: &'b str,
    pub(super) query: &'b str,
}

impl<'b> Target<'b> {
    pub(super) fn parse(method: Method, target: &'b str) -> Result<Self, Status> {
        if method == Method::Refused {
            return Err(Status::METHOD_NOT_ALLOWED);
        }
        if target.starts_with('/') && target.bytes().all(|byte| is(PLAIN, byte)) {
            return Ok(Self { authority: None, path: target, query: "" });
        }
        if target == "*" && method == Method::Options {
            return Ok(Self { authority: None, path: target, query: "" });
        }
        let (authority, origin_form) = match target.split_once("://") {
            _ if target.starts_with('/') => (None, target),
            Some((scheme, rest)) if is_http(scheme) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                if !is_authority(authority.as_bytes()) {
                    return Err(Status::BAD_REQUEST);
                }
                (Some(authority.as_bytes()), if path.is_empty() { "/" } else { path })
            }
            _ => return Err(Status::BAD_REQUEST),
        };
        if !origin_form.bytes().all(|byte| is(TARGET, byte)) {
            return Err(Status::BAD_REQUEST);
        }
        let (path, query) = origin_form.split_once('?').unwrap_or((origin_form, ""));
        if !is_plain_path(path) || !escapes_are_valid(query) {
            return Err(Status::BAD_REQUEST);
        }
        Ok(Self { authority, path, query })
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Absolute, without dot segments, and without escapes that hide a slash, a dot or a NUL.
fn is_plain_path(path: &str) -> bool {
    path.starts_with('/')
        && path.split('/').all(|segment| segment != "." && segment != "..")
        && escapes(path).all(
            |escape| matches!(escape, Some(byte) if byte >= b' ' && !b"/\\.\x7f".contains(&byte)),
        )
}

fn escapes_are_valid(text: &str) -> bool {
    escapes(text).all(|escape| escape.is_some())
}

/// Every `%XX` of a text, decoded; `None` where two hexadecimal digits do not follow.
fn escapes(text: &str) -> impl Iterator<Item = Option<u8>> + '_ {
    text.split('%').skip(1).map(|after| {
        let digits = after.as_bytes().get(..2)?;
        let value = |digit: u8| char::from(digit).to_digit(16);
        Some((value(digits[0])? * 16 + value(digits[1])?) as u8)
    })
}
