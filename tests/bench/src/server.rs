//! One server under measurement: started on its core with a folder of its own, asked, stopped.

mod peers;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::Result;
pub use peers::Kind;

/// The budget of a Pi: 128 slots.
pub const BUDGET: &str = "16MiB";
/// From the start of a server to its first good answer, under valgrind too.
const START_TIME: Duration = Duration::from_secs(60);
/// From the order to stop to the end.
const STOP_TIME: Duration = Duration::from_secs(20);
/// Between two looks at a server that is starting: as few as will do, since it answers each.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// The same where it is measured how long it takes.
const CLOSE_LOOK_INTERVAL: Duration = Duration::from_micros(100);
/// For one answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What all servers of a run have in common.
pub struct Setting {
    /// The product's release binary.
    pub product: PathBuf,
    /// Where the peers of this package are.
    pub own_binaries: PathBuf,
    /// The view that is asked for.
    pub path: String,
    /// How many bytes the peers' bodies have.
    pub body_bytes: usize,
    /// The product's memory budget.
    pub budget: &'static str,
}

impl Setting {
    /// The command line that starts the product in `folder`, by this configuration or by none.
    pub fn command(
        &self,
        config: Option<&Path>,
        address: SocketAddr,
        folder: &Path,
    ) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let (port, data) = (address.port().to_string(), text(&folder.join("data")));
        let mut words = vec![text(&self.product)];
        words.extend(config.into_iter().flat_map(|config| ["-c".to_owned(), text(config)]));
        let further = ["--port", &port, "--data-dir", &data, "--memory-budget", self.budget];
        words.extend(further.map(str::to_owned));
        words
    }
}

/// A running server; it stops when dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a server, below `wrapper` (a tool and its arguments) if there is one, and waits
    /// until it answers what is asked for with 200.
    ///
    /// # Errors
    /// When it cannot be started or ends before it answers, with the end of what it said.
    pub fn start(kind: Kind, setting: &Setting, wrapper: &[String]) -> Result<Self> {
        let command = |address, folder: &Path| kind.command(setting, address, folder);
        Self::start_with(kind.name(), command, &setting.path, wrapper)
    }

    /// The same for a command that is made from the address to listen on and the server's folder.
    ///
    /// # Errors
    /// The same.
    pub fn start_with(
        name: &str,
        command: impl FnOnce(SocketAddr, &Path) -> Result<Vec<String>>,
        path: &str,
        wrapper: &[String],
    ) -> Result<Self> {
        let mut server = Self::spawn(command, &[&dies_with_parent()[..], wrapper].concat())?;
        server.await_answer(name, path, LOOK_INTERVAL)?;
        Ok(server)
    }

    /// The same below no other program, and how long it took from making the process to its first
    /// good answer.
    ///
    /// # Errors
    /// The same.
    pub fn start_timed(
        name: &str,
        command: impl FnOnce(SocketAddr, &Path) -> Result<Vec<String>>,
        path: &str,
    ) -> Result<(Self, Duration)> {
        let began = Instant::now();
        let mut server = Self::spawn(command, &[])?;
        server.await_answer(name, path, CLOSE_LOOK_INTERVAL)?;
        Ok((server, began.elapsed()))
    }

    fn spawn(
        command: impl FnOnce(SocketAddr, &Path) -> Result<Vec<String>>,
        wrapper: &[String],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Nobody else takes a port that the kernel has just given out, though they could.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let words = command(address, folder.path())?;
        let words = [wrapper, &words].concat();
        let (program, arguments) = words.split_first().ok_or("no program")?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Nobody's settings but those above; a group of its own, so that a tool and what it runs
        // are stopped together.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.current_dir(folder.path()).process_group(0);
        let child = on_server_core(|| command.spawn())?;
        Ok(Self { address, child, folder })
    }

    fn await_answer(&mut self, name: &str, path: &str, interval: Duration) -> Result<()> {
        self.answers(path, interval).map_err(|error| {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            format!("{name} does not start: {error}\n{log}").into()
        })
    }

    fn answers(&mut self, path: &str, interval: Duration) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < START_TIME {
            match get(self.address, path) {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => return Ok(()),
                Ok(_) | Err(_) => {}
            }
            if self.ends_within(interval)? {
                return Err(format!("{}", self.child.wait()?).into());
            }
        }
        Err("no good answer in time".into())
    }

    /// The process that serves; below a wrapper, the wrapper.
    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The body of an answer.
    ///
    /// # Errors
    /// When there is none, or it is not good.
    pub fn body(&self, path: &str) -> Result<String> {
        let answer = get(self.address, path)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("half an answer")?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("{path}: {head}").into());
        }
        Ok(body.to_owned())
    }

    /// Whole numbers of `/stats`, the first of each name.
    ///
    /// # Errors
    /// When it does not answer, or not with them.
    pub fn figures<const N: usize>(&self, names: [&str; N]) -> Result<[f64; N]> {
        let stats = self.body("/stats")?;
        let mut figures = [0.0; N];
        for (figure, name) in figures.iter_mut().zip(names) {
            let (_, rest) = stats.split_once(&format!("\"{name}\":")).ok_or("no such figure")?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            *figure = digits.parse()?;
        }
        Ok(figures)
    }

    /// Processor time of all threads so far: what utime and stime of `/proc/PID/stat` are the
    /// sum of, in nanoseconds instead of ticks.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            // A thread may have ended since.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += text.split(' ').next().ok_or("no figure")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// How often its threads have gone to sleep, and so have been woken.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn sleeps(&self) -> Result<u64> {
        let mut sleeps = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            sleeps += figure_of(&task?.path().join("status"), "voluntary_ctxt_switches")?;
        }
        Ok(sleeps)
    }

    /// The resident set, counted page by page.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.mapped_bytes("Rss")
    }

    /// A figure of `/proc/PID/smaps_rollup`, in bytes.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn mapped_bytes(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.pid());
        Ok(figure_of(Path::new(&path), name)? * 1024)
    }

    /// Makes [`Self::peak_bytes`] begin anew.
    ///
    /// # Errors
    /// When the kernel does not allow it.
    pub fn restart_peak(&self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.pid()), "5")?)
    }

    /// The most that the resident set has been.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn peak_bytes(&self) -> Result<u64> {
        Ok(status_kib(&self.pid().to_string(), "VmHWM")? * 1024)
    }

    /// Stops it in good order, so that its wrapper can write down what it has counted.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(mut self) -> Result<()> {
        kill_process_group(self.pid(), Signal::TERM)?;
        if !self.ends_within(STOP_TIME)? {
            return Err("a server does not stop".into());
        }
        self.child.wait()?;
        Ok(())
    }

    /// Kills it, as a power cut would.
    ///
    /// # Errors
    /// When the system does not.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Lets it be for some time.
    ///
    /// # Errors
    /// When it ends meanwhile.
    pub fn leave_alone(&self, time: Duration) -> Result<()> {
        if self.ends_within(time)? { Err("a server ends by itself".into()) } else { Ok(()) }
    }

    fn ends_within(&self, time: Duration) -> Result<bool> {
        let process = pidfd_open(self.pid(), PidfdFlags::empty())?;
        let timeout = Timespec::try_from(time)?;
        Ok(poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout))? > 0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// A figure of `/proc/PID/status`; of this process, with `self`.
///
/// # Errors
/// When the kernel does not tell.
pub fn status_kib(pid: &str, name: &str) -> Result<u64> {
    figure_of(Path::new(&format!("/proc/{pid}/status")), name)
}

/// The number behind a name and a colon at the start of a line.
fn figure_of(path: &Path, name: &str) -> Result<u64> {
    let text = fs::read_to_string(path)?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, figure) = fields.find(|(other, _)| *other == name).ok_or("no such figure")?;
    Ok(figure.split_whitespace().next().ok_or("no figure")?.parse()?)
}

/// One answer, on a connection of its own.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ANSWER_TIME))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    match socket.read_to_string(&mut answer) {
        // Whoever closes with a reset has answered first.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
        _ => Ok(answer),
    }
}

/// A program of the system, if it is installed.
pub fn installed(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let further = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&folders).chain(further);
    places.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
}

/// What a command begins with so that it never outlives this process, however that ends.
pub fn dies_with_parent() -> Vec<String> {
    let setpriv = installed("setpriv").map(|program| program.display().to_string());
    let options = ["--pdeathsig", "KILL"].map(str::to_owned);
    setpriv.into_iter().flat_map(|program| [program].into_iter().chain(options.clone())).collect()
}

/// The cores of server and load: the first two that this process may use at its start.
fn cores() -> Option<(usize, usize)> {
    static CORES: OnceLock<Option<(usize, usize)>> = OnceLock::new();
    *CORES.get_or_init(|| {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some((cores.next()?, cores.next()?))
    })
}

/// How server and load are kept apart, in words.
pub fn pinning() -> String {
    match cores() {
        Some((server, load)) => format!("servers on core {server}, load on core {load}"),
        None => "one core for all: times mean little here".to_owned(),
    }
}

/// Starts something on the server's core, which it inherits; this thread, which is the load,
/// stays on the other one.
fn on_server_core<T>(start: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    let Some((server_core, load_core)) = cores() else { return Ok(start()?) };
    pin(server_core)?;
    let started = start();
    pin(load_core)?;
    Ok(started?)
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
