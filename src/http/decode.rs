//! A framed message -> a request, by async-h1 on memory.
//!
//! Only this file knows async-h1's server half. It gets exactly one message that [`frame`] has
//! judged, written anew: the body joined into one with a Content-Length, the Host our own (a URL
//! is made of it, and the client's need not fit into one), `Expect` and the hop-by-hop fields
//! left out, header values that are not ASCII left out (async-h1 aborts on them; nothing that we
//! read has any), and those that no longer fit.
//!
//! [`frame`]: super::frame

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http_types::Request;
use smol::io::{AsyncRead, AsyncWrite};

use super::frame::{Body, Message, dechunk};
use super::response::Status;

/// A request with its whole body.
pub struct Decoded {
    /// Method, URL and header fields.
    pub request: Request,
    /// The body, at most `body_bytes_max`.
    pub body: Vec<u8>,
}

/// Decodes one message out of the bytes that it was framed in.
///
/// # Errors
/// The status to answer with, when async-h1 finds fault where framing did not.
pub fn decode(message: &Message<'_, '_>, bytes: &[u8]) -> Result<Decoded, Status> {
    let rewritten = rewrite(message, bytes);
    at_once(async {
        let decoded = async_h1::server::decode(Memory::new(rewritten)).await;
        let Ok(Some((mut request, _))) = decoded else { return Err(Status::BAD_REQUEST) };
        let body = request.take_body().into_bytes().await.map_err(|_| Status::BAD_REQUEST)?;
        Ok(Decoded { request, body })
    })
    .unwrap_or(Err(Status::INTERNAL))
}

/// The message in the one form that async-h1 reads rightly.
fn rewrite(message: &Message<'_, '_>, bytes: &[u8]) -> Vec<u8> {
    let body = match &message.body {
        Body::Plain(range) => bytes[range.clone()].to_vec(),
        Body::Chunked(range) => dechunk(&bytes[range.clone()]),
        Body::Awaited => Vec::new(),
    };
    // `OPTIONS *` is about the server; async-h1 knows no such target.
    let path = if message.path == "*" { "/" } else { message.path };
    let query = if message.query.is_empty() { "" } else { "?" };
    let Message { method_name, query: after, .. } = message;
    let request_line = format!("{method_name} {path}{query}{after} HTTP/1.1\r\n");
    let mut text = (request_line + "Host: localhost\r\n").into_bytes();
    for field in message.headers {
        let length = field.name.len() + field.value.len() + ": \r\n".len();
        let fits = text.len() + length <= HEAD_BYTES_MAX;
        if fits && !is_ours(field.name) && field.value.is_ascii() {
            text.extend_from_slice(field.name.as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(field.value);
            text.extend_from_slice(b"\r\n");
        }
    }
    if !body.is_empty() {
        text.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&body);
    text
}

/// async-h1 takes a head below 8 KiB; what framing has passed may be longer when it is written
/// anew. Fields for which no room is left are left out; our clients send none that long.
const HEAD_BYTES_MAX: usize = 8 * 1024 - 64;

/// Fields that framing has dealt with.
fn is_ours(name: &str) -> bool {
    ["host", "expect", "connection", "content-length", "transfer-encoding", "te", "trailer"]
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Runs a future that never waits, since everything that it reads is in memory; `None` if it
/// does after all.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Bytes in memory, read once from the front. A clone has its own place, and async-h1 reads from
/// one clone alone.
#[derive(Clone)]
struct Memory {
    bytes: Arc<[u8]>,
    at: usize,
}

impl Memory {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), at: 0 }
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let rest = &self.bytes[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Poll::Ready(Ok(length))
    }
}

/// async-h1 would write `100 Continue` here; the framed message never asks for it.
impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
