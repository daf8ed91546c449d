//! Counts that repeat whatever the mood of the machine: instructions, syscalls and allocations
//! for one request, each the difference of two run lengths, so that start and stop cancel out.
//!
//! Under the tools a server is so much slower than the load that every turn of its loop finds
//! all clients ready: what a turn costs is shared by as many requests in every run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::load::{self, End, Plan};
use crate::server::{Kind, Server, Setting, dies_with_parent};

/// Clients with a request under way at once.
pub const CONNECTIONS: usize = 64;
/// Requests of the short and of the long run, below valgrind.
const CALLGRIND_REQUESTS: [u64; 2] = [5_000, 65_000];
/// The same below strace.
const STRACE_REQUESTS: [u64; 2] = [2_000, 22_000];
/// The same at light load: long, since the threads of a runtime may share the work in more than
/// one way.
const LIGHT_REQUESTS: [u64; 2] = [50, 1_050];
/// Light load: one client, one request so often.
pub const LIGHT_INTERVAL: Duration = Duration::from_millis(10);

/// For one request of so many, answered from the cache.
pub struct Counts {
    /// User instructions.
    pub instructions: f64,
    /// Allocations; only the product counts them.
    pub allocations: Option<f64>,
    /// Syscalls with all clients asking at once.
    pub syscalls: f64,
    /// Syscalls at light load.
    pub syscalls_light: Option<f64>,
}

/// Whether the tools are there.
pub fn missing_tools() -> Vec<&'static str> {
    let mut tools = vec!["valgrind", "strace"];
    tools.retain(|tool| crate::server::installed(tool).is_none());
    tools
}

/// Counts everything of one server; `with_light` adds the light load, which takes twelve seconds.
///
/// # Errors
/// When a server, a tool or the load fails.
pub fn count(kind: Kind, setting: &Setting, with_light: bool) -> Result<Counts> {
    let (instructions, allocations) = callgrind(kind, setting)?;
    let syscalls = strace(kind, setting, STRACE_REQUESTS, CONNECTIONS, None)?;
    let syscalls_light = if with_light {
        Some(strace(kind, setting, LIGHT_REQUESTS, 1, Some(LIGHT_INTERVAL))?)
    } else {
        None
    };
    Ok(Counts { instructions, allocations, syscalls, syscalls_light })
}

/// Instructions and, where they are counted, allocations of a request.
fn callgrind(kind: Kind, setting: &Setting) -> Result<(f64, Option<f64>)> {
    let mut allocations = None;
    let instructions = instructions(CALLGRIND_REQUESTS, |requests, wrapper| {
        let server = Server::start(kind, setting, wrapper)?;
        if kind == Kind::Calendarbot {
            allocations = Some(allocations_of(&server, setting, requests)?);
        } else {
            ask(&server, setting, requests, CONNECTIONS, None)?;
        }
        server.stop()
    })?;
    Ok((instructions, allocations))
}

/// User instructions of one more of something, from a short and a long run below a wrapper.
pub(crate) fn instructions(
    lengths: [u64; 2],
    mut run: impl FnMut(u64, &[String]) -> Result<()>,
) -> Result<f64> {
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("callgrind");
    let option = format!("--callgrind-out-file={}", out.display());
    let wrapper = ["valgrind", "--tool=callgrind", &option].map(str::to_owned);
    difference(lengths, |length| {
        run(length, &wrapper)?;
        total(&out, "totals:", 1)
    })
}

/// Allocations of a request, without those of the questions for their number.
fn allocations_of(server: &Server, setting: &Setting, requests: u64) -> Result<f64> {
    let so_far = || server.figures(["allocations"]);
    let ([first], [second]) = (so_far()?, so_far()?);
    ask(server, setting, requests, CONNECTIONS, None)?;
    let [third] = so_far()?;
    Ok(((third - second) - (second - first)) / requests as f64)
}

/// Syscalls of a request.
fn strace(
    kind: Kind,
    setting: &Setting,
    requests: [u64; 2],
    connections: usize,
    interval: Option<Duration>,
) -> Result<f64> {
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("strace");
    let strace = ["strace", "-f", "-c", "-o", &out.display().to_string()].map(str::to_owned);
    // What strace has started would otherwise outlive it.
    let wrapper = [&strace[..], &dies_with_parent()].concat();
    difference(requests, |requests| {
        let server = Server::start(kind, setting, &wrapper)?;
        ask(&server, setting, requests, connections, interval)?;
        server.stop()?;
        // % time, seconds, usecs/call, calls, errors, "total"
        total(&out, "total", 3)
    })
}

/// What one more of something costs, from a short and a long run.
fn difference(lengths: [u64; 2], mut run: impl FnMut(u64) -> Result<f64>) -> Result<f64> {
    let [short, long] = lengths;
    let (few, many) = (run(short)?, run(long)?);
    Ok((many - few) / (long - short) as f64)
}

/// The nth word of the last line with `mark` in it, as a number.
fn total(path: &Path, mark: &str, nth: usize) -> Result<f64> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().rfind(|line| line.contains(mark)).ok_or("the tool wrote no total")?;
    Ok(line.split_whitespace().nth(nth).ok_or("no total")?.parse()?)
}

fn ask(
    server: &Server,
    setting: &Setting,
    requests: u64,
    connections: usize,
    interval: Option<Duration>,
) -> Result<()> {
    let plan = Plan {
        address: server.address,
        path: setting.path.clone(),
        connections,
        end: End::Requests(requests),
        keep_alive: true,
        interval,
    };
    let outcome = load::run(&plan)?;
    if outcome.requests < requests {
        return Err(format!("{} of {requests} requests were answered", outcome.requests).into());
    }
    Ok(())
}
