//! Clients that take their time with large answers: who keeps one, who loses it, and who is told to
//! come again.

use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::alloc;
use calendarbot::metrics::memory::Usage;
use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor};
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Rig, configure, folder, toml};

/// Events in a large answer, of which there is room for two.
const LARGE: usize = 80;
/// What a polite display takes in each half of a second.
const GULP: usize = 8 << 10;
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// A program that makes every answer anew, so that no two clients share one.
async fn direct(executor: &Rc<LocalExecutor<'static>>) -> (Rig, FeedServer, TempDir) {
    start(executor, "flags.request_pipeline = false\n").await
}

/// A program with 400 long events.
async fn start(
    executor: &Rc<LocalExecutor<'static>>,
    settings: &str,
) -> (Rig, FeedServer, TempDir) {
    let event = |n: u32| {
        let (day, hour, minute) = (5 + n / 48, n / 2 % 24, n % 2 * 30);
        format!(
            "BEGIN:VEVENT\r\nUID:{n}\r\nDTSTAMP:20260101T000000Z\r\n\
             DTSTART:202601{day:02}T{hour:02}{minute:02}00Z\r\nSUMMARY:{}\r\nEND:VEVENT\r\n",
            "x".repeat(500)
        )
    };
    let events: String = (1..=400).map(event).collect();
    let feed = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    let server = FeedServer::start(executor, Script::new().ics("/a.ics", &feed));
    let folder = folder();
    let settings = settings.to_owned();
    let config = configure(folder.path(), &(settings + &toml(&[("a", server.url("/a.ics"))])));
    let rig = Rig::start(executor, config);
    rig.refreshed(1).await;
    (rig, server, folder)
}

/// A client with hardly any room for what it has not read.
struct Reader {
    socket: Async<TcpStream>,
    /// Of the answer, head included; known once its head is read.
    left: usize,
}

/// What a client was told at once.
#[derive(Debug, PartialEq)]
enum Told {
    /// An answer, of which it has read the head.
    Begun,
    /// To come again.
    Later,
}

impl Reader {
    /// Asks for so many events, and reads the head of the answer.
    async fn ask(rig: &Rig, events: usize) -> (Self, Told) {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        sockopt::set_socket_recv_buffer_size(&socket, 4 << 10).expect("set");
        connect(&socket, &rig.address).expect("connected");
        let socket = Async::new(TcpStream::from(socket)).expect("watched");
        let mut reader = Self { socket, left: 0 };
        let request = format!(
            "GET /api/v1/events?limit={events}&from=2026-01-05&to=2026-02-01 HTTP/1.1\r\n\
             Host: localhost\r\n\r\n"
        );
        reader.socket.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            reader.socket.read_exact(&mut byte).await.expect("a head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("ASCII");
        let length = crate::feed_server::field(&head, "content-length").expect("a length");
        reader.left = length.parse().expect("a number");
        let told = match &head[9..12] {
            "200" => Told::Begun,
            "503" => {
                assert!(head.contains("\r\nRetry-After: "), "{head}");
                assert!(reader.take(usize::MAX).await);
                Told::Later
            }
            _ => panic!("{head}"),
        };
        (reader, told)
    }

    /// Reads so many bytes, or what is left. False when the answer was broken off.
    async fn take(&mut self, bytes: usize) -> bool {
        let mut bytes = bytes.min(self.left);
        let mut piece = [0; 1024];
        while bytes > 0 {
            let room = bytes.min(piece.len());
            match self.socket.read(&mut piece[..room]).await {
                Ok(0) | Err(_) => return false,
                Ok(count) => (bytes, self.left) = (bytes - count, self.left - count),
            }
        }
        true
    }
}

/// How often the terms have gone over that clients have a part in.
fn over(rig: &Rig) -> [u64; 3] {
    let memory = &rig.metrics.memory;
    [&memory.socket_buffers, &memory.slow_readers, &memory.views].map(Usage::times_over)
}

/// Lets time pass, after everything that clients have done was seen.
async fn pass(rig: &Rig, span: Duration) {
    assert_eq!(rig.get("/healthz").await.status, 200);
    rig.advance(span);
    assert_eq!(rig.get("/healthz").await.status, 200);
}

#[test]
fn who_takes_its_answer_keeps_it_and_the_next_comes_again() {
    run(|executor| async move {
        let (rig, _server, _folder) = direct(&executor).await;
        let (mut one, told) = Reader::ask(&rig, LARGE).await;
        assert_eq!(told, Told::Begun);
        let (mut two, told) = Reader::ask(&rig, LARGE).await;
        assert_eq!(told, Told::Begun);
        for round in 0.. {
            // What is left of them fits into sockets in the end.
            if round < 3 {
                assert_eq!(Reader::ask(&rig, LARGE).await.1, Told::Later);
            }
            if one.left == 0 && two.left == 0 {
                break;
            }
            for reader in [&mut one, &mut two] {
                assert!(reader.take(GULP).await, "{} left", reader.left);
            }
            pass(&rig, HALF_A_SECOND).await;
        }
        assert_eq!(rig.metrics.slab_evicted.get(), 0);
        assert_eq!(Reader::ask(&rig, LARGE).await.1, Told::Begun);
    });
}

/// A client that takes a byte a second is as slow as one that takes none.
#[test]
fn who_sips_makes_room_for_who_drinks() {
    run(|executor| async move {
        let (rig, _server, _folder) = direct(&executor).await;
        let (mut sipping, _) = Reader::ask(&rig, LARGE).await;
        let (mut drinking, _) = Reader::ask(&rig, LARGE).await;
        for _ in 0..4 {
            assert!(sipping.take(1).await && drinking.take(GULP).await);
            pass(&rig, HALF_A_SECOND).await;
        }
        assert_eq!(rig.metrics.slab_evicted.get(), 0, "nobody else has asked");
        let (mut third, told) = Reader::ask(&rig, LARGE).await;
        assert_eq!((told, rig.metrics.slab_evicted.get()), (Told::Begun, 1));
        assert!(!sipping.take(usize::MAX).await, "broken off");
        assert!(drinking.take(usize::MAX).await && third.take(usize::MAX).await);
    });
}

/// Fifty clients ask for large answers again and again and read nothing but the heads.
#[test]
fn a_crowd_that_does_not_read_holds_no_more_than_its_share_and_cuts_off_nobody_who_does() {
    const CROWD: usize = 50;
    // The bound at 16 MiB, and what the crowd's own test takes up.
    const GROWTH_MAX: usize = (16 << 20) / 96 + (64 << 10);
    run(|executor| async move {
        let (rig, _server, _folder) = direct(&executor).await;
        let (mut one, _) = Reader::ask(&rig, LARGE / 2).await;
        let (mut two, _) = Reader::ask(&rig, LARGE / 2).await;
        let (mut crowd, mut begun, mut refused) = (Vec::new(), 0, 0);
        let before = alloc::used_bytes();
        while one.left > 0 || two.left > 0 {
            crowd.clear();
            for _ in 0..CROWD {
                let (reader, told) = Reader::ask(&rig, LARGE).await;
                *(if told == Told::Begun { &mut begun } else { &mut refused }) += 1;
                crowd.push(reader);
            }
            let growth = alloc::used_bytes().saturating_sub(before);
            assert!(growth <= GROWTH_MAX, "{growth} bytes");
            for reader in [&mut one, &mut two] {
                assert!(reader.take(GULP).await, "{} left", reader.left);
            }
            pass(&rig, HALF_A_SECOND).await;
        }
        assert!(begun > 1 && refused > begun, "{begun} begun, {refused} refused");
    });
}

/// What is shared weighs nothing, but every socket that is full has buffers of its own.
#[test]
fn as_many_sockets_are_full_as_there_is_room_for_in_the_kernel() {
    /// A quarter of the slots at 16 MiB.
    const BLOCKED_MAX: usize = 32;
    run(|executor| async move {
        let (rig, _server, _folder) = start(&executor, "").await;
        let mut readers = Vec::new();
        for _ in 0..BLOCKED_MAX {
            let (reader, told) = Reader::ask(&rig, LARGE).await;
            assert_eq!(told, Told::Begun);
            readers.push(reader);
        }
        assert_eq!(Reader::ask(&rig, LARGE).await.1, Told::Later);
        let small = rig.get("/healthz").await;
        assert_eq!((small.status, rig.metrics.slab_evicted.get()), (200, 0));
        // All but one go on reading.
        let mut sipping = readers.swap_remove(0);
        for _ in 0..2 {
            assert!(sipping.take(1).await);
            for reader in &mut readers {
                assert!(reader.take(GULP).await, "{} left", reader.left);
            }
            pass(&rig, HALF_A_SECOND).await;
        }
        let (mut last, told) = Reader::ask(&rig, LARGE).await;
        assert_eq!((told, rig.metrics.slab_evicted.get()), (Told::Begun, 1));
        assert!(!sipping.take(usize::MAX).await, "broken off");
        for reader in readers.iter_mut().chain([&mut last]) {
            assert!(reader.take(usize::MAX).await, "{} left", reader.left);
        }
        assert_eq!(over(&rig), [0; 3]);
    });
}

/// An answer that is larger than what slow readers may hold together has the rest from the views.
#[test]
fn one_large_answer_alone_leaves_less_room_for_the_next_view() {
    const ALL: usize = 399;
    run(|executor| async move {
        let (rig, _server, _folder) = direct(&executor).await;
        let (mut alone, told) = Reader::ask(&rig, ALL).await;
        assert_eq!(told, Told::Begun);
        let views = &rig.metrics.memory.views;
        assert!(views.used() > 0, "it is larger than their share");
        assert_eq!(rig.get("/api/v1/next").await.status, 200);
        assert_eq!(Reader::ask(&rig, LARGE).await.1, Told::Later);
        assert!(alone.take(usize::MAX).await, "{} left", alone.left);
        pass(&rig, HALF_A_SECOND).await;
        pass(&rig, HALF_A_SECOND).await;
        assert_eq!(views.used(), 0);
        assert_eq!(over(&rig), [0; 3]);
    });
}
