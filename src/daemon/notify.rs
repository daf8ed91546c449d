//! What the service manager is told, by the protocol of sd_notify(3): a datagram a message. Without
//! a service manager nothing is said.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::error::{Error, Result};

/// The loop waits no longer for a service manager that does not read: it has clients.
const PATIENCE: Duration = Duration::from_millis(100);
/// From one status to the next, at least.
const STATUS_INTERVAL: Duration = Duration::from_secs(60);
/// Opening may read the whole database, from a slow card; the manager would wait 90 seconds.
const OPENING: Duration = Duration::from_secs(300);
/// A watchdog that is set lower is shown a sign of life this often all the same.
const LIFE_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The service manager, if there is one.
#[derive(Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life.
    life_interval: Option<Duration>,
    told: RefCell<Told>,
}

/// What it was told last.
#[derive(Default)]
struct Told {
    address: String,
    status: String,
    at: Option<Moment>,
}

impl Supervisor {
    /// The one that listens at `socket` (`NOTIFY_SOCKET`), and restarts the program when it hears
    /// nothing for as long as `watchdog`.
    ///
    /// # Errors
    /// When `socket` is no address, or there is no socket to be had.
    pub fn at(socket: &OsStr, watchdog: Option<Duration>) -> Result<Self> {
        let unusable = |error: io::Error| {
            Error::system("the service manager cannot be told anything (NOTIFY_SOCKET)")
                .because(error)
        };
        let open = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        let to = address(socket).map_err(unusable)?;
        let socket = Some((open().map_err(unusable)?, to));
        let life_interval = watchdog.map(|span| (span / 2).max(LIFE_INTERVAL_MIN));
        Ok(Self { socket, life_interval, told: RefCell::default() })
    }

    /// The stored data is being opened, which may take its time.
    pub fn opening(&self) {
        let us = OPENING.as_micros();
        self.tell(&format!("STATUS=opening the stored data\nEXTEND_TIMEOUT_USEC={us}"));
    }

    /// The program answers at `address`; fetching has not begun.
    pub fn ready(&self, address: &str) {
        self.tell(&format!("READY=1\nSTATUS={address}"));
        *self.told.borrow_mut() = Told { address: address.to_owned(), ..Told::default() };
    }

    /// The configuration is being read again. [`Supervisor::reloaded`] must follow.
    pub fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", Clock::monotonic_us()));
    }

    /// The new configuration is in force, or the old one still is.
    pub fn reloaded(&self) {
        self.tell("READY=1");
    }

    /// The program takes no more clients and ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=answering who is still there");
    }

    /// Shows that the loop turns. Run it as a task of the loop, once, for as long as there is one.
    pub async fn watch(self: Rc<Self>, clock: Clock) {
        let Some(interval) = self.life_interval else { return };
        loop {
            self.tell("WATCHDOG=1");
            clock.sleep(interval).await;
        }
    }

    /// How the program fares, if that is another text than before and a minute has gone by: people
    /// read it, and each one wakes the manager.
    pub fn status(&self, now: Moment, text: impl FnOnce() -> String) {
        let mut told = self.told.borrow_mut();
        let is_early = told.at.is_some_and(|at| now.since(at) < STATUS_INTERVAL);
        if self.socket.is_none() || is_early {
            return;
        }
        let text = text();
        if told.status != text && self.tell(&format!("STATUS={}: {text}", told.address)) {
            (told.status, told.at) = (text, Some(now));
        }
    }

    /// True when it was taken. A manager that is gone or stuck is no reason to stop serving.
    fn tell(&self, message: &str) -> bool {
        let Some((socket, to)) = &self.socket else { return false };
        let sent = socket.send_to_addr(message.as_bytes(), to);
        sent.inspect_err(|error| log::debug!("the service manager was not told: {error}")).is_ok()
    }
}

/// A path, or a name in the abstract namespace behind an `@`.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(socket),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A manager that listens in this folder, and the program's side of it.
    fn manager(folder: &Path) -> (UnixDatagram, Supervisor) {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        (socket, Supervisor::at(path.as_os_str(), Some(Duration::from_secs(60))).unwrap())
    }

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    #[test]
    fn a_status_is_told_once_a_minute_and_only_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, supervisor) = manager(folder.path());
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        supervisor.ready("http://127.0.0.1:8080/");
        assert_eq!(heard(&socket).unwrap(), "READY=1\nSTATUS=http://127.0.0.1:8080/");
        for (seconds, text, told) in [
            (0, "1 event", true),
            (30, "2 events", false),
            (30, "2 events", true),
            (60, "2 events", false),
            (0, "3 events", true),
        ] {
            clock.advance(Duration::from_secs(seconds));
            supervisor.status(clock.now(), || text.into());
            let expected = told.then(|| format!("STATUS=http://127.0.0.1:8080/: {text}"));
            assert_eq!(heard(&socket), expected, "{text}");
        }
    }

    #[test]
    fn a_sign_of_life_comes_twice_as_often_as_it_must() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, supervisor) = manager(folder.path());
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let executor = smol::LocalExecutor::new();
        let watching = executor.spawn(Rc::new(supervisor).watch(clock.clone()));
        for (seconds, told) in [(0, true), (29, false), (1, true), (30, true)] {
            clock.advance(Duration::from_secs(seconds));
            while executor.try_tick() {}
            assert_eq!(heard(&socket).is_some(), told, "{seconds}");
        }
        drop(watching);
    }

    #[test]
    fn a_manager_that_is_gone_or_not_there_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, supervisor) = manager(folder.path());
        drop(socket);
        supervisor.stopping();
        Supervisor::default().stopping();
        for wrong in ["", "notify", "vsock:2:1", &"/x".repeat(100)] {
            assert!(Supervisor::at(OsStr::new(wrong), None).is_err(), "{wrong}");
        }
    }
}
