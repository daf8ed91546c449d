//! Which connections are in use and which wait for reuse.
//!
//! ```text
//!   connect ──> Lease ──give_back──> idle ──expired, evicted, not quiet──> closed
//!                 ^ │                  │
//!                 │ └─────dropped──────┼──────────────────────────────────> closed
//!                 └───────reuse────────┘
//! ```
//!
//! Leases and idle connections together never exceed `outbound_total`: a new connection takes
//! the place of the one that has been idle longest, and where there is none it is refused.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_rustls::client::TlsStream;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, future};

use super::{ConnectError, Origin};
use crate::budget::{RefreshLimits, TLS_BYTES};
use crate::clock::{Clock, Moment};
use crate::metrics::Metrics;

/// What bytes go through.
pub(super) enum Stream {
    Plain(Async<TcpStream>),
    Tls(Box<TlsStream<Async<TcpStream>>>),
}

impl Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer).await,
            Self::Tls(session) => session.read(buffer).await,
        }
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes).await,
            Self::Tls(session) => {
                session.write_all(bytes).await?;
                session.flush().await
            }
        }
    }

    /// True when nothing waits to be read, not even the end. Whatever it is, nobody has asked
    /// for it, and it would be taken for the answer to the next request.
    async fn is_quiet(&mut self) -> bool {
        future::poll_once(self.read(&mut [0])).await.is_none()
    }
}

/// An open connection and whom it leads to.
pub(super) struct Link {
    pub(super) stream: Stream,
    pub(super) origin: Origin,
    /// The address that was checked, to be checked again against the next user's policy.
    pub(super) peer: IpAddr,
    /// The server has proved who it is, if it speaks TLS at all.
    pub(super) verified: bool,
}

/// A connection in use. Dropping it closes it; [`Lease::give_back`] keeps it.
pub struct Lease {
    link: Link,
    reused: bool,
    seat: Seat,
}

impl Lease {
    pub(super) fn new(link: Link, seat: Seat) -> Self {
        Self { link, reused: false, seat }
    }

    /// True when the connection has carried a request before, so that the server may have
    /// closed it in the meantime.
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// Reads some bytes; 0 is the end, said by the server. On TLS an end without close_notify
    /// is an `UnexpectedEof` error, since anybody on the way can cut a connection.
    ///
    /// # Errors
    /// As the system or TLS reports them.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.link.stream.read(buffer).await
    }

    /// Writes all of `bytes` and leaves nothing in a buffer.
    ///
    /// # Errors
    /// As the system or TLS reports them.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.link.stream.write_all(bytes).await
    }

    /// Keeps the connection for the next request. Only after an answer that was read to its end
    /// and that lets the connection live, for `idle_time` if it has named one.
    pub fn give_back(self, idle_time: Option<Duration>) {
        let Self { link, seat, .. } = self;
        let pool = Rc::clone(&seat.0);
        drop(seat);
        pool.keep(link, idle_time);
    }
}

/// The right to one connection in use.
pub(super) struct Seat(Rc<Pool>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.gauge();
    }
}

struct Idle {
    link: Link,
    until: Moment,
}

/// The idle connections, oldest first, and the number of those in use.
pub(super) struct Pool {
    clock: Clock,
    metrics: Rc<Metrics>,
    idle: RefCell<VecDeque<Idle>>,
    active: Cell<usize>,
    /// Tells of a connection that expires before all others.
    kept: (Sender<()>, Receiver<()>),
    /// Off: every connection serves one request.
    keeping: Cell<bool>,
    /// How many more than `total_max` may be in use, each for one request.
    beyond_max: Cell<usize>,
    total_max: usize,
    per_origin_max: usize,
    idle_time: Duration,
    idle_time_max: Duration,
    idle_time_margin: Duration,
}

impl Pool {
    pub(super) fn new(clock: Clock, limits: &RefreshLimits, metrics: Rc<Metrics>) -> Self {
        Self {
            clock,
            metrics,
            idle: RefCell::default(),
            active: Cell::new(0),
            kept: async_channel::bounded(1),
            keeping: Cell::new(true),
            beyond_max: Cell::new(0),
            total_max: limits.outbound_total,
            per_origin_max: limits.outbound_per_origin,
            idle_time: limits.outbound_idle_time,
            idle_time_max: limits.outbound_idle_time_max,
            idle_time_margin: limits.outbound_idle_time_margin,
        }
    }

    /// Makes room for one more connection in use.
    pub(super) fn seat(pool: &Rc<Self>) -> Result<Seat, ConnectError> {
        let active = pool.active.get();
        if active >= pool.total_max + pool.beyond_max.get() {
            pool.metrics.outbound_refused.count();
            return Err(ConnectError::Full);
        }
        if active >= pool.total_max {
            pool.metrics.outbound_beyond.count();
        }
        let mut idle = pool.idle.borrow_mut();
        let surplus = (active + 1 + idle.len()).saturating_sub(pool.total_max);
        // Those beyond what is set aside are more than there can be idle ones.
        let surplus = surplus.min(idle.len());
        pool.metrics.outbound_evicted.add(idle.drain(..surplus).count() as u64);
        drop(idle);
        pool.active.set(active + 1);
        pool.gauge();
        Ok(Seat(Rc::clone(pool)))
    }

    /// The connection to `origin` that was used last, of those that `passes` lets pass and on which
    /// nothing has arrived since. Those on which something has are closed.
    pub(super) async fn reuse(
        self: &Rc<Self>,
        origin: &Origin,
        passes: impl Fn(&Link) -> bool,
    ) -> Option<Lease> {
        self.close_expired();
        loop {
            let mut link = self.take(origin, &passes)?;
            if link.stream.is_quiet().await {
                let seat = Self::seat(self).ok()?;
                return Some(Lease { link, reused: true, seat });
            }
            self.metrics.outbound_discarded.count();
            self.gauge();
        }
    }

    pub(super) fn close_expired(&self) {
        let now = self.clock.now();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|idle| now < idle.until);
        self.metrics.outbound_expired.add((before - idle.len()) as u64);
        drop(idle);
        self.gauge();
    }

    /// Closes each idle connection once it has waited long enough. For one task.
    pub(super) async fn run(&self) {
        loop {
            let kept = async {
                // The sender lives as long as this does.
                let _ = self.kept.1.recv().await;
            };
            match self.next_expiry() {
                Some(expiry) => future::or(kept, self.clock.sleep_until(expiry)).await,
                None => kept.await,
            }
            self.close_expired();
        }
    }

    /// When the first idle connection has waited long enough.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.idle.borrow().iter().map(|idle| idle.until).min()
    }

    pub(super) fn close_idle(&self) {
        self.metrics.outbound_evicted.add(self.idle.borrow_mut().drain(..).count() as u64);
        self.gauge();
    }

    /// Those in use, in percent of what is set aside for them.
    pub(super) fn used_percent(&self) -> f32 {
        100.0 * self.active.get() as f32 / self.total_max.max(1) as f32
    }

    fn gauge(&self) {
        self.metrics.outbound_active.set(self.active.get() as u64);
        self.metrics.outbound_idle.set(self.idle.borrow().len() as u64);
        let open = self.active.get() + self.idle.borrow().len();
        self.metrics.memory.outbound.set(open * TLS_BYTES);
    }

    fn take(&self, origin: &Origin, passes: impl Fn(&Link) -> bool) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        let place =
            idle.iter().rposition(|Idle { link, .. }| link.origin == *origin && passes(link));
        idle.remove(place?).map(|idle| idle.link)
    }

    /// Keeps connections for reuse, or no longer.
    pub(super) fn keep_connections(&self, keeping: bool) {
        self.keeping.set(keeping);
        if !keeping {
            self.close_idle();
        }
    }

    /// So many more connections than are kept may be in use.
    pub(super) fn allow_beyond(&self, connections: usize) {
        self.beyond_max.set(connections);
    }

    fn keep(&self, link: Link, idle_time: Option<Duration>) {
        self.close_expired();
        let idle_time = idle_time.map_or(self.idle_time, |told| {
            told.saturating_sub(self.idle_time_margin).min(self.idle_time_max)
        });
        let has_room = self.active.get() < self.total_max;
        if !self.keeping.get() || idle_time.is_zero() || !has_room {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let same = |idle: &Idle| idle.link.origin == link.origin;
        if idle.iter().filter(|idle| same(idle)).count() >= self.per_origin_max
            && let Some(oldest) = idle.iter().position(same)
        {
            idle.remove(oldest);
            self.metrics.outbound_evicted.count();
        }
        let until = self.clock.now() + idle_time;
        if idle.iter().all(|idle| until < idle.until) {
            // Full means that whoever closes it has yet to look.
            let _ = self.kept.0.try_send(());
        }
        idle.push_back(Idle { link, until });
        drop(idle);
        self.gauge();
    }
}
