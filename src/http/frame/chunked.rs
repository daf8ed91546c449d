//! Bodies in chunks (RFC 9112 section 7.1): where they end, and what they hold.

use super::BodyEnd;
use crate::budget::HttpLimits;
use crate::http::response::Status;

/// Where a chunked body ends, trailer section included (RFC 9112 section 7.1). No message takes
/// more than its limits together, line ends included: a buffer of that size always has room for
/// what is still awaited.
pub(super) fn chunked_end(bytes: &[u8], limits: &HttpLimits) -> Result<BodyEnd, Status> {
    let more = Ok(BodyEnd::NotBefore(bytes.len() + 1));
    let mut at = 0;
    let mut body_left = limits.body_bytes_max;
    let mut overhead_left = limits.chunk_overhead_bytes_max;
    loop {
        let Some(line) = crlf_line(&bytes[at..], overhead_left)? else { return more };
        let size = chunk_size(line)?;
        at += line.len() + 2;
        overhead_left -= line.len() + 2;
        if size == 0 {
            return trailers_end(bytes, at, overhead_left);
        }
        body_left = body_left.checked_sub(size).ok_or(Status::CONTENT_TOO_LARGE)?;
        overhead_left = overhead_left.checked_sub(2).ok_or(Status::CONTENT_TOO_LARGE)?;
        match bytes.get(at + size..) {
            Some([b'\r', b'\n', ..]) => at += size + 2,
            None | Some([] | [b'\r']) => return Ok(BodyEnd::NotBefore(at + size + 2)),
            Some(_) => return Err(Status::BAD_REQUEST),
        }
    }
}

/// The trailer section: lines until an empty one, all dropped.
fn trailers_end(bytes: &[u8], mut at: usize, mut left: usize) -> Result<BodyEnd, Status> {
    loop {
        let Some(line) = crlf_line(&bytes[at..], left)? else {
            return Ok(BodyEnd::NotBefore(bytes.len() + 1));
        };
        at += line.len() + 2;
        left -= line.len() + 2;
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
/// are 400; a line that takes more than `bytes_max` with its CRLF is 413.
fn crlf_line(bytes: &[u8], bytes_max: usize) -> Result<Option<&[u8]>, Status> {
    let control = bytes.iter().position(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f);
    if control.unwrap_or(bytes.len()) + 2 > bytes_max {
        return Err(Status::CONTENT_TOO_LARGE);
    }
    match control.map(|end| (&bytes[..end], &bytes[end..])) {
        Some((line, [b'\r', b'\n', ..])) => Ok(Some(line)),
        None | Some((_, [b'\r'])) => Ok(None),
        Some(_) => Err(Status::BAD_REQUEST),
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
