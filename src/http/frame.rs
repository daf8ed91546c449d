//! Raw bytes from a client -> one message, or not yet, or never. The only judge of them.
//!
//! Pure: no socket, no clock. What passes here is one complete HTTP/1.x request whose method,
//! target, host and body mean the same to everybody who reads it after us (RFC 9112); whatever
//! could be read in two ways is refused.
//!
//! ```text
//!  bytes ──> head ends within the limit? ──no──> Head | Reject 400, 414, 431
//!                     │ yes
//!            request line and fields valid? ──no──> Reject 400, 405, 414, 417, 431, 505
//!                     │ yes
//!            body: none ──────────────────────────> Complete
//!                  Content-Length ── all there? ──> Complete | Body | Reject 413
//!                  chunked ──────── last chunk? ──> Complete | Body | Reject 400, 413
//! ```
//!
//! The outcome does not depend on how the bytes were cut into packets: a longer prefix of the
//! same stream only ever turns `Head` into one of the others, and `Body` into `Complete` or
//! `Reject`.

mod chunked;
mod target;

use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::Header;
use memchr::memchr_iter;

use chunked::chunked_end;
pub use chunked::dechunk;
use target::{Target, is_authority};

use super::response::Status;
use crate::budget::HttpLimits;

/// Room for the header fields of one request while it is looked at.
pub type HeaderRoom<'b> = [MaybeUninit<Header<'b>>; HEADERS_ROOM];
/// The compile-time size of [`HeaderRoom`]; `HttpLimits::headers_max` may be lower.
const HEADERS_ROOM: usize = 64;

/// Empty room, free of charge.
pub const fn header_room<'b>() -> HeaderRoom<'b> {
    [const { MaybeUninit::uninit() }; HEADERS_ROOM]
}

/// What the bytes so far amount to.
#[derive(Debug)]
pub enum Framed<'h, 'b> {
    /// A prefix of something that may yet be a message.
    Head,
    /// A message whose head is good and whose body is under way.
    Body {
        /// The message as far as its head tells; `consumed` ends the head.
        message: Message<'h, 'b>,
        /// Looking again is useless before so many bytes are there.
        bytes_min: usize,
    },
    /// One whole message, at the front of the bytes.
    Complete(Message<'h, 'b>),
    /// Not a message, and no further byte can make it one.
    Reject(Status),
}

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RFC 9110 section 9")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    /// Known and answered nowhere: CONNECT, TRACE, PATCH.
    Refused,
    /// Not known.
    Unknown,
}

impl Method {
    /// Those that are answered somewhere, as they are written.
    pub const NAMED: [(Self, &'static str); 6] = [
        (Self::Get, "GET"),
        (Self::Head, "HEAD"),
        (Self::Post, "POST"),
        (Self::Put, "PUT"),
        (Self::Delete, "DELETE"),
        (Self::Options, "OPTIONS"),
    ];
}

/// One complete request.
#[derive(Debug)]
pub struct Message<'h, 'b> {
    /// The method.
    pub method: Method,
    /// The method as it was written, for handing on.
    pub method_name: &'b str,
    /// The path: begins with `/`, has no dot segments, no encoded slash or NUL; `*` for
    /// `OPTIONS *`.
    pub path: &'b str,
    /// What follows `?`, still percent-encoded; empty when there is none.
    pub query: &'b str,
    /// The authority that the client meant, `host[:port]`; empty in HTTP/1.0 without Host.
    pub host: &'b [u8],
    /// The connection may stay open after the answer (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// HTTP/1.0, which wants to be told that the connection stays open.
    pub is_1_0: bool,
    /// All header fields, in order.
    pub headers: &'h [Header<'b>],
    /// `If-None-Match`, as sent.
    pub if_none_match: Option<&'b [u8]>,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
    pub expects_continue: bool,
    /// Where the body lies in the bytes and how it is written there.
    pub body: Body,
    /// How many bytes the message takes.
    pub consumed: usize,
}

impl Message<'_, '_> {
    /// True when there is a body, here or under way.
    pub fn has_body(&self) -> bool {
        !matches!(&self.body, Body::Plain(range) if range.is_empty())
    }

    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let field = self.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value)
    }

    /// `User-Agent`; nothing where there is none.
    pub fn user_agent(&self) -> &[u8] {
        self.field("user-agent").unwrap_or_default()
    }

    /// True when `Accept-Encoding` takes gzip (RFC 9110 section 12.5.3).
    pub fn accepts_gzip(&self) -> bool {
        let fields = self.headers.iter();
        let fields = fields.filter(|field| field.name.eq_ignore_ascii_case("accept-encoding"));
        fields.flat_map(|field| field.value.split(|byte| *byte == b',')).any(|coding| {
            let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let is_refused = parts.any(|weight| {
                matches!(weight, [b'q' | b'Q', b'=', q @ ..] if q.iter().all(|b| b"0.".contains(b)))
            });
            name.eq_ignore_ascii_case(b"gzip") && !is_refused
        })
    }
}

/// A message's body, as a range of the bytes that were framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// As it is; empty when there is none.
    Plain(Range<usize>),
    /// In chunks; [`dechunk`] joins them.
    Chunked(Range<usize>),
    /// Not here yet.
    Awaited,
}

/// Looks at `bytes` and says what they amount to.
pub fn frame<'h, 'b>(
    bytes: &'b [u8],
    room: &'h mut HeaderRoom<'b>,
    limits: &HttpLimits,
) -> Framed<'h, 'b> {
    match frame_or_reject(bytes, room, limits) {
        Ok(framed) => framed,
        Err(status) => Framed::Reject(status),
    }
}

fn frame_or_reject<'h, 'b>(
    bytes: &'b [u8],
    room: &'h mut HeaderRoom<'b>,
    limits: &HttpLimits,
) -> Result<Framed<'h, 'b>, Status> {
    let start = leading_empty_lines(&bytes[..bytes.len().min(limits.head_bytes_max)]);
    let Some(head_end) = head_end(bytes, start, limits)? else {
        return Ok(Framed::Head);
    };
    let head = &bytes[start..head_end];
    let room = &mut room[..limits.headers_max.min(HEADERS_ROOM)];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, room) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(Status::BAD_REQUEST),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::FIELDS_TOO_LARGE),
        Err(httparse::Error::Version) => return Err(version_status(head)),
        Err(_) => return Err(Status::BAD_REQUEST),
    }
    let method_name = request.method.ok_or(Status::BAD_REQUEST)?;
    let target = request.path.ok_or(Status::BAD_REQUEST)?;
    let is_1_0 = request.version == Some(0);
    if target.len() > limits.target_bytes_max {
        return Err(Status::TARGET_TOO_LONG);
    }
    let method = method_of(method_name);
    let fields = Fields::read(request.headers, is_1_0)?;
    let Target { authority, path, query } = Target::parse(method, target)?;
    let host = authority.or(fields.host).unwrap_or_default();

    let message = |body, consumed| Message {
        method,
        method_name,
        path,
        query,
        host,
        keep_alive: fields.keep_alive,
        is_1_0,
        headers: request.headers,
        if_none_match: fields.if_none_match,
        expects_continue: fields.expects_continue,
        body,
        consumed,
    };
    let end = match fields.length {
        Length::None => BodyEnd::At(0),
        Length::Fixed(length) if length > limits.body_bytes_max as u64 => {
            return Err(Status::CONTENT_TOO_LARGE);
        }
        Length::Fixed(length) if head_end + length as usize > bytes.len() => {
            BodyEnd::NotBefore(length as usize)
        }
        Length::Fixed(length) => BodyEnd::At(length as usize),
        Length::Chunked => chunked_end(&bytes[head_end..], limits)?,
    };
    Ok(match end {
        BodyEnd::NotBefore(length) => {
            Framed::Body { message: message(Body::Awaited, head_end), bytes_min: head_end + length }
        }
        BodyEnd::At(length) => {
            let range = head_end..head_end + length;
            let consumed = range.end;
            let body = match fields.length {
                Length::Chunked => Body::Chunked(range),
                Length::None | Length::Fixed(_) => Body::Plain(range),
            };
            Framed::Complete(message(body, consumed))
        }
    })
}

/// True when the request that `bytes` begin with, sound or not, is one by HEAD: its answer has no
/// content (RFC 9110 section 9.3.2).
pub fn begins_with_head(bytes: &[u8]) -> bool {
    bytes[leading_empty_lines(bytes)..].starts_with(b"HEAD ")
}

/// What is known of the end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyEnd {
    /// It is here, so many bytes after the head.
    At(usize),
    /// It has not come, and no fewer bytes than these can bring it.
    NotBefore(usize),
}

/// RFC 9112 section 2.2: empty lines before a request line are ignored. They count as part of
/// the head, so that their number is bounded.
fn leading_empty_lines(bytes: &[u8]) -> usize {
    let pairs = bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count();
    pairs * 2
}

/// Finds the end of the head. Lines end with CRLF and nothing else: a bare LF is 400 here, a bare
/// CR or another control byte when the head is read. What cannot be a request line is refused at
/// its first byte, so that who speaks TLS here need not wait for a deadline.
fn head_end(bytes: &[u8], start: usize, limits: &HttpLimits) -> Result<Option<usize>, Status> {
    let within = &bytes[..bytes.len().min(limits.head_bytes_max)];
    match within.get(start) {
        Some(byte) if byte.is_ascii_graphic() => {}
        Some(b'\r') if within.len() == start + 1 => {}
        Some(_) => return Err(Status::BAD_REQUEST),
        None => {}
    }
    for at in memchr_iter(b'\n', &within[start..]).map(|at| start + at) {
        if !within[..at].ends_with(b"\r") {
            return Err(Status::BAD_REQUEST);
        }
        if let [b'\r', b'\n', ..] = within[at + 1..] {
            return Ok(Some(at + 3));
        }
    }
    if bytes.len() < limits.head_bytes_max {
        return Ok(None);
    }
    let line = within[start..].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or(line);
    Err(if target.len() > limits.target_bytes_max {
        Status::TARGET_TOO_LONG
    } else {
        Status::FIELDS_TOO_LARGE
    })
}

/// A well-formed version that is not ours is 505; anything else in its place is 400.
fn version_status(head: &[u8]) -> Status {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Status::VERSION_NOT_SUPPORTED
        }
        _ => Status::BAD_REQUEST,
    }
}

fn method_of(name: &str) -> Method {
    let answered = Method::NAMED.into_iter().find(|(_, known)| *known == name);
    match answered {
        Some((method, _)) => method,
        None if ["CONNECT", "TRACE", "PATCH"].contains(&name) => Method::Refused,
        None => Method::Unknown,
    }
}

/// How a body's end is told (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    None,
    Fixed(u64),
    Chunked,
}

/// The header fields that decide about framing.
struct Fields<'b> {
    host: Option<&'b [u8]>,
    length: Length,
    keep_alive: bool,
    expects_continue: bool,
    if_none_match: Option<&'b [u8]>,
}

impl<'b> Fields<'b> {
    fn read(headers: &[Header<'b>], is_1_0: bool) -> Result<Self, Status> {
        let mut host = None;
        let mut content_length = None;
        let mut chunked = false;
        let (mut close, mut keep_alive) = (false, false);
        let mut expects_continue = false;
        let mut if_none_match = None;
        for Header { name, value } in headers {
            // The length tells most fields apart without looking at a letter.
            match name.len() {
                4 if name.eq_ignore_ascii_case("host") => {
                    let authority = is_authority(value).then_some(*value);
                    let authority = authority.ok_or(Status::BAD_REQUEST)?;
                    if host.replace(authority).is_some() {
                        return Err(Status::BAD_REQUEST);
                    }
                }
                6 if name.eq_ignore_ascii_case("expect") => {
                    if !value.eq_ignore_ascii_case(b"100-continue") {
                        return Err(Status::EXPECTATION_FAILED);
                    }
                    expects_continue = !is_1_0;
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        close |= token.eq_ignore_ascii_case(b"close");
                        keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                13 if name.eq_ignore_ascii_case("if-none-match") => if_none_match = Some(*value),
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = digits(value).ok_or(Status::BAD_REQUEST)?;
                    if content_length.replace(length).is_some() {
                        return Err(Status::BAD_REQUEST);
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    if chunked || is_1_0 || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Status::BAD_REQUEST);
                    }
                    chunked = true;
                }
                _ => {}
            }
        }
        let length = match (content_length, chunked) {
            (Some(_), true) => return Err(Status::BAD_REQUEST),
            (None, true) => Length::Chunked,
            (Some(length), false) => Length::Fixed(length),
            (None, false) => Length::None,
        };
        if host.is_none() && !is_1_0 {
            return Err(Status::BAD_REQUEST);
        }
        let keep_alive = !close && (keep_alive || !is_1_0);
        Ok(Self { host, length, keep_alive, expects_continue, if_none_match })
    }
}

/// Digits only: no sign, no list, no overflow (RFC 9110 section 8.6).
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests;
