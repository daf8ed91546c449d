//! What a server gets to see: conditions and credentials.

use calendarbot::feed::fetch::{Fetched, Kind};

use super::{Ask, Bench, CALENDAR, check_malformed};
use crate::feed_server::{FeedServer, Script, field, run};

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
            ("Accept-Encoding", "gzip"),
        ] {
            assert_eq!(field(request, name), Some(value), "{request}");
        }
        assert_eq!(request.lines().count(), 6, "{request}");
    });
}

#[test]
fn a_header_that_is_none_is_not_sent() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        for (name, value) in [("X", "a\r\nY: b"), ("X Y", "a"), ("", "a")] {
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
    for (etag, kept) in
        [("\"a\"", true), ("W/\"a\"", true), (long.as_str(), false), ("\"é\"", false), ("", false)]
    {
        let answer = format!("HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: 0\r\n\r\n");
        run(async |executor| {
            let server = FeedServer::start(&executor, Script::new().raw("/", answer));
            let body = Bench::new().body(&server.url("/")).await.expect("a body");
            assert_eq!(body.etag.as_deref(), kept.then_some(etag));
        });
    }
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
