//! What a refresh of a large feed costs the program that serves meanwhile: memory, answers, and
//! the time for which its loop is held.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nanoserde::{DeJson, SerJson};

use crate::Result;
use crate::load::{self, End, Outcome, Plan};
use crate::server::{Server, Setting};

/// One request so often while the feed is refreshed: a household of displays.
const ASK_INTERVAL: Duration = Duration::from_millis(10);
/// Between two looks at how far the refresh is.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// For the whole refresh.
const PATIENCE: Duration = Duration::from_secs(120);
/// Runs of the program that measures its turns.
const PROBES: usize = 3;

/// A small calendar: what the program holds with it is what it holds when idle.
const SMALL: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:small\r\nDTSTART:20260105T090000Z\r\n\
SUMMARY:Small\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// What it costs.
#[derive(Clone, Debug, SerJson)]
pub struct Refresh {
    /// Bytes of the feed.
    pub bytes: u64,
    /// The resident set before it.
    pub idle_kib: f64,
    /// By how much it grew at most.
    pub growth_kib: f64,
    /// From the first byte of the feed to its events being served, while somebody asks.
    pub seconds: f64,
    /// Processor time of that, those who ask included.
    pub cpu_seconds: f64,
    /// What those who asked meanwhile saw: the slowest of all answers.
    pub answer_max_us: f64,
    /// Requests that failed.
    pub errors: u64,
    /// Turns of the loop, in the middle one of [`PROBES`] runs.
    pub turns: Turns,
}

/// What `refresh-turns` prints.
#[derive(Clone, Debug, Default, SerJson, DeJson)]
pub struct Turns {
    /// Turns that took more than a millisecond of processor time.
    pub over_1_ms: u64,
    /// The longest of all, in milliseconds of processor time.
    pub longest_ms: f64,
}

/// Measures a refresh of the feed in `file`.
///
/// # Errors
/// When the product or the feed's server fails.
pub fn measure(setting: &Setting, file: &Path) -> Result<Refresh> {
    let feeds = FeedServer::start(file, true)?;
    let command = |address: SocketAddr, folder: &Path| {
        let config = configure(folder, feeds.address, &["small", "large"])?;
        Ok(setting.command(Some(&config), address, folder))
    };
    let server = Server::start_with("calendarbot", command, "/stats", &[])?;
    watch(&server, 1)?;
    let idle = server.resident_bytes()?;
    server.restart_peak()?;
    let (began, spent_before) = (Instant::now(), server.cpu_time()?);
    feeds.release.send(())?;
    let outcomes = watch(&server, 2)?;
    let seconds = began.elapsed().as_secs_f64();
    let spent = server.cpu_time()?.saturating_sub(spent_before);
    let peak = server.peak_bytes()?;
    server.stop()?;
    feeds.serving.join().map_err(|_| "the feed server failed")??;
    Ok(Refresh {
        bytes: fs::metadata(file)?.len(),
        idle_kib: idle as f64 / 1024.0,
        growth_kib: peak.saturating_sub(idle) as f64 / 1024.0,
        seconds,
        cpu_seconds: spent.as_secs_f64(),
        answer_max_us: outcomes.iter().map(|outcome| outcome.max_us).fold(0.0, f64::max),
        errors: outcomes.iter().map(|outcome| outcome.errors).sum(),
        turns: turns(setting, file)?,
    })
}

/// Asks politely until so many refreshes have ended well.
fn watch(server: &Server, refreshes: u64) -> Result<Vec<Outcome>> {
    let plan = Plan {
        address: server.address,
        path: "/api/v1/next".to_owned(),
        connections: 1,
        end: End::Time(LOOK_INTERVAL),
        keep_alive: true,
        interval: Some(ASK_INTERVAL),
    };
    let began = Instant::now();
    let mut outcomes = Vec::new();
    while began.elapsed() < PATIENCE {
        outcomes.push(load::run(&plan)?);
        let stats = server.body("/stats")?;
        if stats.contains(&format!("\"refreshes\":{refreshes},")) {
            return Ok(outcomes);
        }
    }
    Err("the refresh does not end".into())
}

/// The run in the middle, by its longest turn.
fn turns(setting: &Setting, file: &Path) -> Result<Turns> {
    let mut runs = Vec::new();
    for _ in 0..PROBES {
        let feeds = FeedServer::start(file, false)?;
        let folder = tempfile::tempdir()?;
        let config = configure(folder.path(), feeds.address, &["large"])?;
        let output = Command::new(setting.own_binaries.join("refresh-turns"))
            .args([&config, &folder.path().join("data")])
            .arg(setting.budget)
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        feeds.serving.join().map_err(|_| "the feed server failed")??;
        runs.push(Turns::deserialize_json(&String::from_utf8(output.stdout)?)?);
    }
    runs.sort_by(|one, other| one.longest_ms.total_cmp(&other.longest_ms));
    Ok(runs.swap_remove(PROBES / 2))
}

fn configure(folder: &Path, address: SocketAddr, names: &[&str]) -> Result<PathBuf> {
    let feed = |name: &&str| {
        format!(
            "[[feeds]]\nname = \"{name}\"\nurl = \"http://{address}/{name}\"\n\
             allow_private_address = true\n"
        )
    };
    let path = folder.join("calendarbot.toml");
    fs::write(&path, names.iter().map(feed).collect::<String>())?;
    Ok(path)
}

/// Serves `/large` once, and before that `/small` once if there is one: the large calendar waits
/// until it is released.
struct FeedServer {
    address: SocketAddr,
    release: Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl FeedServer {
    fn start(large: &Path, with_small: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (release, released) = channel();
        let large = large.to_owned();
        let serving = std::thread::spawn(move || serve(&listener, &large, with_small, &released));
        Ok(Self { address, release, serving })
    }
}

fn serve(
    listener: &TcpListener,
    large: &Path,
    with_small: bool,
    released: &Receiver<()>,
) -> io::Result<()> {
    // Which of the two is asked for first, nobody has promised.
    let mut waiting = None;
    for _ in 0..1 + usize::from(with_small) {
        let (mut client, _) = listener.accept()?;
        if request_of(&mut client)?.starts_with(b"GET /small ") {
            answer(&mut client, SMALL.len() as u64, &mut SMALL.as_bytes())?;
        } else {
            waiting = Some(client);
        }
    }
    if with_small {
        released.recv().map_err(io::Error::other)?;
    }
    let mut client = waiting.ok_or_else(|| io::Error::other("nobody asks for the large one"))?;
    let mut file = File::open(large)?;
    answer(&mut client, file.metadata()?.len(), &mut file)
}

/// A request's head, which comes in one piece on loopback.
fn request_of(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 16 << 10];
    let count = client.read(&mut buffer)?;
    buffer.truncate(count);
    Ok(buffer)
}

fn answer(client: &mut TcpStream, bytes: u64, body: &mut impl Read) -> io::Result<()> {
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nContent-Length: {bytes}\r\n\
         Connection: close\r\n\r\n"
    )?;
    io::copy(body, client).map(drop)
}
