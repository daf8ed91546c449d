//! How costs grow with the calendar, and how answers are delayed by clients who only stay.

use std::time::Duration;

use nanoserde::SerJson;

use super::{NOTHING_SHARED, SETTLE_TIME, Stored, VIEW, ask};
use crate::calendar::Beyond;
use crate::counts::{CONNECTIONS, instructions};
use crate::load::{self, End, Plan};
use crate::server::Setting;
use crate::{Result, calendar};

/// Events of the calendars.
pub const EVENTS: [usize; 4] = [10, 500, 5_000, 20_000];
/// Requests of the short and of the long run below valgrind, for answers from the cache.
const HITS_COUNTED: [u64; 2] = [1_000, 11_000];
/// The same for answers that are made.
const MISSES_COUNTED: [u64; 2] = [50, 250];
/// Requests before memory is looked at.
const REQUESTS: u64 = 5_000;
/// One client after the other asks, so often.
pub const ASK_INTERVAL: Duration = Duration::from_millis(1);

/// What a calendar costs.
#[derive(SerJson)]
pub struct CalendarRow {
    /// Its events.
    pub events: usize,
    /// User instructions of an answer from the cache.
    pub hit_instructions: Option<f64>,
    /// The same of an answer that is made.
    pub miss_instructions: Option<f64>,
    /// The same where all of the events are on the days around today.
    pub crowded_miss_instructions: Option<f64>,
    /// The resident set after many answers.
    pub resident_kib: f64,
    /// What the allocator has handed out then.
    pub heap_kib: f64,
}

/// What clients see when there are so many of them.
#[derive(SerJson)]
pub struct ClientRow {
    /// How many.
    pub clients: usize,
    /// Half of the answers came within.
    pub p50_us: f64,
    /// 99 of 100 came within.
    pub p99_us: f64,
}

/// Measures calendars of all sizes; with `counting`, instructions, too.
///
/// # Errors
/// When the program cannot be started or asked.
pub fn calendars(
    setting: &Setting,
    counting: bool,
    say: impl Fn(&str),
) -> Result<Vec<CalendarRow>> {
    let counted = |stored: &Stored<'_>, settings, lengths, clients| {
        let run = |requests, wrapper: &[String]| {
            let server = stored.start(settings, wrapper)?;
            // Both runs have done with what a start brings about.
            server.leave_alone(SETTLE_TIME)?;
            ask(&server, requests, clients)?;
            server.stop()
        };
        counting.then(|| instructions(lengths, run)).transpose()
    };
    let misses = |stored: &Stored<'_>| counted(stored, NOTHING_SHARED, MISSES_COUNTED, 1);
    let mut rows = Vec::new();
    for events in EVENTS {
        say(&format!("{events} events"));
        let stored = Stored::still(setting, events, Beyond::EarlierYears)?;
        let server = stored.start("", &[])?;
        ask(&server, REQUESTS, CONNECTIONS)?;
        let resident_kib = server.resident_bytes()? as f64 / 1024.0;
        let [heap] = server.figures(["heap"])?;
        server.stop()?;
        rows.push(CalendarRow {
            events,
            hit_instructions: counted(&stored, "", HITS_COUNTED, CONNECTIONS)?,
            miss_instructions: misses(&stored)?,
            crowded_miss_instructions: misses(&Stored::still(setting, events, Beyond::SameDays)?)?,
            resident_kib,
            heap_kib: heap / 1024.0,
        });
    }
    Ok(rows)
}

/// Measures how long answers from the cache take with one client up to as many as there are slots,
/// at the same rate of requests.
///
/// # Errors
/// When the program cannot be started or a request fails.
pub fn clients(setting: &Setting, time: Duration) -> Result<Vec<ClientRow>> {
    let stored = Stored::still(setting, calendar::EVENTS, Beyond::SameDays)?;
    let server = stored.start("", &[])?;
    let [slots] = server.figures(["slots"])?;
    let slots = slots as usize;
    let mut rows = Vec::new();
    for clients in [1, slots / 8, slots / 2, slots] {
        let plan = Plan {
            address: server.address,
            path: VIEW.to_owned(),
            connections: clients,
            end: End::Time(time),
            keep_alive: true,
            interval: Some(ASK_INTERVAL),
        };
        let outcome = load::run(&plan)?;
        if outcome.errors > 0 || outcome.requests == 0 {
            return Err(format!("{} requests of {clients} clients failed", outcome.errors).into());
        }
        rows.push(ClientRow { clients, p50_us: outcome.p50_us, p99_us: outcome.p99_us });
    }
    server.stop()?;
    Ok(rows)
}
