//! The whole program in the test's own thread, at a clock that the test moves.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::app::{App, Ended, Order};
use calendarbot::clock::Clock;
use calendarbot::config::{self, Config, Inputs};
use calendarbot::event_loop::EventLoop;
use calendarbot::feed::Feeds;
use calendarbot::flags::switches::Switchboard;
use calendarbot::health::sample::Machine;
use calendarbot::http::listener::Address;
use calendarbot::metrics::{Metric, Metrics};
use calendarbot::pipeline::Pipeline;
use http_types::Url;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor, Task, future};
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script};

/// Monday in Berlin, a quarter to nine.
pub(crate) const NOW: &str = "2026-01-05T08:45:00+01:00";
const MIB: usize = 1 << 20;

/// A running program.
pub(crate) struct Rig {
    pub(crate) clock: Clock,
    pub(crate) metrics: Rc<Metrics>,
    pub(crate) feeds: Rc<Feeds>,
    pub(crate) pipeline: Rc<Pipeline>,
    pub(crate) switches: Rc<Switchboard>,
    pub(crate) address: SocketAddr,
    orders: async_channel::Sender<Order>,
    running: Task<Ended>,
    executor: Rc<LocalExecutor<'static>>,
}

/// A machine on which nothing is scarce: what the test itself takes is nobody's business.
pub(crate) const ROOMY: Machine = Machine {
    memory_bytes: 8_000_000,
    cpu_time: Duration::ZERO,
    celsius: None,
    disk_free_bytes: None,
};

/// Passes the events of a program's sockets on, in a test that smol's loop runs.
async fn collect(event_loop: Rc<EventLoop>) {
    let set = event_loop.set().try_clone_to_owned().expect("a copy");
    let set = Async::new(set).expect("watched");
    loop {
        set.readable().await.expect("a set");
        event_loop.collect();
        future::yield_now().await;
    }
}

fn tcp(addresses: &[Address]) -> SocketAddr {
    match addresses {
        [Address::Tcp(address), ..] => *address,
        other => panic!("no TCP port first: {other:?}"),
    }
}

/// A folder for one test's data.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A configuration from the text of its file, on any free port, with data in `folder`.
pub(crate) fn configure(folder: &Path, toml: &str) -> Config {
    configure_in(&[], folder, toml)
}

/// The same in an environment with these variables.
pub(crate) fn configure_in(env: &[(&str, &str)], folder: &Path, toml: &str) -> Config {
    let path = folder.join("calendarbot.toml");
    std::fs::write(&path, toml).expect("the configuration is written");
    let text = |path: &Path| path.to_str().expect("a name in UTF-8").to_owned();
    let args = ["-c", &text(&path), "--data-dir", &text(folder), "--port", "0"];
    let inputs = Inputs {
        args: args.into_iter().map(Into::into).collect(),
        env: env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        default_budget: 16 * MIB,
    };
    let arguments = config::parse(&inputs).expect("arguments");
    config::load(&arguments, &inputs).expect("a configuration")
}

/// The same without a word on the command line about port and folder. The port in the file is any
/// free one, and the folder is in this one.
pub(crate) fn configure_alone(folder: &Path, toml: &str) -> Config {
    let path = folder.join("calendarbot.toml");
    std::fs::write(&path, format!("port = 0\n{toml}")).expect("the configuration is written");
    let text = |path: &Path| path.to_str().expect("a name in UTF-8").to_owned();
    let inputs = Inputs {
        args: ["-c".to_owned(), text(&path)].into_iter().map(Into::into).collect(),
        env: [("STATE_DIRECTORY".to_owned(), text(&folder.join("state")))].into(),
        default_budget: 16 * MIB,
    };
    let arguments = config::parse(&inputs).expect("arguments");
    config::load(&arguments, &inputs).expect("a configuration")
}

/// The text of a configuration with these feeds, all allowed to be local.
pub(crate) fn toml(feeds: &[(&str, Url)]) -> String {
    let mut text = "time_zone = \"Europe/Berlin\"\n".to_owned();
    for (name, url) in feeds {
        text += &format!(
            "[[feeds]]\nname = \"{name}\"\nurl = \"{url}\"\nallow_private_address = true\n"
        );
    }
    text
}

/// A program that has fetched its only feed, `/a.ics` of a server with this script, once.
pub(crate) async fn fed(
    executor: &Rc<LocalExecutor<'static>>,
    script: Script,
) -> (Rig, FeedServer, Config, TempDir) {
    let server = FeedServer::start(executor, script);
    let folder = folder();
    let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
    let rig = Rig::start(executor, config.clone());
    rig.refreshed(1).await;
    (rig, server, config, folder)
}

impl Rig {
    /// Starts the program on `executor` at [`NOW`].
    pub(crate) fn start(executor: &Rc<LocalExecutor<'static>>, config: Config) -> Self {
        Self::start_at(executor, config, NOW)
    }

    /// Starts the program at another time.
    pub(crate) fn start_at(
        executor: &Rc<LocalExecutor<'static>>,
        config: Config,
        now: &str,
    ) -> Self {
        Self::start_changed(executor, config, now, |app| app)
    }

    /// The same with a program that is changed before it runs.
    pub(crate) fn start_changed(
        executor: &Rc<LocalExecutor<'static>>,
        config: Config,
        now: &str,
        change: impl FnOnce(App) -> App,
    ) -> Self {
        let clock = Clock::manual(now.parse().expect("a time"));
        let event_loop = Rc::new(EventLoop::new().expect("an event loop"));
        let app =
            App::open(config, clock.clone(), Rc::clone(&event_loop)).expect("the program opens");
        let collecting = executor.spawn(collect(event_loop));
        let app = change(app.with_machine(|| ROOMY));
        let (orders, taken) = async_channel::bounded(4);
        let (metrics, feeds, address) = (app.metrics(), app.feeds(), tcp(app.addresses()));
        let (pipeline, switches) = (app.pipeline(), app.switches());
        let running = executor.spawn({
            let executor = Rc::clone(executor);
            async move {
                let _collecting = collecting;
                app.run(&executor, taken).await
            }
        });
        let executor = Rc::clone(executor);
        Self { clock, metrics, feeds, pipeline, switches, address, orders, running, executor }
    }

    /// Completes once `condition` holds; whoever runs the test bounds the wait.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            future::yield_now().await;
        }
    }

    /// Completes once a metric has reached a value.
    pub(crate) async fn counted(&self, metric: fn(&Metrics) -> &Metric, value: u64) {
        self.until(|rig| metric(&rig.metrics).get() >= value).await;
    }

    /// Completes once so many refreshes have ended well.
    pub(crate) async fn refreshed(&self, refreshes: u64) {
        self.counted(|metrics| &metrics.refreshes, refreshes).await;
    }

    /// Completes once so many refreshes have failed.
    pub(crate) async fn failed(&self, refreshes: u64) {
        self.counted(|metrics| &metrics.refreshes_failed, refreshes).await;
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Hands over another configuration.
    pub(crate) async fn reload(&self, config: Config) {
        self.orders.send(Order::Reload(Box::new(config))).await.expect("it runs");
    }

    /// Stops in good order.
    pub(crate) async fn stop(self) -> Ended {
        self.orders.send(Order::Stop).await.expect("it runs");
        self.running.await
    }

    /// Completes when the program ends by itself.
    pub(crate) async fn ended(self) -> Ended {
        self.running.await
    }

    /// Another client.
    pub(crate) async fn connect(&self) -> Client {
        let socket = Async::<TcpStream>::connect(self.address).await.expect("connected");
        Client { socket, read: Vec::new() }
    }

    /// GETs a path on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    /// Sends these bytes on a connection of their own and reads one answer.
    pub(crate) async fn ask(&self, request: &str) -> Response {
        let mut client = self.connect().await;
        client.send(request.as_bytes()).await;
        client.response().await.expect("an answer")
    }

    /// Sends a request that may never be read to its end, while another task reads the answer,
    /// and sees the connection closed.
    pub(crate) async fn ask_split(&self, request: String) -> Response {
        let client = self.connect().await;
        let mut sender = Client {
            socket: Async::new(client.socket.get_ref().try_clone().expect("cloned"))
                .expect("watched"),
            read: Vec::new(),
        };
        let sending = self.executor.spawn(async move { sender.send(request.as_bytes()).await });
        let mut client = client;
        let answer = client.response().await.expect("an answer");
        sending.await;
        assert!(client.is_closed().await);
        answer
    }
}

/// One connection to the program.
pub(crate) struct Client {
    socket: Async<TcpStream>,
    read: Vec<u8>,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        crate::feed_server::field(&self.head, name)
    }

    /// What follows `"name":` in the body, up to the next comma or brace at the same level: a
    /// scalar of a JSON object.
    pub(crate) fn json(&self, name: &str) -> &str {
        let key = format!("\"{name}\":");
        let start = self.body.find(&key).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        let rest = &self.body[start + key.len()..];
        let end = match rest.strip_prefix('"') {
            Some(text) => text.find('"').map_or(rest.len(), |end| end + 2),
            None => rest.find([',', '}', ']']).unwrap_or(rest.len()),
        };
        rest[..end].trim_matches('"')
    }
}

impl Client {
    /// Sends bytes; a server that has hung up is not an error here.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&self) {
        let _ = self.socket.get_ref().shutdown(std::net::Shutdown::Write);
    }

    /// Reads one answer to a GET; `None` when the connection ended before one began.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        self.response_to("GET").await
    }

    /// Reads one answer to a method; an answer to HEAD has no body.
    pub(crate) async fn response_to(&mut self, method: &str) -> Option<Response> {
        let end = loop {
            match find(&self.read, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if self.fill().await => {}
                None if self.read.is_empty() => return None,
                None => panic!("half an answer: {}", String::from_utf8_lossy(&self.read)),
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).expect("a head in ASCII");
        let status: u16 = head[9..12].parse().expect("a status");
        let field = |name| crate::feed_server::field(&head, name);
        let is_chunked = field("transfer-encoding") == Some("chunked");
        let length = match (method, status) {
            ("HEAD", _) | (_, 100 | 204 | 304) => 0,
            _ if is_chunked => {
                let body = self.chunks().await?;
                return Some(Response { status, head, body });
            }
            _ => field("content-length").expect("a length").parse().expect("a number"),
        };
        while self.read.len() < length {
            assert!(self.fill().await, "the body ended early");
        }
        let body = String::from_utf8(self.read.drain(..length).collect()).expect("UTF-8");
        Some(Response { status, head, body })
    }

    /// Reads a body in chunks; `None` when the connection ends before the last one.
    async fn chunks(&mut self) -> Option<String> {
        let mut body = String::new();
        loop {
            let size = self.through("\r\n").await?;
            let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
            let chunk = self.exactly(size + 2).await?;
            body.push_str(chunk.strip_suffix("\r\n").expect("the end of a chunk"));
            if size == 0 {
                return Some(body);
            }
        }
    }

    /// Reads so many bytes; `None` when the connection ends before.
    pub(crate) async fn exactly(&mut self, count: usize) -> Option<String> {
        while self.read.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        let read: Vec<u8> = self.read.drain(..count).collect();
        Some(String::from_utf8_lossy(&read).into_owned())
    }

    /// Reads all that comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> String {
        while self.fill().await {}
        String::from_utf8(std::mem::take(&mut self.read)).expect("UTF-8")
    }

    /// Reads up to the end of these bytes; `None` when the connection ends before.
    pub(crate) async fn through(&mut self, text: &str) -> Option<String> {
        loop {
            if let Some(start) = find(&self.read, text.as_bytes()) {
                let read = self.read.drain(..start + text.len()).collect();
                return Some(String::from_utf8(read).expect("UTF-8"));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// True when the server ends the connection without a further byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    async fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
