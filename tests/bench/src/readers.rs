//! What reading a calendar costs: the product's reader beside others. Each reads in a process of
//! its own, `read-ical` or `read-ical.py`, from the file as it likes to have it, and says how many
//! events it found, how long it took and how far its resident set grew.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::installed;
use crate::{Result, counts};

/// A time below this is read again and again until it is long enough to be told from a tick.
const SECONDS_MIN: f64 = 1.0;
/// What user time is counted in.
const TICK_SECONDS: f64 = 0.01;
/// More often nothing is read to find that out.
const TIMES_MAX: u64 = 1_000;
/// Of so many runs the fastest counts: whatever else the machine does only makes them slower.
const RUNS: usize = 3;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The product, as far as a refresh goes on the loop: components checked and ready to store.
    Calendarbot,
    /// The same, and each event's properties decoded, which the product does for what it shows.
    CalendarbotEvents,
    /// The crate `calcard`.
    Calcard,
    /// The crate `icalendar`.
    Icalendar,
    /// The crate `ical`.
    Ical,
    /// The Python package `icalendar`.
    Python,
}

impl Reader {
    /// All of them; the product first.
    pub const ALL: [Self; 6] = [
        Self::Calendarbot,
        Self::CalendarbotEvents,
        Self::Calcard,
        Self::Icalendar,
        Self::Ical,
        Self::Python,
    ];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calendarbot => "calendarbot, as in a refresh",
            Self::CalendarbotEvents => "calendarbot, events decoded",
            Self::Calcard => "calcard",
            Self::Icalendar => "icalendar",
            Self::Ical => "ical",
            Self::Python => "Python icalendar",
        }
    }

    /// What `read-ical` calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Calendarbot => "calendarbot",
            Self::CalendarbotEvents => "calendarbot-events",
            Self::Calcard => "calcard",
            Self::Icalendar => "icalendar",
            Self::Ical => "ical",
            Self::Python => "python",
        }
    }
}

/// Where the programs are.
pub struct Programs {
    /// `read-ical`.
    pub read_ical: PathBuf,
    /// A Python that has icalendar.
    pub python: Option<PathBuf>,
}

/// What reading costs.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Events found.
    pub events: u64,
    /// Megabytes in a second of user time.
    pub megabytes_per_second: f64,
    /// User instructions for a byte; none for Python, which valgrind makes too slow.
    pub instructions_per_byte: Option<f64>,
    /// By how much the resident set grew at most.
    pub growth_kib: f64,
}

impl Programs {
    /// What it costs a reader to read a file of so many bytes; `None` when it is not installed or
    /// refuses the file.
    ///
    /// # Errors
    /// When a program cannot be run at all.
    pub fn measure(&self, reader: Reader, file: &Path, bytes: usize) -> Result<Option<Figures>> {
        let Some([events, mut spent, growth_kib]) = self.run(reader, file, 1, &[])? else {
            return Ok(None);
        };
        // The system counts user time in hundredths of a second: what takes a few of them at most is
        // read more often before it is known how often a second's worth is.
        let mut times = 1;
        while spent < 10.0 * TICK_SECONDS && times < TIMES_MAX {
            times *= 10;
            let Some([_, longer, _]) = self.run(reader, file, times, &[])? else {
                return Ok(None);
            };
            spent = longer;
        }
        let once = spent.max(TICK_SECONDS) / times as f64;
        let times = (SECONDS_MIN / once).ceil() as u64;
        let mut seconds = f64::MAX;
        for _ in 0..RUNS {
            let Some([_, spent, _]) = self.run(reader, file, times, &[])? else { return Ok(None) };
            seconds = seconds.min(spent / times as f64);
        }
        let counts = reader != Reader::Python && installed("valgrind").is_some();
        let instructions = counts.then(|| self.instructions(reader, file)).transpose()?;
        Ok(Some(Figures {
            events: events as u64,
            megabytes_per_second: bytes as f64 / 1e6 / seconds,
            instructions_per_byte: instructions.map(|count| count / bytes as f64),
            growth_kib,
        }))
    }

    fn instructions(&self, reader: Reader, file: &Path) -> Result<f64> {
        counts::instructions([1, 2], |times, wrapper| {
            self.run(reader, file, times, wrapper)?.ok_or("a reader fails below valgrind")?;
            Ok(())
        })
    }

    /// Events, seconds of user time for all times, and KiB.
    fn run(
        &self,
        reader: Reader,
        file: &Path,
        times: u64,
        wrapper: &[String],
    ) -> Result<Option<[f64; 3]>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("read-ical.py");
        let mut words = wrapper.to_vec();
        match (reader, &self.python) {
            (Reader::Python, None) => return Ok(None),
            (Reader::Python, Some(python)) => {
                words.extend([python, &script].map(|path| path.display().to_string()));
            }
            _ => words.extend([self.read_ical.display().to_string(), reader.word().to_owned()]),
        }
        let output =
            Command::new(&words[0]).args(&words[1..]).arg(file).arg(times.to_string()).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            eprintln!("{}: {}", reader.name(), said.lines().last().unwrap_or_default());
            return Ok(None);
        }
        let text = String::from_utf8(output.stdout)?;
        let figures: Vec<f64> =
            text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        Ok(Some(figures.try_into().map_err(|_| "not three figures")?))
    }
}
