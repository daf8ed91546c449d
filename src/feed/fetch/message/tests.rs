//! Tables of raw answers, read whole and cut.

use super::*;

const HEAD_BYTES_MAX: usize = 4096;
const INTERIM_MAX: usize = 8;

/// What came of an answer: its head, its body, and the bytes after its end.
type Outcome = Result<(Head, Vec<u8>, usize), &'static str>;

/// Reads an answer that arrives in these pieces and ends with a closed connection.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut answer = Answer::new(HEAD_BYTES_MAX, INTERIM_MAX);
    let (mut head, mut body, mut surplus) = (None, Vec::new(), 0);
    let mut take = |mut input: &[u8], answer: &mut Answer| -> Result<(), Malformed> {
        while !input.is_empty() {
            let (taken, event) = answer.advance(input)?;
            match event {
                Event::More => assert!(taken > 0, "no progress"),
                Event::Head(found) => assert!(head.replace(*found).is_none(), "two heads"),
                Event::Data(data) => body.extend_from_slice(data),
                Event::End => {
                    surplus += input.len();
                    return Ok(());
                }
            }
            input = &input[taken..];
        }
        Ok(())
    };
    for piece in pieces {
        take(piece, &mut answer).map_err(|Malformed(what)| what)?;
    }
    answer.close().map_err(|Malformed(what)| what)?;
    Ok((head.expect("an answer that ended has a head"), body, surplus))
}

/// Reads `text` whole, a byte at a time, and cut in two at every place: always the same.
fn read_every_way(text: &[u8]) -> Outcome {
    let whole = read([text]);
    assert_eq!(
        read(text.chunks(1)),
        whole,
        "a byte at a time: {:?}",
        text.escape_ascii().to_string()
    );
    for cut in 0..=text.len() {
        let (front, back) = text.split_at(cut);
        assert_eq!(read([front, back]), whole, "cut at {cut}");
    }
    whole
}

fn check_body(text: &str, expected: Result<&str, &str>) {
    let outcome = read_every_way(text.as_bytes());
    let body = outcome.map(|(_, body, _)| String::from_utf8(body).expect("text"));
    assert_eq!(body.as_deref().map_err(|what| *what), expected, "{text:?}");
}

/// The same for an answer with these fields and this body.
fn check(fields: &str, body: &str, expected: Result<&str, &str>) {
    check_body(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}"), expected);
}

fn head(text: &str) -> Head {
    read_every_way(text.as_bytes()).expect("an answer").0
}

#[test]
fn a_counted_body_is_as_long_as_it_was_announced() {
    check("Content-Length: 5\r\n", "hello", Ok("hello"));
    check("Content-Length: 0\r\n", "", Ok(""));
    check("content-length:\t5 \r\n", "hello", Ok("hello"));
    check("Content-Length: 005\r\n", "hello", Ok("hello"));
    check("Content-Length: 6\r\n", "hello", Err("the body was cut short"));
    check("Content-Length: 18446744073709551615\r\n", "hello", Err("the body was cut short"));
}

#[test]
fn a_content_length_is_one_number() {
    let number = Err("Content-Length is not a number");
    for value in ["+5", "-5", "5,5", "5, 5", "0x5", "5 5", "", "5.0", "18446744073709551616"] {
        check(&format!("Content-Length: {value}\r\n"), "hello", number);
    }
    let several = Err("more than one Content-Length");
    check("Content-Length: 5\r\nContent-Length: 5\r\n", "hello", several);
    check("Content-Length: 5\r\ncontent-length: 6\r\n", "hello", several);
}

#[test]
fn a_transfer_encoding_is_chunked_and_nothing_else() {
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    check("Transfer-Encoding: chunked\r\n", chunks, Ok("hello"));
    check("transfer-encoding: Chunked \r\n", chunks, Ok("hello"));
    let other = Err("a Transfer-Encoding other than chunked");
    for value in ["gzip", "xchunked", "gzip, chunked", "chunked, chunked", "\"chunked\"", ""] {
        check(&format!("Transfer-Encoding: {value}\r\n"), chunks, other);
    }
    check("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks, other);
    let beside = Err("Content-Length beside Transfer-Encoding");
    check("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunks, beside);
    check("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunks, beside);
    check_body(
        &format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
        Err("Transfer-Encoding in an HTTP/1.0 answer"),
    );
}

fn check_chunks(body: &str, expected: Result<&str, &str>) {
    check("Transfer-Encoding: chunked\r\n", body, expected);
}

#[test]
fn chunks_are_put_together() {
    check_chunks("0\r\n\r\n", Ok(""));
    check_chunks("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", Ok("hello world"));
    check_chunks("B\r\nhello world\r\n000\r\n\r\n", Ok("hello world"));
    check_chunks("b\r\nhello world\r\n0\r\n\r\n", Ok("hello world"));
    check_chunks("00000000000000b\r\nhello world\r\n0\r\n\r\n", Ok("hello world"));
    check_chunks("4\r\n\r\n\r\n\r\n0\r\n\r\n", Ok("\r\n\r\n"));
}

#[test]
fn chunk_extensions_and_trailers_are_read_and_dropped() {
    check_chunks("5;a=b;c=\"d\"\r\nhello\r\n0;last\r\n\r\n", Ok("hello"));
    check_chunks("5   \r\nhello\r\n0\r\n\r\n", Ok("hello"));
    check_chunks("5\r\nhello\r\n0\r\nExpires: never\r\nX: y\r\n\r\n", Ok("hello"));
    let padded = |n: usize| format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(n));
    check_chunks(&padded(EXTENSION_BYTES_MAX - 1), Ok("hello"));
    check_chunks(&padded(EXTENSION_BYTES_MAX), Err("a chunk extension is too long"));
    let trailed = |n: usize| format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "x".repeat(n));
    // "X: ", two line feeds' worth of CRLF and the first byte of the end are counted too.
    check_chunks(&trailed(TRAILER_BYTES_MAX - 6), Ok("hello"));
    check_chunks(&trailed(TRAILER_BYTES_MAX), Err("the trailer is too long"));
}

#[test]
fn chunk_sizes_are_hexadecimal_without_sign_or_overflow() {
    let size = Err("a chunk size cannot be read");
    for line in ["", "+5", "-5", "0x5", "g", " 5", "5h", "hello", "\u{b2}", "00000000000000005"] {
        check_chunks(&format!("{line}\r\nhello\r\n0\r\n\r\n"), size);
    }
    check_chunks("10000000000000005\r\nhello\r\n0\r\n\r\n", size);
    check_chunks("ffffffffffffffff\r\nhello\r\n0\r\n\r\n", Err("the body was cut short"));
}

#[test]
fn chunk_lines_end_with_crlf() {
    let line = Err("a line of the chunked body does not end with CRLF");
    check_chunks("5;a\nhello\r\n0\r\n\r\n", line);
    check_chunks("5\rhello\r\n0\r\n\r\n", line);
    check_chunks("5;\r;\r\nhello\r\n0\r\n\r\n", line);
    check_chunks("5\r\nhello\r\n0\r\nX: y\n\r\n", line);
    check_chunks("5\r\nhello\r\n0\r\n\rX", line);
    check_chunks("5\nhello\r\n0\r\n\r\n", Err("a chunk size cannot be read"));
    let longer = Err("a chunk is longer than its size");
    check_chunks("4\r\nhello\r\n0\r\n\r\n", longer);
    check_chunks("5\r\nhello\n0\r\n\r\n", longer);
    check_chunks("5\r\nhello0\r\n\r\n", longer);
}

#[test]
fn a_chunked_body_cut_anywhere_is_cut_short() {
    let whole = "5;x\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for cut in 0..whole.len() {
        check_chunks(&whole[..cut], Err("the body was cut short"));
    }
    check_chunks(whole, Ok("hello"));
}

#[test]
fn without_a_length_the_body_ends_with_the_connection() {
    check("", "hello", Ok("hello"));
    check_body("HTTP/1.0 200 OK\r\n\r\nhello", Ok("hello"));
    assert!(!head("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

#[test]
fn a_head_is_http_1_with_crlf_and_bounded() {
    let other = Err("the server does not speak HTTP/1");
    for start in ["HTTP/2 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK", "\r\nHTTP/1.1 200 OK", "<"]
    {
        check_body(&format!("{start}\r\n\r\n"), other);
    }
    let line = Err("a line of the head does not end with CRLF");
    check_body("HTTP/1.1 200 OK\n\n", line);
    check_body("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", line);
    check_body("HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", line);
    check_body("HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", line);
    let unreadable = Err("the head cannot be read");
    for head in [
        "HTTP/1.2 200 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 200 OK\r\nA : b",
        "HTTP/1.1 200 OK\r\n: b",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded",
        "HTTP/1.1 200 OK\r\nA",
        "HTTP/1.1 200 OK\r\nA: \0",
        "HTTP/1.1 200 OK\r\nÄ: b",
    ] {
        check_body(&format!("{head}\r\n\r\n"), unreadable);
    }
    let status = Err("the status is not one of HTTP");
    check_body("HTTP/1.1 099 X\r\n\r\n", status);
    check_body("HTTP/1.1 600 X\r\n\r\n", status);
    check_body("HTTP/1.1 200 OK\r\nA", Err("the answer ends inside its head"));
    check_body("", Err("the answer ends inside its head"));
}

#[test]
fn the_head_s_bytes_and_fields_are_counted() {
    let sized = |bytes: usize| {
        let frame = "HTTP/1.1 200 OK\r\nA: \r\n\r\n";
        frame.replace("A: ", &format!("A: {}", "x".repeat(bytes - frame.len())))
    };
    assert!(read([sized(HEAD_BYTES_MAX).as_bytes()]).is_ok());
    assert_eq!(read([sized(HEAD_BYTES_MAX + 1).as_bytes()]), Err("the head is too long"));
    let many = |fields: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(fields));
    assert!(read([many(FIELDS_MAX).as_bytes()]).is_ok());
    assert_eq!(read([many(FIELDS_MAX + 1).as_bytes()]), Err("the head has too many fields"));
}

#[test]
fn interim_answers_are_skipped_up_to_a_number() {
    let after = |interims: usize| {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 9\r\n\r\n";
        format!("{}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", hints.repeat(interims))
    };
    check_body(&after(1), Ok("hello"));
    check_body(&after(INTERIM_MAX), Ok("hello"));
    check_body(&after(INTERIM_MAX + 1), Err("too many interim answers"));
    check_body("HTTP/1.1 101 X\r\n\r\n", Err("the server switched to another protocol"));
}

#[test]
fn some_answers_have_no_body_whatever_they_announce() {
    for status in [204, 304] {
        for fields in ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
            check_body(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n"), Ok(""));
        }
    }
}

#[test]
fn what_follows_an_answer_is_not_part_of_it() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n";
    let (_, body, surplus) = read([text.as_bytes()]).expect("an answer");
    assert_eq!((body.as_slice(), surplus), (b"hello".as_slice(), 19));
}

#[test]
fn the_head_says_whether_the_connection_lives() {
    let check = |version: &str, connection: &str, lives: bool| {
        let text = format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\n{connection}\r\n");
        assert_eq!(head(&text).keep_alive, lives, "{text:?}");
    };
    check("1.1", "", true);
    check("1.1", "Connection: keep-alive\r\n", true);
    check("1.1", "Connection: close\r\n", false);
    check("1.1", "Connection: Keep-Alive , CLOSE\r\n", false);
    check("1.1", "Connection: x\r\nConnection: close\r\n", false);
    check("1.1", "Connection: closed\r\n", true);
    check("1.0", "", false);
    check("1.0", "Connection: keep-alive\r\n", false);
}

#[test]
fn a_field_that_is_there_twice_says_nothing() {
    let once = head("HTTP/1.1 200 OK\r\nETag:  \"a\" \r\nLast-Modified: b\r\n\r\n");
    assert_eq!(once.etag.as_deref(), Some(b"\"a\"".as_slice()));
    assert_eq!(once.last_modified.as_deref(), Some(b"b".as_slice()));
    let twice = head("HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n");
    assert_eq!(twice.location, None);
}

#[test]
fn bytes_beyond_ascii_in_a_value_are_kept_as_bytes() {
    let found = head("HTTP/1.1 200 Très bien\r\nServer: caf\u{e9}\r\nETag: \"\u{e9}\"\r\n\r\n");
    assert_eq!(found.etag.as_deref(), Some("\"é\"".as_bytes()));
    let latin = b"HTTP/1.1 302 Found\r\nLocation: /\xe9\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        read_every_way(latin).expect("an answer").0.location.as_deref(),
        Some(&b"/\xe9"[..])
    );
}

#[test]
fn a_content_encoding_is_noticed() {
    let check = |fields: &str, coding: Coding| {
        assert_eq!(head(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).coding, coding, "{fields}");
    };
    check("", Coding::Identity);
    check("Content-Encoding: identity\r\n", Coding::Identity);
    check("Content-Encoding: Identity\r\nContent-Encoding: \r\n", Coding::Identity);
    check("Content-Encoding: GZip\r\n", Coding::Gzip);
    check("Content-Encoding: identity\r\nContent-Encoding: x-gzip\r\n", Coding::Gzip);
    check("Content-Encoding: gzip, gzip\r\n", Coding::Unknown);
    check("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", Coding::Unknown);
    check("Content-Encoding: identity\r\nContent-Encoding: br\r\n", Coding::Unknown);
}

/// A seeded random walk: mutated answers, cut into random pieces, never panic, and read the same
/// whole as in pieces.
#[test]
fn broken_answers_are_read_the_same_in_any_pieces() {
    let seeds = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 301 Moved\r\nLocation: /\r\n\r\n",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..4000 {
        let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=random(3) {
            let place = random(text.len());
            match random(3) {
                0 => text[place] = random(256) as u8,
                1 => drop(text.remove(place)),
                _ => text.insert(place, b"\r\n:0;f\xff "[random(8)]),
            }
        }
        let whole = read([text.as_slice()]);
        let cut = random(text.len() + 1);
        let size = 1 + random(7);
        assert_eq!(read([&text[..cut], &text[cut..]]), whole, "{}", text.escape_ascii());
        assert_eq!(read(text.chunks(size)), whole, "{}", text.escape_ascii());
    }
}
