//! Listening sockets, TCP and Unix, bound here or inherited from a supervisor. Their options are
//! set once and pass on to every connection.

use std::fmt;
use std::fs;
use std::io::{self, IoSlice, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::net::{
    RecvFlags, SendFlags, Shutdown, SocketFlags, acceptfrom_with, listen, recv, send, shutdown,
    sockopt,
};

use super::peer::Peer;
use crate::budget::HttpLimits;
use crate::error::{Error, Result};

/// A client's socket, nonblocking.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Reads once.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(&self.0, buffer, RecvFlags::empty())?.0)
    }

    /// Tells the client that nothing more will come.
    ///
    /// # Errors
    /// When it has gone.
    pub fn finish(&self) -> io::Result<()> {
        Ok(shutdown(&self.0, Shutdown::Write)?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(&self.0, parts)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came of an attempt to accept.
#[derive(Debug)]
pub enum Accepted {
    /// A client, and where it comes from.
    Client(Socket, Peer),
    /// Nobody waits.
    Nobody,
    /// The client went away before it was accepted, or the kernel had a passing fault; try again.
    Retry,
    /// No file descriptor or memory is left; trying again at once would spin.
    Exhausted(io::Error),
}

/// Where a listener is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and port; never port 0.
    Tcp(SocketAddr),
    /// The path of a Unix socket; empty when the supervisor has not said.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "http://{address}/"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A bound, nonblocking socket.
pub struct Listener {
    socket: OwnedFd,
    address: Address,
    /// The socket's file is ours to remove.
    is_bound_here: bool,
    /// `SO_SNDBUF` for what is accepted.
    send_bytes: usize,
}

impl Listener {
    /// The sockets that the supervisor hands over (`LISTEN_FDS`, sd_listen_fds(3)); when there
    /// are none, `address`, and `path` where that is given.
    ///
    /// # Errors
    /// When an address is taken or not ours, or when what was handed over cannot be used.
    pub fn open(
        address: SocketAddr,
        path: Option<&Path>,
        limits: &HttpLimits,
    ) -> Result<Vec<Self>> {
        let inherited = Self::inherit(limits)?;
        if !inherited.is_empty() {
            return Ok(inherited);
        }
        let mut listeners = vec![Self::bind(address, limits)?];
        if let Some(path) = path {
            listeners.push(Self::bind_unix(path, limits)?);
        }
        Ok(listeners)
    }

    fn inherit(limits: &HttpLimits) -> Result<Vec<Self>> {
        let unusable = |error| {
            Error::system("a socket handed over in LISTEN_FDS cannot be used").because(error)
        };
        let mut handed_over = ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..handed_over.len() {
            if index == limits.listeners_max {
                let most = limits.listeners_max;
                return Err(Error::system(format!("LISTEN_FDS holds more than {most} sockets")));
            }
            let listener = match handed_over.take_tcp_listener(index) {
                Ok(Some(socket)) => Self::tcp(socket, limits),
                Ok(None) => continue,
                Err(_) => match handed_over.take_unix_listener(index) {
                    Ok(Some(socket)) => Self::unix(socket, false, limits),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                },
            };
            listeners.push(listener.map_err(unusable)?);
        }
        Ok(listeners)
    }

    /// Binds a TCP socket. `::` takes IPv4 too, where the system is set so.
    fn bind(address: SocketAddr, limits: &HttpLimits) -> Result<Self> {
        TcpListener::bind(address)
            .and_then(|socket| Self::tcp(socket, limits))
            .map_err(|error| bind_error(address, error))
    }

    /// Binds a Unix socket, in the place of one that nobody listens on any more.
    fn bind_unix(path: &Path, limits: &HttpLimits) -> Result<Self> {
        let is_stale = || {
            UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        let bound = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale() => {
                fs::remove_file(path).and_then(|()| UnixListener::bind(path))
            }
            bound => bound,
        };
        bound.and_then(|socket| Self::unix(socket, true, limits)).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    ": the path is in use, perhaps by another calendarbot; stop it or choose \
                     another unix_socket"
                }
                _ => "",
            };
            Error::system(format!("cannot listen on {}{advice}", path.display())).because(error)
        })
    }

    fn tcp(socket: TcpListener, limits: &HttpLimits) -> io::Result<Self> {
        let address = Address::Tcp(socket.local_addr()?);
        sockopt::set_tcp_nodelay(&socket, true)?;
        Self::prepare(socket.into(), address, false, limits)
    }

    fn unix(socket: UnixListener, is_bound_here: bool, limits: &HttpLimits) -> io::Result<Self> {
        let path = socket.local_addr()?.as_pathname().map(Path::to_owned);
        let address = Address::Unix(path.unwrap_or_default());
        Self::prepare(socket.into(), address, is_bound_here, limits)
    }

    /// Accepted TCP sockets inherit the buffers and TCP_NODELAY. Unix ones inherit nothing, and of
    /// their buffers only the sender's counts.
    fn prepare(
        socket: OwnedFd,
        address: Address,
        is_bound_here: bool,
        limits: &HttpLimits,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // A second time: the library's own length of the queue is 128.
        listen(&socket, i32::try_from(limits.backlog).unwrap_or(i32::MAX))?;
        sockopt::set_socket_recv_buffer_size(&socket, limits.socket_receive_bytes)?;
        sockopt::set_socket_send_buffer_size(&socket, limits.socket_send_bytes)?;
        let send_bytes = limits.socket_send_bytes;
        Ok(Self { socket, address, is_bound_here, send_bytes })
    }

    /// Where it listens: the port that the system chose, when 0 was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Takes the next client.
    pub fn accept(&self) -> Accepted {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match acceptfrom_with(&self.socket, flags) {
            Ok((socket, address)) => {
                let peer = match &self.address {
                    Address::Unix(_) => {
                        if sockopt::set_socket_send_buffer_size(&socket, self.send_bytes).is_err() {
                            return Accepted::Retry;
                        }
                        Peer::Local
                    }
                    Address::Tcp(_) => {
                        let address = address.and_then(|address| address.try_into().ok());
                        let address = address.map(|address: SocketAddr| address.ip());
                        let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
                        Peer::Address(address.unwrap_or(unknown).to_canonical())
                    }
                };
                Accepted::Client(Socket(socket), peer)
            }
            Err(error) => {
                let error = io::Error::from(error);
                match error.raw_os_error() {
                    _ if error.kind() == io::ErrorKind::WouldBlock => Accepted::Nobody,
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        Accepted::Exhausted(error)
                    }
                    _ => Accepted::Retry,
                }
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let (true, Address::Unix(path)) = (self.is_bound_here, &self.address) {
            // A file that is left behind is taken over at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

fn bind_error(address: SocketAddr, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use, perhaps by another calendarbot; stop it or choose another with --port"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges; choose another with --port"
        }
        io::ErrorKind::AddrNotAvailable => "no network interface has this address; check --host",
        _ => return Error::system(format!("cannot listen on {address}")).because(error),
    };
    Error::system(format!("cannot listen on {address}: {advice}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::budget::{FeedLimits, Plan};

    #[test]
    fn accepted_sockets_have_the_buffers_of_the_budget() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.http;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = Listener::open(address, Some(&path), &limits).unwrap();
        let [tcp, unix] = &listeners[..] else { panic!("{} listeners", listeners.len()) };
        let Address::Tcp(address) = *tcp.address() else { panic!("{}", tcp.address()) };
        let _clients = (TcpStream::connect(address).unwrap(), UnixStream::connect(&path).unwrap());
        for listener in [tcp, unix] {
            let Accepted::Client(socket, _) = listener.accept() else { panic!("nobody") };
            let bytes = sockopt::socket_send_buffer_size(&socket).unwrap();
            assert_eq!(bytes, 2 * limits.socket_send_bytes, "{}", listener.address());
        }
    }
}
