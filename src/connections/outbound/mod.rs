//! Connections to feed servers: looked up, checked, connected, secured, and kept for reuse.
//!
//! A connection goes to an address that the caller's [`Policy`] has passed, and only there: the
//! name is looked up once, and what was checked is what is connected to. An idle connection is
//! handed out again only when the new caller's policy passes its peer too. Errors are words
//! without the host; the caller knows which feed it was fetching.

mod address;
mod pool;
mod resolve;
mod tls;

use std::cell::OnceCell;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use futures_rustls::pki_types::CertificateDer;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::{HandshakeKind, RootCertStore};
use http_types::Url;
use smol::{Async, future};

use crate::budget::{CA_FILE_BYTES_MAX, RefreshLimits};
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::metrics::Metrics;
pub use address::allowed;
pub use pool::Lease;
use pool::{Link, Pool, Stream};
use resolve::Resolver;

/// The two schemes that a feed can be fetched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

/// Scheme, host and port (RFC 9110 section 4.3.1): what a connection belongs to, and how far
/// credentials go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// How to speak to it.
    pub scheme: Scheme,
    /// A name or an address, lower case; an IPv6 address stands in brackets.
    pub host: String,
    /// The scheme's own when the URL names none.
    pub port: u16,
}

impl Origin {
    /// The origin of `url`; `None` unless it is http or https.
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        Some(Self { scheme, host: url.host_str()?.to_owned(), port: url.port_or_known_default()? })
    }
}

/// Which addresses one feed may be fetched from.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Private and other special addresses are allowed, wherever the feed leads.
    pub allow_private: bool,
    /// The operator vouches for this origin: it may be private, others may not.
    pub trusted_origin: Option<Origin>,
    /// This origin may have any certificate.
    pub unverified_origin: Option<Origin>,
}

impl Policy {
    fn check(&self, origin: &Origin, address: IpAddr) -> Result<(), ConnectError> {
        if self.allow_private || self.trusted_origin.as_ref() == Some(origin) {
            return Ok(());
        }
        allowed(address).map_err(ConnectError::Address)
    }

    fn verifies(&self, origin: &Origin) -> bool {
        self.unverified_origin.as_ref() != Some(origin)
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The name could not be looked up.
    Dns(&'static str),
    /// Every address of the host is one that this feed may not be fetched from; what the first
    /// of them is.
    Address(&'static str),
    /// No TCP connection.
    Tcp(&'static str),
    /// No TLS session.
    Tls(&'static str),
    /// Every connection that the budget has room for is in use.
    Full,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(why) => write!(f, "looking up the host failed: {why}"),
            Self::Address(what) => write!(
                f,
                "the host has a {what} address, which this feed may not use \
                 (allow_private_address)"
            ),
            Self::Tcp(why) => write!(f, "connecting failed: {why}"),
            Self::Tls(why) => write!(f, "TLS failed: {why}"),
            Self::Full => write!(f, "all outbound connections are in use"),
        }
    }
}

/// Opens, lends and keeps connections to feed servers.
pub struct Outbound {
    clock: Clock,
    connect_time: Duration,
    receive_bytes: usize,
    sessions_max: usize,
    metrics: Rc<Metrics>,
    resolver: Resolver,
    extra_roots: RootCertStore,
    /// Made by the first https feed: a program without one does not pay for the roots.
    tls: OnceCell<TlsConnector>,
    /// The same for servers whose certificates are not checked.
    unverified_tls: OnceCell<TlsConnector>,
    pool: Rc<Pool>,
}

impl Outbound {
    /// A pool without connections.
    pub fn new(clock: Clock, limits: &RefreshLimits, metrics: Rc<Metrics>) -> Self {
        Self {
            connect_time: limits.connect_time,
            // Four reads ahead of us. Left alone, the kernel grows a fast sender's buffer to
            // megabytes, and they are ours too.
            receive_bytes: 4 * limits.read_buffer_bytes,
            sessions_max: limits.outbound_total,
            resolver: Resolver::system(),
            extra_roots: RootCertStore::empty(),
            tls: OnceCell::new(),
            unverified_tls: OnceCell::new(),
            pool: Rc::new(Pool::new(clock.clone(), limits, Rc::clone(&metrics))),
            clock,
            metrics,
        }
    }

    /// The same, trusting these certificate authorities beside the public ones.
    ///
    /// # Errors
    /// When one of them is no certificate.
    pub fn with_roots(mut self, roots: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        for root in roots {
            self.extra_roots.add(root).map_err(|cause| {
                Error::config("an extra certificate authority cannot be used").because(cause)
            })?;
        }
        self.tls = OnceCell::new();
        Ok(self)
    }

    /// Asks `lookup` instead of the system's resolver. It runs on a thread of its own and
    /// may take its time.
    pub fn set_lookup(
        &mut self,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) {
        self.resolver = Resolver::new(Arc::new(lookup));
    }

    /// Does work that may block on the thread that looks up names; `None` when it has not ended by
    /// `deadline`. No name is looked up until it has.
    pub async fn block<T: Send + 'static>(
        &self,
        deadline: Moment,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Option<io::Result<T>> {
        within(&self.clock, deadline, self.resolver.block(work)).await
    }

    /// A connection to `origin`: an idle one that is still quiet, else a new one.
    ///
    /// # Errors
    /// Those of [`Self::connect`].
    pub async fn lease(&self, origin: &Origin, policy: &Policy) -> Result<Lease, ConnectError> {
        let passes = |link: &Link| {
            policy.check(origin, link.peer).is_ok() && (link.verified || !policy.verifies(origin))
        };
        match self.pool.reuse(origin, passes).await {
            Some(lease) => {
                self.metrics.outbound_reused.count();
                self.gauge_reuse();
                Ok(lease)
            }
            None => self.connect(origin, policy).await,
        }
    }

    /// A new connection to `origin`.
    ///
    /// # Errors
    /// When the name cannot be looked up, no address is allowed or none answers, TLS fails, a
    /// deadline passes, or the pool is full of connections in use.
    pub async fn connect(&self, origin: &Origin, policy: &Policy) -> Result<Lease, ConnectError> {
        let seat = Pool::seat(&self.pool)?;
        let deadline = self.clock.now() + self.connect_time;
        let addresses = self.look_up(origin, policy, deadline).await?;
        let (socket, peer) = self.open(&addresses, origin.port, deadline).await?;
        let verified = policy.verifies(origin);
        let stream = match origin.scheme {
            Scheme::Http => Stream::Plain(socket),
            Scheme::Https => {
                let deadline = self.clock.now() + self.connect_time;
                let connector = self.connector(verified)?;
                let session = tls::handshake(connector, &origin.host, socket);
                let session = within(&self.clock, deadline, session).await;
                let session = session.unwrap_or(Err(ConnectError::Tls("timed out")))?;
                match session.get_ref().1.handshake_kind() {
                    Some(HandshakeKind::Resumed) => self.metrics.handshakes_resumed.count(),
                    _ => self.metrics.handshakes_full.count(),
                }
                Stream::Tls(Box::new(session))
            }
        };
        self.metrics.outbound_opened.count();
        self.gauge_reuse();
        Ok(Lease::new(Link { stream, origin: origin.clone(), peer, verified }, seat))
    }

    /// A new connection in place of a pooled one that turned out to be dead.
    ///
    /// # Errors
    /// Those of [`Self::connect`].
    pub async fn reconnect(&self, origin: &Origin, policy: &Policy) -> Result<Lease, ConnectError> {
        self.metrics.outbound_retried.count();
        self.connect(origin, policy).await
    }

    fn gauge_reuse(&self) {
        let (opened, reused) =
            (self.metrics.outbound_opened.get(), self.metrics.outbound_reused.get());
        self.metrics.outbound_reuse_percent.set(reused * 100 / (opened + reused).max(1));
    }

    /// Keeps connections for reuse, or opens a new one for every request from now on.
    pub fn keep_connections(&self, keeping: bool) {
        self.pool.keep_connections(keeping);
    }

    /// Closes idle connections that have waited too long, when they have. For one task; every lease
    /// does it too.
    pub async fn run(&self) {
        self.pool.run().await;
    }

    /// When the first idle connection will have waited too long.
    pub fn next_expiry(&self) -> Option<Moment> {
        self.pool.next_expiry()
    }

    /// Connections in use, in percent of what is set aside for them.
    pub fn used_percent(&self) -> f32 {
        self.pool.used_percent()
    }

    /// So many more than that may be in use, each for one request; none is kept.
    pub fn allow_beyond(&self, connections: usize) {
        self.pool.allow_beyond(connections);
    }

    /// Closes every idle connection: memory is needed elsewhere.
    pub fn close_idle(&self) {
        self.pool.close_idle();
    }

    /// The addresses of `origin` that `policy` passes; never none.
    async fn look_up(
        &self,
        origin: &Origin,
        policy: &Policy,
        deadline: Moment,
    ) -> Result<Vec<IpAddr>, ConnectError> {
        let found = within(&self.clock, deadline, self.resolver.resolve(&origin.host))
            .await
            .ok_or(ConnectError::Dns("timed out"))?
            .map_err(|_| ConnectError::Dns("no such name, or no name server"))?;
        let mut refused = ConnectError::Dns("the name has no address");
        let mut passed = Vec::with_capacity(found.len());
        for address in found {
            match policy.check(origin, address) {
                Ok(()) => passed.push(address),
                Err(_) if !passed.is_empty() => {}
                Err(error) => refused = error,
            }
        }
        if passed.is_empty() { Err(refused) } else { Ok(passed) }
    }

    /// Tries the addresses in turn. Each gets an even share of the time that is left, so that
    /// one which swallows packets (IPv6 behind a bad router) does not use up the others' time.
    async fn open(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Moment,
    ) -> Result<(Async<TcpStream>, IpAddr), ConnectError> {
        let mut failed = ConnectError::Tcp("timed out");
        for (address, left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
            let now = self.clock.now();
            let share = now + deadline.since(now) / left;
            let connecting = Async::<TcpStream>::connect(SocketAddr::new(*address, port));
            match within(&self.clock, share, connecting).await {
                Some(Ok(socket)) => {
                    // Neither is needed for a right answer, so neither failure is one.
                    let _ = socket.get_ref().set_nodelay(true);
                    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(
                        &socket,
                        self.receive_bytes,
                    );
                    return Ok((socket, *address));
                }
                Some(Err(error)) => failed = ConnectError::Tcp(connect_reason(&error)),
                None => failed = ConnectError::Tcp("timed out"),
            }
        }
        Err(failed)
    }

    fn connector(&self, verified: bool) -> Result<&TlsConnector, ConnectError> {
        let made = if verified { &self.tls } else { &self.unverified_tls };
        if let Some(connector) = made.get() {
            return Ok(connector);
        }
        let connector = match verified {
            true => tls::connector(&self.extra_roots, self.sessions_max)?,
            false => tls::unverified_connector(self.sessions_max)?,
        };
        Ok(made.get_or_init(|| connector))
    }
}

/// The certificates of a PEM file.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |why: &str| Error::config(format!("ca_file {}: {why}", path.display()));
    let mut text = Vec::new();
    let file = File::open(path).map_err(|cause| failed("it cannot be opened").because(cause))?;
    file.take(CA_FILE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|cause| failed("it cannot be read").because(cause))?;
    if text.len() as u64 > CA_FILE_BYTES_MAX {
        return Err(failed("it is larger than 1 MiB"));
    }
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match roots {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(failed("it holds no certificates in PEM form")),
    }
}

/// What `work` makes of the time up to `deadline`; `None` when it does not end by then.
pub(crate) async fn within<T>(
    clock: &Clock,
    deadline: Moment,
    work: impl Future<Output = T>,
) -> Option<T> {
    let late = async {
        clock.sleep_until(deadline).await;
        None
    };
    future::or(async { Some(work.await) }, late).await
}

fn connect_reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::HostUnreachable => "the host cannot be reached",
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            "the network cannot be reached"
        }
        io::ErrorKind::TimedOut => "timed out",
        _ => "the system refused the connection",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Option<Origin> {
        Origin::of(&url.parse().expect("a URL"))
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let check = |url: &str, scheme: Scheme, host: &str, port: u16| {
            assert_eq!(origin(url), Some(Origin { scheme, host: host.into(), port }), "{url}");
        };
        check("https://Example.ORG/a?b", Scheme::Https, "example.org", 443);
        check("http://example.org:8080", Scheme::Http, "example.org", 8080);
        check("http://[2001:DB8::1]/", Scheme::Http, "[2001:db8::1]", 80);
        // However an address is written, it is judged as the address that it is.
        check("http://0x7f.1/", Scheme::Http, "127.0.0.1", 80);
        check("http://2130706433/", Scheme::Http, "127.0.0.1", 80);
        for other in ["ftp://example.org/", "file:///etc/passwd", "data:,x", "webcal://a/b"] {
            assert_eq!(origin(other), None, "{other}");
        }
    }

    #[test]
    fn a_policy_opens_what_it_names_and_no_more() {
        let private = IpAddr::from([192, 168, 1, 5]);
        let public = IpAddr::from([8, 8, 8, 8]);
        let nas = origin("http://nas.example:5000/").expect("http");
        let other = origin("http://nas.example:5001/").expect("http");
        let check = |policy: &Policy, origin: &Origin, address, passes: bool| {
            assert_eq!(policy.check(origin, address).is_ok(), passes, "{policy:?} {address}");
        };
        let strict = Policy::default();
        check(&strict, &nas, private, false);
        check(&strict, &nas, public, true);
        let trusting = Policy { trusted_origin: Some(nas.clone()), ..Policy::default() };
        check(&trusting, &nas, private, true);
        check(&trusting, &other, private, false);
        check(&trusting, &other, public, true);
        let open = Policy { allow_private: true, ..Policy::default() };
        check(&open, &other, private, true);
    }
}
