//! Requests made from a seed, sound and nearly so, against the properties that the fuzz target
//! holds as well. A failure prints the seed and the bytes.

#[path = "../fuzz/properties/frame.rs"]
mod properties;

use std::panic::{AssertUnwindSafe, catch_unwind};

use calendarbot::budget::HttpLimits;

/// Requests of one test.
const REQUESTS: u64 = 4_000;

/// A source of choices: the same for the same seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn one_of(&mut self, (sound, odd): Words) -> &'static str {
        let words = if self.rarely() { odd } else { sound };
        words[self.below(words.len())]
    }

    fn rarely(&mut self) -> bool {
        self.below(30) == 0
    }
}

/// Sound words, and odd ones, which come seldom.
type Words = (&'static [&'static str], &'static [&'static str]);

const METHODS: Words =
    (&["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"], &["BREW", "TRACE", "get", "G T"]);
const TARGETS: Words = (
    &[
        "/",
        "/api/v1/next?limit=3",
        "/a/b;c=d",
        "/x?y='z'&/:@",
        "//a",
        "/a...b",
        "/%41%20",
        "http://b:80/p?q",
        "http://[::1]/",
    ],
    &["*", "/..", "/%2f", "/a#b", "", "x", "http://u@b/"],
);
const VERSIONS: Words = (&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"], &["HTTP/2.0", "http/1.1", ""]);
const FIELDS: Words = (
    &[
        "X: y",
        "X:  a\tb ",
        "X-Empty:",
        "Accept: */*",
        "If-None-Match: \"a\", W/\"b\"",
        "Connection: close",
        "Connection: keep-alive, x",
        "Expect: 100-continue",
        "TE: trailers",
        "Cookie: a=b; c=d",
        "X: M\u{fc}ller",
        "Trailer: X",
        "X-Forwarded-For: 1.2.3.4",
    ],
    &["Host: b", " folded", "X : y", "Transfer-Encoding: x", "Content-Length: 0", "nonsense"],
);
const EXTENSIONS: Words = (&["", "", ";a", ";a=b", " ;a=\"b;c\""], &[" ", ",x", ";\0"]);
const TRAILERS: Words =
    (&["", "", "X: y\r\n", "Content-Length: 9\r\n"], &["nonsense\r\n", ": x\r\n", " \r\n"]);
const ODD: &[u8] = b"\r\n\t :;,0159aAfF/?%.\0\x7f\xe4-+xH*";

fn request(choices: &mut Choices) -> Vec<u8> {
    let (method, target) = (choices.one_of(METHODS), choices.one_of(TARGETS));
    let mut text = format!("{method} {target} {}\r\n", choices.one_of(VERSIONS));
    if !choices.rarely() {
        text += "Host: a:80\r\n";
    }
    for _ in 0..choices.below(4) {
        text += choices.one_of(FIELDS);
        text += "\r\n";
    }
    let body = "b".repeat(choices.below(40));
    match choices.below(4) {
        0 => text += &format!("Content-Length: {}\r\n\r\n{body}", body.len()),
        1 => {
            text += "Transfer-Encoding: chunked\r\n\r\n";
            for _ in 0..choices.below(4) {
                let piece = "c".repeat(choices.below(20) + 1);
                let extension = choices.one_of(EXTENSIONS);
                text += &format!("{:x}{extension}\r\n{piece}\r\n", piece.len());
            }
            text += &format!("0{}\r\n{}\r\n", choices.one_of(EXTENSIONS), choices.one_of(TRAILERS));
        }
        _ => text += "\r\n",
    }
    text.into_bytes()
}

/// Some requests one after the other, half of the time with a few bytes changed.
fn stream(choices: &mut Choices) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=choices.below(2)).flat_map(|_| request(choices)).collect();
    if choices.below(2) == 0 {
        for _ in 0..=choices.below(3) {
            let (at, odd) = (choices.below(bytes.len()), ODD[choices.below(ODD.len())]);
            match choices.below(3) {
                0 => bytes[at] = odd,
                1 => bytes.insert(at, odd),
                _ => drop(bytes.remove(at)),
            }
        }
    }
    bytes
}

fn holds(property: fn(&[u8], &HttpLimits), limits: &HttpLimits) {
    for seed in 1..=REQUESTS {
        let bytes = stream(&mut Choices(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let held = catch_unwind(AssertUnwindSafe(|| property(&bytes, limits)));
        assert!(held.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn bytes_mean_the_same_however_they_are_cut() {
    holds(properties::is_the_same_at_every_cut, &properties::limits());
}

#[test]
fn they_do_where_every_limit_is_near() {
    holds(properties::is_the_same_at_every_cut, &properties::tight_limits());
}

#[test]
fn what_is_framed_is_decoded_as_the_same() {
    holds(properties::is_decoded_as_framed, &properties::limits());
}

/// The generator reaches what it is there for.
#[test]
fn many_of_the_requests_are_sound() {
    use calendarbot::http::frame::{Framed, frame, header_room};
    let limits = properties::limits();
    let (mut complete, mut rejected) = (0, 0);
    for seed in 1..=REQUESTS {
        let bytes = stream(&mut Choices(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        match frame(&bytes, &mut header_room(), &limits) {
            Framed::Complete(_) => complete += 1,
            Framed::Reject(_) => rejected += 1,
            _ => {}
        }
    }
    assert!(complete > REQUESTS / 4 && rejected > REQUESTS / 4, "{complete} {rejected}");
}
