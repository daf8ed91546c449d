//! Being a process: signals, and where the log goes.

use std::io::{IsTerminal, Write};

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

use crate::calendar::text::harmless;
use crate::error::{Error, Result};

/// What the operating system asks of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM or Ctrl-C: finish and end. A second one: end at once.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The stream of wishes.
pub struct Wishes(Signals);

impl Wishes {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> Result<Self> {
        let signals = Signals::new([Signal::Term, Signal::Int, Signal::Hup]);
        let refused = |error| Error::system("cannot listen for signals").because(error);
        Ok(Self(signals.map_err(refused)?))
    }

    /// The next one.
    pub async fn next(&mut self) -> Wish {
        match self.0.next().await {
            Some(Ok(Signal::Hup)) => Wish::Reload,
            _ => Wish::Stop,
        }
    }
}

/// Sends the log to standard error, one line an event: with journald's priority in front when
/// that is where it goes, with the level's name otherwise.
pub fn log_to_stderr(level: log::LevelFilter) {
    static LOGGER: std::sync::OnceLock<Logger> = std::sync::OnceLock::new();
    let under_journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let prefixed = under_journald && !std::io::stderr().is_terminal();
    // A second logger in one process is a test's business: the first stays.
    let _ = log::set_logger(LOGGER.get_or_init(|| Logger { prefixed }));
    log::set_max_level(level);
}

struct Logger {
    /// `<4>` rather than `warning`: sd-daemon(3).
    prefixed: bool,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("calendarbot")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (priority, name) = match record.level() {
            log::Level::Error => ("<3>", "error: "),
            log::Level::Warn => ("<4>", "warning: "),
            log::Level::Info => ("<6>", ""),
            log::Level::Debug => ("<7>", "debug: "),
            log::Level::Trace => ("<7>", "trace: "),
        };
        let prefix = if self.prefixed { priority } else { name };
        let text: String = record.args().to_string().chars().map(harmless).collect();
        // There is nowhere to say that the log cannot be written.
        let _ = writeln!(std::io::stderr(), "{prefix}{text}");
    }

    fn flush(&self) {}
}
