//! What the request pipeline is worth, and each of its parts: the product beside itself, with
//! flags on and off by its configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::calendar::Beyond;
use crate::load::{self, End, Outcome, Plan, Variety};
use crate::rounds::{Sample, median, spread_percent};
use crate::server::{Server, Setting};
use crate::{Result, calendar, counts};

/// Clients of a burst.
const CROWD: u64 = 64;
/// The what's-next view.
const WHATS_NEXT: &str = "/api/v1/next";

/// The product with some of its flags off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Every flag on.
    On,
    /// Answers are not kept.
    NoCaching,
    /// Every turn makes one answer.
    NoBatching,
    /// Everybody gets an answer of their own.
    NoDeduplication,
    /// Nothing is made ahead.
    NoWarming,
    /// The direct way: every request makes its answer, at once.
    Off,
    /// That, and a connection for each reading of the database.
    AllOff,
}

impl Variant {
    /// All of them, in the order of a round.
    pub const ALL: [Self; 7] = [
        Self::On,
        Self::NoCaching,
        Self::NoBatching,
        Self::NoDeduplication,
        Self::NoWarming,
        Self::Off,
        Self::AllOff,
    ];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "everything on",
            Self::NoCaching => "caching off",
            Self::NoBatching => "batching off",
            Self::NoDeduplication => "deduplication off",
            Self::NoWarming => "warming off",
            Self::Off => "pipeline off",
            Self::AllOff => "everything off",
        }
    }

    /// True when one part of the pipeline is left out.
    pub fn is_part_off(self) -> bool {
        !matches!(self, Self::On | Self::Off | Self::AllOff)
    }

    /// The flag that is off.
    fn flag_off(self) -> Option<&'static str> {
        match self {
            Self::On => None,
            Self::NoCaching => Some("caching"),
            Self::NoBatching => Some("batching"),
            Self::NoDeduplication => Some("deduplication"),
            Self::NoWarming => Some("warming"),
            Self::Off => Some("request_pipeline"),
            Self::AllOff => Some("enabled"),
        }
    }
}

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// A crowd, the what's-next view again and again.
    Hot,
    /// One client, the views of a household in turn.
    Warm,
    /// One client, another week every time, and nobody else: the program is idle but for that.
    Cold,
    /// A crowd that asks for other weeks, which overlap, at the same moment; again and again.
    Burst,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hot, Self::Warm, Self::Cold, Self::Burst];

    /// What the report calls it.
    pub fn title(self) -> String {
        match self {
            Self::Hot => format!("Hot: {CROWD} clients ask for `{WHATS_NEXT}` again and again"),
            Self::Warm => {
                format!("Warm: one client asks for {} views in turn", calendar::VIEWS_COUNT)
            }
            Self::Cold => "Cold and idle: one client asks for another week every time".to_owned(),
            Self::Burst => {
                format!("Cold burst: {CROWD} clients ask for {CROWD} other weeks at once")
            }
        }
    }

    fn clients(self) -> u64 {
        if matches!(self, Self::Hot | Self::Burst) { CROWD } else { 1 }
    }

    /// The path of the nth request of all rounds. Weeks never come again.
    fn path(self, nth: u64) -> String {
        match self {
            Self::Hot => WHATS_NEXT.to_owned(),
            Self::Warm => calendar::view(nth),
            Self::Cold => calendar::week(nth * 61),
            Self::Burst => calendar::week(nth / CROWD * 61 + nth % CROWD * 3 * 3600),
        }
    }

    /// Requests of a round. What is kept costs little: it takes more of it to be measured.
    fn requests(self, variant: Variant) -> u64 {
        let is_kept = !matches!(variant, Variant::NoCaching | Variant::Off | Variant::AllOff);
        match self {
            Self::Hot if is_kept => 400 * CROWD,
            Self::Hot => 20 * CROWD,
            Self::Warm if is_kept => 5_000,
            Self::Warm => 400,
            Self::Cold => 200,
            Self::Burst => 4 * CROWD,
        }
    }

    /// Requests of the short and of the long run below valgrind.
    fn counted_requests(self, variant: Variant) -> [u64; 2] {
        match self.requests(variant) {
            5_000.. => [1_000, 21_000],
            _ => [CROWD, 4 * CROWD],
        }
    }

    /// Where the flag that is off makes a difference by itself, instructions are counted, too.
    fn is_counted(self, variant: Variant) -> bool {
        match variant {
            Variant::On | Variant::Off => true,
            Variant::NoBatching => self == Self::Burst,
            Variant::NoCaching
            | Variant::NoDeduplication
            | Variant::NoWarming
            | Variant::AllOff => false,
        }
    }
}

/// What one variant has cost in one case.
pub struct Row {
    /// Which one.
    pub variant: Variant,
    /// Round by round.
    pub samples: Vec<Sample>,
    /// User instructions of a request, where they are counted.
    pub instructions: Option<f64>,
    /// The resident set after the rounds.
    pub resident_bytes: f64,
    /// What its allocator has handed out then.
    pub heap_bytes: f64,
    /// Answers made for a request.
    pub made: f64,
    /// Readings of the database for a request.
    pub readings: f64,
}

/// What all of them have cost in one case.
pub struct Table {
    /// Which case.
    pub case: Case,
    /// By variant, in order, with as many samples each.
    pub rows: Vec<Row>,
}

impl Table {
    /// The median of a figure of one variant.
    pub fn median(&self, variant: Variant, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.row(variant)?.samples.iter().map(figure).collect())
    }

    /// The median over the rounds of one variant's figure divided by another's in the same round.
    pub fn ratio(
        &self,
        variant: Variant,
        to: Variant,
        figure: impl Fn(&Sample) -> f64,
    ) -> Option<f64> {
        let pairs = self.row(variant)?.samples.iter().zip(&self.row(to)?.samples);
        median(pairs.map(|(one, other)| figure(one) / figure(other)).collect())
    }

    /// By how much a figure of one variant differs from round to round, in percent.
    pub fn spread_percent(&self, variant: Variant, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        spread_percent(&self.row(variant)?.samples.iter().map(figure).collect::<Vec<_>>())
    }

    /// One variant's instructions divided by another's.
    pub fn instructions_ratio(&self, variant: Variant, to: Variant) -> Option<f64> {
        Some(self.row(variant)?.instructions? / self.row(to)?.instructions?)
    }

    /// What a variant has cost.
    pub fn row(&self, variant: Variant) -> Option<&Row> {
        self.rows.iter().find(|row| row.variant == variant)
    }
}

/// Measures all variants in one case; with `counting`, their instructions, too.
///
/// # Errors
/// When a server cannot be started or asked, or a request fails.
pub fn measure(setting: &Setting, case: Case, rounds: u64, counting: bool) -> Result<Table> {
    let servers: Vec<Server> =
        Variant::ALL.iter().map(|variant| start(setting, *variant, &[])).collect::<Result<_>>()?;
    let mut samples = vec![Vec::new(); Variant::ALL.len()];
    let first: Vec<Figures> = servers.iter().map(Figures::of).collect::<Result<_>>()?;
    for round in 0..=rounds {
        // Whoever comes first in one round comes last in the next.
        let mut order: Vec<usize> = (0..servers.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for number in order {
            let sample = sample(&servers[number], case, Variant::ALL[number], round)?;
            // The first round prepares what is prepared once.
            if round > 0 {
                samples[number].push(sample);
            }
        }
    }
    let mut rows = Vec::new();
    for (((variant, server), samples), first) in
        Variant::ALL.into_iter().zip(servers).zip(samples).zip(first)
    {
        let last = Figures::of(&server)?;
        let requests = (case.requests(variant) * (rounds + 1)) as f64;
        let resident_bytes = server.resident_bytes()? as f64;
        server.stop()?;
        let counted = counting && case.is_counted(variant);
        rows.push(Row {
            variant,
            samples,
            instructions: counted.then(|| instructions(setting, case, variant)).transpose()?,
            resident_bytes,
            heap_bytes: last.heap,
            made: (last.rendered - first.rendered) / requests,
            readings: (last.readings - first.readings) / requests,
        });
    }
    Ok(Table { case, rows })
}

fn sample(server: &Server, case: Case, variant: Variant, round: u64) -> Result<Sample> {
    let before = server.cpu_time()?;
    let requests = case.requests(variant);
    let outcome = ask(server, case, round * requests, requests)?;
    let spent = server.cpu_time()?.saturating_sub(before);
    Ok(Sample { cpu_us: spent.as_secs_f64() * 1e6 / outcome.requests as f64, outcome })
}

fn ask(server: &Server, case: Case, first: u64, requests: u64) -> Result<Outcome> {
    let plan = Plan {
        address: server.address,
        path: WHATS_NEXT.to_owned(),
        connections: case.clients() as usize,
        end: End::Requests(requests),
        keep_alive: true,
        interval: None,
    };
    let path = |nth| case.path(first + nth);
    let outcome = match case {
        Case::Hot => load::run(&plan)?,
        _ => load::run_varied(&plan, Variety { path: &path, in_bursts: case == Case::Burst })?,
    };
    if outcome.requests < requests {
        return Err(format!("{} of {requests} requests were answered", outcome.requests).into());
    }
    Ok(outcome)
}

/// User instructions of a request.
fn instructions(setting: &Setting, case: Case, variant: Variant) -> Result<f64> {
    counts::instructions(case.counted_requests(variant), |requests, wrapper| {
        let server = start(setting, variant, wrapper)?;
        ask(&server, case, 0, requests)?;
        server.stop()
    })
}

/// The product with its calendar read.
fn start(setting: &Setting, variant: Variant, wrapper: &[String]) -> Result<Server> {
    let command = |address: SocketAddr, folder: &Path| {
        let text = calendar::text(calendar::EVENTS, Beyond::SameDays);
        fs::write(folder.join("work.ics"), text)?;
        let flag = variant.flag_off().map_or(String::new(), |flag| format!("flags.{flag} = false"));
        let feed = "[[feeds]]\nname = \"work\"\nfile = \"work.ics\"";
        let text = format!("time_zone = \"Europe/Berlin\"\n{flag}\n{feed}\n");
        let config = folder.join("calendarbot.toml");
        fs::write(&config, text)?;
        Ok(setting.command(Some(&config), address, folder))
    };
    let wrapper = [&calendar::stand_still()[..], wrapper].concat();
    Server::start_with(variant.name(), command, WHATS_NEXT, &wrapper)
}

/// Some figures of `/stats`.
struct Figures {
    heap: f64,
    rendered: f64,
    readings: f64,
}

impl Figures {
    fn of(server: &Server) -> Result<Self> {
        let [heap, rendered, readings] = server.figures(["heap", "rendered", "readings"])?;
        Ok(Self { heap, rendered, readings })
    }
}

/// In words, for the report.
pub fn conditions() -> String {
    format!(
        "A calendar of {} events, {} of them series, read from a file; \"now\" stands still at {}.",
        calendar::EVENTS,
        calendar::series(calendar::EVENTS),
        calendar::NOW
    )
}
