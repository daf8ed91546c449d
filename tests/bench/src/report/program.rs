//! The report on the program as a whole: starts, idleness, answers that are made, growth, size.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use nanoserde::SerJson;

use super::{Bar, head, line};
use crate::Result;
use crate::goal::Goal;
use crate::program::scale::{CalendarRow, ClientRow};
use crate::program::{Answers, Figures, Idle, Starts};

/// A cost is flat when the dearest calendar costs so much of the cheapest.
const FLAT_MAX: f64 = 1.1;
/// Delays differ more from run to run than what is counted.
const FLAT_DELAY_MAX: f64 = 1.5;
/// `e_machine` of an ELF file for aarch64 (EM_AARCH64).
const AARCH64: [u8; 2] = [183, 0];

/// The sizes of the binary, in megabytes.
#[derive(Clone, Copy, Debug, SerJson)]
pub struct Sizes {
    /// As it is measured here.
    pub native: f64,
    /// Built for a Pi, when there is such a file.
    pub aarch64: Option<f64>,
}

impl Sizes {
    /// Looks at the files.
    ///
    /// # Errors
    /// When one cannot be read, or is for another processor.
    pub fn of(native: &Path, aarch64: Option<&Path>) -> Result<Self> {
        let megabytes = |path: &Path| -> Result<f64> { Ok(fs::metadata(path)?.len() as f64 / 1e6) };
        if let Some(path) = aarch64
            && fs::read(path)?.get(18..20) != Some(&AARCH64)
        {
            return Err(format!("{} is no program for aarch64", path.display()).into());
        }
        Ok(Self { native: megabytes(native)?, aarch64: aarch64.map(megabytes).transpose()? })
    }
}

/// Everything.
#[derive(SerJson)]
pub struct Report {
    conditions: Vec<String>,
    bars: Vec<Bar>,
    starts: Starts,
    starts_after_death: Starts,
    idle: Idle,
    answers: Vec<Answers>,
    calendars: Vec<CalendarRow>,
    clients: Vec<ClientRow>,
    sizes: Sizes,
}

impl Report {
    /// A report of what was measured under these conditions.
    pub fn new(
        conditions: Vec<String>,
        figures: Figures,
        calendars: Vec<CalendarRow>,
        clients: Vec<ClientRow>,
        sizes: Sizes,
    ) -> Self {
        let mut bars = bars(&figures);
        bars.extend(bars_of_scale(&calendars, &clients));
        bars.extend(bars_of_sizes(sizes));
        let Figures { starts, starts_after_death, idle, answers } = figures;
        Self {
            conditions,
            bars,
            starts,
            starts_after_death,
            idle,
            answers,
            calendars,
            clients,
            sizes,
        }
    }
}

fn bars(figures: &Figures) -> Vec<Bar> {
    let Figures { starts, starts_after_death, idle, answers } = figures;
    let mut bars = vec![
        Bar::at_most(Goal::Start, "half of the starts within, ms", starts.median_ms, 20.0),
        Bar::at_most(Goal::Start, "slowest start, ms", starts.max_ms, 20.0),
        Bar::at_most(
            Goal::StartAfterDeath,
            "slowest start after kill -9, ms",
            starts_after_death.max_ms,
            300.0,
        ),
        Bar::at_most(Goal::IdleMemory, "resident set, KiB", idle.resident_kib, 6_144.0),
        Bar::at_most(Goal::IdleProcessor, "% of a core", idle.cpu_percent, 0.05),
        Bar::at_most(Goal::IdleProcessor, "wake-ups a second", idle.wakes_per_second, 2.0),
    ];
    bars.extend(answers.iter().filter(|answers| answers.made).map(|answers| {
        Bar::at_most(
            Goal::CacheMiss,
            format!("CPU, {}, µs", in_words(answers)),
            answers.cpu_us,
            150.0,
        )
    }));
    bars
}

fn in_words(Answers { clients, made, .. }: &Answers) -> String {
    let clients = if *clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
    format!("{clients}, {}", if *made { "each answer made" } else { "from the cache" })
}

/// The highest of some figures, divided by the lowest; nothing when one is missing.
fn most_to_least<R>(rows: &[R], figure: impl Fn(&R) -> Option<f64>) -> Option<f64> {
    let figures = rows.iter().map(figure).collect::<Option<Vec<_>>>()?;
    let of = |pick: fn(f64, f64) -> f64| figures.iter().copied().reduce(pick);
    Some(of(f64::max)? / of(f64::min)?)
}

fn bars_of_scale(calendars: &[CalendarRow], clients: &[ClientRow]) -> [Bar; 5] {
    let bar = |name: &str, ratio, bar| {
        Bar::at_most(Goal::Scale, name, ratio, bar).why_none("needs valgrind: `make bench-setup`")
    };
    let hit = most_to_least(calendars, |row| row.hit_instructions);
    // Of fewer events there is less to show.
    let shown: Vec<&CalendarRow> = calendars.iter().filter(|row| row.events >= 500).collect();
    let miss = most_to_least(&shown, |row| row.miss_instructions);
    let resident = most_to_least(calendars, |row| Some(row.resident_kib));
    let heap = most_to_least(calendars, |row| Some(row.heap_kib));
    let delay = most_to_least(clients, |row| Some(row.p99_us));
    [
        bar("instructions from the cache, most × least of all calendars", hit, FLAT_MAX),
        bar("instructions to make an answer, most × least from 500 events on", miss, FLAT_MAX),
        bar("resident set, most × least", resident, FLAT_MAX),
        bar("heap, most × least", heap, FLAT_MAX),
        bar("99 of 100 answers within, one client to all slots", delay, FLAT_DELAY_MAX),
    ]
}

fn bars_of_sizes(sizes: Sizes) -> [Bar; 2] {
    let why = "`make bench-program AARCH64=FILE` is given one";
    [
        Bar::at_most(Goal::Size, "aarch64, MB", sizes.aarch64, 6.0).why_none(why),
        Bar::at_most(Goal::Size, "as measured here, MB", sizes.native, 6.0),
    ]
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Program benchmarks\n\n`make bench-program` measures and writes this.\n")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "* {condition}"))?;
        super::bars(f, &self.bars)?;
        head(f, "Starts", "", &["", "starts", "half within, ms", "slowest, ms"])?;
        for (name, Starts { count, median_ms, max_ms }) in [
            ("from the store", self.starts),
            ("after kill -9 during writes", self.starts_after_death),
        ] {
            line(f, name, &[count as f64, median_ms, max_ms].map(Some), "")?;
        }
        head(f, "When nobody asks", "", &["figure", "measured"])?;
        for (name, figure) in [
            ("resident set, KiB", self.idle.resident_kib),
            ("of it by its share of each page (PSS), KiB", self.idle.proportional_kib),
            ("of it nobody else's, KiB", self.idle.private_kib),
            ("heap, KiB", self.idle.heap_kib),
            ("processor, % of a core", self.idle.cpu_percent),
            ("wake-ups a second", self.idle.wakes_per_second),
        ] {
            line(f, name, &[Some(figure)], "")?;
        }
        let note = "One client's answer wakes the program each time.";
        head(f, "Answers", note, &["", "CPU µs", "p50 µs"])?;
        for answers in &self.answers {
            let figures = [answers.cpu_us, answers.p50_us].map(Some);
            line(f, &in_words(answers), &figures, "")?;
        }
        let columns = [
            "events",
            "instructions, from the cache",
            "instructions, made",
            "made, on crowded days",
            "RSS KiB",
            "heap KiB",
        ];
        head(f, "Calendars of all sizes", "", &columns)?;
        for row in &self.calendars {
            let CalendarRow { hit_instructions, miss_instructions, .. } = *row;
            let figures = [
                hit_instructions,
                miss_instructions,
                row.crowded_miss_instructions,
                Some(row.resident_kib),
                Some(row.heap_kib),
            ];
            line(f, &row.events.to_string(), &figures, "")?;
        }
        head(f, "Clients who stay", "", &["clients", "p50 µs", "p99 µs"])?;
        for ClientRow { clients, p50_us, p99_us } in &self.clients {
            line(f, &clients.to_string(), &[Some(*p50_us), Some(*p99_us)], "")?;
        }
        head(f, "Binary", "", &["", "MB"])?;
        line(f, "as measured here", &[Some(self.sizes.native)], "")?;
        line(f, "aarch64", &[self.sizes.aarch64], "not given")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_flat_has_a_ratio_of_one() {
        for (figures, expected) in [
            (&[Some(7.0), Some(7.0)][..], Some(1.0)),
            (&[Some(6.0), Some(3.0), Some(4.0)], Some(2.0)),
            (&[Some(6.0), None], None),
            (&[], None),
        ] {
            assert_eq!(most_to_least(figures, |figure| *figure), expected);
        }
    }

    #[test]
    fn a_program_for_another_processor_is_none_for_aarch64() {
        let here = std::env::current_exe().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut head = [0; 64];
        head[18..20].copy_from_slice(&AARCH64);
        fs::write(&file, head).unwrap();
        assert_eq!(Sizes::of(&here, Some(file.path())).unwrap().aarch64, Some(64e-6));
        fs::write(&file, [0; 64]).unwrap();
        assert!(Sizes::of(&here, Some(file.path())).is_err());
        assert!(Sizes::of(&here, None).unwrap().aarch64.is_none());
    }
}
