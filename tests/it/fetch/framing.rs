//! Answers that two readers could understand differently, or that end too early: nothing of them
//! is used.

use super::{CALENDAR, MIB, check_malformed, send};
use crate::feed_server::Step;

/// A head with these fields, and what follows it.
fn answer(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}")
}

#[test]
fn the_length_of_a_body_is_told_once_and_plainly() {
    for (fields, reason) in [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "more than one Content-Length"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "more than one Content-Length"),
        ("Content-Length: 5, 5\r\n", "Content-Length is not a number"),
        ("Content-Length: +5\r\n", "Content-Length is not a number"),
        ("Content-Length: -5\r\n", "Content-Length is not a number"),
        ("Content-Length: 0x5\r\n", "Content-Length is not a number"),
        ("Content-Length: \r\n", "Content-Length is not a number"),
        ("Content-Length: 18446744073709551616\r\n", "Content-Length is not a number"),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length beside Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "a Transfer-Encoding other than chunked",
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: xchunked\r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: identity\r\n", "a Transfer-Encoding other than chunked"),
    ] {
        println!("{fields:?}");
        check_malformed(answer(fields, "BEGIN"), reason);
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check_malformed(old, "Transfer-Encoding in an HTTP/1.0 answer");
}

#[test]
fn a_body_that_is_cut_short_is_an_error() {
    for (fields, body) in [
        ("Content-Length: 100\r\n", ""),
        ("Content-Length: 100\r\n", "BEGIN:VCALENDAR"),
        ("Transfer-Encoding: chunked\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "5"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nBEG"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nBEGIN"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nBEGIN\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nBEGIN\r\n0\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nBEGIN\r\n0\r\nX: y\r\n"),
    ] {
        println!("{fields:?} {body:?}");
        check_malformed(answer(fields, body), "the body was cut short");
    }
}

#[test]
fn a_chunk_is_as_long_as_it_says() {
    let size = "a chunk size cannot be read";
    let line = "a line of the chunked body does not end with CRLF";
    for (body, reason) in [
        ("\r\nBEGIN\r\n0\r\n\r\n", size),
        ("+5\r\nBEGIN\r\n0\r\n\r\n", size),
        ("-5\r\nBEGIN\r\n0\r\n\r\n", size),
        ("0x5\r\nBEGIN\r\n0\r\n\r\n", size),
        (" 5\r\nBEGIN\r\n0\r\n\r\n", size),
        ("g\r\nBEGIN\r\n0\r\n\r\n", size),
        ("00000000000000005\r\nBEGIN\r\n0\r\n\r\n", size),
        ("5\nBEGIN\r\n0\r\n\r\n", size),
        ("5;x\nBEGIN\r\n0\r\n\r\n", line),
        ("4\r\nBEGIN\r\n0\r\n\r\n", "a chunk is longer than its size"),
        ("5\r\nBEGIN\n0\r\n\r\n", "a chunk is longer than its size"),
    ] {
        println!("{body:?}");
        check_malformed(answer("Transfer-Encoding: chunked\r\n", body), reason);
    }
    let extension = format!("5;{}\r\nBEGIN\r\n0\r\n\r\n", "x".repeat(300));
    let chunked = |body: &str| answer("Transfer-Encoding: chunked\r\n", body);
    check_malformed(chunked(&extension), "a chunk extension is too long");
    let trailer = format!("0\r\n{}\r\n", "X: y\r\n".repeat(1000));
    check_malformed(chunked(&trailer), "the trailer is too long");
}

#[test]
fn a_head_is_that_of_http_1() {
    let line = "a line of the head does not end with CRLF";
    let unreadable = "the head cannot be read";
    for (answer, reason) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "the server does not speak HTTP/1"),
        ("HTTP/2.0 200 OK\r\n\r\n", "the server does not speak HTTP/1"),
        ("HTTP/1.2 200 OK\r\n\r\n", unreadable),
        ("HTTP/1.1 20 OK\r\n\r\n", unreadable),
        ("HTTP/1.1 600 OK\r\n\r\n", "the status is not one of HTTP"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "the server switched to another protocol"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", line),
        ("HTTP/1.1 200 OK\r\nX: a\rContent-Length: 0\r\n\r\n", line),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", unreadable),
        ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", unreadable),
        ("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", unreadable),
        ("HTTP/1.1 200 OK\r\nContent-Len", "the answer ends inside its head"),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n\x1f\x08",
            "a Content-Encoding that was not asked for",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 0\r\n\r\n",
            "a Content-Encoding that was not asked for",
        ),
    ] {
        println!("{answer:?}");
        check_malformed(answer, reason);
    }
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MIB));
    check_malformed(long, "the head is too long");
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
    check_malformed(many, "the head has too many fields");
}

/// The framing has confirmed the end, or the next byte is not part of the answer.
#[test]
fn what_follows_an_answer_is_not_part_of_it() {
    let fields = format!("Content-Length: {}\r\n", CALENDAR.len());
    let surplus = answer(&fields, CALENDAR) + "surplus";
    assert_eq!(super::fetched([send(surplus), Step::Close]).as_deref(), Ok(CALENDAR));
}
