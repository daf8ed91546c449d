//! `--daemon`: for machines whose service manager, if they have one, does not keep programs in the
//! background by itself.
//!
//! The program starts itself anew, in a session of its own. Its standard output is a pipe back to
//! who started it: when it serves it says so there and lets go of it; when it cannot start the pipe
//! ends without a word, and its status is passed on.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{self, Command, Stdio};

use rustix::fs::{FileType, fstat};
use rustix::process::{Pid, getppid, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::error::{Error, Result};

/// The process that has started this one in the background.
const STARTED_BY: &str = "DAEMON_STARTED_BY";
/// More than an address and a number take.
const WORD_BYTES_MAX: u64 = 4096;

/// How a start in the background ended.
#[derive(Debug)]
pub enum Started {
    /// It serves: in its own words, for people.
    Serves(String),
    /// It ended with this status, and has said why on standard error.
    Failed(u8),
}

/// Starts this program in the background and waits until it serves.
///
/// # Errors
/// When it cannot be started at all.
pub fn start() -> Result<Started> {
    let failed = |error: io::Error| Error::system("cannot start in the background").because(error);
    let mut child = Command::new(env::current_exe().map_err(failed)?)
        .args(env::args_os().skip(1))
        .env(STARTED_BY, process::id().to_string())
        // A service manager would be told by a process that it does not know.
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut word = String::new();
    if let Some(pipe) = &mut child.stdout {
        pipe.take(WORD_BYTES_MAX).read_to_string(&mut word).map_err(failed)?;
    }
    if !word.is_empty() {
        return Ok(Started::Serves(word));
    }
    let code = child.wait().map_err(failed)?.code();
    Ok(Started::Failed(code.and_then(|code| code.try_into().ok()).unwrap_or(1)))
}

/// This process, when it was started in the background.
pub struct Background(());

impl Background {
    /// Leaves the terminal, if that is what this process is for.
    pub fn enter() -> Option<Self> {
        let by = env::var(STARTED_BY).ok()?;
        // A variable that has outlived who set it means nothing.
        let is_meant =
            getppid().map(Pid::as_raw_pid).is_some_and(|parent| by == parent.to_string());
        // It leads no group of processes, so this cannot be refused.
        is_meant.then(|| setsid().map(|_| Self(()))).and_then(|entered| entered.ok())
    }

    /// Says that it serves, and lets go of where that was said. The log goes on into a file;
    /// anything else belongs to people who are not there any more.
    ///
    /// # Errors
    /// When there is no `/dev/null`.
    pub fn serves(self, address: &str) -> Result<()> {
        let pid = process::id();
        // Who has waited may be gone.
        let _ = writeln!(io::stdout(), "calendarbot serves at {address} as process {pid}");
        let failed = |error| Error::system("cannot leave the terminal").because(error);
        let nothing = File::options().read(true).write(true).open("/dev/null").map_err(failed)?;
        let is_file = fstat(io::stderr())
            .is_ok_and(|file| FileType::from_raw_mode(file.st_mode) == FileType::RegularFile);
        if !is_file {
            dup2_stderr(&nothing).map_err(|error| failed(error.into()))?;
        }
        dup2_stdout(&nothing).map_err(|error| failed(error.into()))
    }
}
