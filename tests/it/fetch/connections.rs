//! Whom a feed is fetched from, and on which connection: addresses, names, TLS, the pool.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use calendarbot::connections::outbound::{ConnectError, Origin, Policy};
use calendarbot::feed::fetch::{Cause, Fetched, Kind};
use http_types::Url;
use smol::future;
use smol::io::AsyncWriteExt;

use super::{Ask, Bench, CALENDAR, send};
use crate::feed_server::{FeedServer, Reply, Script, Step, run};

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
fn looking_up(answers: &'static [[u8; 4]]) -> Bench {
    let mut bench = Bench::new();
    bench.outbound.set_lookup(|_| Ok(answers.iter().copied().map(IpAddr::from).collect()));
    bench
}

#[test]
fn the_resolved_address_is_what_counts() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let bench = looking_up(&[[127, 0, 0, 1]]);
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
        let policy = Policy { trusted_origin: Origin::of(&home.url("/")), ..Policy::default() };
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
        assert_eq!(bench.active_and_idle(), (0, 1));
        let ask = Ask { policy: Policy::default(), ..Ask::default() };
        let error = bench.ask(&server.url("/"), ask).await.err().expect("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Address));
        assert_eq!(server.requests().len(), 1);
    });
}

#[test]
fn a_name_that_cannot_be_looked_up_is_a_dns_error() {
    run(async |_| {
        let mut bench = Bench::new();
        bench.outbound.set_lookup(|_| Err(io::Error::other("Name or service not known")));
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
        let mut bench = Bench::new();
        bench.outbound.set_lookup(move |_| {
            let _ = gate.lock().expect("the gate").recv();
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        });
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
        let bench = looking_up(&[[127, 0, 0, 2], [127, 0, 0, 1]]);
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
            socket.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await
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
        assert_eq!(bench.active_and_idle(), (0, 1));
        server.stalled(1).await;
        server.release();
        server.stalled(2).await;
        assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok("right"));
        assert_eq!(server.connections(), 2);
        assert_eq!(bench.opened_and_reused(), (2, 0));
    });
}

#[test]
fn a_connection_that_the_server_has_closed_is_not_used() {
    run(async |executor| {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let script = Script::new().reply("/", Reply::new([send(answer), Step::Close]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        for _ in 0..3 {
            assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(""));
            server.closed(server.connections()).await;
        }
        assert_eq!((server.connections(), server.requests().len()), (3, 3));
        assert_eq!(bench.opened_and_reused(), (3, 0));
    });
}

#[test]
fn a_fetch_that_is_dropped_leaves_no_connection() {
    run(async |executor| {
        let script = Script::new().reply("/", Reply::new([Step::Stall]));
        let server = FeedServer::start(&executor, script);
        let bench = Bench::new();
        let url = server.url("/");
        let fetching = async { Some(bench.text(&url).await) };
        let seen = async {
            server.seen(1).await;
            None
        };
        assert_eq!(future::or(fetching, seen).await, None);
        assert_eq!(bench.active_and_idle(), (0, 0));
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
        assert_eq!(future::poll_once(bench.outbound.run()).await, None);
        assert_eq!(bench.active_and_idle(), (0, 1));
        bench.clock.advance(Duration::from_secs(1));
        bench.text(&server.url("/")).await.expect("a calendar");
        assert_eq!(bench.opened_and_reused(), (2, 0));
        bench.outbound.close_idle();
        assert_eq!(bench.active_and_idle(), (0, 0));
    });
}

/// A server that says how long it keeps an idle connection is believed, up to ten minutes; it is
/// not asked again in the last second of that.
#[test]
fn a_connection_lasts_as_long_as_its_server_says() {
    run(async |executor| {
        for (told, seconds) in [
            ("timeout=5", 4),
            ("timeout=120, max=100", 119),
            ("max=100, Timeout = 60", 59),
            ("timeout=86400", 600),
            ("timeout=1", 0),
            ("timeout=0", 0),
            ("timeout=soon", 30),
            ("max=100", 30),
            ("", 30),
        ] {
            let script = Script::new().reply("/", Reply::answer(200, &[("Keep-Alive", told)], ""));
            let server = FeedServer::start(&executor, script);
            let bench = Bench::new();
            bench.text(&server.url("/")).await.expect("an answer");
            let kept = bench.outbound.next_expiry().map(|at| at.as_secs());
            assert_eq!(kept, (seconds > 0).then_some(seconds), "{told}");
        }
    });
}

#[test]
fn a_name_with_special_addresses_only_is_refused() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new());
        let bench = looking_up(&[[127, 0, 0, 1], [0, 0, 0, 0], [10, 0, 0, 1]]);
        let url: Url =
            format!("http://feed.example:{}/", server.address().port()).parse().expect("a URL");
        let ask = Ask { policy: Policy::default(), ..Ask::default() };
        let error = bench.ask(&url, ask).await.err().expect("an error");
        assert_eq!(error.kind(), Kind::Transient(Cause::Address));
        let bench = looking_up(&[]);
        let error = bench.text(&url).await.expect_err("an error");
        assert_eq!(error.to_string(), "looking up the host failed: the name has no address");
        assert_eq!(server.connections(), 0);
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
        let policy = Policy { allow_private: true, ..Policy::default() };
        let connect = async |n: usize| bench.outbound.connect(&origin(n), &policy).await;

        let mut leases = Vec::new();
        for _ in 0..3 {
            leases.push(connect(0).await.expect("room"));
        }
        assert_eq!(connect(1).await.err(), Some(ConnectError::Full));
        leases.into_iter().for_each(|lease| lease.give_back(None));
        assert_eq!(bench.active_and_idle(), (0, 2));

        // A new connection takes the place of the oldest idle one when there is no other room.
        connect(1).await.expect("room").give_back(None);
        assert_eq!(bench.active_and_idle(), (0, 3));
        let lease = connect(2).await.expect("room");
        assert_eq!(bench.active_and_idle(), (1, 2));
        drop(lease);
        assert_eq!(bench.active_and_idle(), (0, 2));
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
