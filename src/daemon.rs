//! Being a process: signals, the service manager, and where the log goes.

mod background;
mod notify;
mod pid_file;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use async_signal::{Signal, Signals};
use rustix::fs::fstat;
use rustix::process::{Pid, Resource, Rlimit, geteuid, kill_process, setrlimit};
use smol::stream::StreamExt;

use crate::calendar::text::harmless;
use crate::error::{Error, Result};

pub use self::background::{Background, Started, start};
pub use self::notify::Supervisor;
pub use self::pid_file::PidFile;

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

impl Supervisor {
    /// The one of this process's environment, which is left as it is: no other program is started.
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        // It may be meant for a process that this one was started by.
        let pid = std::process::id().to_string();
        let is_meant = variable("WATCHDOG_PID").is_none_or(|of| of == pid);
        let us = variable("WATCHDOG_USEC").and_then(|us| us.parse().ok()).filter(|us| *us > 0);
        let watchdog = us.filter(|_| is_meant).map(Duration::from_micros);
        Self::at(&socket, watchdog).unwrap_or_else(|error| {
            log::warn!("{error}");
            Self::default()
        })
    }
}

/// Asks the server of a data folder to read its configuration again, and says which process that
/// is. `None` when there is none, or none that may be asked: the system shows no locks of others.
pub fn ask_to_reload(folder: &Path) -> Option<i32> {
    let inode = fs::metadata(folder).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // Another file system may have the same number: what is asked is at least one of ours.
    let mut holders = locks.lines().filter_map(|line| lock_holder(line, inode));
    let holder = holders.find(|pid| is_calendarbot(*pid))?;
    kill_process(Pid::from_raw(holder)?, rustix::process::Signal::HUP).ok()?;
    Some(holder)
}

/// True when a process is there that is this program, too.
fn is_calendarbot(pid: i32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| name.trim_end() == env!("CARGO_PKG_NAME"))
}

/// The process that holds a lock on the folder with this inode, from a line of `/proc/locks`
/// (proc(5)): `1: FLOCK  ADVISORY  WRITE 412 b3:02:1234 0 EOF`.
fn lock_holder(line: &str, inode: u64) -> Option<i32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next() != Some("FLOCK") {
        return None;
    }
    let (pid, place) = (words.nth(2)?, words.next()?);
    let is_it = place.rsplit(':').next()?.parse() == Ok(inode);
    is_it.then(|| pid.parse().ok())?
}

/// Sends the log to standard error, one line an event: with journald's priority in front when
/// that is where it goes, with the level's name otherwise.
pub fn log_to_stderr(level: log::LevelFilter) {
    static LOGGER: std::sync::OnceLock<Logger> = std::sync::OnceLock::new();
    let journal = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let prefixed = fstat(io::stderr()).is_ok_and(|file| is_it(&journal, file.st_dev, file.st_ino));
    // A second logger in one process is a test's business: the first stays.
    let _ = log::set_logger(LOGGER.get_or_init(|| Logger { prefixed }));
    log::set_max_level(level);
}

/// True when `JOURNAL_STREAM` names this file (systemd.exec(5)). The variable alone says nothing: the
/// log may have been sent elsewhere since.
fn is_it(journal: &str, device: u64, inode: u64) -> bool {
    journal == format!("{device}:{inode}")
}

/// Keeps the addresses of feeds, which memory is full of, out of files that a crash leaves. The
/// process stays open to its own user: it reads its figures in `/proc/self` itself.
pub fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        log::warn!("a crash may leave feeds' addresses in a file: {error}");
    }
}

/// Says so when the program may do more than it needs to.
pub fn warn_of_root() {
    if geteuid().is_root() {
        log::warn!(
            "it runs as root and need not: give it a user of its own; a port below 1024 needs \
             CAP_NET_BIND_SERVICE alone"
        );
    }
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
        let _ = writeln!(io::stderr(), "{prefix}{text}");
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_told_from_a_file() {
        for (journal, holds) in [("8:1234", true), ("8:123", false), ("9:1234", false), ("", false)]
        {
            assert_eq!(is_it(journal, 8, 1234), holds, "{journal}");
        }
    }

    #[test]
    fn the_holder_of_a_folder_s_lock_is_found() {
        let line = "1: FLOCK  ADVISORY  WRITE 412 b3:02:1234 0 EOF";
        assert_eq!(lock_holder(line, 1234), Some(412));
        assert_eq!(lock_holder(line, 123), None);
        for other in ["", "2: POSIX  ADVISORY  WRITE 412 b3:02:1234 0 EOF", "1: FLOCK", "x"] {
            assert_eq!(lock_holder(other, 1234), None, "{other}");
        }
    }
}
