//! What must hold for every sequence of bytes that a client can send. The fuzz target tries what
//! the coverage leads it to, `tests/it/framing.rs` what a seed makes.

use calendarbot::budget::{FeedLimits, HttpLimits, Plan};
use calendarbot::http::decode::decode;
use calendarbot::http::frame::{Body, Framed, Message, Method, dechunk, frame, header_room};

/// The limits of a Pi.
pub(super) fn limits() -> HttpLimits {
    Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http
}

/// Limits that a few bytes reach.
pub(super) fn tight_limits() -> HttpLimits {
    HttpLimits {
        head_bytes_max: 160,
        target_bytes_max: 40,
        headers_max: 5,
        body_bytes_max: 32,
        chunk_overhead_bytes_max: 40,
        large_buffer_bytes: 160 + 32 + 40,
        ..limits()
    }
}

/// The outcome as text: what it is, what was understood, how much was taken.
fn outcome(bytes: &[u8], limits: &HttpLimits) -> String {
    let mut room = header_room();
    match frame(bytes, &mut room, limits) {
        Framed::Head => {
            assert!(bytes.len() < limits.head_bytes_max, "waits for more than a head may have");
            "head".to_owned()
        }
        Framed::Body { bytes_min, message } => {
            assert!(bytes_min > bytes.len(), "waits for what is there");
            let room = limits.large_buffer_bytes - limits.head_bytes_max;
            assert!(bytes_min - message.consumed <= room, "waits for what no buffer holds");
            "body".to_owned()
        }
        Framed::Reject(status) => format!("reject {}", status.code),
        Framed::Complete(message) => {
            assert!(message.consumed <= bytes.len(), "took what is not there");
            let body = body_of(&message, bytes);
            format!("complete {} {message:?} {body:?}", message.consumed)
        }
    }
}

fn body_of(message: &Message<'_, '_>, bytes: &[u8]) -> Vec<u8> {
    match &message.body {
        Body::Plain(range) => bytes[range.clone()].to_vec(),
        Body::Chunked(range) => dechunk(&bytes[range.clone()]),
        Body::Awaited => Vec::new(),
    }
}

/// However the bytes are cut into packets, they mean the same: a prefix is unfinished, or it is
/// already what the whole is. And what comes behind a message changes nothing about it.
pub(super) fn is_the_same_at_every_cut(bytes: &[u8], limits: &HttpLimits) {
    let whole = outcome(bytes, limits);
    let step = bytes.len().div_ceil(300).max(1);
    let mut reached_body = false;
    for cut in (0..bytes.len()).step_by(step) {
        let early = outcome(&bytes[..cut], limits);
        match &*early {
            "head" => assert!(!reached_body, "a head that had ended began again at {cut}"),
            "body" => reached_body = true,
            early => assert_eq!(early, whole, "cut at {cut}"),
        }
    }
}

/// Whatever framing passes on, async-h1 reads as the same request.
pub(super) fn is_decoded_as_framed(bytes: &[u8], limits: &HttpLimits) {
    let mut room = header_room();
    let Framed::Complete(message) = frame(bytes, &mut room, limits) else { return };
    if matches!(message.method, Method::Refused | Method::Unknown) {
        // Answered before anything is decoded.
        return;
    }
    let decoded = match decode(&message, bytes) {
        Ok(decoded) => decoded,
        Err(status) => panic!("{} for what was framed", status.code),
    };
    let (request, url) = (&decoded.request, decoded.request.url());
    assert_eq!(request.method().as_ref(), message.method_name);
    let path = if message.path == "*" { "/" } else { message.path };
    assert_eq!(url.path(), path);
    // The URL Standard escapes the apostrophe in a query; it means the same.
    assert_eq!(url.query().unwrap_or_default(), message.query.replace('\'', "%27"));
    assert_eq!(decoded.body, body_of(&message, bytes));
    // Fields that no longer fit are left out of a head near the limit.
    if message.consumed > 7 * 1024 {
        return;
    }
    let dealt_with =
        ["host", "expect", "connection", "content-length", "transfer-encoding", "te", "trailer"];
    for field in message.headers {
        let name = field.name.to_ascii_lowercase();
        if dealt_with.contains(&&*name) || !field.value.is_ascii() {
            continue;
        }
        let sent: Vec<&[u8]> = message
            .headers
            .iter()
            .filter(|other| other.name.eq_ignore_ascii_case(&name) && other.value.is_ascii())
            .map(|other| other.value)
            .collect();
        let values = request.header(&*name);
        let values = values.map(|values| values.iter().map(|value| value.as_str().as_bytes()));
        let read: Vec<&[u8]> = values.into_iter().flatten().collect();
        assert_eq!(read, sent, "{name}");
    }
}
