//! Fetching a feed from servers that behave, misbehave and attack.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use calendarbot::budget::{Plan, RefreshLimits};
use calendarbot::clock::Clock;
use calendarbot::connections::outbound::{ConnectError, Origin, Outbound, Policy};
use calendarbot::feed::fetch::{Body, Cause, FetchError, Fetched, Kind, Request, fetch};
use calendarbot::metrics::Metrics;
use http_types::Url;
use smol::future;

use crate::feed_server::{FeedServer, Reply, Script, Step, field, run};
use crate::generate;

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";
const MIB: usize = 1024 * 1024;

/// Everything that a fetch needs, on a clock that stands still.
struct Bench {
    clock: Clock,
    limits: RefreshLimits,
    metrics: Rc<Metrics>,
    outbound: Outbound,
}

/// The variable parts of a request.
struct Ask<'a> {
    headers: &'a [(String, String)],
    etag: Option<&'a str>,
    last_modified: Option<&'a str>,
    policy: Policy,
    body_bytes_max: usize,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            headers: &[],
            etag: None,
            last_modified: None,
            policy: Policy { allow_private: true, trusted_origin: None },
            body_bytes_max: 50 * MIB,
        }
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut RefreshLimits)) -> Self {
        let clock = Clock::manual("2026-01-05T08:00:00Z".parse().expect("a time"));
        let mut limits = Plan::divide(16 * MIB, 1, Default::default()).limits.refresh;
        change(&mut limits);
        let metrics = Rc::new(Metrics::default());
        let outbound = Outbound::new(clock.clone(), &limits, Rc::clone(&metrics));
        Self { clock, limits, metrics, outbound }
    }

    async fn ask(&self, url: &Url, ask: Ask<'_>) -> Result<Fetched, FetchError> {
        let request = Request {
            url,
            headers: ask.headers,
            user_agent: "calendarbot/test",
            etag: ask.etag,
            last_modified: ask.last_modified,
            policy: &ask.policy,
            body_bytes_max: ask.body_bytes_max,
        };
        fetch(&self.outbound, &self.clock, &self.limits, request).await
    }

    async fn body(&self, url: &Url) -> Result<Body, FetchError> {
        match self.ask(url, Ask::default()).await? {
            Fetched::Body(body) => Ok(body),
            Fetched::NotModified => panic!("not modified"),
        }
    }

    /// The whole body as a text.
    async fn text(&self, url: &Url) -> Result<String, FetchError> {
        text(self.body(url).await?).await
    }

    fn opened_and_reused(&self) -> (u64, u64) {
        (self.metrics.outbound_opened.get(), self.metrics.outbound_reused.get())
    }
}

async fn text(mut body: Body) -> Result<String, FetchError> {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match body.read(&mut buffer).await? {
            0 => return Ok(String::from_utf8(text).expect("UTF-8")),
            read => text.extend_from_slice(&buffer[..read]),
        }
    }
}

/// What comes of fetching from a server that sends these steps.
fn fetched(steps: impl Into<Vec<Step>>) -> Result<String, FetchError> {
    let steps = steps.into();
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().reply("/", Reply::new(steps)));
        Bench::new().text(&server.url("/")).await
    })
}

fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

/// A server that sends this and hangs up must be taken for one that is broken, for this reason.
fn check_malformed(answer: impl AsRef<[u8]>, reason: &str) {
    let error = fetched([send(answer), Step::Close]).expect_err("an error");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Malformed, reason));
}

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
fn not_modified_brings_no_body() {
    run(async |executor| {
        let script = Script::new().ics("/", CALENDAR).etag("\"v1\"").status("/plain", 304);
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        let etag = bench.body(&server.url("/")).await.expect("a body").etag.expect("an ETag");
        let ask = Ask { etag: Some(&etag), ..Ask::default() };
        assert!(matches!(bench.ask(&server.url("/"), ask).await, Ok(Fetched::NotModified)));
        let date = "Mon, 05 Jan 2026 07:00:00 GMT";
        let ask = Ask { last_modified: Some(date), ..Ask::default() };
        assert!(matches!(bench.ask(&server.url("/plain"), ask).await, Ok(Fetched::NotModified)));

        let requests = server.requests();
        assert_eq!(field(&requests[0], "If-None-Match"), None);
        assert_eq!(field(&requests[1], "If-None-Match"), Some("\"v1\""));
        assert_eq!(field(&requests[2], "If-Modified-Since"), Some(date));
    });
}

#[test]
fn a_304_to_an_unconditional_request_is_an_error() {
    let reason = "the server answered 304 to a request without a condition";
    check_malformed("HTTP/1.1 304 Not Modified\r\n\r\n", reason);
}

#[test]
fn a_204_and_a_206_are_errors() {
    for status in [201, 202, 204, 206, 300] {
        let reason = format!("the server answered {status}, which is not a calendar");
        check_malformed(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"), &reason);
    }
}

#[test]
fn a_body_cut_short_is_an_error() {
    let reason = "the body was cut short";
    check_malformed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nBEGIN:VCALENDAR", reason);
}

#[test]
fn a_cut_chunk_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in ["", "5\r\nBEG", "5\r\nBEGIN\r\n", "5\r\nBEGIN\r\n0\r\n"] {
        check_malformed(format!("{head}{body}"), "the body was cut short");
    }
}

#[test]
fn a_bad_chunk_size_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_malformed(format!("{head}+5\r\nBEGIN\r\n0\r\n\r\n"), "a chunk size cannot be read");
}

#[test]
fn two_content_lengths_are_an_error() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nBEGIN";
    check_malformed(answer, "more than one Content-Length");
}

#[test]
fn transfer_encoding_with_content_length_is_an_error() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n";
    check_malformed(answer, "Content-Length beside Transfer-Encoding");
}

#[test]
fn a_content_encoding_that_was_not_asked_for_is_an_error() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x08";
    check_malformed(answer, "a Content-Encoding that was not asked for");
}

#[test]
fn a_server_of_another_protocol_is_an_error() {
    check_malformed("SSH-2.0-OpenSSH_9.2\r\n", "the server does not speak HTTP/1");
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
fn an_endless_head_is_cut_off() {
    let answer = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MIB));
    check_malformed(answer, "the head is too long");
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
            (429, Kind::Transient(Cause::Status)),
            (400, Kind::Transient(Cause::Status)),
            (500, Kind::Transient(Cause::Status)),
            (503, Kind::Transient(Cause::Status)),
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
            ("1", 60),
            ("120", 120),
            ("1000000", 86_400),
            ("Mon, 05 Jan 2026 08:10:00 GMT", 600),
            ("Mon, 05 Jan 2026 07:00:00 GMT", 60),
        ] {
            for status in [429, 503] {
                let reply = Reply::answer(status, &[("Retry-After", value)], "");
                server.set(Script::new().reply("/", reply));
                let error = bench.text(&server.url("/")).await.expect_err("an error");
                assert_eq!(error.kind(), Kind::RetryAfter(Duration::from_secs(seconds)), "{value}");
            }
        }
    });
}

#[test]
fn redirects_of_every_kind_are_followed() {
    run(async |executor| {
        for status in [301, 302, 303, 307, 308] {
            let script =
                Script::new().redirect("/old", status, "/new?x=1").ics("/new?x=1", CALENDAR);
            let server = FeedServer::start(&executor, script);
            let text = Bench::new().text(&server.url("/old")).await;
            assert_eq!(text.as_deref(), Ok(CALENDAR), "{status}");
            // A redirect without a body leaves the connection fit for the next hop.
            assert_eq!(server.connections(), 1, "{status}");
        }
    });
}

#[test]
fn five_redirects_are_followed_and_not_a_sixth() {
    run(async |executor| {
        let script = (0..6).fold(Script::new().ics("/6", CALENDAR), |script, hop| {
            script.redirect(&format!("/{hop}"), 302, &format!("/{}", hop + 1))
        });
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        assert_eq!(bench.text(&server.url("/1")).await.as_deref(), Ok(CALENDAR));
        let error = bench.text(&server.url("/0")).await.expect_err("an error");
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Malformed, "too many redirects")
        );
    });
}

#[test]
fn a_redirect_leads_to_http_or_https() {
    for location in ["ftp://127.0.0.1/a", "file:///etc/passwd", "data:,BEGIN", "webcal://a/b"] {
        let reason = "a redirect to something other than http and https";
        check_malformed(format!("HTTP/1.1 302 X\r\nLocation: {location}\r\n\r\n"), reason);
    }
    check_malformed("HTTP/1.1 302 X\r\n\r\n", "a redirect without a readable Location");
}

#[test]
fn credentials_go_to_the_feed_s_own_origin_only() {
    run(async |executor| {
        let home = FeedServer::start(&executor, Script::new());
        let away = FeedServer::start(&executor, Script::new());
        home.set(
            Script::new()
                .redirect("/start", 302, "/near")
                .redirect("/near", 302, away.url("/far").as_str())
                .ics("/back", CALENDAR),
        );
        away.set(Script::new().redirect("/far", 302, home.url("/back").as_str()));
        let headers = [
            ("Authorization".to_owned(), "Bearer hush".to_owned()),
            ("X-Api-Key".to_owned(), "hush".to_owned()),
        ];
        let ask = Ask { headers: &headers, ..Ask::default() };
        assert!(Bench::new().ask(&home.url("/start"), ask).await.is_ok());

        let secrets: Vec<bool> = home.requests().iter().map(|head| head.contains("hush")).collect();
        // Once away, not even the way back opens what was closed.
        assert_eq!(secrets, [true, true, false]);
        assert!(away.requests().iter().all(|head| !head.contains("hush")));
        assert_eq!(field(&away.requests()[0], "User-Agent"), Some("calendarbot/test"));
    });
}

#[test]
fn a_request_says_who_asks_and_for_what() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/a?b=c", CALENDAR));
        Bench::new().text(&server.url("/a?b=c#d")).await.expect("a calendar");
        let request = &server.requests()[0];
        assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
        for (name, value) in [
            ("Host", server.address().to_string().as_str()),
            ("User-Agent", "calendarbot/test"),
            ("Accept", "text/calendar"),
            ("Accept-Encoding", "identity"),
        ] {
            assert_eq!(field(request, name), Some(value), "{request}");
        }
        assert_eq!(request.lines().count(), 6, "{request}");
    });
}

#[test]
fn a_configured_header_cannot_change_the_framing() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        for (name, value) in [
            ("Host", "other"),
            ("transfer-encoding", "chunked"),
            ("Range", "bytes=0-"),
            ("X", "a\r\nY: b"),
            ("X Y", "a"),
        ] {
            let headers = [(name.to_owned(), value.to_owned())];
            let ask = Ask { headers: &headers, ..Ask::default() };
            let error = Bench::new().ask(&server.url("/"), ask).await.err().expect("an error");
            assert_eq!(error.kind(), Kind::Refused, "{name}");
        }
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn an_unusual_etag_is_not_kept() {
    let long = format!("\"{}\"", "x".repeat(255));
    for (sent, kept) in
        [("\"a\"", true), ("W/\"a\"", true), (long.as_str(), false), ("\"\u{7f}é\"", false)]
    {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nETag: {}\r\nContent-Length: 0\r\n\r\n",
            sent.replace('\u{7f}', "")
        );
        run(async |executor| {
            let server = FeedServer::start(&executor, Script::new().raw("/", answer));
            let body = Bench::new().body(&server.url("/")).await.expect("a body");
            assert_eq!(body.etag.is_some(), kept, "{sent}");
        });
    }
}

#[test]
fn a_private_address_is_refused_by_name_and_by_number() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let port = server.address().port();
        let bench = Bench::new();
        for host in ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "[::ffff:127.0.0.1]", "0"] {
            let url: Url = format!("http://{host}:{port}/").parse().expect("a URL");
            let ask = Ask { policy: Policy::default(), ..Ask::default() };
            let error = bench.ask(&url, ask).await.err().expect("an error");
            assert_eq!(error.kind(), Kind::Transient(Cause::Address), "{host}");
        }
        assert_eq!(server.connections(), 0);
    });
}

/// The address that names are looked up to, and how often.
fn look_up_to(bench: Bench, answers: &'static [[u8; 4]]) -> Bench {
    let outbound =
        bench.outbound.with_lookup(|_| Ok(answers.iter().copied().map(IpAddr::from).collect()));
    Bench { outbound, ..bench }
}

#[test]
fn the_resolved_address_is_what_counts() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let bench = look_up_to(Bench::new(), &[[127, 0, 0, 1]]);
        let url: Url =
            format!("http://public.example:{}/", server.address().port()).parse().expect("a URL");
        let ask = Ask { policy: Policy::default(), ..Ask::default() };
        let error = bench.ask(&url, ask).await.err().expect("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Address));
        assert_eq!(
            error.to_string(),
            "the host has a loopback address, which this feed may not use (allow_private_address)"
        );
        assert_eq!(server.connections(), 0);
        assert_eq!(bench.text(&url).await.as_deref(), Ok(CALENDAR));
    });
}

#[test]
fn a_trusted_origin_may_be_private_and_a_redirect_from_it_to_another_may_not() {
    run(async |executor| {
        let home = FeedServer::start(&executor, Script::new());
        let away = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        home.set(Script::new().ics("/", CALENDAR).redirect("/go", 302, away.url("/").as_str()));
        let bench = Bench::new();
        let policy = Policy { allow_private: false, trusted_origin: Origin::of(&home.url("/")) };
        let ask = |policy: &Policy| Ask { policy: policy.clone(), ..Ask::default() };
        assert!(bench.ask(&home.url("/"), ask(&policy)).await.is_ok());
        let error = bench.ask(&home.url("/go"), ask(&policy)).await.err().expect("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Address));
        assert_eq!(away.connections(), 0);
    });
}

#[test]
fn an_idle_connection_is_not_lent_to_a_feed_that_may_not_use_its_address() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let bench = Bench::new();
        bench.text(&server.url("/")).await.expect("a calendar");
        assert_eq!(bench.outbound.idle(), 1);
        let ask = Ask { policy: Policy::default(), ..Ask::default() };
        let error = bench.ask(&server.url("/"), ask).await.err().expect("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Address));
        assert_eq!(server.requests().len(), 1);
    });
}

#[test]
fn a_name_that_cannot_be_looked_up_is_a_dns_error() {
    run(async |_| {
        let bench = Bench::new();
        let failing = |_: &str| Err(io::Error::other("Name or service not known"));
        let bench = Bench { outbound: bench.outbound.with_lookup(failing), ..bench };
        let url = "http://calendar.example/secret.ics".parse().expect("a URL");
        let error = bench.text(&url).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Dns));
    });
}

#[test]
fn a_stalled_resolver_is_given_up_and_blocks_nobody_with_an_address() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let (release, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let bench = Bench::new();
        let stalling = move |_: &str| {
            let _ = gate.lock().expect("the gate").recv();
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        };
        let bench = Bench { outbound: bench.outbound.with_lookup(stalling), ..bench };
        let url: Url =
            format!("http://feed.example:{}/", server.address().port()).parse().expect("a URL");

        for _ in 0..3 {
            let (error, ()) = future::zip(bench.text(&url), async {
                future::yield_now().await;
                assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(CALENDAR));
                bench.clock.advance(bench.limits.connect_time);
            })
            .await;
            let error = error.expect_err("an error");
            assert_eq!(error.kind(), Kind::Transient(Cause::Dns));
            assert_eq!(error.to_string(), "looking up the host failed: timed out");
        }
        drop(release);
        assert_eq!(bench.text(&url).await.as_deref(), Ok(CALENDAR));
    });
}

#[test]
fn the_next_address_is_tried_when_one_does_not_answer() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        // The server listens on the second address only.
        let bench = look_up_to(Bench::new(), &[[127, 0, 0, 2], [127, 0, 0, 1]]);
        let url: Url =
            format!("http://feed.example:{}/", server.address().port()).parse().expect("a URL");
        assert_eq!(bench.text(&url).await.as_deref(), Ok(CALENDAR));
    });
}

#[test]
fn a_closed_port_is_a_connection_error() {
    run(async |_| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url =
            format!("http://{}/", listener.local_addr().expect("bound")).parse().expect("a URL");
        drop(listener);
        let error = Bench::new().text(&url).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Connect));
        assert_eq!(error.to_string(), "connecting failed: connection refused");
    });
}

#[test]
fn a_server_without_tls_is_a_tls_error() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new());
        let talkative = smol::Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a free port");
        let address = talkative.get_ref().local_addr().expect("bound");
        let greeting = executor.spawn(async move {
            let (mut socket, _) = talkative.accept().await.expect("accepted");
            smol::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad\r\n\r\n").await
        });
        let bench = Bench::new();
        let url = format!("https://{address}/").parse().expect("a URL");
        let error = bench.text(&url).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Tls));
        assert_eq!(error.to_string(), "TLS failed: the server does not speak TLS");
        greeting.await.expect("sent");

        // One that says nothing at all is waited for as long as a connection.
        let silent = format!("https://{}/", server.address()).parse().expect("a URL");
        let (error, ()) = future::zip(bench.text(&silent), async {
            server.connected(1).await;
            bench.clock.advance(bench.limits.connect_time);
        })
        .await;
        assert_eq!(error.expect_err("an error").to_string(), "TLS failed: timed out");
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

#[test]
fn a_connection_reset_is_told_apart() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nBEGIN";
    let error = fetched([send(head), Step::Reset]).expect_err("an error");
    assert_eq!(error.kind(), Kind::Transient(Cause::Reset));
    let error = fetched([Step::Reset]).expect_err("an error");
    assert_eq!(error.kind(), Kind::Transient(Cause::Reset));
}

#[test]
fn a_connection_is_used_again() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR).etag("\"1\""));
        let bench = Bench::new();
        for _ in 0..5 {
            assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(CALENDAR));
            let ask = Ask { etag: Some("\"1\""), ..Ask::default() };
            assert!(matches!(bench.ask(&server.url("/"), ask).await, Ok(Fetched::NotModified)));
        }
        assert_eq!(server.connections(), 1);
        assert_eq!(bench.opened_and_reused(), (1, 9));
    });
}

#[test]
fn a_connection_is_closed_when_the_server_or_the_answer_says_so() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nsurplus",
    ] {
        run(async |executor| {
            let script = Script::new().reply("/", Reply::new([send(answer)]));
            let server = FeedServer::start(&executor, script);
            let bench = Bench::new();
            for _ in 0..2 {
                assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(""));
            }
            assert_eq!(server.connections(), 2, "{answer:?}");
        });
    }
}

#[test]
fn bytes_on_an_idle_connection_are_never_an_answer() {
    run(async |executor| {
        let planted = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted";
        let answer = Reply::answer(200, &[], "right");
        let first = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";
        let script = Script::new()
            .reply("/", Reply::new([send(first), Step::Stall, send(planted), Step::Stall]))
            .reply("/", answer);
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok("right"));
        assert_eq!(bench.outbound.idle(), 1);
        server.stalled(1).await;
        server.release();
        server.stalled(2).await;
        assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok("right"));
        assert_eq!(server.connections(), 2);
        assert_eq!(bench.opened_and_reused(), (2, 0));
    });
}

#[test]
fn a_stale_connection_is_replaced_once_and_silently() {
    run(async |executor| {
        // The second request on the first connection gets no answer, as when a server closes an
        // idle connection at the moment that it is used again.
        let script = Script::new()
            .ics("/", CALENDAR)
            .reply("/", Reply::new([Step::Close]))
            .ics("/", CALENDAR)
            .reply("/", Reply::new([Step::Reset]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(CALENDAR));
        assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(CALENDAR));
        assert_eq!((server.connections(), server.requests().len()), (2, 3));

        // And when the new one is no better, that is an error.
        let error = bench.text(&server.url("/")).await.expect_err("an error");
        assert_eq!(error.to_string(), "the server closed the connection without an answer");
        assert_eq!((server.connections(), server.requests().len()), (3, 5));
    });
}

#[test]
fn a_new_connection_without_an_answer_is_not_tried_again() {
    run(async |executor| {
        let script = Script::new().reply("/", Reply::new([Step::Close])).ics("/", CALENDAR);
        let server = FeedServer::start(&executor, script);
        let error = Bench::new().text(&server.url("/")).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Reset));
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn an_answer_that_breaks_on_an_old_connection_is_not_asked_for_again() {
    run(async |executor| {
        let cut = "HTTP/1.1 200 OK\r\nContent-Le";
        let script =
            Script::new().ics("/", CALENDAR).reply("/", Reply::new([send(cut), Step::Close]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        bench.text(&server.url("/")).await.expect("a calendar");
        let error = bench.text(&server.url("/")).await.expect_err("an error");
        assert_eq!(error.to_string(), "the answer ends inside its head");
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn idle_connections_grow_old() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let bench = Bench::new();
        bench.text(&server.url("/")).await.expect("a calendar");
        bench.clock.advance(bench.limits.outbound_idle_time - Duration::from_secs(1));
        bench.outbound.close_expired();
        assert_eq!(bench.outbound.idle(), 1);
        bench.clock.advance(Duration::from_secs(1));
        bench.text(&server.url("/")).await.expect("a calendar");
        assert_eq!(bench.opened_and_reused(), (2, 0));
        bench.outbound.close_idle();
        assert_eq!(bench.outbound.idle(), 0);
    });
}

#[test]
fn the_pool_is_bounded_for_one_origin_and_in_all() {
    run(async |executor| {
        let servers: Vec<FeedServer> =
            (0..4).map(|_| FeedServer::start(&executor, Script::new())).collect();
        let origin = |n: usize| Origin::of(&servers[n].url("/")).expect("http");
        let bench = Bench::with(|limits| {
            limits.outbound_total = 3;
            limits.outbound_per_origin = 2;
        });
        let policy = Policy { allow_private: true, trusted_origin: None };
        let connect = async |n: usize| bench.outbound.connect(&origin(n), &policy).await;

        let mut leases = Vec::new();
        for _ in 0..3 {
            leases.push(connect(0).await.expect("room"));
        }
        assert_eq!(connect(1).await.err(), Some(ConnectError::Full));
        leases.into_iter().for_each(|lease| lease.give_back());
        assert_eq!((bench.outbound.active(), bench.outbound.idle()), (0, 2));

        // A new connection takes the place of the oldest idle one when there is no other room.
        connect(1).await.expect("room").give_back();
        assert_eq!(bench.outbound.idle(), 3);
        let lease = connect(2).await.expect("room");
        assert_eq!((bench.outbound.active(), bench.outbound.idle()), (1, 2));
        drop(lease);
        assert_eq!((bench.outbound.active(), bench.outbound.idle()), (0, 2));
    });
}

#[test]
fn a_full_pool_is_an_answer() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let bench = Bench::with(|limits| limits.outbound_total = 1);
        let _unread = bench.body(&server.url("/")).await.expect("a body");
        let error = bench.text(&server.url("/")).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Busy));
        assert_eq!(error.to_string(), "all outbound connections are in use");
    });
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
fn a_url_is_not_in_any_error() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new());
        let secret = "hush";
        let port = server.address().port();
        let url = server.url("/hush.ics?key=hush");
        let bench = Bench::new();
        for answer in [
            "",
            "hush",
            "HTTP/1.1 404 hush\r\nX: hush\r\nContent-Length: 4\r\n\r\nhush",
            "HTTP/1.1 503 hush\r\nRetry-After: hush\r\n\r\n",
            "HTTP/1.1 302 hush\r\nLocation: ftp://hush/\r\n\r\n",
            "HTTP/1.1 302 hush\r\nLocation: http://hush:1:2/\r\n\r\n",
            "HTTP/1.1 302 hush\r\nLocation: http://127.0.0.1:1/hush\r\n\r\n",
            "HTTP/1.1 302 hush\r\nLocation: https://[::1]:1/hush\r\n\r\n",
            "HTTP/1.1 200 hush\r\nContent-Length: hush\r\n\r\n",
            "HTTP/1.1 200 hush\r\nContent-Encoding: hush\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhush",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhush",
        ] {
            server.set(Script::new().raw("/hush.ics?key=hush", answer));
            let error = bench.text(&url).await.expect_err("an error");
            let said = format!("{error} {error:?}");
            assert!(!said.contains(secret) && !said.contains(&port.to_string()), "{said}");
            assert!(!said.contains("127.0.0.1"), "{said}");
        }
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
        let (mut buffer, received) = (vec![0; 16 * 1024], Cell::new(0));
        while let read @ 1.. = body.read(&mut buffer).await.expect("a piece") {
            received.set(received.get() + read);
        }
        let expected: usize = generate::pieces(20_000, 1).map(|piece| piece.len()).sum();
        assert_eq!(received.get(), expected);
        assert_eq!(bench.opened_and_reused(), (1, 1));
    });
}
