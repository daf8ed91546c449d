//! Where a server may send us: how far, by which scheme, to which address, and with what.

use std::time::Duration;

use calendarbot::connections::outbound::{Origin, Policy};
use calendarbot::feed::fetch::{Cause, Kind};
use smol::future;

use super::tls::Authority;
use super::{Ask, Bench, CALENDAR, check_malformed, send};
use crate::feed_server::{FeedServer, Reply, Script, Step, field, run};

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

/// Each hop is quick enough by itself.
#[test]
fn redirects_have_a_minute_and_a_half_together() {
    for (seconds, arrives) in [(44, true), (45, false)] {
        run(async |executor| {
            let redirect = "HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            let script = Script::new()
                .reply("/a", Reply::new([Step::Stall, send(redirect)]))
                .reply("/b", Reply::new([Step::Stall, send(answer)]));
            let server = FeedServer::start(&executor, script);
            let bench = Bench::with(|limits| limits.first_byte_time = Duration::from_secs(60));
            let url = server.url("/a");
            let (read, ()) = future::zip(bench.text(&url), async {
                for (hop, seconds) in [(1, 45), (2, seconds)] {
                    server.stalled(hop).await;
                    bench.clock.advance(Duration::from_secs(seconds));
                    if hop == 1 || arrives {
                        server.release();
                    }
                }
            })
            .await;
            let late = "the redirects took too long".to_owned();
            let expected = if arrives { Ok(String::new()) } else { Err(late) };
            assert_eq!(read.map_err(|error| error.to_string()), expected, "{seconds}");
        });
    }
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
fn a_redirect_to_itself_ends() {
    run(async |executor| {
        let server = FeedServer::start(&executor, Script::new().redirect("/", 301, "/"));
        let error = Bench::new().text(&server.url("/")).await.expect_err("an error");
        assert_eq!(error.to_string(), "too many redirects");
        assert_eq!(server.requests().len(), 6);
    });
}

#[test]
fn a_redirect_goes_up_to_https_and_never_down() {
    run(async |executor| {
        let authority = Authority::new();
        let plain = FeedServer::start(&executor, Script::new());
        let tls = FeedServer::start_tls(&executor, Script::new(), authority.server(|_| {}));
        plain.set(Script::new().redirect("/up", 301, tls.url("/a").as_str()).ics("/a", CALENDAR));
        tls.set(Script::new().redirect("/down", 301, plain.url("/a").as_str()).ics("/a", CALENDAR));
        let bench = authority.trusted();
        assert_eq!(bench.text(&plain.url("/up")).await.as_deref(), Ok(CALENDAR));
        let error = bench.text(&tls.url("/down")).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Malformed);
        assert_eq!(error.to_string(), "a redirect from https to http is not followed");
        assert_eq!(plain.requests().len(), 1);
    });
}

/// The feed's own origin is trusted; wherever it leads, at the first hop or at a later one, the
/// address is judged by what it is and not by how it is written.
#[test]
fn no_hop_leads_to_a_special_address() {
    const FORMS: [(&str, &str); 25] = [
        ("localhost", "loopback"),
        ("calendar.localhost", "loopback"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0x7f000001", "loopback"),
        ("2130706433", "loopback"),
        ("0177.0.0.1", "loopback"),
        ("127.1", "loopback"),
        ("[::1]", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("[::]", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("[fd00::1]", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("169.254.169.254", "link-local"),
        ("[fe80::1]", "link-local"),
        ("224.0.0.251", "multicast"),
        ("[ff02::fb]", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("[::ffff:127.0.0.1]", "IPv4-mapped"),
        ("[64:ff9b::127.0.0.1]", "loopback"),
        ("[64:ff9b:1::7f00:1]", "local NAT64"),
        ("[2002:7f00:1::]", "6to4"),
    ];
    run(async |executor| {
        let away = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let home = FeedServer::start(&executor, Script::new());
        let bench = Bench::new();
        let policy = Policy { trusted_origin: Origin::of(&home.url("/")), ..Policy::default() };
        for (host, what) in FORMS {
            let to = format!("http://{host}:{}/", away.address().port());
            home.set(Script::new().redirect("/1", 302, "/2").redirect("/2", 307, &to));
            for start in ["/2", "/1"] {
                let ask = Ask { policy: policy.clone(), ..Ask::default() };
                let error = bench.ask(&home.url(start), ask).await.err().expect("an error");
                assert_eq!(error.kind(), Kind::Transient(Cause::Address), "{host} from {start}");
                let reason = format!(
                    "the host has a {what} address, which this feed may not use \
                     (allow_private_address)"
                );
                assert_eq!(error.to_string(), reason, "{host} from {start}");
            }
        }
        assert_eq!(away.connections(), 0);
    });
}

/// Scheme and port are parts of an origin, too.
#[test]
fn another_port_or_scheme_of_the_same_host_gets_no_credentials() {
    run(async |executor| {
        let authority = Authority::new();
        let home = FeedServer::start(&executor, Script::new());
        let port = FeedServer::start(&executor, Script::new().ics("/", CALENDAR));
        let tls = authority.server(|_| {});
        let scheme = FeedServer::start_tls(&executor, Script::new().ics("/", CALENDAR), tls);
        let bench = authority.trusted();
        let headers = [("Authorization".to_owned(), "Bearer hush".to_owned())];
        for other in [&port, &scheme] {
            home.set(Script::new().redirect("/", 302, other.url("/").as_str()));
            let ask = Ask { headers: &headers, ..Ask::default() };
            assert!(bench.ask(&home.url("/"), ask).await.is_ok());
            assert_eq!(field(&other.requests()[0], "authorization"), None);
        }
        let sent = home.requests();
        assert!(sent.iter().all(|head| field(head, "authorization") == Some("Bearer hush")));
    });
}
