//! The program as a daemon: what it tells the service manager.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::feed_server::{FeedServer, Script, run};
use crate::process::{Process, command, configure};
use crate::rig::folder;
use crate::routes::WORK;

/// The service manager's side.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// One that listens in a folder, or at a name that is no file.
    fn new(folder: Option<&Path>) -> (Self, String) {
        let (address, name) = match folder {
            Some(folder) => {
                let path = folder.join("notify");
                (SocketAddr::from_pathname(&path), path.display().to_string())
            }
            None => {
                let name = format!("calendarbot-test-{}", std::process::id());
                (SocketAddr::from_abstract_name(&name), format!("@{name}"))
            }
        };
        let socket = UnixDatagram::bind_addr(&address.expect("an address")).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        (Self { socket }, name)
    }

    fn next(&self) -> String {
        let mut message = [0; 512];
        let length = self.socket.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    /// The next message with this line, which others may come before.
    fn until(&self, line: &str) -> String {
        (0..100).map(|_| self.next()).find(|text| text.lines().any(|it| it == line)).expect(line)
    }
}

fn supervised(folder: &Path, socket: &str, environment: &[(&str, &str)], more: &[&str]) -> Process {
    let mut command = command(folder, &["--port", "0"]);
    command.args(more).env("NOTIFY_SOCKET", socket).envs(environment.iter().copied());
    command.stderr(Stdio::piped());
    Process::of(command)
}

/// Ready before the feed's server has answered anything: it never does.
#[test]
fn it_is_ready_before_anything_is_fetched() {
    let folder = folder();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/a.ics", silent.local_addr().expect("bound"));
    let path = configure(folder.path(), &url, "");
    let (manager, socket) = Manager::new(Some(folder.path()));
    let process = supervised(folder.path(), &socket, &[], &["-c", &path]);
    assert!(manager.next().starts_with("STATUS=opening the stored data\nEXTEND_TIMEOUT_USEC="));
    let address = process.address;
    assert_eq!(manager.next(), format!("READY=1\nSTATUS=http://{address}/"));
    let status = format!("STATUS=http://{address}/: 0 events, no data yet, posture normal");
    assert_eq!(manager.next(), status);
}

#[test]
fn reload_and_stop_are_told_from_beginning_to_end() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let path = configure(folder.path(), server.url("/a.ics").as_str(), "");
        let (manager, socket) = Manager::new(None);
        let mut process = supervised(folder.path(), &socket, &[], &["-c", &path]);
        process.until("/api/v1/calendars", "\"events\":3").await;
        // A reload that is refused is over, too.
        for further in ["time_zone = \"Asia/Tokyo\"", "prot = 80"] {
            configure(folder.path(), server.url("/a.ics").as_str(), further);
            process.signal("-HUP");
            let reloading = manager.until("RELOADING=1");
            let since = reloading.split_once("\nMONOTONIC_USEC=").expect("the time").1;
            assert!(since.parse::<u64>().expect("a number") > 0);
            assert_eq!(manager.until("READY=1"), "READY=1");
        }
        process.signal("-TERM");
        manager.until("STOPPING=1");
        assert_eq!(process.wait(), Some(0));
    });
}

#[test]
fn a_watchdog_hears_of_it_only_when_it_is_its_own() {
    for (pid, is_watched) in [(None, true), (Some("1"), false)] {
        let folder = folder();
        let (manager, socket) = Manager::new(Some(folder.path()));
        let mut environment = vec![("WATCHDOG_USEC", "20000")];
        environment.extend(pid.map(|pid| ("WATCHDOG_PID", pid)));
        let mut process = supervised(folder.path(), &socket, &environment, &[]);
        if is_watched {
            (0..3).for_each(|_| _ = manager.until("WATCHDOG=1"));
        }
        process.signal("-TERM");
        let messages: Vec<String> = std::iter::from_fn(|| Some(manager.next()))
            .take_while(|text| !text.starts_with("STOPPING=1"))
            .collect();
        assert!(is_watched || messages.iter().all(|text| text != "WATCHDOG=1"), "{messages:?}");
        assert_eq!(process.wait(), Some(0));
    }
}

/// A manager that is named wrongly is worth a warning; nothing else depends on it.
#[test]
fn without_a_manager_it_serves_all_the_same() {
    let folder = folder();
    let mut process = supervised(folder.path(), "/nonexistent/notify", &[], &[]);
    assert!(process.get("/healthz").starts_with("HTTP/1.1 200"));
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}
