//! What keeping connections is worth: the same fetches and reads with a pool, and with a
//! connection for each.
//!
//! Fetches are made by `fetch-probe`, a process for each way and round, since a refresh of the
//! program itself comes once in half a minute at most. Reads are answers of the program with its
//! pipeline off: each is made anew.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nanoserde::{DeJson, SerJson};

use crate::feed_peer::FeedPeer;
use crate::load::{self, End, Plan};
use crate::rounds::median;
use crate::server::{Server, Setting};
use crate::{Result, feeds};

/// The two ways to have connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Kept and lent.
    Pooled,
    /// One for each fetch and read.
    Legacy,
}

impl Way {
    /// Both, in the order of a round.
    pub const ALL: [Self; 2] = [Self::Pooled, Self::Legacy];

    /// The value of the flag.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Pooled => "true",
            Self::Legacy => "false",
        }
    }
}

/// One way in one round.
#[derive(Clone, Copy, Debug, Default, SerJson, DeJson)]
pub struct Sample {
    /// Half of the operations were faster, in microseconds.
    pub latency_us: f64,
    /// Processor time of one of them, all threads.
    pub cpu_us: f64,
    /// Heap allocations of one of them.
    pub allocations: f64,
    /// The most that the process has held, in KiB.
    pub peak_kib: f64,
}

/// An operation: its samples round by round, pooled first.
pub struct Operation {
    /// What was done.
    pub name: &'static str,
    /// Each round's pair.
    pub rounds: Vec<[Sample; 2]>,
}

impl Operation {
    /// The medians of a figure, pooled and legacy, and of their ratio within a round.
    pub fn medians(&self, figure: impl Fn(&Sample) -> f64) -> Option<[f64; 3]> {
        let of =
            |pick: &dyn Fn(&[Sample; 2]) -> f64| median(self.rounds.iter().map(pick).collect());
        Some([
            of(&|[pooled, _]| figure(pooled))?,
            of(&|[_, legacy]| figure(legacy))?,
            of(&|[pooled, legacy]| figure(pooled) / figure(legacy))?,
        ])
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Pairs of each operation.
    pub rounds: usize,
    /// Fetches in one process.
    pub fetches: usize,
    /// Time of reading, each round and way.
    pub reading: Duration,
}

/// Measures fetches by TLS and plain, and reads. `say` is told of each that begins.
///
/// # Errors
/// When the program, a probe or the feed server fails.
pub fn measure(setting: &Setting, effort: Effort, say: impl Fn(&str)) -> Result<Vec<Operation>> {
    let folder = tempfile::tempdir()?;
    let body = feeds::Feed::Google.text(EVENTS)?;
    let mut operations = Vec::new();
    for (name, tls) in [("fetch, TLS", true), ("fetch, plain", false)] {
        say(name);
        let authority = folder.path().join("authority.der");
        let peer = FeedPeer::start(&body, tls, &authority)?;
        let fetch = |way: Way| -> Result<Sample> {
            let output = Command::new(setting.own_binaries.join("fetch-probe"))
                .args([way.flag(), &peer.url, &effort.fetches.to_string()])
                .arg(&authority)
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            Ok(Sample::deserialize_json(&String::from_utf8(output.stdout)?)?)
        };
        let pair = |_| Ok([fetch(Way::Pooled)?, fetch(Way::Legacy)?]);
        operations
            .push(Operation { name, rounds: (0..effort.rounds).map(pair).collect::<Result<_>>()? });
    }
    say("read");
    let peer = FeedPeer::start(&body, false, &folder.path().join("unused"))?;
    let servers = Way::ALL.map(|way| serve(setting, way, &peer.url));
    let [pooled, legacy] = servers;
    let (pooled, legacy) = (pooled?, legacy?);
    let pair = |_| Ok([read(&pooled, effort)?, read(&legacy, effort)?]);
    let rounds = (0..effort.rounds).map(pair).collect::<Result<_>>()?;
    pooled.stop()?;
    legacy.stop()?;
    operations.push(Operation { name: "read", rounds });
    Ok(operations)
}

/// Events of the feed: what one person has.
const EVENTS: usize = 50;
/// What is read.
const VIEW: &str = "/api/v1/next";

/// The program with its only feed read.
fn serve(setting: &Setting, way: Way, url: &str) -> Result<Server> {
    let command = |address: SocketAddr, folder: &Path| {
        let config = folder.join("calendarbot.toml");
        fs::write(
            &config,
            format!(
                "[flags]\nrequest_pipeline = false\nconnection_pooling = {}\n\
                 [[feeds]]\nname = \"a\"\nurl = \"{url}\"\nallow_private_address = true\n",
                way.flag()
            ),
        )?;
        Ok(setting.command(Some(&config), address, folder))
    };
    Server::start_with("calendarbot", command, VIEW, &[])
}

fn read(server: &Server, effort: Effort) -> Result<Sample> {
    let plan = Plan {
        address: server.address,
        path: VIEW.to_owned(),
        connections: 1,
        end: End::Time(effort.reading),
        keep_alive: true,
        interval: None,
    };
    server.restart_peak()?;
    let [allocated] = server.figures(["allocations"])?;
    let before = server.cpu_time()?;
    let outcome = load::run(&plan)?;
    let spent = server.cpu_time()?.saturating_sub(before);
    let [allocated_then] = server.figures(["allocations"])?;
    if outcome.errors > 0 || outcome.requests == 0 {
        return Err(format!("{} reads failed", outcome.errors).into());
    }
    Ok(Sample {
        latency_us: outcome.p50_us,
        cpu_us: spent.as_secs_f64() * 1e6 / outcome.requests as f64,
        allocations: (allocated_then - allocated) / outcome.requests as f64,
        peak_kib: server.peak_bytes()? as f64 / 1024.0,
    })
}
