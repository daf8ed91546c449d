//! The listening socket: bound once, its buffers and options inherited by every connection.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use rustix::net::{SocketFlags, acceptfrom_with, sockopt};

use crate::budget::HttpLimits;
use crate::error::{Error, Result};

/// What came of an attempt to accept.
#[derive(Debug)]
pub enum Accepted {
    /// A client, nonblocking, and where it comes from.
    Client(TcpStream, IpAddr),
    /// Nobody waits.
    Nobody,
    /// The client went away before it was accepted, or the kernel had a passing fault; try again.
    Retry,
    /// No file descriptor or memory is left; trying again at once would spin.
    Exhausted(io::Error),
}

/// A bound, nonblocking socket.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// When the address is taken or not ours, in words that say what to do.
    pub fn bind(address: SocketAddr, limits: &HttpLimits) -> Result<Self> {
        let socket = TcpListener::bind(address).map_err(|error| bind_error(address, error))?;
        Self::prepare(socket, limits)
            .map_err(|error| Error::system(format!("cannot listen on {address}")).because(error))
    }

    /// Where it listens: the port that the system chose, when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, for an epoll set.
    pub fn socket(&self) -> &TcpListener {
        &self.socket
    }

    /// Takes the next client.
    pub fn accept(&self) -> Accepted {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match acceptfrom_with(&self.socket, flags) {
            Ok((socket, address)) => {
                let peer = address.and_then(|address| SocketAddr::try_from(address).ok());
                let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
                Accepted::Client(socket.into(), peer.to_canonical())
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

    /// Buffers and TCP_NODELAY are set here once: Linux hands them on to accepted sockets.
    fn prepare(socket: TcpListener, limits: &HttpLimits) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_recv_buffer_size(&socket, limits.socket_receive_bytes)?;
        sockopt::set_socket_send_buffer_size(&socket, limits.socket_send_bytes)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
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
