//! What is judged before anything is answered: heads that rule their request out, names, base
//! path, proxies, rates; and the other ways in.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use smol::{Async, LocalExecutor};
use tempfile::TempDir;

use crate::feed_server::run;
use crate::rig::{Rig, configure, folder};

/// A program with the demo calendar and these settings.
fn demo(executor: &Rc<LocalExecutor<'static>>, settings: &str) -> (Rig, TempDir) {
    let folder = folder();
    let config = configure(folder.path(), settings);
    (Rig::start(executor, config), folder)
}

#[test]
fn a_head_that_rules_its_request_out_is_answered_before_the_body() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor, "");
        let json = "Content-Type: application/json\r\n";
        for (line, fields, status) in [
            ("POST /nothing", json, 404),
            ("POST /api/v1/next", json, 405),
            ("BREW /", json, 501),
            ("POST /api/v1/refresh", "Content-Type: text/plain\r\n", 415),
            ("POST /api/v1/refresh", "Origin: http://evil.example\r\n", 403),
            ("GET /nothing", "", 404),
        ] {
            for rest in ["", "Expect: 100-continue\r\n"] {
                let head = format!(
                    "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n{fields}{rest}\r\n"
                );
                let mut client = rig.connect().await;
                client.send(head.as_bytes()).await;
                let answer = client.response().await.expect("an answer");
                assert_eq!((answer.status, answer.field("connection")), (status, Some("close")));
                // What the client sends all the same is dropped, and it sees no reset.
                client.send(&[b'x'; 60_000]).await;
                client.finish();
                assert!(client.is_closed().await);
            }
        }
    });
}

/// Where a body was cut must not decide whether the connection stays.
#[test]
fn a_refused_request_with_a_body_ends_the_connection_however_it_was_cut() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor, "");
        let request = "POST /nothing HTTP/1.1\r\nHost: localhost\r\n\
            Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        for cut in [0, request.len() - 1, request.len()] {
            let mut client = rig.connect().await;
            let (first, second) = request.as_bytes().split_at(cut);
            client.send(first).await;
            client.send(second).await;
            let answer = client.response().await.expect("an answer");
            assert_eq!((answer.status, answer.field("connection")), (404, Some("close")));
            assert!(client.is_closed().await);
        }
    });
}

#[test]
fn a_body_must_be_json_of_bounded_depth() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor, "");
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for (body, status) in [
            ("{}".to_owned(), 202),
            (deep(16), 202),
            (deep(17), 400),
            ("{\"a\":1,}".to_owned(), 400),
            ("{} {}".to_owned(), 400),
        ] {
            let answer = rig
                .ask(&format!(
                    "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ))
                .await;
            assert_eq!(answer.status, status, "{body}");
        }
    });
}

#[test]
fn files_come_compressed_to_who_takes_that() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor, "");
        let plain = rig.get("/static/page.css").await;
        assert_eq!(plain.field("vary"), Some("Accept-Encoding"));
        for (accepts, coding) in [
            ("gzip", Some("gzip")),
            ("br, GZIP;q=0.5", Some("gzip")),
            ("gzip;q=0", None),
            ("gzip; q=0.0, br", None),
            ("gzip;Q=0", None),
            ("identity", None),
        ] {
            let request = format!(
                "HEAD /static/page.css HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {accepts}\r\n\r\n"
            );
            let mut client = rig.connect().await;
            client.send(request.as_bytes()).await;
            let answer = client.response_to("HEAD").await.expect("an answer");
            assert_eq!(answer.field("content-encoding"), coding, "{accepts}");
            let length: usize =
                answer.field("content-length").expect("a length").parse().expect("a number");
            assert_eq!(length < plain.body.len() / 2, coding.is_some(), "{length} bytes");
            assert_eq!(answer.field("etag") == plain.field("etag"), coding.is_none());
        }
    });
}

#[test]
fn everything_is_below_the_base_path() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor, "base_path = \"/wall/calendar/\"\n");
        rig.refreshed(1).await;
        for (path, status) in [
            ("/wall/calendar/", 200),
            ("/wall/calendar/api/v1/next", 200),
            ("/wall/calendar/static/page.css", 200),
            ("/wall/calendar", 308),
            ("/wall/calendars", 404),
            ("/", 404),
            ("/api/v1/next", 404),
        ] {
            let answer = rig.get(path).await;
            assert_eq!(answer.status, status, "{path}");
            let place = (status == 308).then_some("/wall/calendar/");
            assert_eq!(answer.field("location"), place);
        }
        let page = rig.get("/wall/calendar/").await.body;
        assert!(page.contains("href=\"static/page.css?"), "links are relative");
        let asterisk = rig.ask("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(asterisk.status, 204);
    });
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    run(|executor| async move {
        let settings = "rate_limit = 2\ntrusted_proxies = ['127.0.0.0/8']\n";
        let (rig, _folder) = demo(&executor, settings);
        let get = |client: &str| {
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\r\n")
        };
        let mut proxy = rig.connect().await;
        for turn in 0..10 {
            proxy.send(get("203.0.113.7").as_bytes()).await;
            let answer = proxy.response().await.expect("an answer");
            // Two a second, and those of four seconds at once.
            let expected = if turn < 8 { (200, None) } else { (429, Some("1")) };
            assert_eq!((answer.status, answer.field("retry-after")), expected, "{turn}");
        }
        assert_eq!(rig.metrics.http_limited.get(), 2);
        // Others, and the proxy itself, are not the same client.
        for client in ["203.0.113.8", "203.0.113.7, 203.0.113.9", "nonsense"] {
            assert_eq!(rig.ask(&get(client)).await.status, 200, "{client}");
        }
        rig.advance(Duration::from_millis(500));
        assert_eq!(rig.ask(&get("203.0.113.7")).await.status, 200);
        assert_eq!(rig.ask(&get("203.0.113.7")).await.status, 429);
    });
}

/// It is the work that counts, whichever way it is done.
#[test]
fn an_answer_that_has_to_be_made_counts_as_several_requests() {
    for pipeline in [true, false] {
        run(move |executor| async move {
            let settings = format!(
                "rate_limit = 2\ntrusted_proxies = ['127.0.0.0/8']\n\
                 flags.request_pipeline = {pipeline}\n"
            );
            let (rig, _folder) = demo(&executor, &settings);
            rig.refreshed(1).await;
            for (limit, status) in [(1, 200), (2, 200), (3, 429)] {
                let get = format!(
                    "GET /api/v1/next?limit={limit} HTTP/1.1\r\nHost: localhost\r\n\
                     X-Forwarded-For: 203.0.113.7\r\n\r\n"
                );
                assert_eq!(rig.ask(&get).await.status, status, "{pipeline} {limit}");
            }
        });
    }
}

#[test]
fn nobody_is_a_proxy_who_was_not_named() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor, "rate_limit = 1\n");
        for _ in 0..10 {
            let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\
                X-Forwarded-For: 203.0.113.7\r\n\r\n";
            assert_eq!(rig.ask(request).await.status, 200, "this machine is not limited");
        }
    });
}

#[test]
fn a_unix_socket_is_another_way_in_and_is_cleared_away() {
    run(|executor| async move {
        let place = folder();
        let path = place.path().join("http.sock");
        // What a program left behind that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        let settings = format!("unix_socket = '{}'\nrate_limit = 1\n", path.display());
        let (rig, _folder) = demo(&executor, &settings);
        for _ in 0..5 {
            let mut socket = Async::<UnixStream>::connect(&path).await.expect("connected");
            let request = b"GET /healthz HTTP/1.0\r\n\r\n";
            smol::io::AsyncWriteExt::write_all(&mut socket, request).await.expect("sent");
            let mut answer = String::new();
            smol::io::AsyncReadExt::read_to_string(&mut socket, &mut answer).await.expect("read");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        assert_eq!(rig.get("/healthz").await.status, 200, "the port is there as well");
        rig.stop().await;
        assert!(!path.exists());
    });
}

#[test]
fn a_unix_socket_in_use_is_left_alone() {
    let place = folder();
    let path = place.path().join("http.sock");
    let theirs = std::os::unix::net::UnixListener::bind(&path).expect("bound");
    let settings = format!("unix_socket = '{}'\n", path.display());
    let config = configure(place.path(), &settings);
    let clock = calendarbot::clock::Clock::system(None);
    let event_loop = std::rc::Rc::new(calendarbot::event_loop::EventLoop::new().expect("a loop"));
    let error = calendarbot::app::App::open(config, clock, event_loop).err().expect("refused");
    assert!(error.to_string().contains("in use"), "{error}");
    let mut client = UnixStream::connect(&path).expect("still theirs");
    client.write_all(b"x").expect("sent");
    // The first connection was the question whether anybody is there.
    let mut byte = [0];
    let _question = theirs.accept().expect("asked");
    theirs.accept().expect("ours").0.read_exact(&mut byte).expect("read");
    assert_eq!(&byte, b"x");
}
