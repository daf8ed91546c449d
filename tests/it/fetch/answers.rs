//! What a server answers: whole, broken, slow, too large.

use std::io::Write;
use std::time::Duration;

use calendarbot::alloc;
use calendarbot::feed::fetch::{Cause, Fetched, Kind};
use flate2::Compression;
use flate2::write::GzEncoder;
use smol::future;

use super::{Ask, Bench, CALENDAR, MIB, check_malformed, fetched, send, text};
use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::generate;

#[test]
fn a_complete_calendar_is_read_to_its_end() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", CALENDAR));
        let bench = Bench::new();
        assert_eq!(bench.text(&server.url("/a.ics")).await.as_deref(), Ok(CALENDAR));
    });
}

#[test]
fn a_calendar_that_drips_in_is_the_same_calendar() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  6;x\r\nBEGIN:\r\nB\r\nVCALENDAR\r\n\r\n0\r\nX: y\r\n\r\n";
    let whole = fetched([send(chunks)]);
    assert_eq!(whole.as_deref(), Ok("BEGIN:VCALENDAR\r\n"));
    assert_eq!(fetched([Step::Drip(chunks.into())]), whole);
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let answer = format!("HTTP/1.0 200 OK\r\n\r\n{CALENDAR}");
    assert_eq!(fetched([send(answer), Step::Close]).as_deref(), Ok(CALENDAR));
}

#[test]
fn a_body_without_a_length_that_ends_with_a_reset_is_an_error() {
    let answer = format!("HTTP/1.0 200 OK\r\n\r\n{CALENDAR}");
    let error = fetched([send(answer), Step::Reset]).expect_err("an error");
    assert_eq!(error.kind(), Kind::Transient(Cause::Reset));
}

#[test]
fn a_204_and_a_206_are_errors() {
    for status in [201, 202, 204, 206, 300] {
        let reason = format!("the server answered {status}, which is not a calendar");
        check_malformed(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"), &reason);
    }
}

/// A whole answer with a gzip body, before `change` spoils it.
fn zipped(text: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("zipped");
    let mut body = encoder.finish().expect("zipped");
    change(&mut body);
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), body].concat()
}

#[test]
fn a_gzip_body_is_decoded_as_it_arrives() {
    let long = CALENDAR.repeat(5_000);
    for text in [CALENDAR, &long] {
        let answer = zipped(text.as_bytes(), |_| {});
        assert_eq!(fetched([send(&answer)]).expect("a calendar"), text);
        assert_eq!(fetched([Step::Drip(answer)]).expect("a calendar"), text);
    }
}

#[test]
fn a_gzip_body_that_is_cut_short_is_an_error() {
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    check_malformed(zipped(CALENDAR.as_bytes(), cut), "the gzip body was cut short");
    check_malformed(zipped(b"", Vec::clear), "the gzip body was cut short");
}

#[test]
fn a_gzip_body_with_a_wrong_checksum_is_an_error() {
    let wrong = |bytes: &mut Vec<u8>| {
        let crc = bytes.len() - 8;
        bytes[crc] ^= 1;
    };
    let reason = "the gzip body's checksum is wrong";
    check_malformed(zipped(CALENDAR.as_bytes(), wrong), reason);
}

#[test]
fn a_gzip_body_that_is_none_is_an_error() {
    let plain = |bytes: &mut Vec<u8>| *bytes = CALENDAR.into();
    let reason = "the body is not gzip, as its Content-Encoding says";
    check_malformed(zipped(b"", plain), reason);
}

/// The cap is on what comes out: a thousandth of it may have come in.
#[test]
fn a_gzip_bomb_is_stopped_at_the_cap() {
    run(async |executor| {
        let answer = zipped(&vec![b' '; 3 * MIB], |_| {});
        assert!(answer.len() < 4 * 1024, "{} bytes", answer.len());
        let script = Script::new().reply("/", Reply::new([send(answer)]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        let ask = Ask { body_bytes_max: 2 * MIB, ..Ask::default() };
        let fetched = bench.ask(&server.url("/"), ask).await.expect("a body");
        let Fetched::Body(mut body) = fetched else { panic!("not modified") };
        let (mut read, mut buffer) = (0, [0; 4096]);
        alloc::restart_peak();
        let before = alloc::used_bytes();
        let error = loop {
            match body.read(&mut buffer).await {
                Ok(0) => panic!("it ended"),
                Ok(count) => read += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "the feed exceeds 2 MiB (feed_bytes_max)");
        assert!(read <= 2 * MIB && read > 2 * MIB - 4096, "{read} bytes");
        let growth = alloc::peak_bytes() - before;
        assert!(growth < 64 * 1024, "{growth} bytes");
    });
}

#[test]
fn bytes_beyond_ascii_in_a_header_harm_nothing() {
    let answer =
        b"HTTP/1.1 200 \xe9\r\nServer: caf\xe9\r\nETag: \"\xe9\"\r\nContent-Length: 5\r\n\r\nBEGIN";
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().raw("/", answer));
        let body = Bench::new().body(&server.url("/")).await.expect("a body");
        assert_eq!(body.etag, None);
        assert_eq!(text(body).await.as_deref(), Ok("BEGIN"));
    });
}

#[test]
fn endless_interim_answers_are_cut_off_after_eight() {
    let after = |interims: usize| {
        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(interims);
        [send(hints + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nBEGIN"), Step::Close]
    };
    assert_eq!(fetched(after(8)).as_deref(), Ok("BEGIN"));
    let error = fetched(after(9)).expect_err("an error");
    assert_eq!(error.to_string(), "too many interim answers");
}

#[test]
fn a_body_may_be_as_long_as_the_cap_and_no_longer() {
    let check = |head: &str, body: &str, passes: bool| {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}");
        run(async |executor| {
            let server = FeedServer::start(&executor, Script::new().raw("/", answer));
            let ask = Ask { body_bytes_max: 1024, ..Ask::default() };
            let outcome = match Bench::new().ask(&server.url("/"), ask).await {
                Ok(Fetched::Body(body)) => text(body).await,
                Ok(Fetched::NotModified) => panic!("not modified"),
                Err(error) => Err(error),
            };
            let reason = "the feed exceeds 1 KiB (feed_bytes_max)";
            let expected = if passes { Ok(1024) } else { Err(reason.to_owned()) };
            let outcome = outcome.map(|text| text.len()).map_err(|error| error.to_string());
            assert_eq!(outcome, expected, "{head}");
        });
    };
    check("Content-Length: 1024\r\n", &"x".repeat(1024), true);
    check("Content-Length: 1025\r\n", &"x".repeat(1025), false);
    let chunked = "Transfer-Encoding: chunked\r\n";
    check(chunked, &format!("400\r\n{}\r\n0\r\n\r\n", "x".repeat(1024)), true);
    check(chunked, &format!("401\r\n{}\r\n0\r\n\r\n", "x".repeat(1025)), false);
    check("", &"x".repeat(1024), true);
    check("", &"x".repeat(1025), false);
}

#[test]
fn an_announced_body_over_the_cap_is_refused_before_it_is_read() {
    run(async |executor| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 52428801\r\n\r\n";
        let script = Script::new().reply("/", Reply::new([send(head), Step::Stall]));
        let server = FeedServer::start(&executor, script);
        let error = Bench::new().body(&server.url("/")).await.err().expect("an error");
        assert_eq!(error.to_string(), "the feed exceeds 50 MiB (feed_bytes_max)");
    });
}

#[test]
fn refusals_are_told_apart_from_what_may_pass() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new());
        let bench = Bench::new();
        for (status, kind) in [
            (401, Kind::Refused),
            (403, Kind::Refused),
            (404, Kind::Refused),
            (410, Kind::Gone),
            (400, Kind::Transient(Cause::Status)),
            (402, Kind::Transient(Cause::Status)),
            (405, Kind::Transient(Cause::Status)),
            (408, Kind::Transient(Cause::Status)),
            (418, Kind::Transient(Cause::Status)),
            (429, Kind::Transient(Cause::Status)),
            (451, Kind::Transient(Cause::Status)),
            (500, Kind::Transient(Cause::Status)),
            (502, Kind::Transient(Cause::Status)),
            (503, Kind::Transient(Cause::Status)),
            (504, Kind::Transient(Cause::Status)),
            (599, Kind::Transient(Cause::Status)),
        ] {
            server.set(Script::new().status("/", status));
            let error = bench.text(&server.url("/")).await.expect_err("an error");
            assert_eq!(error.kind(), kind, "{status}");
            assert_eq!(error.to_string(), format!("the server answered {status}"));
        }
    });
}

#[test]
fn retry_after_is_honoured_within_bounds() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new());
        let bench = Bench::new();
        for (value, seconds) in [
            ("1", Some(60)),
            ("120", Some(120)),
            ("1000000", Some(86_400)),
            ("Mon, 05 Jan 2026 08:10:00 GMT", Some(600)),
            ("Monday, 05-Jan-26 08:10:00 GMT", Some(600)),
            ("Mon Jan  5 08:10:00 2026", Some(600)),
            ("Mon, 05 Jan 2026 07:00:00 GMT", Some(60)),
            ("Thu, 05 Feb 2026 08:00:00 GMT", Some(86_400)),
            ("soon", None),
            ("-60", None),
            ("", None),
        ] {
            let kind = match seconds {
                Some(seconds) => Kind::RetryAfter(Duration::from_secs(seconds)),
                None => Kind::Transient(Cause::Status),
            };
            for status in [429, 503] {
                let reply = Reply::answer(status, &[("Retry-After", value)], "");
                server.set(Script::new().reply("/", reply));
                let error = bench.text(&server.url("/")).await.expect_err("an error");
                assert_eq!(error.kind(), kind, "{status}: {value}");
            }
        }
    });
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    for beginning in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        run(async |executor| {
            let reply = Reply::new([send(beginning), Step::Stall]);
            let server = FeedServer::start(&executor, Script::new().reply("/", reply));
            let bench = Bench::new();
            let url = server.url("/");
            let (error, ()) = future::zip(bench.text(&url), async {
                server.stalled(1).await;
                bench.clock.advance(bench.limits.first_byte_time);
            })
            .await;
            let error = error.expect_err("an error");
            assert_eq!(error.kind(), Kind::Transient(Cause::Timeout));
            assert_eq!(error.to_string(), "the server did not answer in time");
        });
    }
}

#[test]
fn a_body_that_stalls_is_given_up() {
    run(async |executor| {
        let beginning = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nBEGIN";
        let script = Script::new().reply("/", Reply::new([send(beginning), Step::Stall]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        let body = bench.body(&server.url("/")).await.expect("a body");
        let (error, ()) = future::zip(text(body), async {
            server.stalled(1).await;
            bench.clock.advance(bench.limits.body_time);
        })
        .await;
        let error = error.expect_err("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Timeout));
        assert_eq!(error.to_string(), "the body did not arrive in time");
    });
}

#[test]
fn one_byte_a_second_is_not_fast_enough() {
    run(async |executor| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        let drip = (0..1000).flat_map(|_| [Step::Stall, send("x")]);
        let steps: Vec<Step> = [send(head)].into_iter().chain(drip).collect();
        let server = FeedServer::start(&executor, Script::new().reply("/", Reply::new(steps)));
        let bench = Bench::new();
        let mut body = bench.body(&server.url("/")).await.expect("a body");
        let mut buffer = [0; 16];
        for second in 1.. {
            server.stalled(second).await;
            bench.clock.advance(Duration::from_secs(1));
            server.release();
            match body.read(&mut buffer).await {
                Ok(read) => assert_eq!((read, second < 31), (1, true)),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Transient(Cause::Timeout));
                    assert_eq!(second, 30);
                    break;
                }
            }
        }
    });
}

#[test]
fn a_large_body_earns_time() {
    run(async |executor| {
        let rate = Bench::new().limits.body_bytes_per_second_min;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 5 * rate + 1);
        let steps = [send(head), send("x".repeat(5 * rate)), Step::Stall, send("x")];
        let server = FeedServer::start(&executor, Script::new().reply("/", Reply::new(steps)));
        let bench = Bench::new();
        let mut body = bench.body(&server.url("/")).await.expect("a body");
        let mut buffer = vec![0; 5 * rate];
        let mut received = 0;
        while received < 5 * rate {
            received += body.read(&mut buffer).await.expect("a piece");
        }
        server.stalled(1).await;
        bench.clock.advance(bench.limits.body_time + Duration::from_secs(4));
        server.release();
        assert_eq!(body.read(&mut buffer).await, Ok(1));
        assert_eq!(body.read(&mut buffer).await, Ok(0));
    });
}

/// As many bytes as would earn it a quarter of an hour.
#[test]
fn no_body_earns_more_than_five_minutes() {
    for (seconds, arrives) in [(299, true), (300, false)] {
        run(async |executor| {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
            let steps = [send(head), send("x".repeat(1000)), Step::Stall, send("x")];
            let server = FeedServer::start(&executor, Script::new().reply("/", Reply::new(steps)));
            let bench = Bench::with(|limits| limits.body_bytes_per_second_min = 1);
            let mut body = bench.body(&server.url("/")).await.expect("a body");
            let mut buffer = [0; 1000];
            let mut received = 0;
            while received < buffer.len() {
                received += body.read(&mut buffer).await.expect("a piece");
            }
            server.stalled(1).await;
            bench.clock.advance(Duration::from_secs(seconds));
            server.release();
            let read = body.read(&mut buffer).await;
            assert_eq!(read.is_ok(), arrives, "{seconds} s: {read:?}");
        });
    }
}

#[test]
fn a_connection_reset_is_told_apart() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nBEGIN";
    let error = fetched([send(head), Step::Reset]).expect_err("an error");
    assert_eq!(error.kind(), Kind::Transient(Cause::Reset));
    let error = fetched([Step::Reset]).expect_err("an error");
    assert_eq!(error.kind(), Kind::Transient(Cause::Reset));
}

#[test]
fn a_broken_body_stays_broken_and_a_complete_one_complete() {
    run(async |executor| {
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nBEGIN";
        let script = Script::new()
            .raw("/cut", cut)
            .ics("/whole", "BEGIN")
            .reply("/slow", Reply::new([send(cut), Step::Stall]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        let mut buffer = [0; 64];

        let mut body = bench.body(&server.url("/cut")).await.expect("a body");
        assert_eq!(body.read(&mut buffer).await, Ok(5));
        let error = body.read(&mut buffer).await.expect_err("an error");
        assert_eq!(body.read(&mut buffer).await, Err(error));

        let mut body = bench.body(&server.url("/whole")).await.expect("a body");
        assert_eq!(body.read(&mut buffer).await, Ok(5));
        assert_eq!(body.read(&mut buffer).await, Ok(0));
        assert_eq!(body.read(&mut buffer).await, Ok(0));

        let mut body = bench.body(&server.url("/slow")).await.expect("a body");
        assert_eq!(body.read(&mut buffer).await, Ok(5));
        assert!(future::poll_once(body.read(&mut buffer)).await.is_none());
        assert!(body.read(&mut buffer).await.is_err(), "a read was dropped half-way");
    });
}

#[test]
fn a_large_calendar_streams_through() {
    run(async |executor| {
        let script = Script::new().generated("/500", 500).generated("/20000", 20_000);
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        assert_eq!(bench.text(&server.url("/500")).await, Ok(generate::calendar(500)));

        let mut body = bench.body(&server.url("/20000")).await.expect("a body");
        let (mut buffer, mut received) = (vec![0; 16 * 1024], 0);
        while let read @ 1.. = body.read(&mut buffer).await.expect("a piece") {
            received += read;
        }
        let expected: usize = generate::pieces(20_000, 1).map(|piece| piece.len()).sum();
        assert_eq!(received, expected);
        assert_eq!(bench.opened_and_reused(), (1, 1));
    });
}
