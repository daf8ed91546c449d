//! Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3).

use super::Method;
use crate::http::response::Status;

/// `host[:port]` of RFC 3986 section 3.2.2 without user information: letters, digits, `-._~`,
/// percent escapes and sub-delims for a name, or an address in brackets.
pub(super) fn valid_authority(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let name_is_valid = !name.is_empty()
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:".contains(&byte));
    let port_is_valid = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    (name_is_valid && port_is_valid).then_some(text)
}

/// A request target (RFC 9112 section 3.2).
pub(super) struct Target<'b> {
    pub(super) authority: Option<&'b str>,
    pub(super) path: &'b str,
    pub(super) query: &'b str,
}

impl<'b> Target<'b> {
    pub(super) fn parse(method: Method, target: &'b str) -> Result<Self, Status> {
        if method == Method::Refused {
            return Err(Status::METHOD_NOT_ALLOWED);
        }
        if target == "*" && method == Method::Options {
            return Ok(Self { authority: None, path: target, query: "" });
        }
        let (authority, origin_form) = match target.split_once("://") {
            _ if target.starts_with('/') => (None, target),
            Some((scheme, rest)) if is_http(scheme) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                let authority = valid_authority(authority.as_bytes()).ok_or(Status::BAD_REQUEST)?;
                (Some(authority), if path.is_empty() { "/" } else { path })
            }
            _ => return Err(Status::BAD_REQUEST),
        };
        if !origin_form.bytes().all(is_target_byte) {
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

/// What RFC 3986 lets stand in a path or query. Fragments never reach a server; a backslash
/// would be read as a slash by URL parsers further on.
fn is_target_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'Z' | b'[' | b']' | b'_' | b'a'..=b'z' | b'~')
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
