//! An answer from a feed server, as RFC 9112 frames it: bytes in, events out.
//!
//! The only judge of raw bytes from a feed server, and a strict one: what two readers could
//! understand differently is refused, since the other reader may be a cache that somebody has
//! poisoned. Pure: no socket, no clock. Bytes may arrive in pieces of any size.
//!
//! ```text
//!          1xx
//!        ┌──────┐
//!        v      │            ┌──> Length ─────last byte──────┐
//!   ──> Head ───┴─final head─┼──> Chunks ─last chunk, trailer─┼──> Ended
//!                            ├──> UntilClose ──the end────────┤
//!                            └──> (no body) ──────────────────┘
//! ```

use std::str;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Header};

/// Header fields of one answer. Large calendar services send about thirty.
const FIELDS_MAX: usize = 100;
/// A chunk's extension. Nobody sends one; some servers pad the size with spaces.
const EXTENSION_BYTES_MAX: usize = 256;
/// The trailer after the last chunk.
const TRAILER_BYTES_MAX: usize = 4096;
/// Hexadecimal digits of a chunk's size: all that 64 bits can hold.
const SIZE_DIGITS_MAX: u8 = 16;
/// What every answer begins with.
const PROLOGUE: &[u8] = b"HTTP/1.";

/// What is wrong with an answer, in words that hold nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// How a body is encoded on top of its framing (RFC 9110 section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// By gzip (RFC 9110 section 8.4.1.3).
    Gzip,
    /// In a way that we have not asked for and cannot decode.
    Unknown,
}

/// The head of a final answer: what a fetch wants to know of it. Texts are as they were sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) etag: Option<Vec<u8>>,
    pub(super) last_modified: Option<Vec<u8>>,
    pub(super) location: Option<Vec<u8>>,
    pub(super) retry_after: Option<Vec<u8>>,
    pub(super) coding: Coding,
    /// The length of the body, when it was announced.
    pub(super) length: Option<u64>,
    /// The connection lives on after this answer.
    pub(super) keep_alive: bool,
    /// How long the server keeps it without a request, where it says so.
    pub(super) idle_time: Option<Duration>,
}

/// What the bytes given to [`Answer::advance`] turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// All of them framing; more are needed.
    More,
    /// The end of the head.
    Head(Box<Head>),
    /// A piece of the body.
    Data(&'a [u8]),
    /// Nothing: the answer is complete, and they do not belong to it.
    End,
}

/// An answer on its way in.
pub(super) struct Answer {
    state: State,
    head: Vec<u8>,
    head_bytes_max: usize,
    interim_left: usize,
    trailer_bytes: usize,
}

enum State {
    /// Collecting a head, interim or final.
    Head,
    /// This many bytes are missing; at least one.
    Length(u64),
    Chunks(Chunk),
    /// The body ends with the connection (RFC 9112 section 6.3, rule 8).
    UntilClose,
    Ended,
}

/// A chunked body (RFC 9112 section 7.1), by what comes next.
#[derive(Clone, Copy)]
enum Chunk {
    /// A digit of the size, or what ends it.
    Size { digits: u8, size: u64 },
    /// The rest of the size's line.
    Extension { size: u64, bytes: usize },
    /// The line feed of the size's line.
    SizeEnd { size: u64 },
    /// Data; at least one byte.
    Data { left: u64 },
    /// The carriage return after the data.
    DataCr,
    /// The line feed after it.
    DataLf,
    /// A trailer field, or the carriage return of the empty line that ends the body.
    TrailerStart,
    /// The rest of a trailer field.
    Trailer,
    /// The line feed of a trailer field.
    TrailerLf,
    /// The last line feed.
    LastLf,
}

impl Answer {
    pub(super) fn new(head_bytes_max: usize, interim_max: usize) -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            head_bytes_max,
            interim_left: interim_max,
            trailer_bytes: 0,
        }
    }

    /// Takes bytes from the front of `input`: how many, and what they were. Call it again with
    /// the rest. It takes none only when `input` is empty or the answer has ended.
    pub(super) fn advance<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Event<'a>), Malformed> {
        match self.state {
            State::Head => self.take_head(input),
            State::Length(left) => {
                let data = front(input, left);
                self.state = match left - data.len() as u64 {
                    0 => State::Ended,
                    left => State::Length(left),
                };
                Ok((data.len(), data_or_more(data)))
            }
            State::Chunks(chunk) => self.take_chunks(chunk, input),
            State::UntilClose => Ok((input.len(), data_or_more(input))),
            State::Ended => Ok((0, Event::End)),
        }
    }

    /// The server has closed the connection in good order: is that the end of the answer?
    pub(super) fn close(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::Ended => Ok(()),
            State::UntilClose => {
                self.state = State::Ended;
                Ok(())
            }
            State::Head => Err(Malformed("the answer ends inside its head")),
            State::Length(_) | State::Chunks(_) => Err(Malformed("the body was cut short")),
        }
    }

    fn take_head<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Event<'a>), Malformed> {
        for (taken, &byte) in (1..).zip(input) {
            self.push_head(byte)?;
            if self.head.ends_with(b"\r\n\r\n") {
                let head = std::mem::take(&mut self.head);
                return Ok(match self.finish_head(&head)? {
                    Some(head) => (taken, Event::Head(Box::new(head))),
                    None => (taken, Event::More),
                });
            }
        }
        Ok((input.len(), Event::More))
    }

    fn push_head(&mut self, byte: u8) -> Result<(), Malformed> {
        let place = self.head.len();
        if place >= self.head_bytes_max {
            return Err(Malformed("the head is too long"));
        }
        if PROLOGUE.get(place).is_some_and(|&expected| byte != expected) {
            return Err(Malformed("the server does not speak HTTP/1"));
        }
        if (self.head.last() == Some(&b'\r')) != (byte == b'\n') {
            return Err(Malformed("a line of the head does not end with CRLF"));
        }
        self.head.push(byte);
        Ok(())
    }

    /// Judges a whole head; `None` when it was an interim one.
    fn finish_head(&mut self, bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Malformed("the head has too many fields"));
            }
            _ => return Err(Malformed("the head cannot be read")),
        }
        let (Some(status), Some(minor)) = (response.code, response.version) else {
            return Err(Malformed("the head cannot be read"));
        };
        match status {
            101 => Err(Malformed("the server switched to another protocol")),
            100..200 => {
                self.interim_left = self
                    .interim_left
                    .checked_sub(1)
                    .ok_or(Malformed("too many interim answers"))?;
                Ok(None)
            }
            200..600 => self.finish_final_head(status, minor, response.headers).map(Some),
            _ => Err(Malformed("the status is not one of HTTP")),
        }
    }

    fn finish_final_head(
        &mut self,
        status: u16,
        minor: u8,
        fields: &[Header<'_>],
    ) -> Result<Head, Malformed> {
        let length = content_length(fields)?;
        let chunked = is_chunked(fields)?;
        self.state = match (chunked, length) {
            (true, Some(_)) => {
                return Err(Malformed("Content-Length beside Transfer-Encoding"));
            }
            (true, None) if minor == 0 => {
                return Err(Malformed("Transfer-Encoding in an HTTP/1.0 answer"));
            }
            _ if status == 204 || status == 304 => State::Ended,
            (true, None) => State::Chunks(Chunk::Size { digits: 0, size: 0 }),
            (false, Some(0)) => State::Ended,
            (false, Some(length)) => State::Length(length),
            (false, None) => State::UntilClose,
        };
        let close = values(fields, "connection")
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
        let copy = |name| single(fields, name).map(<[u8]>::to_vec);
        Ok(Head {
            status,
            etag: copy("etag"),
            last_modified: copy("last-modified"),
            location: copy("location"),
            retry_after: copy("retry-after"),
            coding: coding(fields),
            length,
            keep_alive: minor == 1 && !close && !matches!(self.state, State::UntilClose),
            idle_time: idle_time(fields),
        })
    }

    fn take_chunks<'a>(
        &mut self,
        mut chunk: Chunk,
        input: &'a [u8],
    ) -> Result<(usize, Event<'a>), Malformed> {
        for (at, &byte) in input.iter().enumerate() {
            if let Chunk::Data { left } = chunk {
                let data = front(&input[at..], left);
                self.state = State::Chunks(match left - data.len() as u64 {
                    0 => Chunk::DataCr,
                    left => Chunk::Data { left },
                });
                return Ok((at + data.len(), Event::Data(data)));
            }
            if matches!(chunk, Chunk::TrailerStart | Chunk::Trailer | Chunk::TrailerLf) {
                self.trailer_bytes += 1;
                if self.trailer_bytes > TRAILER_BYTES_MAX {
                    return Err(Malformed("the trailer is too long"));
                }
            }
            match chunk.step(byte)? {
                Some(next) => chunk = next,
                None => {
                    self.state = State::Ended;
                    return Ok((at + 1, Event::More));
                }
            }
        }
        self.state = State::Chunks(chunk);
        Ok((input.len(), Event::More))
    }
}

impl Chunk {
    /// What comes after a byte that is not data; `None` after the last one.
    fn step(self, byte: u8) -> Result<Option<Self>, Malformed> {
        const SIZE: Malformed = Malformed("a chunk size cannot be read");
        const LINE: Malformed = Malformed("a line of the chunked body does not end with CRLF");
        Ok(Some(match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(SIZE)?;
                if digits == SIZE_DIGITS_MAX {
                    return Err(SIZE);
                }
                Self::Size { digits: digits + 1, size: size << 4 | u64::from(digit) }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(SIZE),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => {
                Self::SizeEnd { size }
            }
            (Self::Size { size, .. }, b';' | b' ' | b'\t') => Self::Extension { size, bytes: 1 },
            (Self::Size { .. }, _) => return Err(SIZE),
            (Self::Extension { .. }, _) if is_control(byte) => return Err(LINE),
            (Self::Extension { bytes: EXTENSION_BYTES_MAX.., .. }, _) => {
                return Err(Malformed("a chunk extension is too long"));
            }
            (Self::Extension { size, bytes }, _) => Self::Extension { size, bytes: bytes + 1 },
            (Self::SizeEnd { size: 0 }, b'\n') => Self::TrailerStart,
            (Self::SizeEnd { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size { digits: 0, size: 0 },
            (Self::DataCr | Self::DataLf, _) => {
                return Err(Malformed("a chunk is longer than its size"));
            }
            (Self::TrailerStart, b'\r') => Self::LastLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::TrailerStart | Self::Trailer, _) if !is_control(byte) => Self::Trailer,
            (Self::TrailerLf, b'\n') => Self::TrailerStart,
            (Self::LastLf, b'\n') => return Ok(None),
            _ => return Err(LINE),
        }))
    }
}

/// Digits only (RFC 9112 section 6.2). Not even two equal ones: a server that repeats itself is
/// being spoken through.
fn content_length(fields: &[Header<'_>]) -> Result<Option<u64>, Malformed> {
    let mut found = values(fields, "content-length");
    let Some(value) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(Malformed("more than one Content-Length"));
    }
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed("Content-Length is not a number"));
    }
    let digits = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    digits.map(Some).ok_or(Malformed("Content-Length is not a number"))
}

/// Exactly one Transfer-Encoding that says exactly `chunked`: we have asked for no other.
fn is_chunked(fields: &[Header<'_>]) -> Result<bool, Malformed> {
    let mut found = values(fields, "transfer-encoding");
    match (found.next(), found.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value.eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Malformed("a Transfer-Encoding other than chunked")),
    }
}

/// RFC 9110 section 8.4.1.3 has the second name, too.
fn is_gzip(coding: &[u8]) -> bool {
    ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name.as_bytes()))
}

fn coding(fields: &[Header<'_>]) -> Coding {
    let plain = |value: &&[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
    let mut codings = values(fields, "content-encoding").filter(|value| !plain(value));
    match (codings.next(), codings.next()) {
        (None, _) => Coding::Identity,
        (Some(coding), None) if is_gzip(coding) => Coding::Gzip,
        _ => Coding::Unknown,
    }
}

fn values<'h>(fields: &'h [Header<'_>], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.trim_ascii())
}

/// `timeout` of Keep-Alive (RFC 2068 section 19.7.1.1), in seconds.
fn idle_time(fields: &[Header<'_>]) -> Option<Duration> {
    let mut parameters =
        values(fields, "keep-alive").flat_map(|value| value.split(|&byte| byte == b','));
    let seconds = parameters.find_map(|parameter| {
        let (name, value) = str::from_utf8(parameter).ok()?.split_once('=')?;
        let seconds = value.trim().parse::<u32>().ok()?;
        name.trim().eq_ignore_ascii_case("timeout").then_some(seconds)
    })?;
    Some(Duration::from_secs(seconds.into()))
}

/// The value of a field that is there once. One that is there twice says nothing certain.
fn single<'h>(fields: &'h [Header<'_>], name: &'static str) -> Option<&'h [u8]> {
    let mut found = values(fields, name);
    found.next().filter(|_| found.next().is_none())
}

/// The first bytes of `input`, at most `most` of them.
fn front(input: &[u8], most: u64) -> &[u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    &input[..input.len().min(most)]
}

fn data_or_more(data: &[u8]) -> Event<'_> {
    if data.is_empty() { Event::More } else { Event::Data(data) }
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

#[cfg(test)]
mod tests;
