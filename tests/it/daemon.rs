//! The program as a daemon: what it tells the service manager, where it leaves its number and its
//! log, what of it outlives a crash, and how it gets into the background.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::feed_server::{FeedServer, Script, run};
use crate::process::{Process, command, configure, output, text};
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

/// A request that is half here when it is told to stop is answered.
#[test]
fn who_is_in_the_middle_of_asking_is_answered_after_the_order_to_stop() {
    let folder = folder();
    let (manager, socket) = Manager::new(Some(folder.path()));
    let mut process = supervised(folder.path(), &socket, &[], &[]);
    let mut client = TcpStream::connect(process.address).expect("connected");
    client.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").expect("sent");
    // Its turn comes after that of the first half.
    process.get("/healthz");
    process.signal("-TERM");
    manager.until("STOPPING=1");
    client.write_all(b"\r\n").expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(process.wait(), Some(0));
}

#[test]
fn its_number_is_in_a_file_as_long_as_it_serves() {
    let folder = folder();
    let path = folder.path().join("calendarbot.pid");
    let name = path.to_str().expect("a name in UTF-8");
    // Left behind by a machine that lost its power.
    fs::write(&path, "4194305\n").expect("written");
    let mut process = Process::start(folder.path(), &["--pid-file", name]);
    let number = || fs::read_to_string(&path).expect("a number");
    assert_eq!(number(), format!("{}\n", process.child.id()));
    let data = folder.path().join("other");
    let data = data.to_str().expect("a name in UTF-8");
    let mut second = command(folder.path(), &["--port", "0", "--pid-file", name]);
    let second = second.args(["--data-dir", data]).output().expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let said = format!("is of a calendarbot that runs as process {}", process.child.id());
    assert!(text(&second.stderr).contains(&said), "{}", text(&second.stderr));
    assert_eq!(number(), format!("{}\n", process.child.id()), "the first one's");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    assert!(!path.exists());
}

#[test]
fn a_number_s_file_without_a_folder_is_in_that_of_the_run() {
    let folder = folder();
    let check = |environment: &[(&str, &str)]| {
        let mut command = command(folder.path(), &["check", "--pid-file", "a.pid"]);
        let output = command.envs(environment.iter().copied()).output().expect("it runs");
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(check(&[("XDG_RUNTIME_DIR", "/run/user/1")]).0, Some(0));
    let (code, said) = check(&[]);
    assert_eq!(code, Some(78));
    assert!(said.contains("--pid-file is \"a.pid\"; allowed: an absolute path"), "{said}");
}

/// Priorities are for the journal alone: a log that was sent elsewhere since has words.
#[test]
fn the_log_has_priorities_only_where_it_goes_to_the_journal() {
    for (is_journal, first) in [(true, "<6>calendarbot "), (false, "calendarbot ")] {
        let folder = folder();
        let path = folder.path().join("log");
        let file = File::create(&path).expect("made");
        let inode = file.metadata().expect("read");
        let inode = (inode.dev(), inode.ino() + u64::from(!is_journal));
        let (manager, socket) = Manager::new(Some(folder.path()));
        let mut command = command(folder.path(), &["--port", "0"]);
        command.env("JOURNAL_STREAM", format!("{}:{}", inode.0, inode.1));
        let mut child = command.env("NOTIFY_SOCKET", socket).stderr(file).spawn().expect("started");
        (0..2).for_each(|_| _ = manager.next());
        let _ = child.kill();
        let _ = child.wait();
        let log = fs::read_to_string(&path).expect("a log");
        assert!(log.lines().any(|line| line.starts_with(first)), "{log}");
    }
}

#[test]
fn a_crash_leaves_nothing_and_its_own_figures_are_there() {
    let folder = folder();
    let (_manager, socket) = Manager::new(Some(folder.path()));
    let mut process = supervised(folder.path(), &socket, &[], &[]);
    let proc = format!("/proc/{}", process.child.id());
    let limits = fs::read_to_string(format!("{proc}/limits")).expect("read");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = core.expect("a limit").split_whitespace().skip(4).take(2).collect();
    assert_eq!(words, ["0", "0"]);
    // What may not be looked into belongs to root (proc(5)), and would be closed to itself.
    let owner = fs::metadata(format!("{proc}/environ")).expect("it lives").uid();
    assert_eq!(owner, fs::metadata(folder.path()).expect("made").uid());
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

/// The number in "… as process 412".
fn background(said: &str) -> u32 {
    let (_, pid) = said.trim_end().rsplit_once(" as process ").expect("the number");
    pid.parse().expect("a number")
}

#[test]
fn in_the_background_it_says_where_it_serves_and_goes_on() {
    let folder = folder();
    let log = folder.path().join("log");
    let pid_file = folder.path().join("pid");
    let pid_file = pid_file.to_str().expect("a name in UTF-8");
    let mut command = command(folder.path(), &["--daemon", "--port", "0", "--pid-file", pid_file]);
    command.stdout(Stdio::piped()).stderr(File::create(&log).expect("made"));
    let output = command.spawn().expect("started").wait_with_output().expect("it ends");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let pid = background(&said);
    let address = said.strip_prefix("calendarbot serves at http://").expect("an address");
    let address = address.split('/').next().expect("one");
    let mut client = TcpStream::connect(address).expect("connected");
    client.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // In a session of its own: fields 4 and 6 of proc(5)'s stat.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields: Vec<_> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    assert_eq!(fields[3], pid.to_string(), "its session");
    for descriptor in [0, 1] {
        let file = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).expect("open");
        assert_eq!(file, Path::new("/dev/null"));
    }
    let stop = std::process::Command::new("kill").arg(pid.to_string()).status().expect("sent");
    assert!(stop.success());
    // It is nobody's child here: it is gone when its number is.
    run(|_| async move {
        while Path::new(&format!("/proc/{pid}")).exists() && Path::new(pid_file).exists() {
            smol::future::yield_now().await;
        }
    });
    assert!(fs::read_to_string(&log).expect("a log").contains("serves at http://"));
}

#[test]
fn a_start_in_the_background_that_fails_ends_as_the_program_would() {
    let folder = folder();
    for (arguments, code, said) in [
        (&["--daemon", "--port", "0", "-c", "/nonexistent.toml"][..], 78, "/nonexistent.toml"),
        (&["--daemon", "--host", "192.0.2.1", "--port", "0"], 1, "--host"),
        (&["--daemon", "check"], 2, "--daemon belongs to the command serve"),
    ] {
        let output = output(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}
