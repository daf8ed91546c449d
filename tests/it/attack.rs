//! Sieges: more clients than there are slots, each as nasty as it can be, while a polite one asks
//! again and again. `make attack` runs them against the release build.
//!
//! They take real time, and they are the one place where a time is asserted: that a polite client
//! gets its answer within a second is what they are about. With `CALENDARBOT_CGROUP` set they
//! besiege a program in a memory cgroup of its budget's size (`make attack-cgroup`).

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use calendarbot::clock::{Clock, Moment};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor, Timer, future};
use tempfile::TempDir;

use crate::cgroup::Cgroup;
use crate::process::{Process, number, text};
use crate::rig::folder;
use crate::soak::kib;

/// How long a siege lasts.
const SIEGE: Duration = Duration::from_secs(5);
/// The polite client asks so often.
const POLL: Duration = Duration::from_millis(250);
/// An answer that comes later is none.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon the program must be rid of its besiegers.
const RECOVERY: Duration = Duration::from_secs(8);
/// Besiegers beyond the number of slots.
pub(crate) const SURPLUS: u64 = 200;
/// Resident memory that a second siege may add to what the first left.
const GROWTH_KIB: i64 = 128;

/// The memory budget of whom is besieged.
const BUDGET_BYTES: u64 = 16 << 20;
/// Nine tenths of it.
const PEAK_KIB: i64 = (BUDGET_BYTES >> 10) as i64 * 9 / 10;

/// The program under siege.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    process: Process,
    group: Option<Cgroup>,
    _folder: TempDir,
}

impl Target {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let group = std::env::var_os("CALENDARBOT_CGROUP").and_then(|_| {
            Cgroup::new(BUDGET_BYTES).inspect_err(|reason| println!("SKIP: {reason}")).ok()
        });
        let config = full_calendar(folder.path());
        let arguments = ["--memory-budget", "16MiB", "-c", &config];
        let process = match &group {
            Some(group) => group.start(folder.path(), &arguments),
            None => Process::start(folder.path(), &arguments),
        };
        let target = Self { address: process.address, process, group, _folder: folder };
        let ready = (0..2_000).any(|_| target.get("/readyz").starts_with("HTTP/1.1 200"));
        assert!(ready, "the calendar is there");
        target
    }

    /// What the kernel has to say: nothing was killed, and nine tenths were enough.
    pub(crate) fn check_group(&self) {
        let Some(group) = &self.group else { return };
        let peak = group.peak_bytes();
        println!("{peak} bytes at most in the cgroup");
        assert_eq!(group.kills(), 0, "the kernel killed it");
        assert!(peak <= BUDGET_BYTES * 9 / 10, "{peak} bytes");
    }

    fn get(&self, path: &str) -> String {
        get(self.address, path)
    }

    /// A figure of `/stats`, by its section and name.
    fn figure(&self, section: &str, name: &str) -> u64 {
        let stats = self.get("/stats");
        let (_, rest) = stats.split_once(&format!("\"{section}\":{{")).expect("the section");
        number(rest, name)
    }

    /// A figure of `/proc/PID/status`.
    fn status(&self, name: &str) -> i64 {
        self.process.status(name) as i64
    }

    /// Resident memory in KiB, page by page: the sum in `status` lags behind.
    fn rss(&self) -> i64 {
        let rollup = format!("/proc/{}/smaps_rollup", self.process.child.id());
        kib(&fs::read_to_string(rollup).expect("it lives"), "Rss:") as i64
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.child.id())).expect("it lives").count()
    }

    /// The number of slots.
    fn slots(&self) -> u64 {
        self.figure("slab", "slots")
    }
}

/// The answer to a request that ends its connection, as far as it comes: nothing where there is no
/// room for who asks.
pub(crate) fn ask(address: SocketAddr, request: &str) -> String {
    let mut answer = Vec::new();
    if let Ok(mut socket) = TcpStream::connect(address) {
        let _ = socket.write_all(request.as_bytes());
        let _ = socket.read_to_end(&mut answer);
    }
    text(&answer)
}

/// The answer to a simple GET, as far as it comes.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// Writes a calendar with more in it than one answer may hold, and a configuration with it.
fn full_calendar(folder: &Path) -> String {
    let event = |number: usize| {
        let (hour, half, room) = (number / 2, number % 2 * 30, "r".repeat(200));
        format!(
            "BEGIN:VEVENT\r\nUID:{number}\r\nDTSTART:20240101T{hour:02}{half:02}00Z\r\n\
             RRULE:FREQ=DAILY\r\nSUMMARY:Meeting {number}\r\nLOCATION:{room}\r\nEND:VEVENT\r\n"
        )
    };
    let events: String = (0..40).map(event).collect();
    let (feed, config) = (folder.join("full.ics"), folder.join("calendarbot.toml"));
    fs::write(&feed, format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n")).expect("written");
    fs::write(&config, format!("[[feeds]]\nname = 'full'\nfile = {feed:?}\n")).expect("written");
    config.to_str().expect("a name in UTF-8").to_owned()
}

/// A way of being nasty.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attack {
    SlowHead,
    SlowBody,
    SlowChunks,
    NeverReading,
    UnreadAnswers,
    Flood,
    IdleHoard,
    SilentDeath,
    ResetChurn,
    GreedyPipeliner,
    HalfOpen,
}

const GET: &[u8] = b"GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n";
const STYLE: &[u8] = b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n";
const POST: &str = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/json\r\n";

type Socket = Async<TcpStream>;

/// Besieges with one client until it is dropped; a connection that is lost is made again.
pub(crate) async fn besiege(attack: Attack, address: SocketAddr, is_odd: bool) {
    loop {
        if let Ok(socket) = Async::<TcpStream>::connect(address).await {
            let _ = match attack {
                Attack::SlowHead => drip(socket, b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"y").await,
                Attack::SlowBody => {
                    let head = format!("{POST}Content-Length: 60000\r\n\r\n\"");
                    drip(socket, head.as_bytes(), b"y").await
                }
                Attack::SlowChunks => {
                    let head = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
                    drip(socket, head.as_bytes(), b"1\r\ny\r\n").await
                }
                Attack::NeverReading => shout(socket).await,
                Attack::UnreadAnswers => leave_unread(socket).await,
                Attack::Flood => flood(socket).await,
                Attack::IdleHoard => wait_for_the_end(socket, GET, false).await,
                Attack::SilentDeath => wait_for_the_end(socket, b"", false).await,
                Attack::ResetChurn => reset(socket).await,
                Attack::GreedyPipeliner => pipeline(socket).await,
                Attack::HalfOpen => {
                    // In the middle of the body, or of the head.
                    let head = format!("{POST}Content-Length: 9\r\n\r\n\"");
                    let length = if is_odd { head.len() } else { head.len() / 2 };
                    wait_for_the_end(socket, &head.as_bytes()[..length], true).await
                }
            };
        }
        Timer::after(Duration::from_millis(10)).await;
    }
}

/// A drop a second, until the server hangs up.
async fn drip(socket: Socket, first: &[u8], drop: &[u8]) -> std::io::Result<()> {
    (&socket).write_all(first).await?;
    let dripping = async {
        loop {
            Timer::after(Duration::from_secs(1)).await;
            (&socket).write_all(drop).await?;
        }
    };
    let listening = async {
        let mut answer = [0; 1024];
        while (&socket).read(&mut answer).await? > 0 {}
        Ok(())
    };
    future::or(listening, dripping).await
}

/// Asks and asks, and never reads.
async fn shout(mut socket: Socket) -> std::io::Result<()> {
    loop {
        socket.write_all(STYLE).await?;
    }
}

/// Asks for an answer as large as there are, of which no two are the same, and leaves it.
async fn leave_unread(mut socket: Socket) -> std::io::Result<()> {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let second = ASKED.fetch_add(1, Ordering::Relaxed) % 86_400;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let request = format!(
        "GET /api/v1/events?limit=2000&from=2000-01-01T{hour:02}:{minute:02}:{second:02}Z\
         &to=2200-01-01 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    Timer::after(SIEGE).await;
    Ok(())
}

async fn flood(mut socket: Socket) -> std::io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        socket.write_all(GET).await?;
        if socket.read(&mut piece).await? == 0 {
            return Ok(());
        }
        future::yield_now().await;
    }
}

async fn wait_for_the_end(mut socket: Socket, first: &[u8], finish: bool) -> std::io::Result<()> {
    socket.write_all(first).await?;
    if finish {
        socket.get_ref().shutdown(Shutdown::Write)?;
    }
    let mut piece = vec![0; 4096];
    while socket.read(&mut piece).await? > 0 {}
    Ok(())
}

async fn reset(mut socket: Socket) -> std::io::Result<()> {
    socket.write_all(&GET[..20]).await?;
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    Ok(())
}

/// A hundred requests in one packet, and the answers read in sips.
async fn pipeline(socket: Socket) -> std::io::Result<()> {
    let requests = GET.repeat(100);
    let asking = async {
        loop {
            (&socket).write_all(&requests).await?;
        }
    };
    let sipping = async {
        let mut sip = [0; 512];
        loop {
            Timer::after(Duration::from_millis(50)).await;
            if (&socket).read(&mut sip).await? == 0 {
                return Ok(());
            }
        }
    };
    future::or(asking, sipping).await
}

/// What the polite client saw.
#[derive(Default)]
pub(crate) struct Polite {
    pub(crate) asked: u32,
    pub(crate) answered: u32,
    pub(crate) slowest: Duration,
}

/// Asks on a connection of its own each time, in a thread of its own: the besiegers must not slow
/// down the one who measures.
pub(crate) fn ask_politely(address: SocketAddr, until: &AtomicBool) -> Polite {
    let clock = Clock::system(None);
    let mut seen = Polite::default();
    while !until.load(Ordering::Relaxed) {
        smol::block_on(Timer::after(POLL));
        let began = clock.now();
        seen.asked += 1;
        let answer = TcpStream::connect_timeout(&address, PATIENCE).and_then(|mut socket| {
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(GET)?;
            let mut status = [0; 12];
            socket.read_exact(&mut status)?;
            Ok(status)
        });
        let took = clock.now().since(began);
        seen.slowest = seen.slowest.max(took);
        seen.answered +=
            u32::from(answer.is_ok_and(|it| &it == b"HTTP/1.1 200") && took < PATIENCE);
    }
    seen
}

/// One siege; the memory that is left after it, in KiB.
fn siege(target: &Target, attack: Attack) -> i64 {
    let clients = target.slots() + SURPLUS;
    let (evicted, refused) = (target.figure("slab", "evicted"), target.figure("slab", "refused"));
    let is_over = Arc::new(AtomicBool::new(false));
    let polite = thread::spawn({
        let (is_over, address) = (Arc::clone(&is_over), target.address);
        move || ask_politely(address, &is_over)
    });
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let besiegers: Vec<_> = (0..clients)
            .map(|client| executor.spawn(besiege(attack, target.address, client % 2 == 1)))
            .collect();
        Timer::after(SIEGE).await;
        assert!(target.status("Threads") <= 4, "{} threads", target.status("Threads"));
        drop(besiegers);
    }));
    // The besiegers' sockets go with it.
    drop(executor);
    is_over.store(true, Ordering::Relaxed);
    let polite = polite.join().expect("the polite client");
    let recovered = recover(target);
    let rss = target.rss();
    println!(
        "{:<16} {:>3} of {:>3} answered, slowest {:>6.1?}, {:>6} evicted, {:>4} refused, \
         over after {:>6.1?}, RSS {rss} KiB, {} at most",
        format!("{attack:?}"),
        polite.answered,
        polite.asked,
        polite.slowest,
        target.figure("slab", "evicted") - evicted,
        target.figure("slab", "refused") - refused,
        recovered,
        target.status("VmHWM"),
    );
    assert!(polite.asked >= 8, "the polite client hardly asked");
    assert!(polite.answered * 100 >= polite.asked * 95, "{} of {}", polite.answered, polite.asked);
    rss
}

/// Waits until the program has nobody but us.
fn recover(target: &Target) -> Duration {
    let clock = Clock::system(None);
    let began: Moment = clock.now();
    loop {
        let spent = clock.now().since(began);
        if target.figure("slab", "used") <= 2 {
            return spent;
        }
        assert!(spent < RECOVERY, "besieged for {spent:.1?} after the siege");
        smol::block_on(Timer::after(Duration::from_millis(50)));
    }
}

fn withstand(attack: Attack) {
    let target = Target::new();
    recover(&target);
    let descriptors = target.descriptors();
    let (first, second) = (siege(&target, attack), siege(&target, attack));
    assert!(second - first <= GROWTH_KIB, "{} KiB more the second time", second - first);
    let peak = target.status("VmHWM");
    assert!(peak <= PEAK_KIB, "{peak} KiB at most");
    target.check_group();
    assert_eq!(target.figure("budget", "times_over"), 0, "{}", target.get("/stats"));
    let left = target.descriptors();
    assert!(left <= descriptors + 2, "{descriptors} descriptors before, {left} after");
}

macro_rules! attacks {
    ($($name:ident $attack:ident)*) => {
        impl Attack {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$attack),*];
        }

        $(#[test]
        #[ignore = "a siege, not a check: make attack"]
        fn $name() {
            withstand(Attack::$attack);
        })*
    };
}

attacks! {
    slow_head SlowHead
    slow_body SlowBody
    slow_chunks SlowChunks
    never_reading NeverReading
    unread_answers UnreadAnswers
    flood_of_requests Flood
    idle_hoard IdleHoard
    silent_death SilentDeath
    reset_churn ResetChurn
    greedy_pipeliner GreedyPipeliner
    half_open HalfOpen
}

/// A long life in a minute: nothing is kept of a request.
#[test]
#[ignore = "a siege, not a check: make attack"]
fn two_hundred_thousand_requests_leave_nothing_behind() {
    const REQUESTS: usize = 200_000;
    const WARM_UP: usize = 20_000;
    const CLIENTS: usize = 32;
    const GROWTH_KIB: i64 = 32;
    const REFRESH_EVERY: usize = 5_000;
    let target = Target::new();
    let kinds: Vec<(String, u16)> = [
        ("GET / HTTP/1.1", 200),
        ("GET /api/v1/next HTTP/1.1", 200),
        ("GET /api/v1/events?limit=20 HTTP/1.1", 200),
        ("GET /api/v1/calendars HTTP/1.1", 200),
        ("GET /nothing HTTP/1.1", 404),
        ("GET /static/page.css HTTP/1.1\r\nIf-None-Match: *", 304),
        ("GET /static/page.css HTTP/1.1\r\nAccept-Encoding: gzip", 200),
        ("OPTIONS /stats HTTP/1.1", 204),
        ("POST /nothing HTTP/1.1", 404),
        ("HEAD /nothing HTTP/1.1", 404),
        ("GET /stats HTTP/1.1", 200),
    ]
    .map(|(head, status)| (format!("{head}\r\nHost: localhost\r\n\r\n"), status))
    .into();
    let run = |requests: usize| {
        let executor = Rc::new(LocalExecutor::new());
        let kinds = Rc::new(kinds.clone());
        smol::block_on(executor.run(async {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (kinds, address) = (Rc::clone(&kinds), target.address);
                    executor.spawn(async move {
                        let mut socket =
                            Async::<TcpStream>::connect(address).await.expect("connected");
                        for turn in 0..requests / CLIENTS {
                            if turn % (REFRESH_EVERY / CLIENTS) == client {
                                let refresh = format!("{POST}\r\n");
                                exchange(&mut socket, &refresh, 202).await;
                            }
                            let (request, status) = &kinds[(client + turn) % kinds.len()];
                            exchange(&mut socket, request, *status).await;
                        }
                    })
                })
                .collect();
            for client in clients {
                client.await;
            }
        }));
        recover(&target);
        target.rss()
    };
    let before = run(WARM_UP);
    let after = run(REQUESTS);
    println!("{REQUESTS} requests: RSS {before} -> {after} KiB");
    assert!(after - before <= GROWTH_KIB, "{} KiB", after - before);
}

/// One request and its whole answer.
async fn exchange(socket: &mut Socket, request: &str, status: u16) {
    socket.write_all(request.as_bytes()).await.expect("sent");
    let (mut answer, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let count = socket.read(&mut piece).await.expect("an answer");
        assert!(count > 0, "the connection ended");
        answer.extend_from_slice(&piece[..count]);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&answer[..end]).expect("ASCII");
        assert_eq!(head[9..12].parse(), Ok(status), "{request}");
        let length = crate::feed_server::field(head, "content-length");
        let length = match status {
            _ if request.starts_with("HEAD") => 0,
            204 | 304 => 0,
            _ => length.expect("a length").parse().expect("a number"),
        };
        if answer.len() >= end + 4 + length {
            return;
        }
    }
}
