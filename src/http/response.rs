//! Answers: prepared once, sent many times.
//!
//! An [`Answer`] is shared, and but for its date it never changes; what differs from one client to
//! the next (keep-alive, HEAD, 304) is chosen when it is sent. [`Outgoing`] is an answer on its
//! way, held by reference: nothing is copied for a connection, and one system call sends it.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::route::Series;
use super::stream::Follow;
use crate::hash::fnv1a;

/// A status code with its reason phrase (RFC 9110 section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The three digits.
    pub code: u16,
    line: &'static str,
}

macro_rules! statuses {
    ($($name:ident $code:literal $reason:literal)*) => {
        impl Status {
            $(#[doc = $reason]
            pub const $name: Status = Status {
                code: $code,
                line: concat!("HTTP/1.1 ", stringify!($code), " ", $reason, "\r\n"),
            };)*
        }
    };
}

statuses! {
    OK 200 "OK"
    CREATED 201 "Created"
    ACCEPTED 202 "Accepted"
    NO_CONTENT 204 "No Content"
    NOT_MODIFIED 304 "Not Modified"
    PERMANENT_REDIRECT 308 "Permanent Redirect"
    BAD_REQUEST 400 "Bad Request"
    UNAUTHORIZED 401 "Unauthorized"
    FORBIDDEN 403 "Forbidden"
    NOT_FOUND 404 "Not Found"
    METHOD_NOT_ALLOWED 405 "Method Not Allowed"
    CONFLICT 409 "Conflict"
    CONTENT_TOO_LARGE 413 "Content Too Large"
    TARGET_TOO_LONG 414 "URI Too Long"
    UNSUPPORTED_MEDIA 415 "Unsupported Media Type"
    EXPECTATION_FAILED 417 "Expectation Failed"
    MISDIRECTED 421 "Misdirected Request"
    UNPROCESSABLE 422 "Unprocessable Content"
    TOO_MANY 429 "Too Many Requests"
    FIELDS_TOO_LARGE 431 "Request Header Fields Too Large"
    INTERNAL 500 "Internal Server Error"
    NOT_IMPLEMENTED 501 "Not Implemented"
    UNAVAILABLE 503 "Service Unavailable"
    VERSION_NOT_SUPPORTED 505 "HTTP Version Not Supported"
}

impl Status {
    /// `Not Found`, for people.
    pub fn reason(self) -> &'static str {
        self.line["HTTP/1.1 xxx ".len()..].trim_end()
    }
}

/// Media types that are served.
pub mod media {
    /// Pages.
    pub const HTML: &str = "text/html; charset=utf-8";
    /// Data.
    pub const JSON: &str = "application/json";
    /// RFC 9457 problem details.
    pub const PROBLEM: &str = "application/problem+json";
    /// Calendars.
    pub const CALENDAR: &str = "text/calendar; charset=utf-8";
    /// Words.
    pub const TEXT: &str = "text/plain; charset=utf-8";
}

/// Header fields that every answer carries: what a browser must not do with it.
const SAFETY: &str = "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n";
/// Pages may only use what this server serves; nothing inline, nothing from elsewhere.
const PAGE_POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'self'\r\n";
/// What it says last: who may hold a page in a frame.
const ANCESTORS: &str = "frame-ancestors 'self'";

/// The empty line.
const END_OF_HEAD: &[u8] = b"\r\n";

/// A prepared answer, shared by everybody who asks the same.
#[derive(Debug)]
pub struct Answer {
    status: Status,
    /// The answer as most clients get it, over an HTTP/1.1 connection that stays open: status
    /// line, date, fields, body. The date is that of the last client.
    whole: RefCell<Box<[u8]>>,
    /// Where the header fields after the date end in `whole`.
    fields_end: usize,
    /// Header fields for a 304 (RFC 9110 section 15.4.5); they include the entity tag.
    fields_unchanged: Box<str>,
    /// Quoted, empty when the answer has none.
    entity_tag: Box<str>,
    /// Clients that it is on its way to.
    holders: Cell<usize>,
}

impl Answer {
    /// An answer that may be shared and revalidated: 200 with an entity tag made from the body.
    pub fn ok(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let policy = if media_type == media::HTML { PAGE_POLICY } else { "" };
        Self::revalidated(media_type, policy, body.into())
    }

    /// A page that pages of these origins may hold in a frame, too: each with a blank before it.
    pub fn framed(origins: &str, body: String) -> Self {
        let policy = PAGE_POLICY.replace(ANCESTORS, &format!("{ANCESTORS}{origins}"));
        Self::revalidated(media::HTML, &policy, body.into())
    }

    /// One of the forms that a file is kept in (RFC 9110 section 12.1).
    pub fn encoded(media_type: &str, coding: Option<&str>, body: Vec<u8>) -> Self {
        let coding = coding.map(|name| format!("Content-Encoding: {name}\r\n"));
        let policy = if media_type == media::HTML { PAGE_POLICY } else { "" };
        let further = coding.unwrap_or_default() + "Vary: Accept-Encoding\r\n" + policy;
        Self::revalidated(media_type, &further, body)
    }

    /// A 304 has the policy, too: a browser takes the fields of its answer for those that it kept.
    fn revalidated(media_type: &str, further: &str, body: Vec<u8>) -> Self {
        let entity_tag = format!("\"{:016x}\"", fnv1a(&body));
        let fields_unchanged =
            format!("ETag: {entity_tag}\r\nCache-Control: no-cache\r\n{further}{SAFETY}");
        let fields = format!(
            "Content-Type: {media_type}\r\nContent-Length: {}\r\n{fields_unchanged}",
            body.len(),
        );
        Self {
            fields_unchanged: fields_unchanged.into(),
            entity_tag: entity_tag.into(),
            ..Self::assemble(Status::OK, &fields, body)
        }
    }

    /// Any other answer: never cached, with further header fields (each ending in CRLF).
    pub fn plain(status: Status, media_type: &str, further: &str, body: &[u8]) -> Self {
        let content = if status == Status::NO_CONTENT {
            String::new()
        } else {
            format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len())
        };
        let fields = format!("{content}Cache-Control: no-store\r\n{SAFETY}{further}");
        Self::assemble(status, &fields, body.to_vec())
    }

    /// The same as a page.
    pub fn page(status: Status, further: &str, body: &[u8]) -> Self {
        Self::plain(status, media::HTML, &format!("{PAGE_POLICY}{further}"), body)
    }

    /// The beginning of one whose end nobody knows yet: it ends with the connection, or as
    /// `further` says.
    pub fn open(media_type: &str, further: &str, body: &[u8]) -> Self {
        let fields =
            format!("Content-Type: {media_type}\r\nCache-Control: no-store\r\n{SAFETY}{further}");
        Self::assemble(Status::OK, &fields, body.to_vec())
    }

    /// The same of one that may be revalidated, without its body.
    pub fn open_tagged(media_type: &str, entity_tag: &str, further: &str) -> Self {
        let fields_unchanged = format!("ETag: {entity_tag}\r\nCache-Control: no-cache\r\n{SAFETY}");
        let fields = format!("Content-Type: {media_type}\r\n{fields_unchanged}{further}");
        Self {
            fields_unchanged: fields_unchanged.into(),
            entity_tag: entity_tag.into(),
            ..Self::assemble(Status::OK, &fields, Vec::new())
        }
    }

    /// The same as JSON.
    pub fn json(status: Status, body: &str) -> Self {
        Self::plain(status, media::JSON, "", body.as_bytes())
    }

    /// Puts the head in front of the body where that is: the larger of the two is there once.
    fn assemble(status: Status, fields: &str, mut body: Vec<u8>) -> Self {
        let date = DateField::at(Timestamp::UNIX_EPOCH);
        let mut head = [status.line.as_bytes(), &date.bytes, fields.as_bytes()].concat();
        let fields_end = head.len();
        head.extend_from_slice(END_OF_HEAD);
        body.splice(0..0, head);
        Self {
            status,
            whole: RefCell::new(body.into()),
            fields_end,
            fields_unchanged: "".into(),
            entity_tag: "".into(),
            holders: Cell::new(0),
        }
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What it weighs in a cache: every byte that it holds.
    pub fn weight_bytes(&self) -> usize {
        size_of::<Self>()
            + self.whole.borrow().len()
            + self.fields_unchanged.len()
            + self.entity_tag.len()
    }

    /// True when `If-None-Match` names this answer's tag, or any (RFC 9110 section 13.1.2).
    pub fn is_known_by(&self, if_none_match: &[u8]) -> bool {
        !self.entity_tag.is_empty()
            && if_none_match.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|tag| {
                let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
                tag == b"*" || tag == self.entity_tag.as_bytes()
            })
    }
}

/// The date's field, its name and CRLF included.
const DATE_BYTES: usize = 37;

/// `Date: Mon, 23 Nov 2026 20:00:00 GMT` and its CRLF, made once a second (RFC 9110 section
/// 5.6.7).
#[derive(Clone, Copy)]
pub struct DateField {
    bytes: [u8; DATE_BYTES],
    second: i64,
}

impl DateField {
    /// The field for this moment.
    pub fn at(now: Timestamp) -> Self {
        let text = now
            .to_zoned_datetime(TimeZone::UTC)
            .strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n")
            .to_string();
        let mut bytes = *b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        if text.len() == bytes.len() {
            bytes.copy_from_slice(text.as_bytes());
        }
        Self { bytes, second: now.as_second() }
    }

    /// The same field a second later is another one.
    pub fn refresh(&mut self, now: Timestamp) {
        if self.second != now.as_second() {
            *self = Self::at(now);
        }
    }
}

/// How one client gets an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// HEAD: everything but the body.
    pub head_only: bool,
    /// The client has this very answer: 304.
    pub unchanged: bool,
    /// The connection stays open.
    pub keep_alive: bool,
    /// HTTP/1.0 must be told so.
    pub is_1_0: bool,
}

impl Manner {
    /// Everything, to HTTP/1.1, over a connection that stays open.
    const USUAL: Self =
        Self { head_only: false, unchanged: false, keep_alive: true, is_1_0: false };

    /// The last answer of a connection.
    pub const CLOSE: Self =
        Self { head_only: false, unchanged: false, keep_alive: false, is_1_0: false };
}

/// An answer on its way to one client.
pub struct Outgoing {
    answer: Rc<Answer>,
    date: DateField,
    manner: Manner,
    series: Series,
    sent_bytes: usize,
    follow: Option<Follow>,
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it.
    Done,
    /// The socket is full; so many bytes went this time.
    Blocked(usize),
}

impl Outgoing {
    /// An answer about to be sent, to a request that is counted by `series`.
    pub fn new(answer: Rc<Answer>, date: DateField, manner: Manner, series: Series) -> Self {
        answer.holders.set(answer.holders.get() + 1);
        Self { answer, date, manner, series, sent_bytes: 0, follow: None }
    }

    /// The same, and then this, unless the client wants the head alone or has it all.
    pub(super) fn followed_by(mut self, follow: impl FnOnce(Manner) -> Follow) -> Self {
        if !self.manner.head_only && !self.manner.unchanged {
            self.follow = Some(follow(self.manner));
        }
        self
    }

    /// What comes once it is sent.
    pub(super) fn take_follow(&mut self) -> Option<Follow> {
        self.follow.take()
    }

    /// Another answer for the same client, in the same manner.
    pub fn replaced_by(&self, answer: Rc<Answer>) -> Self {
        Self::new(answer, self.date, Manner { unchanged: false, ..self.manner }, self.series)
    }

    /// What its request is counted by.
    pub fn series(&self) -> Series {
        self.series
    }

    /// The status that this client gets.
    pub fn status(&self) -> Status {
        if self.manner.unchanged { Status::NOT_MODIFIED } else { self.answer.status }
    }

    /// True when the connection stays open afterwards.
    pub fn keeps_alive(&self) -> bool {
        self.manner.keep_alive
    }

    /// Its part of what the answer weighs, which all clients that are still to be sent it bear. That
    /// the cache may have it, too, makes it no lighter: it may drop it at any time.
    pub fn share_bytes(&self) -> usize {
        self.answer.weight_bytes() / self.answer.holders.get().max(1)
    }

    /// All bytes of the answer as it is sent to this client.
    pub fn total_bytes(&self) -> usize {
        let whole = self.answer.whole.borrow();
        match self.manner {
            Manner::USUAL => whole.len(),
            _ => self.parts(&whole).iter().map(|part| part.len()).sum(),
        }
    }

    /// Sends as much as the socket takes: one system call when it takes all.
    ///
    /// # Errors
    /// When the client has gone.
    pub fn send(&mut self, socket: &mut impl Write) -> io::Result<Sent> {
        let mut whole = self.answer.whole.borrow_mut();
        let before = self.sent_bytes;
        loop {
            let (asked, written) = if self.manner == Manner::USUAL && self.sent_bytes == 0 {
                let date = self.answer.status.line.len();
                whole[date..date + DATE_BYTES].copy_from_slice(&self.date.bytes);
                (whole.len(), socket.write(&whole))
            } else {
                // In parts, with this client's own date: others may have been sent since.
                let mut slices = self.parts(&whole).map(IoSlice::new);
                let mut rest = &mut slices[..];
                IoSlice::advance_slices(&mut rest, self.sent_bytes);
                let asked = rest.iter().map(|slice| slice.len()).sum();
                (asked, socket.write_vectored(rest))
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent_bytes += written;
                    if written == asked {
                        return Ok(Sent::Done);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Sent::Blocked(self.sent_bytes - before));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn parts<'w>(&'w self, whole: &'w [u8]) -> [&'w [u8]; 5] {
        let Answer { status, fields_end, fields_unchanged, .. } = &*self.answer;
        let Manner { head_only, unchanged, keep_alive, is_1_0 } = self.manner;
        let fields = match unchanged {
            true => fields_unchanged.as_bytes(),
            false => &whole[status.line.len() + DATE_BYTES..*fields_end],
        };
        let body = match head_only || unchanged {
            true => &[],
            false => &whole[fields_end + END_OF_HEAD.len()..],
        };
        let end: &[u8] = match (keep_alive, is_1_0) {
            (true, false) => END_OF_HEAD,
            (true, true) => b"Connection: keep-alive\r\n\r\n",
            (false, _) => b"Connection: close\r\n\r\n",
        };
        [self.status().line.as_bytes(), &self.date.bytes, fields, end, body]
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.answer.holders.set(self.answer.holders.get() - 1);
    }
}

#[cfg(test)]
mod tests;
