//! The pool of connections to feed servers, as a whole program uses it: reuse over a day of
//! refreshes, memory, and what a server that stalls holds up.

use std::cell::Cell;
use std::fs;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use calendarbot::alloc;
use rcgen::SanType;
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::fetch::tls::Authority;
use crate::rig::{NOW, Rig, configure, folder, toml};
use crate::routes::WORK;

const INTERVAL: Duration = Duration::from_secs(300);

/// Five feeds on three origins, two of them over TLS, whose answers have these fields.
struct Series {
    rig: Rig,
    servers: Vec<FeedServer>,
    rounds: Cell<u64>,
    _folder: TempDir,
}

impl Series {
    fn start(executor: &Rc<LocalExecutor<'static>>, fields: &[(&str, &str)]) -> Self {
        let authority = Authority::new();
        let script = || Script::new().reply("/a.ics", Reply::answer(200, fields, WORK));
        let tls = |host: &str| {
            let name = SanType::DnsName(host.try_into().expect("ASCII"));
            let tls = authority.server(|params| params.subject_alt_names = vec![name]);
            FeedServer::start_tls(executor, script(), tls)
        };
        let plain = FeedServer::start(executor, script());
        let servers = vec![tls("one.example"), tls("two.example"), plain];
        // Hosts of their own: a session belongs to a name, and not to a port.
        let url = |server: usize| {
            let mut url = servers[server].url("/a.ics");
            url.set_host(Some(["one.example", "two.example", "three.example"][server]))
                .expect("a host");
            url
        };
        let feeds = [("a", url(0)), ("b", url(0)), ("c", url(1)), ("d", url(1)), ("e", url(2))];
        let folder = folder();
        fs::write(folder.path().join("ca.pem"), authority.pem()).expect("written");
        let ca_file = format!("ca_file = \"{}\"\n", folder.path().join("ca.pem").display());
        let config = configure(folder.path(), &(ca_file + &toml(&feeds)));
        let here = |_: &str| Ok(vec![IpAddr::from([127, 0, 0, 1])]);
        let rig = Rig::start_changed(executor, config, NOW, |app| app.with_lookup(here));
        Self { rig, servers, rounds: Cell::new(0), _folder: folder }
    }

    /// Refreshes every feed, an interval after the last time.
    async fn round(&self) {
        if self.rounds.get() > 0 {
            self.rig.advance(INTERVAL);
        }
        self.rounds.set(self.rounds.get() + 1);
        self.rig.refreshed(5 * self.rounds.get()).await;
        // The tasks have gone back to sleep when their next refresh is known.
        let now = self.rig.clock.wall();
        let is_waiting =
            |rig: &Rig| rig.feeds.list().iter().all(|feed| feed.status(now).next_due > Some(now));
        self.rig.until(is_waiting).await;
    }

    /// Handshakes that the servers have seen, full and resumed.
    fn handshakes(&self) -> (u64, u64) {
        let sum = |sum: (usize, usize), server: &FeedServer| {
            let (all, resumed) = server.handshakes();
            (sum.0 + all - resumed, sum.1 + resumed)
        };
        let (full, resumed) = self.servers.iter().fold((0, 0), sum);
        (full as u64, resumed as u64)
    }

    /// The program's memory, that of its servers and its test included: what is allocated, and
    /// the private pages that it has written to, in bytes.
    fn memory(&self) -> (usize, usize) {
        self.servers.iter().for_each(FeedServer::forget);
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("read");
        let private = rollup.lines().filter(|line| line.starts_with("Private_Dirty:"));
        let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<usize>().ok();
        (alloc::used_bytes(), private.filter_map(kib).sum::<usize>() * 1024)
    }
}

#[test]
fn connections_last_as_long_as_their_servers_say() {
    run(|executor| async move {
        let told = [("Keep-Alive", "timeout=600, max=1000")];
        for (fields, reuse) in [(&told[..], 81..=100), (&[], 0..=60)] {
            let series = Series::start(&executor, fields);
            let mut memory = Vec::new();
            for round in 1..=50 {
                series.round().await;
                if round == 5 || round == 50 {
                    memory.push(series.memory());
                }
            }
            let stats = series.rig.get("/stats").await;
            let count = |name: &str| stats.json(name).parse::<u64>().expect("a number");
            let (full, resumed) = (count("handshakes_full"), count("handshakes_resumed"));
            let (opened, reused) = (count("outbound_opened"), count("outbound_reused"));
            let percent = count("outbound_reuse_percent");
            println!(
                "{fields:?}: {opened} opened, {reused} reused, {percent} %; handshakes: {full} \
                 full, {resumed} resumed; memory after 5 and 50 rounds: {memory:?}"
            );
            assert_eq!(opened + reused, 5 * 50);
            assert_eq!(percent, reused * 100 / 250);
            assert!(reuse.contains(&percent), "{percent} %");
            assert_eq!((full, resumed), series.handshakes());
            assert!(full <= 10, "{full}: every further one goes on with a session");
            // The private pages are told and not asserted: the system may make huge ones of them at
            // any time.
            assert!(memory[1].0 <= memory[0].0 + 64 * 1024, "{memory:?}");
            series.rig.stop().await;
        }
    });
}

/// Closing what has been idle for long enough wakes one task, and not that of every feed.
#[test]
fn one_task_wakes_for_idle_connections() {
    run(|executor| async move {
        let series = Series::start(&executor, &[("Keep-Alive", "timeout=21")]);
        series.round().await;
        let metrics = Rc::clone(&series.rig.metrics);
        assert!(metrics.outbound_idle.get() > 0);
        // The governor, which looks every ten seconds.
        assert_eq!(series.rig.clock.advance(Duration::from_secs(19)), 1);
        assert_eq!(series.rig.clock.advance(Duration::from_secs(1)), 1);
        series.rig.until(|_| metrics.outbound_idle.get() == 0).await;
        assert_eq!(series.rig.clock.advance(Duration::from_secs(1)), 0);
    });
}

#[test]
fn a_program_short_of_memory_keeps_no_connection() {
    run(|executor| async move {
        let series = Series::start(&executor, &[("Keep-Alive", "timeout=600")]);
        let metrics = Rc::clone(&series.rig.metrics);
        series.round().await;
        let (kept, evicted) = (metrics.outbound_idle.get(), metrics.outbound_evicted.get());
        assert!(kept > 0);
        let ballast = vec![1_u8; 16 << 20];
        series.round().await;
        assert_eq!(metrics.outbound_idle.get(), 0);
        assert!(metrics.outbound_evicted.get() >= evicted + kept);
        drop(ballast);
        series.round().await;
        assert!(metrics.outbound_idle.get() > 0);
    });
}

/// A look-up that takes five seconds and a body that drips hold up nobody else: answers are given
/// and changes are written while the clock stands still.
#[test]
fn nothing_waits_for_a_stalled_resolver_or_a_dripping_body() {
    run(|executor| async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", WORK.len());
        let drip = WORK.bytes().flat_map(|byte| [Step::Stall, Step::Send(vec![byte])]);
        let drip: Vec<_> = [Step::Send(head.clone().into())].into_iter().chain(drip).collect();
        let answer = Step::Send((head + WORK).into());
        let script = Script::new()
            .reply("/drip.ics", Reply::new(drip))
            .reply("/fast.ics", Reply::new([Step::Stall, answer]))
            .ics("/slow.ics", WORK);
        let server = FeedServer::start(&executor, script);
        let slow = format!("http://calendar.example:{}/slow.ics", server.address().port());
        let feeds = [
            ("drip", server.url("/drip.ics")),
            ("fast", server.url("/fast.ics")),
            ("slow", slow.parse().expect("a URL")),
        ];
        let (looked_up, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let lookup = move |_: &str| {
            let _ = gate.lock().expect("the gate").recv();
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        };
        let folder = folder();
        // Room for all three at once.
        let text = "memory_budget = \"24MiB\"\n".to_owned() + &toml(&feeds);
        let config = configure(folder.path(), &text);
        let rig = Rig::start_changed(&executor, config, NOW, |app| app.with_lookup(lookup));
        server.stalled(2).await;
        assert_eq!(rig.metrics.refreshes.get(), 0);
        let commits = rig.metrics.database_commits.get();
        server.release();
        rig.refreshed(1).await;
        assert!(rig.metrics.database_commits.get() > commits, "a change was written");
        let mut times = Vec::new();
        let mut client = rig.connect().await;
        for second in 1..=5 {
            rig.advance(Duration::from_secs(1));
            for _ in 0..200 {
                let begun = Instant::now();
                client.send(b"GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
                let answer = client.response().await.expect("an answer");
                times.push(begun.elapsed());
                assert_eq!((answer.status, answer.json("title")), (200, "Stand-up"));
            }
            assert_eq!(rig.clock.now().as_secs(), second, "no answer waited for a deadline");
            assert_eq!(rig.metrics.refreshes.get(), 1);
            server.release();
        }
        times.sort_unstable();
        println!("p99 {:?}, longest {:?}", times[times.len() * 99 / 100], times[times.len() - 1]);
        assert!(rig.metrics.cache_hits.get() > 900);
        drop(looked_up);
        rig.refreshed(2).await;
    });
}
