//! The load: a closed loop on one thread. Every client has one request under way and sends the
//! next when the answer is whole; or, with an interval, one client after the other asks.
//!
//! It reads only as much of an answer as it needs to know where it ends, so that it costs less
//! than any server it asks.

mod shape;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nanoserde::SerJson;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use shape::Shape;

/// Without an answer for so long, the run ends with what it has.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer that is understood.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Failed connections after which the run ends.
const ERRORS_MAX: u64 = 1_000;
/// Latencies that are kept for the percentiles.
const LATENCIES_MAX: usize = 8 << 20;

/// What to ask, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// What is asked for.
    pub path: String,
    /// Clients with a request under way at once.
    pub connections: usize,
    /// Ends the run.
    pub end: End,
    /// False: a new connection for each request.
    pub keep_alive: bool,
    /// One request so often, from one client after the other; without it, as fast as it goes.
    pub interval: Option<Duration>,
}

/// What is asked for by clients that do not all ask for the same.
#[derive(Clone, Copy)]
pub struct Variety<'v> {
    /// The path of the nth request of the run, from 0.
    pub path: &'v dyn Fn(u64) -> String,
    /// True when all clients ask at the same moment, and again when all have their answers.
    pub in_bursts: bool,
}

/// When the run is over.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// So many requests have been sent.
    Requests(u64),
    /// So much time has passed.
    Time(Duration),
}

/// What came of it.
#[derive(Clone, Debug, Default, SerJson)]
pub struct Outcome {
    /// Requests answered with 200.
    pub requests: u64,
    /// Other answers, and connections that failed.
    pub errors: u64,
    /// Wall time.
    pub seconds: f64,
    /// Requests over wall time.
    pub requests_per_second: f64,
    /// From sending a request (from connecting, where each request does) to having its answer:
    /// half of them were faster.
    pub p50_us: f64,
    /// 99 in 100 were faster.
    pub p99_us: f64,
    /// The slowest.
    pub max_us: f64,
}

/// One client.
struct Client {
    /// `None` until it asks, when each request has a connection of its own.
    socket: Option<TcpStream>,
    /// When the request under way was sent; `None` between two.
    asked: Option<Instant>,
    buffer: Vec<u8>,
    /// Bytes of the answer so far.
    filled: usize,
}

/// Runs a plan.
///
/// # Errors
/// When a client cannot connect, or the kernel gives no epoll set.
pub fn run(plan: &Plan) -> io::Result<Outcome> {
    let mut load = Load::new(plan)?;
    load.work()?;
    Ok(load.outcome())
}

/// The same for various paths instead of the plan's one.
///
/// # Errors
/// The same.
pub fn run_varied(plan: &Plan, variety: Variety<'_>) -> io::Result<Outcome> {
    let mut load = Load { variety: Some(variety), ..Load::new(plan)? };
    load.work()?;
    Ok(load.outcome())
}

struct Load<'p> {
    plan: &'p Plan,
    variety: Option<Variety<'p>>,
    epoll: OwnedFd,
    request: Vec<u8>,
    clients: Vec<Client>,
    shape: Shape,
    sent: u64,
    under_way: usize,
    errors: u64,
    latencies: Vec<u32>,
    began: Instant,
}

impl<'p> Load<'p> {
    fn new(plan: &'p Plan) -> io::Result<Self> {
        let client = |_| Client { socket: None, asked: None, buffer: new_buffer(), filled: 0 };
        let mut load = Self {
            plan,
            variety: None,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            request: request(plan, &plan.path),
            clients: (0..plan.connections).map(client).collect(),
            shape: Shape::default(),
            sent: 0,
            under_way: 0,
            errors: 0,
            latencies: Vec::new(),
            began: Instant::now(),
        };
        if plan.keep_alive {
            (0..plan.connections).try_for_each(|number| load.connect(number))?;
        }
        load.began = Instant::now();
        Ok(load)
    }

    fn work(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let mut due = self.began;
        let mut turn = 0;
        if self.plan.interval.is_none() {
            (0..self.clients.len()).try_for_each(|number| self.ask(number))?;
        }
        while self.under_way > 0 || !self.is_over() {
            let mut timeout = PATIENCE;
            if let Some(interval) = self.plan.interval {
                if Instant::now() >= due {
                    self.ask(turn % self.clients.len())?;
                    (due, turn) = (due + interval, turn + 1);
                }
                timeout = due.saturating_duration_since(Instant::now());
            }
            let timespec = Timespec::try_from(timeout).map_err(|_| ErrorKind::InvalidInput)?;
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timespec))?;
            let is_stuck = events.is_empty() && timeout == PATIENCE;
            if is_stuck || self.errors > ERRORS_MAX {
                self.errors += self.under_way as u64;
                return Ok(());
            }
            for event in events.drain(..) {
                self.read(event.data.u64() as usize)?;
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        match self.plan.end {
            End::Requests(requests) => self.sent >= requests,
            End::Time(time) => self.began.elapsed() >= time,
        }
    }

    /// Sends a client's request, unless the run is over or its last one is still under way.
    fn ask(&mut self, number: usize) -> io::Result<()> {
        if self.is_over() || self.clients[number].asked.is_some() {
            return Ok(());
        }
        if let Some(variety) = self.variety {
            self.request = request(self.plan, &(variety.path)(self.sent));
        }
        self.clients[number].asked = Some(Instant::now());
        self.clients[number].filled = 0;
        self.sent += 1;
        self.under_way += 1;
        if self.clients[number].socket.is_none() {
            self.connect(number)?;
        }
        if let Some(socket) = &mut self.clients[number].socket {
            // A connection that has failed is found out when it is read.
            let _ = socket.write_all(&self.request);
        }
        Ok(())
    }

    /// On loopback the kernel completes a connection at once, whether or not the server has
    /// accepted it.
    fn connect(&mut self, number: usize) -> io::Result<()> {
        let socket = TcpStream::connect(self.plan.address)?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
        self.clients[number].socket = Some(socket);
        Ok(())
    }

    fn read(&mut self, number: usize) -> io::Result<()> {
        let client = &mut self.clients[number];
        // Events that came together with the end of their connection are void.
        let Some(socket) = &mut client.socket else { return Ok(()) };
        match socket.read(&mut client.buffer[client.filled..]) {
            Ok(count) if count > 0 => client.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Ok(_) | Err(_) => {
                client.socket = None;
                return if client.asked.is_some() { self.count(number, false) } else { Ok(()) };
            }
        }
        let answer = &client.buffer[..client.filled];
        if !self.shape.is_whole(answer) {
            return Ok(());
        }
        let is_good = answer.starts_with(b"HTTP/1.1 200 ");
        if !self.plan.keep_alive {
            client.socket = None;
        }
        self.count(number, is_good)
    }

    /// Counts what came of a client's request, and has it ask again.
    fn count(&mut self, number: usize, is_good: bool) -> io::Result<()> {
        let Some(asked) = self.clients[number].asked.take() else { return Ok(()) };
        self.under_way -= 1;
        if is_good && self.latencies.len() < LATENCIES_MAX {
            self.latencies.push(u32::try_from(asked.elapsed().as_nanos()).unwrap_or(u32::MAX));
        } else {
            self.errors += 1;
        }
        if self.plan.interval.is_some() {
            return Ok(());
        }
        match self.variety {
            Some(Variety { in_bursts: true, .. }) if self.under_way > 0 => Ok(()),
            Some(Variety { in_bursts: true, .. }) => {
                (0..self.clients.len()).try_for_each(|number| self.ask(number))
            }
            _ => self.ask(number),
        }
    }

    fn outcome(mut self) -> Outcome {
        let seconds = self.began.elapsed().as_secs_f64();
        self.latencies.sort_unstable();
        let requests = self.latencies.len();
        let nth = |share: f64| {
            let place = (requests as f64 * share) as usize;
            let nanoseconds = self.latencies.get(place).or(self.latencies.last());
            nanoseconds.map_or(0.0, |nanoseconds| f64::from(*nanoseconds) / 1e3)
        };
        Outcome {
            requests: requests as u64,
            errors: self.errors,
            seconds,
            requests_per_second: requests as f64 / seconds,
            p50_us: nth(0.5),
            p99_us: nth(0.99),
            max_us: nth(1.0),
        }
    }
}

fn request(plan: &Plan, path: &str) -> Vec<u8> {
    let connection = if plan.keep_alive { "" } else { "Connection: close\r\n" };
    format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{connection}\r\n", plan.address).into()
}

fn new_buffer() -> Vec<u8> {
    vec![0; ANSWER_BYTES_MAX]
}
