//! Host names to addresses, without ever stopping the loop.
//!
//! The system's resolver blocks, so it runs on a thread of its own, and it cannot be interrupted:
//! one that stalls keeps its thread until it gives up. Therefore at most one look-up exists in the
//! whole process. Whoever waits for it may stop waiting at any time; the next one first waits for
//! it to end.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::Arc;

use crate::worker::Worker;

/// Addresses of one host that are tried; a name with more has them for balance, not for reach.
pub(super) const ADDRESSES_MAX: usize = 8;

/// What asks the system for a name's addresses.
pub(super) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// The one user of the system's resolver.
pub(super) struct Resolver {
    lookup: Lookup,
    worker: Worker,
}

impl Resolver {
    pub(super) fn new(lookup: Lookup) -> Self {
        Self { lookup, worker: Worker::new("resolver") }
    }

    /// The system's resolver, with its `/etc/hosts`, search domains and mDNS.
    pub(super) fn system() -> Self {
        Self::new(Arc::new(|host| {
            let found = (host, 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).take(ADDRESSES_MAX).collect())
        }))
    }

    /// The addresses of `host`, in the order in which they should be tried. Literal addresses
    /// and `localhost` (RFC 6761 section 6.3) are known without asking.
    ///
    /// Sets no deadline; dropping the future is safe at any point.
    pub(super) async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(known) = known(host) {
            return Ok(known);
        }
        let (lookup, name) = (Arc::clone(&self.lookup), host.to_owned());
        let mut found = self.worker.run(move || lookup(&name)).await??;
        found.truncate(ADDRESSES_MAX);
        Ok(found)
    }

    /// Does other work that may block in the same place, and under the same terms.
    pub(super) async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.worker.run(work).await?
    }
}

fn known(host: &str) -> Option<Vec<IpAddr>> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(literal) = bare.parse() {
        return Some(vec![literal]);
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let local = name == "localhost" || name.ends_with(".localhost");
    local.then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as SyncMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use smol::future;

    use super::*;

    #[test]
    fn literals_and_localhost_need_no_thread() {
        let check = |host: &str, expected: &[&str]| {
            let resolver = Resolver::new(Arc::new(|_| panic!("looked up")));
            let found = smol::block_on(resolver.resolve(host)).expect("known");
            let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
            assert_eq!(found, expected, "{host}");
        };
        check("192.0.2.7", &["192.0.2.7"]);
        check("[2001:db8::7]", &["2001:db8::7"]);
        check("localhost", &["127.0.0.1", "::1"]);
        check("LOCALHOST.", &["127.0.0.1", "::1"]);
        check("calendar.localhost", &["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_name_with_very_many_addresses_gives_a_few() {
        let many = |_: &str| Ok((0..200).map(|n| IpAddr::from([192, 0, 2, n])).collect());
        let resolver = Resolver::new(Arc::new(many));
        let found = smol::block_on(resolver.resolve("example.org")).expect("found");
        assert_eq!(found.len(), ADDRESSES_MAX);
    }

    #[test]
    fn a_stalled_look_up_is_waited_for_and_never_joined_by_a_second_one() {
        let (release, gate) = mpsc::channel::<()>();
        let (enter, entered) = mpsc::channel::<()>();
        let gate = SyncMutex::new((enter, gate));
        let most = Arc::new(AtomicUsize::new(0));
        let (running, peak) = (AtomicUsize::new(0), Arc::clone(&most));
        let resolver = Resolver::new(Arc::new(move |_| {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let gate = gate.lock().expect("gate");
            gate.0.send(()).expect("a test that listens");
            gate.1.recv().expect("released");
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![IpAddr::from([192, 0, 2, 1])])
        }));

        smol::block_on(async {
            let impatient = async |host| future::poll_once(resolver.resolve(host)).await;
            let mut first = Box::pin(resolver.resolve("one.example"));
            assert!(future::poll_once(&mut first).await.is_none());
            entered.recv().expect("the first look-up is stuck");
            drop(first);
            for host in ["two.example", "three.example"] {
                assert!(impatient(host).await.is_none());
            }
            let mut fourth = Box::pin(resolver.resolve("four.example"));
            assert!(future::poll_once(&mut fourth).await.is_none());
            release.send(()).expect("the stuck look-up ends");
            release.send(()).expect("and so does the fourth");
            fourth.await.expect("found");
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(entered.try_iter().count(), 1, "nobody looked up what nobody waits for");
    }
}
