//! A feed server that does what a script says, on the test's own executor.
//!
//! ```ignore
//! let script = Script::new().ics("/a.ics", text).etag("\"1\"").status("/b.ics", 404);
//! let server = FeedServer::start(&executor, script);
//! fetch(server.url("/a.ics"));
//! assert_eq!(server.requests().len(), 1);
//! ```
//!
//! Nothing sleeps: a reply that stalls goes on when the test calls [`FeedServer::release`].
//! Each path has a list of replies, one a request, of which the last repeats.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::{HandshakeKind, ServerConfig};
use http_types::Url;
use smol::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use smol::{Async, LocalExecutor, Task, future};

use crate::generate;

/// Longest request head that the server reads.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// One step of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, one write each, with everybody else's turn in between.
    Drip(Vec<u8>),
    /// A generated calendar of so many events as a chunked body, made while it is sent.
    Generate(usize),
    /// Nothing, until the test calls [`FeedServer::release`].
    Stall,
    /// The end of the connection, in good order.
    Close,
    /// The end of the connection without TLS's own goodbye.
    Cut,
    /// The end of the connection with RST.
    Reset,
}

/// What one request gets. The connection stays open afterwards unless a step ends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    steps: Vec<Step>,
    /// With it a request whose If-None-Match says the same gets a 304.
    etag: Option<String>,
}

impl Reply {
    /// A reply of these steps.
    pub(crate) fn new(steps: impl Into<Vec<Step>>) -> Self {
        Self { steps: steps.into(), etag: None }
    }

    /// A complete answer with a counted body.
    pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("HTTP/1.1 {status} Scripted\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in fields {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "\r\n{body}");
        Self::new([Step::Send(text.into_bytes())])
    }
}

/// Replies by path. Paths are compared with the request's target, query included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    replies: BTreeMap<String, VecDeque<Reply>>,
    last: String,
}

impl Script {
    /// A script that answers 404 to everything.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The next reply at `path`.
    pub(crate) fn reply(mut self, path: &str, reply: Reply) -> Self {
        self.replies.entry(path.to_owned()).or_default().push_back(reply);
        path.clone_into(&mut self.last);
        self
    }

    /// A calendar.
    pub(crate) fn ics(self, path: &str, text: &str) -> Self {
        self.reply(path, Reply::answer(200, &[("Content-Type", "text/calendar")], text))
    }

    /// A generated calendar, streamed; see [`generate::pieces`].
    pub(crate) fn generated(self, path: &str, events: usize) -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        self.reply(path, Reply::new([Step::Send(head.into()), Step::Generate(events)]))
    }

    /// These bytes, and then the end of the connection.
    pub(crate) fn raw(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.reply(path, Reply::new([Step::Send(bytes.as_ref().to_vec()), Step::Close]))
    }

    /// An empty answer with this status.
    pub(crate) fn status(self, path: &str, status: u16) -> Self {
        self.reply(path, Reply::answer(status, &[], ""))
    }

    /// A redirect.
    pub(crate) fn redirect(self, path: &str, status: u16, location: &str) -> Self {
        self.reply(path, Reply::answer(status, &[("Location", location)], ""))
    }

    /// Gives the reply that was added last an ETag.
    pub(crate) fn etag(mut self, etag: &str) -> Self {
        let reply = self.replies.get_mut(&self.last).and_then(VecDeque::back_mut);
        reply.expect("a reply to give the ETag to").etag = Some(etag.to_owned());
        self
    }
}

/// The server. It stops, and closes its connections, when it is dropped.
pub(crate) struct FeedServer {
    address: SocketAddr,
    scheme: &'static str,
    shared: Rc<Shared>,
    _task: Task<()>,
}

#[derive(Default)]
struct Shared {
    script: RefCell<Script>,
    tls: Option<TlsAcceptor>,
    handshakes: Cell<usize>,
    resumed: Cell<usize>,
    requests: RefCell<Vec<String>>,
    connections: Cell<usize>,
    closed: Cell<usize>,
    stalled: Cell<usize>,
    releases: Cell<usize>,
    /// Who waits for one of the above to change.
    waiting: RefCell<Vec<Waker>>,
}

impl FeedServer {
    /// Listens on a free port of 127.0.0.1 and serves on `executor`.
    pub(crate) fn start(executor: &LocalExecutor<'static>, script: Script) -> Self {
        Self::listening(executor, script, None)
    }

    /// The same with TLS, by this configuration.
    pub(crate) fn start_tls(
        executor: &LocalExecutor<'static>,
        script: Script,
        tls: ServerConfig,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        Self::listening(executor, script, Some(acceptor))
    }

    fn listening(
        executor: &LocalExecutor<'static>,
        script: Script,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a free port");
        let address = listener.get_ref().local_addr().expect("bound");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Rc::new(Shared { script: RefCell::new(script), tls, ..Shared::default() });
        let task = executor.spawn(listen(listener, Rc::clone(&shared)));
        Self { address, scheme, shared, _task: task }
    }

    /// The URL of `path` on this server.
    pub(crate) fn url(&self, path: &str) -> Url {
        format!("{}://{}{path}", self.scheme, self.address).parse().expect("a URL")
    }

    /// Handshakes completed so far, and how many of them went on with an earlier session.
    pub(crate) fn handshakes(&self) -> (usize, usize) {
        (self.shared.handshakes.get(), self.shared.resumed.get())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.borrow().clone()
    }

    /// Forgets the requests so far, for those who measure memory.
    pub(crate) fn forget(&self) {
        self.shared.requests.take();
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.get()
    }

    /// Replaces the script. Replies under way go on as they were.
    pub(crate) fn set(&self, script: Script) {
        *self.shared.script.borrow_mut() = script;
    }

    /// Completes once this many connections have been accepted.
    pub(crate) async fn connected(&self, connections: usize) {
        self.shared.until(|shared| shared.connections.get() >= connections).await;
    }

    /// Completes once this many connections have been closed, by either side.
    pub(crate) async fn closed(&self, connections: usize) {
        self.shared.until(|shared| shared.closed.get() >= connections).await;
    }

    /// Completes once this many requests have come.
    pub(crate) async fn seen(&self, requests: usize) {
        self.shared.until(|shared| shared.requests.borrow().len() >= requests).await;
    }

    /// Completes once this many replies have come to a stall, released ones included.
    pub(crate) async fn stalled(&self, replies: usize) {
        self.shared.until(|shared| shared.stalled.get() >= replies).await;
    }

    /// Lets every reply that stalls now go on.
    pub(crate) fn release(&self) {
        self.shared.count(&self.shared.releases);
    }
}

/// Runs `test` with an executor for its servers, and fails it when it hangs.
///
/// # Panics
/// After 20 seconds of real time.
pub(crate) fn run<T, F: Future<Output = T>>(
    test: impl FnOnce(Rc<LocalExecutor<'static>>) -> F,
) -> T {
    run_within(Duration::from_secs(20), test)
}

/// The same for a test that has much to do.
///
/// # Panics
/// After `patience` of real time; an emulated processor is given more.
pub(crate) fn run_within<T, F: Future<Output = T>>(
    patience: Duration,
    test: impl FnOnce(Rc<LocalExecutor<'static>>) -> F,
) -> T {
    const SLOWNESS: u32 = if option_env!("PROGRAM_UNDER_TEST").is_some() { 13 } else { 1 };
    let executor = Rc::new(LocalExecutor::new());
    let watchdog = async {
        smol::Timer::after(patience * SLOWNESS).await;
        panic!("the test hangs");
    };
    let test = future::or(test(Rc::clone(&executor)), watchdog);
    smol::block_on(executor.run(test))
}

async fn listen(listener: Async<TcpListener>, shared: Rc<Shared>) {
    let connections = LocalExecutor::new();
    let accept = async {
        loop {
            let (socket, _) = listener.accept().await.expect("accepted");
            shared.count(&shared.connections);
            let shared = Rc::clone(&shared);
            let connection = async move {
                accept(socket, &shared).await;
                shared.count(&shared.closed);
            };
            connections.spawn(connection).detach();
        }
    };
    connections.run(accept).await
}

async fn accept(socket: Async<TcpStream>, shared: &Shared) {
    let _ = socket.get_ref().set_nodelay(true);
    let raw = socket.get_ref().try_clone().expect("cloned");
    let Some(tls) = &shared.tls else { return serve(socket, &raw, shared).await };
    if let Ok(session) = tls.accept(socket).await {
        let kind = session.get_ref().1.handshake_kind();
        shared.count(&shared.handshakes);
        if kind == Some(HandshakeKind::Resumed) {
            shared.count(&shared.resumed);
        }
        serve(session, &raw, shared).await;
    }
}

async fn serve<S: Socket>(mut socket: S, raw: &TcpStream, shared: &Shared) {
    // A client that hangs up in the middle is part of many tests.
    while let Ok(Some(mut head)) = read_head(&mut socket).await {
        let length = field(&head, "content-length").map_or(0, |n| n.parse().expect("a length"));
        let mut body = vec![0; length];
        if socket.read_exact(&mut body).await.is_err() {
            return;
        }
        head += std::str::from_utf8(&body).expect("a text");
        let steps = shared.answer(&head);
        shared.requests.borrow_mut().push(head);
        shared.wake();
        for step in steps {
            match play(step, &mut socket, raw, shared).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }
}

impl Shared {
    fn count(&self, counter: &Cell<usize>) {
        counter.set(counter.get() + 1);
        self.wake();
    }

    fn wake(&self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        future::poll_fn(|cx| {
            if condition(self) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// What the script has for a request with this head.
    fn answer(&self, head: &str) -> Vec<Step> {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let mut script = self.script.borrow_mut();
        let Some(replies) = script.replies.get_mut(target) else {
            return Reply::answer(404, &[], "").steps;
        };
        let next = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
        let Reply { mut steps, etag } = next.unwrap_or_default();
        let Some(etag) = etag else {
            return steps;
        };
        if field(head, "if-none-match") == Some(&etag) {
            let head = format!("HTTP/1.1 304 Scripted\r\nETag: {etag}\r\n\r\n");
            return vec![Step::Send(head.into_bytes())];
        }
        if let Some(Step::Send(bytes)) = steps.first_mut() {
            let line = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a status line");
            bytes.splice(line + 2..line + 2, format!("ETag: {etag}\r\n").into_bytes());
        }
        steps
    }
}

/// The value of a field in a request's head.
pub(crate) fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Does one step; false when it ends the connection.
async fn play<S: Socket>(
    step: Step,
    socket: &mut S,
    raw: &TcpStream,
    shared: &Shared,
) -> io::Result<bool> {
    match step {
        Step::Send(bytes) => {
            socket.write_all(&bytes).await?;
            socket.flush().await?;
        }
        Step::Drip(bytes) => {
            for byte in bytes {
                socket.write_all(&[byte]).await?;
                socket.flush().await?;
                future::yield_now().await;
            }
        }
        Step::Generate(events) => {
            for piece in generate::pieces(events, 1) {
                let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
                socket.write_all(chunk.as_bytes()).await?;
            }
            socket.write_all(b"0\r\n\r\n").await?;
            socket.flush().await?;
        }
        Step::Stall => {
            let before = shared.releases.get();
            shared.count(&shared.stalled);
            shared.until(|shared| shared.releases.get() > before).await;
        }
        Step::Close => {
            socket.close().await?;
            return Ok(false);
        }
        Step::Cut => return Ok(false),
        Step::Reset => {
            rustix::net::sockopt::set_socket_linger(raw, Some(Duration::ZERO))?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a connection is read from and written to.
trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Socket for S {}

/// Reads up to the empty line; `None` when the client is done.
async fn read_head<S: Socket>(socket: &mut S) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || socket.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}
