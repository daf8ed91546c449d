//! Tables of raw bytes -> outcome. Every row is also tried at every cut: what a prefix amounts
//! to must be unfinished or already the row's outcome.

use super::*;
use crate::budget::{FeedLimits, Plan};

fn limits() -> HttpLimits {
    Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http
}

/// The outcome in a line: `400`, `head`, `body`, or `path?query host body-bytes consumed`.
fn outcome(bytes: &[u8]) -> String {
    let mut room = header_room();
    match frame(bytes, &mut room, &limits()) {
        Framed::Head => "head".into(),
        Framed::Body { bytes_min, .. } => {
            assert!(bytes_min > bytes.len());
            "body".into()
        }
        Framed::Reject(status) => status.code.to_string(),
        Framed::Complete(message) => {
            assert!(message.consumed <= bytes.len());
            let body = match &message.body {
                Body::Plain(range) => bytes[range.clone()].to_vec(),
                Body::Chunked(range) => dechunk(&bytes[range.clone()]),
                Body::Awaited => unreachable!("it is complete"),
            };
            let query = if message.query.is_empty() { "" } else { "?" };
            let open = if message.keep_alive { "open" } else { "close" };
            let body = String::from_utf8_lossy(&body).into_owned();
            let Message { path, query: q, host, consumed, .. } = message;
            let host = String::from_utf8_lossy(host);
            let left = bytes.len() - consumed;
            format!("{path}{query}{q} {host} {open} [{body}] +{left}")
        }
    }
}

fn check(raw: impl AsRef<[u8]>, expected: &str) {
    let raw = raw.as_ref();
    assert_eq!(outcome(raw), expected, "{:?}", String::from_utf8_lossy(raw));
    let is_complete = expected.ends_with("+0");
    for cut in 0..raw.len() {
        let early = outcome(&raw[..cut]);
        let agrees = early == "head" || early == "body" || (early == expected && !is_complete);
        // What is left over differs with the cut; everything else is the same.
        let same_message = early.split(" +").next() == expected.split(" +").next();
        assert!(agrees || same_message, "cut at {cut}: {early} then {expected}");
    }
}

/// A GET of `/` with further header lines.
fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn request_lines() {
    for (line, expected) in [
        ("GET / HTTP/1.1", "/ a open [] +0"),
        ("GET /x?y=1&z=%20 HTTP/1.1", "/x?y=1&z=%20 a open [] +0"),
        ("GET /? HTTP/1.1", "/ a open [] +0"),
        ("GET http://b:80/x HTTP/1.1", "/x b:80 open [] +0"),
        ("GET HTTP://b HTTP/1.1", "/ b open [] +0"),
        ("GET http://[::1]:80/x HTTP/1.1", "/x [::1]:80 open [] +0"),
        ("GET http://b?x HTTP/1.1", "400"),
        ("GET ftp://b/ HTTP/1.1", "400"),
        ("GET http:///x HTTP/1.1", "400"),
        ("GET http://u@b/ HTTP/1.1", "400"),
        ("OPTIONS * HTTP/1.1", "* a open [] +0"),
        ("GET * HTTP/1.1", "400"),
        ("GET x HTTP/1.1", "400"),
        ("CONNECT b:443 HTTP/1.1", "405"),
        ("TRACE / HTTP/1.1", "405"),
        ("BREW / HTTP/1.1", "/ a open [] +0"),
        ("GET  / HTTP/1.1", "400"),
        ("GET /  HTTP/1.1", "400"),
        (" GET / HTTP/1.1", "400"),
        ("GET / HTTP/1.1 ", "400"),
        ("GET\t/ HTTP/1.1", "400"),
        ("GET / http/1.1", "400"),
        ("GET / HTTP/1.2", "505"),
        ("GET / HTTP/2.0", "505"),
        ("GET / HTTP/0.9", "505"),
        ("GET / HTTP/11", "400"),
        ("GET / HTTP/1.10", "400"),
        ("GET /", "400"),
        ("GET", "400"),
        ("G\u{e4}T / HTTP/1.1", "400"),
        ("GET /\u{e4} HTTP/1.1", "400"),
        ("GET /a#b HTTP/1.1", "400"),
        ("GET /a\\b HTTP/1.1", "400"),
        ("GET /a<b HTTP/1.1", "400"),
    ] {
        check(format!("{line}\r\nHost: a\r\n\r\n"), expected);
    }
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505");
}

#[test]
fn paths_that_hide_something() {
    for (path, expected) in [
        ("/a/b/", "/a/b/ a open [] +0"),
        ("/..", "400"),
        ("/a/../b", "400"),
        ("/./a", "400"),
        ("/...", "/... a open [] +0"),
        ("/a..b", "/a..b a open [] +0"),
        ("/%2e%2e/a", "400"),
        ("/%2E/a", "400"),
        ("/a%2fb", "400"),
        ("/a%5Cb", "400"),
        ("/a%00", "400"),
        ("/a%0a", "400"),
        ("/a%", "400"),
        ("/a%4", "400"),
        ("/a%zz", "400"),
        ("/a%20b", "/a%20b a open [] +0"),
        ("/a?b=%", "400"),
        ("/a?b=%2F..", "/a?b=%2F.. a open [] +0"),
    ] {
        check(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"), expected);
    }
}

#[test]
fn line_ends_and_control_bytes() {
    for (raw, expected) in [
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "/ a open [] +0"),
        ("GET / HTTP/1.1\nHost: a\n\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", "400"),
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n", "/ a open [] +0"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nX\r\nHost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nX\u{e4}: a\r\nHost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nX: \u{e4}\u{20ac}\r\nHost: a\r\n\r\n", "/ a open [] +0"),
        ("\0", "400"),
        ("\x16\x03\x01\x02\x00", "400"),
    ] {
        check(raw, expected);
    }
}

#[test]
fn hosts() {
    for (fields, expected) in [
        ("Host: a\r\n", "/ a open [] +0"),
        ("hOST:a:8080\r\n", "/ a:8080 open [] +0"),
        ("Host: [::1]:8080\r\n", "/ [::1]:8080 open [] +0"),
        ("Host: [::1\r\n", "400"),
        ("Host: [::g]\r\n", "400"),
        ("Host: [::1]x\r\n", "400"),
        ("Host: a:b\r\n", "400"),
        ("Host: a:123456\r\n", "400"),
        ("Host: a/b\r\n", "400"),
        ("Host: a?b\r\n", "400"),
        ("Host: a#b\r\n", "400"),
        ("Host: u@a\r\n", "400"),
        ("Host: a b\r\n", "400"),
        ("Host: \u{e4}\r\n", "400"),
        ("Host:\r\n", "400"),
        ("Host: a\r\nHost: a\r\n", "400"),
        ("", "400"),
    ] {
        check(format!("GET / HTTP/1.1\r\n{fields}\r\n"), expected);
    }
}

#[test]
fn versions_and_keep_alive() {
    for (raw, expected) in [
        ("GET / HTTP/1.0\r\n\r\n", "/  close [] +0"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "/  open [] +0"),
        ("GET / HTTP/1.0\r\nConnection: Foo, Keep-Alive\r\n\r\n", "/  open [] +0"),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "/ a close [] +0"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x,CLOSE\r\n\r\n", "/ a close [] +0"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", "/ a open [] +0"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", "/ a close [] +0"),
    ] {
        check(raw, expected);
    }
}

#[test]
fn content_length() {
    for (value, expected) in [
        ("5", "/ a open [hello] +0"),
        ("005", "/ a open [hello] +0"),
        ("4", "/ a open [hell] +1"),
        ("6", "body"),
        ("+5", "400"),
        ("-5", "400"),
        ("5, 5", "400"),
        ("0x5", "400"),
        ("5 5", "400"),
        ("", "400"),
        ("65537", "413"),
        ("999999999999999999", "413"),
        ("99999999999999999999999", "400"),
    ] {
        let raw = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\nhello");
        check(raw, expected);
    }
    check(with("Content-Length: 0\r\nContent-Length: 0\r\n"), "400");
    check(with("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), "400");
}

#[test]
fn transfer_encoding() {
    for (value, expected) in [
        ("chunked", "body"),
        ("Chunked", "body"),
        ("xchunked", "400"),
        ("gzip, chunked", "400"),
        ("chunked, chunked", "400"),
        ("chunked\t,", "400"),
        ("identity", "400"),
        ("", "400"),
    ] {
        check(with(&format!("Transfer-Encoding: {value}\r\n")), expected);
    }
    check(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400");
}

#[test]
fn chunks() {
    for (body, expected) in [
        ("0\r\n\r\n", "/ a open [] +0"),
        ("5\r\nhello\r\n0\r\n\r\n", "/ a open [hello] +0"),
        ("2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", "/ a open [hello] +0"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "/ a open [0123456789] +0"),
        ("5;x=y\r\nhello\r\n0;z\r\n\r\n", "/ a open [hello] +0"),
        ("5 ;x\r\nhello\r\n0\r\n\r\n", "/ a open [hello] +0"),
        ("5 \r\nhello\r\n0\r\n\r\n", "400"),
        ("5\r\nhello\r\n0\r\nX: y\r\n\r\nrest", "/ a open [hello] +4"),
        ("5\r\nhello\r\n0\r\nX y\r\n\r\n", "400"),
        ("5\r\nhello\r\n0\r\n: y\r\n\r\n", "400"),
        ("5\r\nhello\r\n0\r\n folded\r\n\r\n", "400"),
        ("5\r\nhello0\r\n\r\n", "400"),
        ("5\r\nhello\n0\r\n\r\n", "400"),
        ("5\nhello\r\n0\r\n\r\n", "400"),
        ("5x\r\nhello\r\n0\r\n\r\n", "400"),
        ("0x5\r\nhello\r\n0\r\n\r\n", "400"),
        ("+5\r\nhello\r\n0\r\n\r\n", "400"),
        ("-1\r\n", "400"),
        ("\r\n", "400"),
        ("fffffffffffffffff\r\n", "413"),
        ("10001\r\n", "413"),
        ("5\r\nhell", "body"),
        ("5\r\nhello\r\n0\r\n", "body"),
    ] {
        check(with("Transfer-Encoding: chunked\r\n") + body, expected);
    }
}

#[test]
fn expectations() {
    check(with("Expect: 100-continue\r\n"), "/ a open [] +0");
    check(with("Expect: 200-ok\r\n"), "417");
    let raw = with("Expect: 100-Continue\r\nContent-Length: 1\r\n");
    let mut room = header_room();
    let framed = frame(raw.as_bytes(), &mut room, &limits());
    let Framed::Body { message, bytes_min } = framed else { panic!("{framed:?}") };
    assert!(message.expects_continue);
    assert_eq!(bytes_min, raw.len() + 1);
}

#[test]
fn each_limit_is_reached_and_not_passed() {
    let limits = limits();
    let padded = |bytes: usize| {
        let empty = with("X: \r\n").len();
        with(&format!("X: {}\r\n", "x".repeat(bytes - empty)))
    };
    check(padded(limits.head_bytes_max), "/ a open [] +0");
    check(padded(limits.head_bytes_max + 1), "431");

    let target =
        |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(bytes - 1));
    assert!(outcome(target(limits.target_bytes_max).as_bytes()).ends_with("+0"));
    check(target(limits.target_bytes_max + 1), "414");
    check(format!("GET /{}", "x".repeat(10_000)), "414");
    check("x".repeat(10_000), "414");

    let headers = |count: usize| with(&"X: y\r\n".repeat(count - 1));
    check(headers(limits.headers_max), "/ a open [] +0");
    check(headers(limits.headers_max + 1), "431");
    check("\r\n".repeat(limits.head_bytes_max / 2 + 1), "431");

    let body = |bytes: usize| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
        outcome((head + &"x".repeat(bytes)).as_bytes())
    };
    assert!(body(limits.body_bytes_max).ends_with("+0"));
    assert_eq!(body(limits.body_bytes_max + 1), "413");

    let chunked = |extension: usize| {
        let head = with("Transfer-Encoding: chunked\r\n");
        outcome(format!("{head}0;{}\r\n\r\n", "x".repeat(extension)).as_bytes())
    };
    assert!(chunked(limits.chunk_overhead_bytes_max - 6).ends_with("+0"));
    assert_eq!(chunked(limits.chunk_overhead_bytes_max - 5), "413");
}

#[test]
fn pipelined_messages_are_taken_one_by_one() {
    let raw = with("") + "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + &with("");
    let mut rest = raw.as_bytes();
    let mut paths = Vec::new();
    while !rest.is_empty() {
        let mut room = header_room();
        let Framed::Complete(message) = frame(rest, &mut room, &limits()) else { panic!() };
        paths.push(message.path);
        rest = &rest[message.consumed..];
    }
    assert_eq!(paths, ["/", "/b", "/"]);
}

/// Whatever the bytes: no panic, nothing consumed that is not there, and the same outcome at
/// every cut (`check` holds that).
#[test]
fn mutated_requests_are_judged_the_same_at_every_cut() {
    let seeds = [
        with("Content-Length: 5\r\n") + "hello",
        with("Transfer-Encoding: chunked\r\n") + "5;a\r\nhello\r\n0\r\nX: y\r\n\r\n",
        with("Expect: 100-continue\r\nConnection: close\r\n"),
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let alphabet = b"\r\n\t :;,0159aAfF/?%.\0\x7f\xe4-+xHost";
    for round in 0..3000 {
        let mut raw = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(raw.len());
            match random(3) {
                0 => raw[at] = alphabet[random(alphabet.len())],
                1 => raw.insert(at, alphabet[random(alphabet.len())]),
                _ => drop(raw.remove(at)),
            }
        }
        let expected = outcome(&raw);
        check(&raw, &expected);
    }
}
