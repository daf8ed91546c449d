//! The program as a process: signals, exit codes, memory, threads, sudden death.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::folder;
use crate::routes::WORK;
use crate::soak::kib;

/// A program for another machine is run by what emulates it: cross/pi.mk names that.
pub(crate) const BINARY: &str = match option_env!("PROGRAM_UNDER_TEST") {
    Some(path) => path,
    None => env!("CARGO_BIN_EXE_calendarbot"),
};

/// A running process; killed when it is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    log: BufReader<std::process::ChildStderr>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("HOME", folder).env("TZ", "Europe/Berlin").args(arguments);
    command.arg("--data-dir").arg(folder.join("data"));
    command
}

pub(crate) fn output(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("it runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a configuration with one feed on this server.
pub(crate) fn configure(folder: &Path, url: &str, further: &str) -> String {
    let path = folder.join("calendarbot.toml");
    let feed = format!("[[feeds]]\nname = \"a\"\nurl = \"{url}\"\nallow_private_address = true\n");
    fs::write(&path, format!("{further}\n{feed}")).expect("written");
    path.to_str().expect("a name in UTF-8").to_owned()
}

impl Process {
    /// Starts the program on a free port and reads from its log where that is.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = command(folder, &["--port", "0"]);
        command.args(arguments).stderr(Stdio::piped());
        Self::of(command)
    }

    /// Runs a command and reads from its log where it serves.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        let mut process = Self { child, address: ([0, 0, 0, 0], 0).into(), log };
        let line = process.until_logged("serves at http://");
        let (_, rest) = line.split_once("serves at http://").expect("an address");
        process.address = rest.split('/').next().and_then(|it| it.parse().ok()).expect("one");
        process
    }

    pub(crate) fn ask(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(self.address).expect("connected");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        text(&answer)
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// Waits, for as long as the test is allowed to run, until an answer holds a text.
    pub(crate) async fn until(&self, path: &str, wanted: &str) -> String {
        self.until_it(path, |answer| answer.contains(wanted)).await
    }

    /// The same until `holds` says so.
    pub(crate) async fn until_it(&self, path: &str, holds: impl Fn(&str) -> bool) -> String {
        loop {
            let answer = smol::unblock({
                let address = self.address;
                let request = format!("GET {path} HTTP/1.0\r\n\r\n");
                move || {
                    let mut socket = TcpStream::connect(address).expect("connected");
                    socket.write_all(request.as_bytes()).expect("sent");
                    let mut answer = Vec::new();
                    let _ = socket.read_to_end(&mut answer);
                    text(&answer)
                }
            })
            .await;
            if holds(&answer) {
                return answer;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().expect("sent");
        assert!(sent.success());
    }

    /// A figure of `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("read");
        kib(&status, name)
    }

    /// Reads the log up to a line that holds a text.
    pub(crate) fn until_logged(&mut self, wanted: &str) -> String {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("a line") > 0, "it ended too soon");
        }
        line
    }

    /// Reads the log on in a thread: at the finest level it would fill its pipe.
    pub(crate) fn collect_log(&mut self) -> JoinHandle<String> {
        let begun = text(self.log.buffer());
        let rest = self.log.get_ref().as_fd().try_clone_to_owned().expect("cloned");
        thread::spawn(move || {
            let mut log = Vec::new();
            let _ = fs::File::from(rest).read_to_end(&mut log);
            begun + &text(&log)
        })
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        let _ = self.log.read_to_string(&mut rest);
        rest
    }
}

/// A number of a JSON answer.
pub(crate) fn number(body: &str, name: &str) -> u64 {
    let (_, rest) = body.split_once(&format!("\"{name}\":")).expect("the figure");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// Bytes of feeds read so far; the section is told by its first figure.
fn feed_bytes(stats: &str) -> u64 {
    let (_, feeds) = stats.split_once("\"feeds\":{").expect("the section");
    number(feeds, "bytes")
}

#[test]
fn the_demo_needs_nothing() {
    run(|_| async {
        let folder = folder();
        let process = Process::start(folder.path(), &[]);
        let answer = process.until("/api/v1/next", "\"next\":{").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"));
        assert!(answer.contains("\"zone\":\"Europe/Berlin\""), "{answer}");
        assert!(process.get("/").contains("demo"), "the page says that it is the demo");
        let next = output(folder.path(), &["next"]);
        assert!(next.status.success() && !next.stdout.is_empty());
    });
}

#[test]
fn term_and_interrupt_stop_it_in_good_order() {
    for signal in ["-TERM", "-INT"] {
        let folder = folder();
        let mut process = Process::start(folder.path(), &[]);
        process.signal(signal);
        assert_eq!(process.wait(), Some(0));
        assert!(process.rest_of_log().contains("stopped"));
    }
}

#[test]
fn a_hangup_reads_the_configuration_again_and_a_wrong_one_changes_nothing() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let url = server.url("/a.ics").to_string();
        let path = configure(folder.path(), &url, "time_zone = \"Europe/Berlin\"");
        let mut process = Process::start(folder.path(), &["-c", &path]);
        process.until("/api/v1/calendars", "\"events\":3").await;
        configure(folder.path(), &url, "time_zone = \"Asia/Tokyo\"");
        process.signal("-HUP");
        process.until("/api/v1/calendars", "+09:00").await;
        fs::write(&path, "prot = 80\n").expect("written");
        process.signal("-HUP");
        let line = process.until_logged("prot");
        assert!(line.contains("port"), "a suggestion: {line}");
        process.until("/api/v1/calendars", "+09:00").await;
    });
}

#[test]
fn a_configuration_file_that_is_gone_takes_no_feed_with_it() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        // The file is found where it usually is, so that it may be missing.
        let home = folder.path().join(".config/calendarbot");
        fs::create_dir_all(&home).expect("made");
        let path = configure(&home, server.url("/a.ics").as_str(), "");
        let mut process = Process::start(folder.path(), &[]);
        process.until("/api/v1/calendars", "\"events\":3").await;
        fs::remove_file(&path).expect("removed");
        process.signal("-HUP");
        let line = process.until_logged("reload");
        assert!(line.contains("the configuration file is gone; the old one stays"), "{line}");
        let calendars = process.get("/api/v1/calendars");
        assert!(calendars.contains("\"events\":3"), "{calendars}");
    });
}

#[test]
fn what_cannot_start_says_why_and_how() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let file = folder.path().join("a-file");
    fs::write(&file, "").expect("written");
    let inside = file.join("data");
    let inside = inside.to_str().expect("a name in UTF-8");
    for (arguments, code, said) in [
        (&["--port", &port][..], 1, "--port"),
        (&["--host", "192.0.2.1", "--port", "0"], 1, "--host"),
        (&["--port", "0", "--data-dir", inside], 1, "--data-dir"),
        (&["--memory-budget", "1MiB"], 78, "from 8 MiB"),
        (&["-c", "/nonexistent.toml"], 78, "/nonexistent.toml"),
        (&["--prot", "80"], 2, "--port"),
        (&["sevre"], 2, "serve"),
    ] {
        // The folder that a row names comes last, and the last option counts.
        let mut command = Command::new(BINARY);
        command.env_clear().env("HOME", folder.path());
        let output = command.args(arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Root may write anywhere but where nothing can be written.
    let output = Command::new(BINARY)
        .env_clear()
        .args(["--port", "0", "--data-dir", "/proc/calendarbot"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/proc/calendarbot"), "{}", text(&output.stderr));
}

#[test]
fn the_other_commands_print_what_they_promise() {
    let folder = folder();
    for (arguments, said) in [
        (&["--version"][..], "calendarbot 0."),
        (&["--help"], "--memory-budget"),
        (&["check"], "the demo calendar is served"),
        (&["plan", "--memory-budget", "16MiB"], "socket buffers"),
    ] {
        let output = output(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(said), "{}", text(&output.stdout));
    }
    let output = output(folder.path(), &["next"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no database"), "{}", text(&output.stderr));
}

/// kill -9 in the middle of a refresh, eight times: the last good data is served at once, and
/// the database is whole.
#[test]
fn sudden_death_during_a_refresh_loses_nothing() {
    run(|executor| async move {
        let folder = folder();
        let good = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let path = configure(folder.path(), good.url("/a.ics").as_str(), "");
        let process = Process::start(folder.path(), &["-c", &path]);
        process.until("/api/v1/next", "\"next\":{").await;
        drop(process);
        let large = FeedServer::start(&executor, Script::new().generated("/a.ics", 4000));
        let path = configure(folder.path(), large.url("/a.ics").as_str(), "");
        for round in 1..=8 {
            let process = Process::start(folder.path(), &["-c", &path]);
            let answer = smol::unblock({
                let address = process.address;
                move || {
                    let mut socket = TcpStream::connect(address).expect("connected");
                    socket.write_all(b"GET /api/v1/events HTTP/1.0\r\n\r\n").expect("sent");
                    let mut answer = String::new();
                    let _ = socket.read_to_string(&mut answer);
                    answer
                }
            })
            .await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "round {round}: {answer}");
            large.seen(round).await;
            // Another point of the refresh each time; the whole of it is over six megabytes.
            let bytes = 700_000 * round as u64;
            process.until_it("/stats", |stats| feed_bytes(stats) > bytes).await;
            process.signal("-KILL");
            drop(process);
            let database = folder.path().join("data/calendarbot.db");
            let connection = rusqlite::Connection::open(database).expect("opened");
            let verdict: String = connection
                .pragma_query_value(None, "integrity_check", |row| row.get(0))
                .expect("checked");
            assert_eq!(verdict, "ok", "round {round}");
        }
    });
}

/// Requests that trip other servers leave the number of threads where it was.
#[test]
fn there_are_never_more_than_four_threads() {
    run(|executor| async move {
        let folder = folder();
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let path = configure(folder.path(), server.url("/a.ics").as_str(), "");
        let process = Process::start(folder.path(), &["-c", &path]);
        process.until("/api/v1/next", "\"next\":{").await;
        let mut crowd = Vec::new();
        for _ in 0..64 {
            let mut socket = TcpStream::connect(process.address).expect("connected");
            socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
            crowd.push(socket);
        }
        let expecting = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                         Expect: 100-continue\r\nContent-Type: application/json\r\n\
                         Content-Length: 2\r\n\r\n{}";
        let answer = process.ask(expecting);
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        assert!(answer.contains("HTTP/1.1 202 Accepted"), "{answer}");
        let name = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: M\u{fc}ller\r\n\r\n";
        assert!(process.ask(name).starts_with("HTTP/1.1 200"));
        let mut socket = TcpStream::connect(process.address).expect("connected");
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(10 << 20));
        // The server stops reading long before the end, and its answer says why.
        let _ = socket.write_all(long.as_bytes());
        let mut status = [0; 12];
        socket.read_exact(&mut status).expect("a status");
        assert_eq!(&status, b"HTTP/1.1 414");
        for mut socket in crowd {
            let mut status = [0; 12];
            socket.read_exact(&mut status).expect("others are served");
            assert_eq!(text(&status), "HTTP/1.1 200", "{}", process.get("/stats"));
        }
        assert!(process.status("Threads") <= 4, "{} threads", process.status("Threads"));
    });
}

/// The peak of the whole process with a small and a large feed, in the least budget and
/// in that of a Pi.
#[test]
fn feeds_of_500_and_of_20_000_events_fit_into_the_budget() {
    run(|executor| async move {
        for (mib, events) in [(8, 500), (8, 20_000), (16, 500), (16, 20_000)] {
            let budget = mib << 20;
            let folder = folder();
            let server = FeedServer::start(&executor, Script::new().generated("/a.ics", events));
            let path = configure(folder.path(), server.url("/a.ics").as_str(), "");
            let arguments = ["-c", &path, "--memory-budget", &format!("{mib}MiB")];
            let process = Process::start(folder.path(), &arguments);
            process.until("/stats", "\"refreshes\":1").await;
            process.until("/api/v1/events?limit=500", "\"id\":").await;
            process.get("/");
            let stats = process.get("/stats");
            let peak = process.status("VmHWM") * 1024;
            let (heap, heap_peak) = (number(&stats, "heap"), number(&stats, "heap_peak"));
            println!(
                "{events} events, {mib} MiB: VmHWM {} KiB, VmRSS {} KiB, heap {} KiB, heap peak {} KiB",
                peak / 1024,
                process.status("VmRSS"),
                heap / 1024,
                heap_peak / 1024
            );
            assert_eq!(number(&stats, "skipped"), 0);
            // The least budget is the release build's: this one's code alone is larger.
            assert!(mib == 8 || peak <= budget, "{events} events, {mib} MiB: {peak} bytes");
            assert!(
                heap_peak < budget / 2,
                "{events} events, {mib} MiB: {heap_peak} bytes of heap"
            );
        }
    });
}

#[test]
fn the_access_log_has_a_line_for_every_answer_when_it_is_asked_for() {
    for (arguments, lines) in [(&["--access-log"][..], 3), (&[], 0)] {
        let folder = folder();
        let mut process = Process::start(folder.path(), arguments);
        process.get("/healthz?a=%1b");
        process.ask("nonsense\n\n");
        process.ask("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
        process.signal("-TERM");
        assert_eq!(process.wait(), Some(0));
        let log = process.rest_of_log();
        let found: Vec<_> = log.lines().filter(|line| line.contains("127.0.0.1 \"")).collect();
        assert_eq!(found.len(), lines, "{log}");
        if let [first, second, third] = found[..] {
            assert!(first.starts_with("127.0.0.1 \"GET /healthz?a=%1b HTTP/1.1\" 200 "), "{first}");
            assert!(second.starts_with("127.0.0.1 \"nonsense\" 400 "), "{second}");
            assert!(third.starts_with("127.0.0.1 \"POST /nothing HTTP/1.1\" 404 "), "{third}");
        }
    }
}

/// Of all lines, those about refusals must name who was refused and not the proxy.
#[test]
fn the_access_log_names_the_client_behind_a_proxy() {
    let folder = folder();
    let environment = ("CALENDARBOT_TRUSTED_PROXIES", "127.0.0.1");
    let mut command = command(folder.path(), &["--port", "0", "--access-log"]);
    command.env(environment.0, environment.1).stderr(Stdio::piped());
    let mut process = Process::of(command);
    for (request, body) in [("GET /healthz", ""), ("GET /nothing", ""), ("POST /nothing", "{}")] {
        process.ask(&format!(
            "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             X-Forwarded-For: 203.0.113.7\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
    }
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    let log = process.rest_of_log();
    let of_client = log.lines().filter(|line| line.starts_with("203.0.113.7 \"")).count();
    assert_eq!(of_client, 3, "{log}");
}

/// More clients than there are descriptors, each of which stays.
#[test]
fn where_descriptors_run_out_the_longest_idle_makes_room() {
    let folder = folder();
    let script = "ulimit -n 48; exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    let data = folder.path().join("data");
    command.env_clear().env("HOME", folder.path()).args(["-c", script, BINARY, "--port", "0"]);
    command.arg("--data-dir").arg(data).stderr(Stdio::piped());
    let mut process = Process::of(command);
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut client = TcpStream::connect(process.address).expect("connected");
        client.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut status = [0; 12];
        client.read_exact(&mut status).expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200");
        clients.push(client);
    }
    let stats = process.get("/stats");
    assert!(number(&stats, "accept_errors") > 0, "{stats}");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
    assert!(!process.rest_of_log().contains("cannot accept"), "nobody had to wait");
}

/// The supervisor's way: a bound socket as file 3, LISTEN_FDS and LISTEN_PID.
#[test]
fn a_socket_that_is_handed_over_takes_the_place_of_the_port() {
    let folder = folder();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.env_clear().env("HOME", folder.path()).args(["-c", script, BINARY, "--port", "1"]);
    command.stdin(std::os::fd::OwnedFd::from(socket)).stderr(Stdio::piped());
    let mut process = Process::of(command);
    assert_eq!(process.address, address);
    assert!(process.get("/healthz").starts_with("HTTP/1.1 200 OK"));
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}
