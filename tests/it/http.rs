//! The HTTP loop on real sockets: bytes in, bytes out, and who is closed when.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::alloc;
use calendarbot::tzdb::tzdb;
use smol::{LocalExecutor, future};
use tempfile::TempDir;

use crate::feed_server::{Script, run};
use crate::rig::{Client, Rig, configure, fed, folder};
use crate::routes::WORK;

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A program with the demo calendar.
fn demo(executor: &Rc<LocalExecutor<'static>>) -> (Rig, TempDir) {
    let folder = folder();
    let config = configure(folder.path(), "time_zone = \"Europe/Berlin\"\n");
    (Rig::start(executor, config), folder)
}

/// So many clients, each connected and known to the program.
async fn crowd(rig: &Rig, clients: usize) -> Vec<Client> {
    let mut crowd = Vec::new();
    for _ in 0..clients {
        let mut client = rig.connect().await;
        client.send(GET.as_bytes()).await;
        assert_eq!(client.response().await.expect("an answer").status, 200);
        crowd.push(client);
    }
    crowd
}

#[test]
fn a_connection_is_kept_and_used_again() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut client = rig.connect().await;
        for _ in 0..3 {
            client.send(GET.as_bytes()).await;
            let answer = client.response().await.expect("an answer");
            assert_eq!((answer.status, answer.field("connection")), (200, None));
            assert_eq!(answer.field("date"), Some("Mon, 05 Jan 2026 07:45:00 GMT"));
        }
        assert_eq!(rig.metrics.slab_peak.get(), 1);
    });
}

#[test]
fn close_is_said_and_done() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        for request in [
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "GET /healthz HTTP/1.0\r\n\r\n",
        ] {
            let mut client = rig.connect().await;
            client.send(request.as_bytes()).await;
            let answer = client.response().await.expect("an answer");
            assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
            assert!(client.is_closed().await);
        }
    });
}

#[test]
fn a_1_0_client_may_ask_to_stay() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut client = rig.connect().await;
        for _ in 0..2 {
            client.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
            let answer = client.response().await.expect("an answer");
            assert_eq!(answer.field("connection"), Some("keep-alive"));
        }
    });
}

#[test]
fn pipelined_requests_are_answered_in_order_wherever_they_are_cut() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        rig.refreshed(1).await;
        let requests = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\
            POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}\
            GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n\
            GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n\
            POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
            2\r\n{}\r\n0\r\n\r\n";
        for cut in [0, 1, 20, 43, 44, 60, 111, 112, 113, 150, requests.len() - 1] {
            let (first, second) = requests.as_bytes().split_at(cut);
            let mut client = rig.connect().await;
            client.send(first).await;
            for _ in 0..20 {
                future::yield_now().await;
            }
            client.send(second).await;
            for status in [200, 202, 200, 404, 202] {
                let answer = client.response().await.expect("an answer");
                assert_eq!(answer.status, status, "cut at {cut}");
            }
        }
    });
}

#[test]
fn a_hundred_requests_in_one_packet() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut client = rig.connect().await;
        client.send(GET.repeat(100).as_bytes()).await;
        for _ in 0..100 {
            assert_eq!(client.response().await.expect("an answer").status, 200);
        }
    });
}

#[test]
fn head_has_everything_but_the_body() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        rig.refreshed(1).await;
        for path in ["/", "/api/v1/next", "/stats", "/nothing", "/static/page.css"] {
            let mut client = rig.connect().await;
            client
                .send(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
                .await;
            let head = client.response_to("HEAD").await.expect("an answer");
            assert!(head.field("content-length").is_some_and(|length| length != "0"), "{path}");
            client.send(GET.as_bytes()).await;
            assert_eq!(client.response().await.expect("nothing was in between").status, 200);
        }
    });
}

#[test]
fn an_answer_that_is_known_is_not_sent_again() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        rig.refreshed(1).await;
        // The second asker finds the answer in the cache, the first waited for it.
        for _ in 0..2 {
            let tag = rig.get("/api/v1/next").await.field("etag").expect("a tag").to_owned();
            let ask = |tag: &str| {
                format!(
                    "GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"
                )
            };
            let known = rig.ask(&ask(&tag)).await;
            assert_eq!((known.status, known.field("etag")), (304, Some(&*tag)));
            assert_eq!(rig.ask(&ask("\"other\"")).await.status, 200);
        }
    });
}

#[test]
fn bad_requests_get_their_status_and_the_connection_ends() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let long = "x".repeat(10 << 20);
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET /\r\n\r\n".to_owned(), 400),
            ("nonsense\n\n".to_owned(), 400),
            ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(), 505),
            (format!("GET /{long} HTTP/1.1\r\n"), 414),
            (format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), 431),
            (
                format!(
                    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n{long}"
                ),
                413,
            ),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n".to_owned(), 417),
        ] {
            let answer = rig.ask_split(request).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.field("connection"), Some("close"));
            assert!(answer.field("content-length").is_some() && answer.field("date").is_some());
        }
        assert_eq!(rig.get("/healthz").await.status, 200, "others are served");
    });
}

#[test]
fn a_header_that_is_not_ascii_does_no_harm() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        for path in ["/healthz", "/static/page.css"] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Name: M\u{fc}ller \u{20ac}\r\n\r\n"
            );
            assert_eq!(rig.ask(&request).await.status, 200);
        }
    });
}

#[test]
fn a_body_is_asked_for_when_the_client_waits_for_that() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut client = rig.connect().await;
        let head = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nExpect: 100-continue\r\n\
                    Content-Length: 2\r\n\r\n";
        client.send(head.as_bytes()).await;
        assert_eq!(client.response().await.expect("asked").status, 100);
        client.send(b"{}").await;
        assert_eq!(client.response().await.expect("answered").status, 202);
    });
}

#[test]
fn a_body_at_the_limit_needs_a_large_buffer_and_gives_it_back() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let body = format!("\"{}\"", "x".repeat((64 << 10) - 2));
        let request = format!(
            "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut client = rig.connect().await;
        // More often than there are large buffers.
        for _ in 0..10 {
            client.send(request.as_bytes()).await;
            assert_eq!(client.response().await.expect("an answer").status, 202);
        }
    });
}

#[test]
fn when_no_large_buffer_is_free_that_is_said() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let half = format!(
            "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{}",
            "x".repeat(4000)
        );
        let mut holders = Vec::new();
        let status = loop {
            let mut client = rig.connect().await;
            client.send(half.as_bytes()).await;
            let answered = async { Some(client.response().await.expect("an answer")) };
            let taken = async {
                for _ in 0..200 {
                    future::yield_now().await;
                }
                None
            };
            if let Some(answer) = future::or(answered, taken).await {
                break answer.status;
            }
            holders.push(client);
            assert!(holders.len() < 100);
        };
        assert_eq!(status, 503);
        assert_eq!(rig.get("/healthz").await.status, 200, "others are served");
    });
}

/// Part of a small request follows each large one, so that the buffer is never empty.
#[test]
fn who_pipelines_does_not_keep_a_large_buffer() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let large = format!("{}X: {}\r\n\r\n", &GET[..GET.len() - 2], "x".repeat(4000));
        let (first, rest) = GET.split_at(20);
        let mut holders = Vec::new();
        // More than there are large buffers.
        for _ in 0..10 {
            let mut client = rig.connect().await;
            client.send(format!("{large}{first}").as_bytes()).await;
            assert_eq!(client.response().await.expect("an answer").status, 200);
            holders.push(client);
        }
        for client in &mut holders {
            client.send(rest.as_bytes()).await;
            assert_eq!(client.response().await.expect("the rest was kept").status, 200);
        }
    });
}

#[test]
fn no_body_is_asked_for_that_no_buffer_is_free_for() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let head = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nExpect: 100-continue\r\n\
             Content-Length: 60000\r\n\r\n";
        let mut holders = Vec::new();
        let status = loop {
            let mut client = rig.connect().await;
            client.send(head.as_bytes()).await;
            match client.response().await.expect("an answer").status {
                100 => holders.push(client),
                status => break status,
            }
            assert!(holders.len() < 100);
        };
        assert_eq!((status, holders.is_empty()), (503, false));
    });
}

#[test]
fn a_full_slab_makes_room_for_a_new_client() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let slots = 128;
        let mut idle = crowd(&rig, slots).await;
        assert_eq!(rig.metrics.slab_used.get(), slots as u64);
        assert_eq!(rig.get("/healthz").await.status, 200);
        assert_eq!(rig.metrics.slab_evicted.get(), 1);
        assert!(idle[0].is_closed().await, "the oldest goes first");
        assert_eq!(rig.metrics.slab_peak.get(), slots as u64);
    });
}

#[test]
fn who_dawdles_is_closed_in_time() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        for (sent, seconds) in [
            ("", 10),
            (GET, 15),
            ("GET / HTTP/1.1\r\n", 10),
            (
                "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
              Content-Length: 9\r\n\r\nhalf",
                20,
            ),
        ] {
            let mut client = rig.connect().await;
            client.send(sent.as_bytes()).await;
            let bytes = rig.metrics.http_bytes_in.get();
            let want = bytes + sent.len() as u64;
            rig.until(|rig| rig.metrics.slab_used.get() == 1).await;
            if !sent.is_empty() {
                rig.until(|rig| rig.metrics.http_bytes_in.get() == want).await;
            }
            if sent == GET {
                assert_eq!(client.response().await.expect("an answer").status, 200);
            }
            let closed = rig.metrics.deadline_closed.get();
            for _ in 0..seconds - 2 {
                rig.advance(Duration::from_secs(1));
                for _ in 0..20 {
                    future::yield_now().await;
                }
            }
            assert_eq!(rig.metrics.deadline_closed.get(), closed, "{sent:?} too early");
            for _ in 0..4 {
                rig.advance(Duration::from_secs(1));
                for _ in 0..20 {
                    future::yield_now().await;
                }
            }
            assert!(client.is_closed().await);
            assert_eq!(rig.metrics.deadline_closed.get(), closed + 1);
            rig.until(|rig| rig.metrics.slab_used.get() == 0).await;
        }
    });
}

#[test]
fn a_client_that_finishes_sending_still_gets_its_answer() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut client = rig.connect().await;
        client.send(GET.as_bytes()).await;
        client.finish();
        assert_eq!(client.response().await.expect("an answer").status, 200);
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_slow_reader_gets_every_byte() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut client = rig.connect().await;
        // More than the sockets hold, so that writing must stop half way.
        let request = "GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let length = rig.get("/static/page.css").await.body.len();
        let count = 60;
        let requests = request.repeat(count);
        let sending = async {
            let mut sender = requests.as_bytes();
            while !sender.is_empty() {
                let (now, later) = sender.split_at(sender.len().min(200));
                client.send(now).await;
                sender = later;
            }
            client
        };
        let mut client = sending.await;
        for _ in 0..count {
            assert_eq!(client.response().await.expect("an answer").body.len(), length);
        }
    });
}

#[test]
fn stopping_lets_an_answer_under_way_finish() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let mut idle = rig.connect().await;
        let mut busy = rig.connect().await;
        busy.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await;
        rig.until(|rig| rig.metrics.http_bytes_in.get() > 0).await;
        let (ended, ()) = future::zip(rig.stop(), async {
            assert!(idle.is_closed().await, "who only waits is closed");
            busy.send(b"\r\n").await;
            assert_eq!(busy.response().await.expect("an answer").status, 200);
            drop(busy);
        })
        .await;
        assert_eq!(ended, calendarbot::app::Ended::Stopped);
    });
}

/// Nobody waits for all that another has sent at once.
#[test]
fn many_requests_at_once_take_turns() {
    const HEAD: &str = "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const CHEAP: &str = "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (request, count, turns) in [(HEAD, 40, 40), (CHEAP, 8, 1), (CHEAP, 9, 2), (CHEAP, 17, 3)] {
        run(|executor| async move {
            let (rig, _folder) = demo(&executor);
            let mut greedy = rig.connect().await;
            greedy.send(request.repeat(count).as_bytes()).await;
            for _ in 0..count {
                let answer = greedy.response_to("HEAD").await.expect("an answer");
                assert_eq!(answer.status, 200);
            }
            assert_eq!(rig.metrics.http_turns.get(), turns, "{count} of {request}");
            greedy.send(GET.as_bytes()).await;
            assert_eq!(greedy.response().await.expect("an answer").status, 200);
        });
    }
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        let (mut greedy, mut display) = (rig.connect().await, rig.connect().await);
        greedy.send(HEAD.repeat(40).as_bytes()).await;
        display.send(GET.as_bytes()).await;
        assert_eq!(display.response().await.expect("an answer").status, 200);
        // Who goes meanwhile takes nothing along.
        drop(greedy);
        display.send(GET.as_bytes()).await;
        assert_eq!(display.response().await.expect("an answer").status, 200);
        rig.stop().await;
    });
}

/// Whoever is refused again and again makes nobody look faster than they are.
#[test]
fn refusals_are_no_latencies() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor);
        for (path, counted) in [("/healthz", 1), ("/nothing", 1), ("/?tz=x", 1), ("/healthz", 2)] {
            rig.get(path).await;
            assert_eq!(rig.metrics.request_seconds.count(), counted, "{path}");
        }
        assert_eq!(rig.metrics.http_turns.get(), 2);
    });
}

/// Whoever asks in every zone of the world leaves no more behind than one of them does.
#[test]
fn zones_are_not_kept_for_ever() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let names: Vec<String> = tzdb().names().collect();
        assert!(names.len() > 400, "{}", names.len());
        let mut used = Vec::new();
        for _ in 0..2 {
            for name in &names {
                let name = name.replace('+', "%2B");
                let answer = rig.get(&format!("/api/v1/next?tz={name}")).await;
                assert_eq!(answer.status, 200, "{name}");
                rig.feeds.changed();
                used.push(alloc::used_bytes());
            }
        }
        let (least, most) = (used[32..].iter().min(), used[32..].iter().max());
        let growth = most.expect("some") - least.expect("some");
        // The cache has its bound, of 341 KiB.
        assert!(growth < 512 << 10, "{growth} bytes");
    });
}
