//! The file with the process's number, for scripts that have nothing better to send signals by. That
//! two programs do not use the same data is the lock's business, not this file's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::{Error, Result};

use super::is_calendarbot;

/// More than a number and its line take.
const BYTES_MAX: u64 = 32;

/// A file with the number of this process; removed when it is dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes it as a whole, in the place of one that was left behind.
    ///
    /// # Errors
    /// When it is of another instance that runs, and when it cannot be written.
    pub fn write(path: &Path) -> Result<Self> {
        if let Some(pid) = number(path).filter(|pid| *pid != own() && is_calendarbot(*pid)) {
            return Err(Error::system(format!(
                "{} is of a calendarbot that runs as process {pid}: stop that one, or choose \
                 another pid_file",
                path.display()
            )));
        }
        let mut beside = path.to_owned().into_os_string();
        beside.push(format!(".{}", process::id()));
        let written = write_new(Path::new(&beside)).and_then(|()| fs::rename(&beside, path));
        if let Err(error) = written {
            let _ = fs::remove_file(&beside);
            let path = path.display();
            return Err(Error::system(format!("cannot write the pid_file {path}")).because(error));
        }
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else's by now is not ours to remove; one that stays is replaced at the next start.
        if number(&self.0) == Some(own()) {
            let _ = fs::remove_file(&self.0);
        }
    }
}

fn own() -> i32 {
    process::id().cast_signed()
}

fn write_new(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    writeln!(file, "{}", process::id())
}

/// The number that a file holds.
fn number(path: &Path) -> Option<i32> {
    // Nobody waits for a pipe's writer.
    fs::metadata(path).ok()?.is_file().then_some(())?;
    let mut text = String::new();
    File::open(path).ok()?.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_behind_is_replaced_and_what_is_another_s_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        // No number, none of a process, and that of a process which is another program.
        for left in ["", "x", "4194305", "1"] {
            fs::write(&path, left).unwrap();
            let file = PidFile::write(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", own()), "{left}");
            drop(file);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{left}");
        }
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = PidFile::write(Path::new("/proc/calendarbot.pid")).unwrap_err();
        assert!(error.to_string().contains("/proc/calendarbot.pid"), "{error}");
    }
}
