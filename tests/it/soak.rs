//! The program itself for as long as it takes: `make soak`. What the tests show at a clock that
//! they turn is shown here once more at that of the wall.

use std::fs;
use std::time::Duration;

use calendarbot::alloc;
use rcgen::SanType;

use crate::feed_server::{FeedServer, Reply, Script, run_within};
use crate::fetch::tls::Authority;
use crate::process::{Process, number};
use crate::rig::{Rig, configure, folder, toml};
use crate::routes::WORK;

/// Refreshes of every feed, the one at the start included.
const ROUNDS: u64 = 51;
const FEEDS: u64 = 5;
/// A little more than how often people may ask for a refresh.
const PAUSE: Duration = Duration::from_millis(31_000);

const REFRESH: &str = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
                       Content-Length: 0\r\nConnection: close\r\n\r\n";

/// A figure in the manner of `/proc`.
pub(crate) fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).expect("a figure");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// The pages that are a process's own: what it has written to, and what it alone has read.
fn private_kib(process: &Process) -> [u64; 2] {
    let rollup = format!("/proc/{}/smaps_rollup", process.child.id());
    let rollup = fs::read_to_string(rollup).expect("read");
    ["Private_Dirty:", "Private_Clean:"].map(|name| kib(&rollup, name))
}

/// Five feeds on three origins, two of them over TLS, refreshed fifty times with another event
/// each time.
#[test]
#[ignore = "half an hour: make soak"]
fn connections_are_reused_and_memory_stays() {
    run_within(PAUSE * (ROUNDS as u32 + 2), |executor| async move {
        let authority = Authority::new();
        let fields = [("Keep-Alive", "timeout=600, max=1000")];
        let script = |round: u64| {
            let text = WORK.replace("Stand-up", &format!("Stand-up {round}"));
            Script::new().reply("/a.ics", Reply::answer(200, &fields, &text))
        };
        let tls = || {
            let name = SanType::IpAddress([127, 0, 0, 1].into());
            let tls = authority.server(|params| params.subject_alt_names = vec![name]);
            FeedServer::start_tls(&executor, script(1), tls)
        };
        let servers = [tls(), tls(), FeedServer::start(&executor, script(1))];
        let url = |server: usize| servers[server].url("/a.ics");
        let feeds = [("a", url(0)), ("b", url(0)), ("c", url(1)), ("d", url(1)), ("e", url(2))];
        let folder = folder();
        let (path, roots) = (folder.path().join("calendarbot.toml"), folder.path().join("ca.pem"));
        fs::write(&roots, authority.pem()).expect("written");
        let text = format!("ca_file = \"{}\"\n{}", roots.display(), toml(&feeds));
        fs::write(&path, text).expect("written");
        let process = Process::start(folder.path(), &["-c", path.to_str().expect("UTF-8")]);
        let mut at_five = 0;
        for round in 1..=ROUNDS {
            if round > 1 {
                servers.iter().for_each(|server| server.set(script(round)));
                smol::Timer::after(PAUSE).await;
                let answer = process.ask(REFRESH);
                assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
            }
            let wanted = FEEDS * round;
            let stats =
                process.until_it("/stats", |stats| number(stats, "refreshes") >= wanted).await;
            servers.iter().for_each(FeedServer::forget);
            let [dirty, clean] = private_kib(&process);
            let private = dirty + clean;
            let (opened, reused) =
                (number(&stats, "outbound_opened"), number(&stats, "outbound_reused"));
            let (full, resumed) =
                (number(&stats, "handshakes_full"), number(&stats, "handshakes_resumed"));
            println!(
                "round {round}: {dirty} + {clean} kB private, {opened} opened, {reused} reused, \
                 handshakes {full} full, {resumed} resumed"
            );
            if round == 5 {
                at_five = private;
            } else if round == ROUNDS {
                assert!(reused * 100 > 80 * (opened + reused), "{reused} of {}", opened + reused);
                assert!(private <= at_five + 64, "{at_five} kB after 5 rounds, {private} now");
            }
        }
    });
}

/// A month of refreshes every five minutes, each of which changes a calendar, over the day on
/// which New York's clocks change and the one on which Berlin's do, with another feed whose server
/// is out of order for four hours of every third day: no refresh is missed, what is stored stays,
/// the stand-up is at nine, and neither memory nor disk grows.
#[test]
#[ignore = "a month: make soak"]
fn a_month_passes() {
    const INTERVAL: Duration = Duration::from_secs(300);
    const DAYS: u64 = 30;
    const ROUNDS_A_DAY: u64 = 288;
    // Four hours, and as long as it may take until it is tried again.
    const OUT: u64 = 48;
    const BACK: u64 = OUT + 12;
    run_within(Duration::from_secs(1200), |executor| async move {
        // Rounds since the server of the other feed has failed: at a day's look it does.
        let since_out = |round: u64| (round + 23) % (3 * ROUNDS_A_DAY);
        let is_out = |round: u64| round > ROUNDS_A_DAY && since_out(round) < OUT;
        let late = WORK.replace("UID:", "UID:late-").replace("T09", "T19").replace("T11", "T21");
        let script = |round: u64| {
            let script = Script::new()
                .ics("/a.ics", &WORK.replace("Stand-up", &format!("Stand-up {round}")));
            match is_out(round) {
                true => script.status("/b.ics", 503),
                false => script.ics("/b.ics", &late.replace("Stand-up", &format!("Late {round}"))),
            }
        };
        let server = FeedServer::start(&executor, script(1));
        let folder = folder();
        let feeds = [("a", server.url("/a.ics")), ("b", server.url("/b.ics"))];
        let config = configure(folder.path(), &toml(&feeds));
        let rig = Rig::start_at(&executor, config, "2026-03-05T06:00:00Z");
        let mut grown: Option<[u64; 2]> = None;
        for round in 1..=DAYS * ROUNDS_A_DAY {
            if round > 1 {
                server.set(script(round));
                rig.advance(INTERVAL);
            }
            let now = rig.clock.wall();
            let is_waiting = |rig: &Rig| {
                rig.feeds.list().iter().all(|feed| feed.status(now).next_due > Some(now))
            };
            rig.until(is_waiting).await;
            let [a, b] = [0, 1].map(|index: usize| rig.feeds.list()[index].status(now));
            assert_eq!(a.last_success, Some(now), "{a:?}");
            let is_well = b.last_success == Some(now);
            assert!(!(is_out(round) && is_well), "{b:?}");
            assert!(is_out(round) || is_well || since_out(round) <= BACK, "{b:?}");
            if round % ROUNDS_A_DAY != 1 {
                continue;
            }
            server.forget();
            // It is seven or eight in the morning.
            let local = now.in_tz("Europe/Berlin").expect("a zone");
            let answer = rig.get("/api/v1/next").await;
            if local.weekday().to_monday_one_offset() <= 5 {
                assert_eq!(answer.json("title"), format!("Stand-up {round}"));
                let start = format!("{}T09:00:00{}", local.date(), local.strftime("%:z"));
                assert_eq!(answer.json("start"), start);
            }
            assert_eq!(b.stale, is_out(round));
            if local.weekday().to_monday_one_offset() <= 5 {
                let today = rig.get("/api/v1/today").await;
                assert!(today.body.contains("Late "), "{}", today.body);
            }
            let disk = ["calendarbot.db", "calendarbot.db-wal"]
                .map(|name| fs::metadata(folder.path().join(name)).map_or(0, |file| file.len()));
            let sizes = [alloc::used_bytes() as u64, disk.iter().sum()];
            println!(
                "{}: {} B of heap, {disk:?} B on disk, {} kB private",
                local.date(),
                sizes[0],
                kib(
                    &fs::read_to_string("/proc/self/smaps_rollup").expect("read"),
                    "Private_Dirty:"
                )
            );
            // The log has been cut back once by then.
            match grown {
                Some([heap, disk]) => {
                    assert!(sizes[0] <= heap + 64 * 1024, "{heap} B of heap after three days");
                    assert!(sizes[1] <= disk + 64 * 1024, "{disk} B on disk after three days");
                }
                None if round > 3 * ROUNDS_A_DAY => grown = Some(sizes),
                None => {}
            }
        }
        println!(
            "{} refreshes, {} failed",
            rig.metrics.refreshes.get(),
            rig.metrics.refreshes_failed.get()
        );
        assert!(rig.metrics.refreshes_failed.get() > 0);
        rig.stop().await;
    });
}
