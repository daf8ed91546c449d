//! The bytes with which the peers answer: as many, and header fields much like the product's.

use std::net::SocketAddr;

use crate::Result;

/// Header fields that the product sends with a view and a peer must be told to send.
pub const FIELDS: [(&str, &str); 6] = [
    ("Content-Type", "application/json"),
    ("ETag", "\"0123456789abcdef\""),
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

/// A body of so many bytes.
pub fn body(length: usize) -> Vec<u8> {
    vec![b'x'; length]
}

/// A whole answer, head and body, whose date never changes. A server that closes says so.
pub fn whole(body_bytes: usize, closes: bool) -> Vec<u8> {
    let fields: String =
        FIELDS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let connection = if closes { "Connection: close\r\n" } else { "" };
    let date = "Date: Tue, 24 Nov 2026 09:00:00 GMT";
    let length = format!("Content-Length: {body_bytes}");
    let head = format!("HTTP/1.1 200 OK\r\n{date}\r\n{length}\r\n{fields}{connection}\r\n");
    [head.into_bytes(), body(body_bytes)].concat()
}

/// What a peer of ours is told: where to listen and how long its body is.
///
/// # Errors
/// When that is not what the arguments are.
pub fn arguments() -> Result<(SocketAddr, usize)> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("say the address and the bytes of the body");
    Ok((next()?.parse()?, next()?.parse()?))
}
