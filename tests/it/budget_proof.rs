//! The memory budget, proved: everything that costs memory at once, inside a memory cgroup of its
//! size, which the kernel enforces, and nine tenths of it held at most. `make budget-proof`.

use std::fs;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use smol::{LocalExecutor, Timer, future};

use crate::attack::{self, Attack};
use crate::cgroup::Cgroup;
use crate::corpus;
use crate::feed_server::{FeedServer, Reply, Script, run_within};
use crate::generate::pieces;
use crate::process::{configure, number};
use crate::rig::folder;

/// Events of the feed: more than any person has.
const EVENTS: usize = 20_000;
/// Refreshes under siege. Each brings another calendar: all of the old one goes.
const REFRESHES: u64 = 2;
/// A little more than how often people may ask for a refresh.
const PAUSE: Duration = Duration::from_millis(31_000);
/// The longest that a refresh may take under siege.
const PATIENCE: Duration = Duration::from_secs(240);
/// How often the dashboard asks.
const GLANCE: Duration = Duration::from_secs(1);

const REFRESH: &str = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
                       Content-Length: 0\r\nConnection: close\r\n\r\n";

fn calendar(seed: u64) -> Script {
    let text: String = pieces(EVENTS, seed).collect();
    Script::new().reply("/a.ics", Reply::answer(200, &[("Content-Type", "text/calendar")], &text))
}

/// What a dashboard that is open somewhere asks for, and how often it was answered.
fn watch(address: SocketAddr, until: &AtomicBool) -> [u32; 2] {
    let ask = |path: &str| attack::get(address, path).starts_with("HTTP/1.1 200");
    let mut seen = [0; 2];
    assert!(ask("/dashboard"), "there is a dashboard");
    while !until.load(Ordering::Relaxed) {
        for path in ["/stats", "/api/v1/history", "/metrics"] {
            seen[0] += 1;
            seen[1] += u32::from(ask(path));
        }
        smol::block_on(Timer::after(GLANCE));
    }
    seen
}

/// All kinds of besiegers at once, in a thread of their own: they must not slow down the feed.
fn besiege(address: SocketAddr, clients: usize, until: &AtomicBool) {
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let besieging = |client: usize| {
            let attack = Attack::ALL[client % Attack::ALL.len()];
            executor.spawn(attack::besiege(attack, address, client % 2 == 1))
        };
        let besiegers: Vec<_> = (0..clients).map(besieging).collect();
        while !until.load(Ordering::Relaxed) {
            Timer::after(GLANCE).await;
        }
        drop(besiegers);
    }));
}

fn prove(mebibytes: u64) {
    let budget = mebibytes << 20;
    let group = match Cgroup::new(budget) {
        Ok(group) => group,
        Err(reason) => return println!("SKIP: {reason}"),
    };
    run_within(PATIENCE * (REFRESHES as u32 + 1), |executor| async move {
        let folder = folder();
        let server = FeedServer::start(&executor, calendar(1));
        let config = configure(folder.path(), server.url("/a.ics").as_str(), "");
        let budget_argument = format!("{mebibytes}MiB");
        let process =
            group.start(folder.path(), &["--memory-budget", &budget_argument, "-c", &config]);
        let address = process.address;
        process.until_it("/stats", |stats| number(stats, "refreshes") >= 1).await;

        let is_over = Arc::new(AtomicBool::new(false));
        let polite = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || attack::ask_politely(address, &is_over)
        });
        let dashboard = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || watch(address, &is_over)
        });
        let hostile = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    corpus::shoot(address, &is_over);
                }
            }
        });
        let clients = number(&process.get("/stats"), "slots") + attack::SURPLUS;
        let besiegers = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || besiege(address, clients as usize, &is_over)
        });
        let mut held = 0;
        for refresh in 1..=REFRESHES {
            server.set(calendar(1 + refresh));
            if refresh > 1 {
                Timer::after(PAUSE).await;
            }
            // Besieged as it is, it may have no slot for who asks for it the first time.
            while !attack::ask(address, REFRESH).starts_with("HTTP/1.1 202") {
                future::yield_now().await;
            }
            loop {
                held = held.max(group.held_bytes());
                let stats = attack::get(address, "/stats");
                if stats.contains("\"refreshes\":") && number(&stats, "refreshes") > refresh {
                    break;
                }
                assert_eq!(group.kills(), 0, "the kernel killed it");
                Timer::after(Duration::from_millis(20)).await;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        besiegers.join().expect("the besiegers");
        hostile.join().expect("the hostile client");
        let polite = polite.join().expect("the polite client");
        let dashboard = dashboard.join().expect("the dashboard");
        println!(
            "{mebibytes} MiB: {held} bytes held at most, {} with the pages of files, of {budget}; \
             {} of {} polite answers, slowest {:.1?}; {} of {} figures; VmHWM {} KiB",
            group.peak_bytes(),
            polite.answered,
            polite.asked,
            polite.slowest,
            dashboard[1],
            dashboard[0],
            process.status("VmHWM"),
        );
        assert_eq!(group.kills(), 0, "the kernel killed it");
        assert!(held <= budget * 9 / 10, "{held} bytes");
        assert!(
            polite.answered * 100 >= polite.asked * 95,
            "{} of {}",
            polite.answered,
            polite.asked
        );
        assert!(process.get("/api/v1/next").starts_with("HTTP/1.1 200"));
        drop(process);
        fs::remove_dir_all(folder.path()).expect("gone");
        drop(group);
    });
}

#[test]
#[ignore = "minutes, and a cgroup: make budget-proof"]
fn sixteen_mebibytes_hold() {
    prove(16);
}

#[test]
#[ignore = "minutes, and a cgroup: make budget-proof"]
fn eight_mebibytes_hold() {
    prove(8);
}
