//! Bodies in chunks (RFC 9112 section 7.1): where they end, and what they hold.

use super::BodyEnd;
use crate::budget::HttpLimits;
use crate::http::response::Status;

/// Where a chunked body ends, trailer section included (RFC 9112 section 7.1).
pub(super) fn chunked_end(bytes: &[u8], limits: &HttpLimits) -> Result<BodyEnd, Status> {
    let more = Ok(BodyEnd::NotBefore(bytes.len() + 1));
    let (mut at, mut decoded) = (0, 0);
    loop {
        if at - decoded > limits.chunk_overhead_bytes_max {
            return Err(Status::CONTENT_TOO_LARGE);
        }
        let overhead_left = limits.chunk_overhead_bytes_max + decoded - at;
        let Some(line) = crlf_line(&bytes[at..], overhead_left)? else { return more };
        let size = chunk_size(line)?;
        at += line.len() + 2;
        if size == 0 {
            return trailers_end(bytes, at, limits.chunk_overhead_bytes_max + decoded);
        }
        decoded += size;
        if decoded > limits.body_bytes_max {
            return Err(Status::CONTENT_TOO_LARGE);
        }
        match bytes.get(at + size..) {
            Some([b'\r', b'\n', ..]) => at += size + 2,
            None | Some([] | [b'\r']) => return Ok(BodyEnd::NotBefore(at + size + 2)),
            Some(_) => return Err(Status::BAD_REQUEST),
        }
    }
}

/// The trailer section: lines until an empty one, all dropped.
fn trailers_end(bytes: &[u8], mut at: usize, at_max: usize) -> Result<BodyEnd, Status> {
    loop {
        let left = at_max.checked_sub(at).ok_or(Status::CONTENT_TOO_LARGE)?;
        let Some(line) = crlf_line(&bytes[at..], left)? else {
            return Ok(BodyEnd::NotBefore(bytes.len() + 1));
        };
        at += line.len() + 2;
        if line.is_empty() {
            return Ok(BodyEnd::At(at));
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_field = name.len() < line.len() && !name.is_empty();
        if !is_field || !name.iter().all(|byte| byte.is_ascii_graphic()) {
            return Err(Status::BAD_REQUEST);
        }
    }
}

/// The next line without its CRLF; `None` while it has not ended. Control bytes other than TAB
/// are 400, more than `bytes_max` without an end is 413.
fn crlf_line(bytes: &[u8], bytes_max: usize) -> Result<Option<&[u8]>, Status> {
    match bytes.iter().position(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        Some(end) if end > bytes_max => Err(Status::CONTENT_TOO_LARGE),
        Some(end) => match &bytes[end..] {
            [b'\r', b'\n', ..] => Ok(Some(&bytes[..end])),
            [b'\r'] => Ok(None),
            _ => Err(Status::BAD_REQUEST),
        },
        None if bytes.len() > bytes_max => Err(Status::CONTENT_TOO_LARGE),
        None => Ok(None),
    }
}

/// Hexadecimal digits, then nothing or an extension. Eight digits are far over every limit, so
/// there is no overflow.
fn chunk_size(line: &[u8]) -> Result<usize, Status> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let after = &line[digits..];
    if digits == 0 || !(after.is_empty() || after.trim_ascii_start().starts_with(b";")) {
        return Err(Status::BAD_REQUEST);
    }
    if digits > 8 {
        return Err(Status::CONTENT_TOO_LARGE);
    }
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| Status::BAD_REQUEST)?;
    usize::from_str_radix(text, 16).map_err(|_| Status::BAD_REQUEST)
}

/// Joins the chunks of a body that [`frame`] has found complete.
pub fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(line)) = crlf_line(bytes, bytes.len()) {
        let size = chunk_size(line).unwrap_or(0);
        let start = line.len() + 2;
        match bytes.get(start..start + size) {
            Some(data) if size > 0 => body.extend_from_slice(data),
            _ => break,
        }
        bytes = bytes.get(start + size + 2..).unwrap_or_default();
    }
    body
}
