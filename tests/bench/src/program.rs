//! What the program costs as a whole, with a calendar that it has stored: until it answers, when
//! nobody asks, for an answer that it must make; and how that grows with the calendar and with
//! the clients.

pub mod scale;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nanoserde::SerJson;
use tempfile::TempDir;

use crate::calendar::Beyond;
use crate::counts::CONNECTIONS;
use crate::load::{self, End, Outcome, Plan};
use crate::rounds::median;
use crate::server::{Server, Setting};
use crate::{Result, calendar};

/// What is asked for.
pub const VIEW: &str = "/api/v1/next";
/// Events of the calendar that is being stored when the program is killed.
pub const EVENTS_WRITTEN: usize = 5_000;
/// Each time the program is killed so much later in its writing.
const DEATH_STEP: Duration = Duration::from_millis(10);
/// From its first answer to its first write.
const WRITE_TIME: Duration = Duration::from_secs(20);
/// Between two looks at what is written.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
/// After a start, until what a start brings about is done.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// With this every client gets an answer of its own, and nobody else's is made in the same turn.
const NOTHING_SHARED: &str =
    "flags.caching = false\nflags.batching = false\nflags.deduplication = false";
/// Answers in a round.
const ANSWERS: u64 = 1_000;

/// How much is done.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Starts that are timed.
    pub starts: usize,
    /// Sudden deaths.
    pub deaths: usize,
    /// Rounds of answers that are made.
    pub rounds: usize,
    /// For how long nobody asks.
    pub idle: Duration,
}

/// From making the process to its first good answer.
#[derive(Clone, Copy, Debug, SerJson)]
pub struct Starts {
    /// How many there were.
    pub count: usize,
    /// Half of them were faster.
    pub median_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Starts {
    fn new(times: Vec<Duration>) -> Result<Self> {
        let times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        let (count, max_ms) = (times.len(), times.iter().copied().fold(0.0, f64::max));
        Ok(Self { count, median_ms: median(times).ok_or("no starts")?, max_ms })
    }
}

/// When nobody asks.
#[derive(Clone, Copy, Debug, SerJson)]
pub struct Idle {
    /// The resident set.
    pub resident_kib: f64,
    /// The same with each page that others have, too, counted in part.
    pub proportional_kib: f64,
    /// What of it is nobody else's.
    pub private_kib: f64,
    /// What its allocator has handed out.
    pub heap_kib: f64,
    /// Processor time, in percent of one core.
    pub cpu_percent: f64,
    /// How often a thread was woken, in a second.
    pub wakes_per_second: f64,
}

/// Clients ask, each one request after the other.
#[derive(Clone, Copy, Debug, SerJson)]
pub struct Answers {
    /// How many clients.
    pub clients: usize,
    /// True when each answer is made for its request, false when all come from the cache.
    pub made: bool,
    /// Processor time of one answer.
    pub cpu_us: f64,
    /// Half of them came within.
    pub p50_us: f64,
}

/// What was measured.
pub struct Figures {
    /// With a calendar in the store and no feed.
    pub starts: Starts,
    /// After sudden deaths.
    pub starts_after_death: Starts,
    /// When nobody asks.
    pub idle: Idle,
    /// Answers.
    pub answers: Vec<Answers>,
}

/// Measures all but how it grows. `say` is told of each that begins.
///
/// # Errors
/// When the program cannot be started or asked.
pub fn measure(setting: &Setting, effort: Effort, say: impl Fn(&str)) -> Result<Figures> {
    say("idle");
    let stored = Stored::new(setting, calendar::EVENTS, Beyond::SameDays, Vec::new())?;
    let idle = idle(&stored, effort)?;
    say("starts");
    stored.lose_feed()?;
    let mut times = Vec::new();
    for _ in 0..effort.starts {
        let (server, time) = stored.start_timed()?;
        server.stop()?;
        times.push(time);
    }
    let starts = Starts::new(times)?;
    say("deaths");
    let starts_after_death = deaths(&stored, effort)?;
    say("answers");
    let stored = Stored::still(setting, calendar::EVENTS, Beyond::SameDays)?;
    let ways = [(1, false), (1, true), (CONNECTIONS, false), (CONNECTIONS, true)];
    let answers = ways.map(|(clients, made)| answers(&stored, clients, made, effort));
    let answers = answers.into_iter().collect::<Result<_>>()?;
    Ok(Figures { starts, starts_after_death, idle, answers })
}

fn idle(stored: &Stored<'_>, effort: Effort) -> Result<Idle> {
    let server = stored.start("", &[])?;
    server.leave_alone(SETTLE_TIME)?;
    let (spent, slept, began) = (server.cpu_time()?, server.sleeps()?, Instant::now());
    server.leave_alone(effort.idle)?;
    let seconds = began.elapsed().as_secs_f64();
    let spent = server.cpu_time()?.saturating_sub(spent).as_secs_f64();
    let sleeps = server.sleeps()?.saturating_sub(slept);
    let kib = |names: &[&str]| -> Result<f64> {
        let bytes = names.iter().map(|name| server.mapped_bytes(name)).sum::<Result<u64>>()?;
        Ok(bytes as f64 / 1024.0)
    };
    let (resident_kib, proportional_kib) = (kib(&["Rss"])?, kib(&["Pss"])?);
    let private_kib = kib(&["Private_Clean", "Private_Dirty"])?;
    let [heap] = server.figures(["heap"])?;
    server.stop()?;
    Ok(Idle {
        resident_kib,
        proportional_kib,
        private_kib,
        heap_kib: heap / 1024.0,
        cpu_percent: spent / seconds * 100.0,
        wakes_per_second: sleeps as f64 / seconds,
    })
}

fn answers(stored: &Stored<'_>, clients: usize, made: bool, effort: Effort) -> Result<Answers> {
    let server = stored.start(if made { NOTHING_SHARED } else { "" }, &[])?;
    let (mut cpu, mut p50) = (Vec::new(), Vec::new());
    // The first round prepares what is prepared once.
    for round in 0..=effort.rounds {
        let before = server.cpu_time()?;
        let outcome = ask(&server, ANSWERS, clients)?;
        let spent = server.cpu_time()?.saturating_sub(before);
        if round > 0 {
            cpu.push(spent.as_secs_f64() * 1e6 / ANSWERS as f64);
            p50.push(outcome.p50_us);
        }
    }
    server.stop()?;
    let median = |values| median(values).ok_or("no rounds");
    Ok(Answers { clients, made, cpu_us: median(cpu)?, p50_us: median(p50)? })
}

/// Starts again and again, each time into a refresh in which every event is another, and kills the
/// program while it writes.
fn deaths(stored: &Stored<'_>, effort: Effort) -> Result<Starts> {
    let text = calendar::text(EVENTS_WRITTEN, Beyond::EarlierYears);
    let mut times = Vec::new();
    for round in 0..=effort.deaths {
        fs::write(stored.file(), text.replace("figures", &format!("figures of round {round}")))?;
        let (server, time) = stored.start_timed()?;
        // Nobody has died before the first.
        if round > 0 {
            times.push(time);
        }
        stored.await_write(&server)?;
        server.leave_alone(DEATH_STEP * round as u32)?;
        server.kill()?;
    }
    Starts::new(times)
}

/// Asks for what's next; every request must be answered.
fn ask(server: &Server, requests: u64, connections: usize) -> Result<Outcome> {
    let plan = Plan {
        address: server.address,
        path: VIEW.to_owned(),
        connections,
        end: End::Requests(requests),
        keep_alive: true,
        interval: None,
    };
    let outcome = load::run(&plan)?;
    if outcome.requests < requests {
        return Err(format!("{} of {requests} requests were answered", outcome.requests).into());
    }
    Ok(outcome)
}

/// A folder in which the product has stored a calendar.
struct Stored<'s> {
    setting: &'s Setting,
    folder: TempDir,
    /// What the product is started below.
    clock: Vec<String>,
}

impl<'s> Stored<'s> {
    fn new(
        setting: &'s Setting,
        events: usize,
        beyond: Beyond,
        clock: Vec<String>,
    ) -> Result<Self> {
        let stored = Self { setting, folder: tempfile::tempdir()?, clock };
        fs::write(stored.file(), calendar::text(events, beyond))?;
        stored.start("", &[])?.stop()?;
        Ok(stored)
    }

    /// The same at a time that stands still, and without a feed.
    fn still(setting: &'s Setting, events: usize, beyond: Beyond) -> Result<Self> {
        let stored = Self::new(setting, events, beyond, calendar::stand_still().into())?;
        stored.lose_feed()?;
        Ok(stored)
    }

    /// Whatever is answered from now on comes from the store.
    fn lose_feed(&self) -> Result<()> {
        Ok(fs::remove_file(self.file())?)
    }

    /// Where the calendar is read from.
    fn file(&self) -> PathBuf {
        self.folder.path().join("work.ics")
    }

    fn start(&self, settings: &str, wrapper: &[String]) -> Result<Server> {
        let wrapper = [&self.clock[..], wrapper].concat();
        Server::start_with("calendarbot", self.command(settings), VIEW, &wrapper)
    }

    fn start_timed(&self) -> Result<(Server, Duration)> {
        Server::start_timed("calendarbot", self.command(""), VIEW)
    }

    fn command(&self, settings: &str) -> impl FnOnce(SocketAddr, &Path) -> Result<Vec<String>> {
        let feed = format!("[[feeds]]\nname = \"work\"\nfile = \"{}\"", self.file().display());
        let text = format!("time_zone = \"Europe/Berlin\"\n{settings}\n{feed}\n");
        move |address, _| {
            let config = self.folder.path().join("calendarbot.toml");
            fs::write(&config, text)?;
            Ok(self.setting.command(Some(&config), address, self.folder.path()))
        }
    }

    /// Waits until the product writes to its database.
    fn await_write(&self, server: &Server) -> Result<()> {
        let (began, before) = (Instant::now(), self.last_write()?);
        while began.elapsed() < WRITE_TIME {
            if self.last_write()? != before {
                return Ok(());
            }
            server.leave_alone(LOOK_INTERVAL)?;
        }
        Err("nothing is written".into())
    }

    fn last_write(&self) -> Result<Option<SystemTime>> {
        let mut last = None;
        for file in fs::read_dir(self.folder.path().join("data"))? {
            // A file may have been deleted since.
            let Ok(metadata) = file?.metadata() else { continue };
            last = last.max(metadata.modified().ok());
        }
        Ok(last)
    }
}
