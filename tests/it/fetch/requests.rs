//! What a server gets to see, and where it may send us: conditions, credentials, redirects.

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
            ("Accept-Encoding", "gzip"),
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
