//! The raw cases of `tests/data/http`, over real sockets: each in one write, byte by byte and cut
//! at random, with the same acceptable answers each time and a fresh client served after each.
//! `tests/data/http/README.md` has the format.

use std::fs;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, future};

use crate::attack::Target;
use crate::feed_server::run;
use crate::rig::{Rig, configure, folder};

/// One case.
struct Case {
    name: String,
    bytes: Vec<u8>,
    answers: Vec<Accepted>,
    closes: bool,
    /// Right, and not yet so: it must fail.
    is_known: bool,
}

/// What one answer may be.
#[derive(Clone)]
struct Accepted {
    statuses: Vec<u16>,
    has_body: bool,
}

/// What came back.
#[derive(Debug, PartialEq)]
struct Outcome {
    statuses: Vec<u16>,
    closes: bool,
    /// What is wrong with the bytes themselves.
    flaw: Option<&'static str>,
}

fn cases(name: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/http").join(name);
    let text = fs::read_to_string(path).expect("a file of cases");
    let blocks = text.split("\n= ").skip(1);
    blocks.map(|block| case(block).unwrap_or_else(|| panic!("{name}: {block}"))).collect()
}

fn case(block: &str) -> Option<Case> {
    let (name, rest) = block.split_once('\n')?;
    let (lines, after) = rest.split_once("-> ")?;
    let mut bytes = Vec::new();
    for line in lines.lines() {
        match line.strip_suffix('\\').filter(|line| !line.ends_with('\\')) {
            Some(open) => unescape(open, &mut bytes)?,
            None => unescape(&format!("{line}\\r\\n"), &mut bytes)?,
        }
    }
    let mut answers = Vec::new();
    let (mut closes, mut is_known) = (false, false);
    for word in after.lines().next()?.split(' ') {
        let (word, times) = word.split_once('*').unwrap_or((word, "1"));
        match word {
            "close" => closes = true,
            "known" => is_known = true,
            "nothing" => {}
            _ => {
                let bare = word.strip_prefix('H').unwrap_or(word);
                let statuses: Option<Vec<u16>> =
                    bare.split('|').map(|status| status.parse().ok()).collect();
                let accepted = Accepted { statuses: statuses?, has_body: bare == word };
                answers.extend(vec![accepted; times.parse().ok()?]);
            }
        }
    }
    Some(Case { name: name.to_owned(), bytes, answers, closes, is_known })
}

fn unescape(text: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '{' if rest.contains('}') && repetition(rest).is_some() => {
                let (times, after) = repetition(rest)?;
                for _ in 0..times {
                    unescape(&rest[..rest.find('*')?], bytes)?;
                }
                rest = after;
            }
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                match escaped {
                    'r' => bytes.push(b'\r'),
                    'n' => bytes.push(b'\n'),
                    't' => bytes.push(b'\t'),
                    '0' => bytes.push(0),
                    '\\' => bytes.push(b'\\'),
                    'x' => {
                        bytes.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                        rest = &rest[2..];
                    }
                    _ => return None,
                }
            }
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(())
}

/// The number of `text*number}` and what follows it.
fn repetition(rest: &str) -> Option<(usize, &str)> {
    let (inner, after) = rest.split_once('}')?;
    let (_, times) = inner.split_once('*')?;
    Some((times.parse().ok()?, after))
}

/// Sends a case in pieces that end at these places, and reads until the connection ends; true
/// when that is a reset.
async fn exchange(socket: Async<TcpStream>, case: &Case, cuts: &[usize]) -> (Vec<u8>, bool) {
    socket.get_ref().set_nodelay(true).expect("set");
    let sending = async {
        let mut writer = &socket;
        let mut from = 0;
        for &to in cuts.iter().chain([&case.bytes.len()]) {
            // A server that has heard enough may hang up.
            let _ = writer.write_all(&case.bytes[from..to]).await;
            from = to;
            future::yield_now().await;
            future::yield_now().await;
        }
        let _ = socket.get_ref().shutdown(Shutdown::Write);
    };
    let reading = async {
        let (mut reader, mut answers) = (&socket, Vec::new());
        let mut piece = [0; 16 * 1024];
        let mut is_reset = false;
        loop {
            match reader.read(&mut piece).await {
                Ok(0) => break,
                Ok(count) => answers.extend_from_slice(&piece[..count]),
                Err(_) => {
                    is_reset = true;
                    break;
                }
            }
        }
        (answers, is_reset)
    };
    let ((), answers) = future::zip(sending, reading).await;
    answers
}

/// The same on a connection of its own, judged.
async fn ask(address: SocketAddr, case: &Case, cuts: &[usize]) -> Outcome {
    let socket = Async::<TcpStream>::connect(address).await.expect("connected");
    let (answers, is_reset) = exchange(socket, case, cuts).await;
    let mut outcome = outcome(case, &answers);
    if is_reset {
        outcome.flaw = Some("cut off by a reset");
    }
    outcome
}

/// Takes the answers apart; every byte must belong to one.
fn outcome(case: &Case, mut bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome { statuses: Vec::new(), closes: false, flaw: None };
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end.map(|end| end + 4) else {
            outcome.flaw = Some("bytes that belong to no answer");
            break;
        };
        let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
        bytes = &bytes[end..];
        let status: u16 = head[9..12].parse().expect("a status");
        if status == 100 {
            continue;
        }
        let field = |name| crate::feed_server::field(head, name);
        assert!(field("date").is_some(), "{}: no date", case.name);
        let expected = case.answers.get(outcome.statuses.len());
        let has_body = expected.is_none_or(|expected| expected.has_body);
        if has_body && !matches!(status, 204 | 304) {
            let length = field("content-length").expect("a length").parse::<usize>();
            bytes = &bytes[length.expect("a number")..];
        }
        outcome.statuses.push(status);
        outcome.closes = field("connection") == Some("close");
    }
    outcome
}

fn is_accepted(case: &Case, outcome: &Outcome) -> bool {
    let mut pairs = case.answers.iter().zip(&outcome.statuses);
    outcome.flaw.is_none()
        && case.answers.len() == outcome.statuses.len()
        && pairs.all(|(accepted, status)| accepted.statuses.contains(status))
        && (case.closes == outcome.closes || outcome.statuses.is_empty())
}

/// Places to cut at: none, all (in larger steps where there are thousands), and some by chance.
fn ways(length: usize) -> Vec<Vec<usize>> {
    let step = length.div_ceil(400).max(1);
    let mut ways = vec![Vec::new(), (step..length.max(1)).step_by(step).collect()];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    for _ in 0..3 {
        let mut cuts: Vec<usize> = (0..length.min(4))
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as usize % length
            })
            .collect();
        cuts.sort_unstable();
        ways.push(cuts);
    }
    ways
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("a folder of /proc").count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("a folder of /proc").count()
}

/// Asks a case in every way, until one fails.
async fn failure(address: SocketAddr, case: &Case) -> Option<String> {
    let mut first = None;
    for cuts in ways(case.bytes.len()) {
        let outcome = ask(address, case, &cuts).await;
        let same = first.as_ref().is_none_or(|first| *first == outcome);
        if !same || !is_accepted(case, &outcome) {
            return Some(format!("{}, {} cuts: {outcome:?}", case.name, cuts.len()));
        }
        first = Some(outcome);
    }
    None
}

/// Asks every case of a file in every way; what failed, in words.
async fn failures(address: SocketAddr, file: &str) -> Vec<String> {
    let mut failures = Vec::new();
    let fresh = case("fresh\nGET /healthz HTTP/1.1\nHost: localhost\n\n-> 200").expect("a case");
    for case in cases(file) {
        match (failure(address, &case).await, case.is_known) {
            (Some(failure), false) => failures.push(failure),
            (Some(failure), true) => println!("known: {failure}"),
            (None, true) => failures.push(format!("{}: right by now, not `known`", case.name)),
            (None, false) => {}
        }
        let after = ask(address, &fresh, &[]).await;
        assert!(is_accepted(&fresh, &after), "after {}: {after:?}", case.name);
    }
    failures
}

/// Runs the cases of one file; all failures are told at once.
fn check(file: &'static str) {
    run(|executor| async move {
        let folder = folder();
        let rig = Rig::start(&executor, configure(folder.path(), ""));
        // Whatever is opened once is open before anything is counted.
        rig.refreshed(1).await;
        rig.advance(Duration::from_secs(60));
        let refresh = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(rig.ask(refresh).await.status, 202);
        rig.refreshed(2).await;
        assert_eq!(rig.get("/api/v1/next").await.status, 200);
        rig.until(|rig| rig.metrics.slab_used.get() == 0).await;
        let before = (descriptors(), threads());
        let failures = failures(rig.address, file).await;
        assert!(failures.is_empty(), "{file}:\n{}", failures.join("\n"));
        rig.until(|rig| rig.metrics.slab_used.get() == 0).await;
        assert_eq!((descriptors(), threads()), before);
    });
}

/// Sends all cases once to a program that may have no room for them, until it is told to stop.
pub(crate) fn shoot(address: SocketAddr, until: &AtomicBool) {
    for case in FILES.iter().flat_map(|file| cases(file)) {
        if until.load(Ordering::Relaxed) {
            return;
        }
        smol::block_on(async {
            if let Ok(socket) = Async::<TcpStream>::connect(address).await {
                exchange(socket, &case, &[]).await;
            }
        });
    }
}

/// The same against the program as a process of its own, where the kernel counts its memory.
#[test]
#[ignore = "a siege, not a check: make attack"]
fn against_the_program_itself() {
    let target = Target::new();
    for file in FILES {
        let failures = smol::block_on(failures(target.address, file));
        assert!(failures.is_empty(), "{file}:\n{}", failures.join("\n"));
    }
    target.check_group();
}

#[test]
fn there_are_hundreds_of_cases_and_all_are_run() {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/http"));
    let names = files.expect("the folder").map(|file| file.expect("a file").file_name());
    let names = names.map(|name| name.into_string().expect("a name in UTF-8"));
    let names: Vec<String> = names.filter(|name| name.ends_with(".http")).collect();
    assert!(names.iter().all(|name| FILES.contains(&&**name)) && names.len() == FILES.len());
    let all: usize = FILES.iter().map(|file| cases(file).len()).sum();
    assert!(all >= 250, "{all}");
}

macro_rules! files {
    ($($name:ident $file:literal)*) => {
        const FILES: &[&str] = &[$($file),*];

        $(#[test]
        fn $name() {
            check($file);
        })*
    };
}

files! {
    request_lines "request-line.http"
    targets "target.http"
    fields "fields.http"
    hosts "host.http"
    lengths "length.http"
    transfer_encodings "transfer-encoding.http"
    chunks "chunks.http"
    connections "connection.http"
    pipelining "pipelining.http"
    smuggling "smuggling.http"
    the_edge "edge.http"
}
