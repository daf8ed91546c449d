//! `/events`: who is told of changes, of which, and who is told no more.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::budget::{FeedLimits, Plan};
use smol::{LocalExecutor, future};
use tempfile::TempDir;

use crate::feed_server::run;
use crate::rig::{Client, Rig, configure, folder};

const EVENTS: &str = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A program that has read the demo calendar and does nothing more by itself.
async fn demo(executor: &Rc<LocalExecutor<'static>>) -> (Rig, TempDir) {
    let folder = folder();
    let rig = Rig::start(executor, configure(folder.path(), ""));
    rig.refreshed(1).await;
    (rig, folder)
}

/// A client that listens, and the head that it was sent.
async fn listen(rig: &Rig, request: &str) -> (Client, String) {
    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    let head = client.through("\r\n\r\n").await.expect("a head");
    assert_eq!(client.through("\n\n").await.as_deref(), Some("retry: 5000\n\n"));
    (client, head)
}

/// The next event, and the generation in it, which is also its id.
async fn told(client: &mut Client) -> Option<u64> {
    let event = client.through("\n\n").await?;
    let (id, data) = event.strip_prefix("id: ")?.split_once("\nevent: data\ndata: ")?;
    assert_eq!(data, format!("{{\"generation\":{id}}}\n\n"));
    id.parse().ok()
}

/// A client that has been told where it begins.
async fn listening(rig: &Rig) -> Client {
    let (mut client, _) = listen(rig, EVENTS).await;
    assert_eq!(told(&mut client).await, Some(rig.feeds.generation()));
    client
}

fn open(rig: &Rig) -> (u64, u64, u64) {
    let metrics = &rig.metrics;
    (metrics.streams.get(), metrics.streams_opened.get(), metrics.streams_dropped.get())
}

/// Room for everything that is under way to be done.
async fn settle() {
    for _ in 0..200 {
        future::yield_now().await;
    }
}

#[test]
fn a_stream_begins_with_what_is_and_tells_every_change_once() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let (mut client, head) = listen(&rig, EVENTS).await;
        let field = |name| crate::feed_server::field(&head, name);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(field("content-type"), Some("text/event-stream"));
        assert_eq!(field("cache-control"), Some("no-store"));
        assert_eq!((field("connection"), field("content-length")), (Some("close"), None));
        let first = rig.feeds.generation();
        assert_eq!(told(&mut client).await, Some(first));
        rig.feeds.changed();
        assert_eq!(told(&mut client).await, Some(first + 1));
        rig.feeds.changed();
        rig.feeds.changed();
        assert_eq!(told(&mut client).await, Some(first + 3), "two at once are one");
        let skip = "POST /api/v1/skips/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(rig.ask(skip).await.status, 201);
        assert_eq!(told(&mut client).await, Some(first + 4));
        assert_eq!(open(&rig), (1, 1, 0));
    });
}

#[test]
fn who_comes_back_may_say_what_it_knows() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        for (version, fields) in [
            ("1.1", "Host: localhost\r\nLast-Event-ID: 1\r\nAccept: text/event-stream\r\n"),
            ("1.1", "Host: localhost\r\nLast-Event-ID: nonsense\r\n"),
            ("1.0", ""),
            ("1.0", "Connection: keep-alive\r\n"),
        ] {
            let request = format!("GET /events HTTP/{version}\r\n{fields}\r\n");
            let (mut client, head) = listen(&rig, &request).await;
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
            assert_eq!(told(&mut client).await, Some(rig.feeds.generation()));
            rig.feeds.changed();
            assert_eq!(told(&mut client).await, Some(rig.feeds.generation()));
        }
    });
}

#[test]
fn what_is_not_a_get_takes_no_place() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let mut client = rig.connect().await;
        client.send(b"HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let head = client.response_to("HEAD").await.expect("an answer");
        assert_eq!((head.status, head.field("content-type")), (200, Some("text/event-stream")));
        client.send(b"OPTIONS /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let options = client.response().await.expect("an answer");
        assert_eq!(options.field("allow"), Some("GET, HEAD, OPTIONS"));
        client.send(b"POST /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(client.response().await.expect("an answer").status, 405);
        assert_eq!(open(&rig), (0, 0, 0));
    });
}

#[test]
fn silence_is_broken_every_twenty_five_seconds() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let (mut one, mut other) = (listening(&rig).await, listening(&rig).await);
        for _ in 0..3 {
            settle().await;
            rig.advance(SECOND * 24);
            settle().await;
            assert_eq!(rig.metrics.streams.get(), 2);
            rig.advance(SECOND);
            for client in [&mut one, &mut other] {
                assert_eq!(client.through("\n\n").await.as_deref(), Some(":\n\n"));
            }
        }
        // Somebody who is no stream has its deadlines, and is one of two for a while.
        let mut idle = rig.connect().await;
        idle.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(idle.response().await.expect("an answer").status, 200);
        for _ in 0..24 {
            rig.advance(SECOND);
            settle().await;
        }
        assert!(idle.is_closed().await);
        rig.advance(SECOND);
        assert_eq!(one.through("\n\n").await.as_deref(), Some(":\n\n"));
    });
}

#[test]
fn the_last_place_is_given_and_one_more_is_told_to_come_again() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let places = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http.streams_max;
        let mut clients = Vec::new();
        for _ in 0..places {
            clients.push(listening(&rig).await);
        }
        let refused = rig.ask(EVENTS).await;
        assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
        assert_eq!(refused.field("content-type"), Some("application/problem+json"));
        assert_eq!((rig.metrics.streams_refused.get(), open(&rig).0), (1, places as u64));
        rig.feeds.changed();
        for client in &mut clients {
            assert_eq!(told(client).await, Some(rig.feeds.generation()));
        }
        clients.pop();
        rig.until(|rig| open(rig).0 < places as u64).await;
        listening(&rig).await;
    });
}

/// One machine at home does not take all places from the others.
#[test]
fn one_address_gets_a_quarter_of_the_places() {
    run(|executor| async move {
        let folder = folder();
        let text = "trusted_proxies = [\"127.0.0.1\"]\n";
        let rig = Rig::start(&executor, configure(folder.path(), text));
        rig.refreshed(1).await;
        let places = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http.streams_max;
        let of = |last: u8| {
            EVENTS.replace("\r\n\r\n", &format!("\r\nX-Forwarded-For: 192.168.0.{last}\r\n\r\n"))
        };
        let mut clients = Vec::new();
        for last in 1..=4 {
            for _ in 0..places / 4 {
                clients.push(listen(&rig, &of(last)).await);
            }
            let refused = rig.ask(&of(last)).await;
            assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
        }
        assert_eq!(open(&rig).0, places as u64);
        assert_eq!(rig.ask(&of(5)).await.status, 503, "there is none left");
    });
}

#[test]
fn who_does_not_read_is_told_no_more() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let _deaf = listening(&rig).await;
        let mut listener = listening(&rig).await;
        for _ in 0..50_000 {
            rig.feeds.changed();
            assert_eq!(told(&mut listener).await, Some(rig.feeds.generation()));
            if open(&rig).2 > 0 {
                break;
            }
        }
        assert_eq!(open(&rig), (1, 2, 1));
    });
}

#[test]
fn who_goes_or_talks_makes_room() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        drop(listening(&rig).await);
        rig.until(|rig| open(rig) == (0, 1, 0)).await;
        let mut talking = listening(&rig).await;
        talking.send(EVENTS.as_bytes()).await;
        assert!(talking.is_closed().await);
        assert_eq!(open(&rig), (0, 2, 1));
        // What came along with the request is dropped.
        let (mut client, _) = listen(&rig, &EVENTS.repeat(2)).await;
        assert_eq!(told(&mut client).await, Some(rig.feeds.generation()));
        rig.feeds.changed();
        assert_eq!(told(&mut client).await, Some(rig.feeds.generation()));
    });
}

#[test]
fn a_stop_ends_every_stream_at_once() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let (mut one, mut other) = (listening(&rig).await, listening(&rig).await);
        rig.stop().await;
        assert!(one.is_closed().await && other.is_closed().await);
    });
}

/// Who is idle goes first, then the stream that was there first; it comes back.
#[test]
fn a_full_slab_takes_streams_after_who_is_idle() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let slots = rig.metrics.slab_slots.get() as usize;
        let mut first = listening(&rig).await;
        rig.advance(Duration::from_millis(1));
        let mut second = listening(&rig).await;
        let mut crowd = Vec::new();
        for _ in 2..slots {
            let mut client = rig.connect().await;
            client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            assert_eq!(client.response().await.expect("an answer").status, 200);
            crowd.push(client);
        }
        let mut heads = Vec::new();
        for _ in 2..slots {
            let mut client = rig.connect().await;
            client.send(b"GET /healthz HTTP/1.1\r\n").await;
            heads.push(client);
        }
        rig.until(|rig| rig.metrics.slab_evicted.get() == slots as u64 - 2).await;
        settle().await;
        assert_eq!(open(&rig).0, 2, "the idle ones have gone");
        let _one_more = rig.connect().await;
        assert!(first.is_closed().await);
        assert_eq!(open(&rig), (1, 2, 1));
        rig.feeds.changed();
        assert_eq!(told(&mut second).await, Some(rig.feeds.generation()));
    });
}

/// Nothing of an event is made for each of those who listen.
#[test]
fn an_event_costs_no_allocation_for_each_of_those_who_listen() {
    run(|executor| async move {
        let (rig, _folder) = demo(&executor).await;
        let mut counts = Vec::new();
        let mut clients = Vec::new();
        for crowd in [1, 9] {
            while clients.len() < crowd {
                clients.push(listening(&rig).await);
            }
            settle().await;
            rig.feeds.changed();
            let before = calendarbot::alloc::allocations();
            settle().await;
            counts.push(calendarbot::alloc::allocations() - before);
            for client in &mut clients {
                assert_eq!(told(client).await, Some(rig.feeds.generation()));
            }
        }
        assert!(counts[1] <= counts[0] + 4, "{counts:?}");
    });
}
