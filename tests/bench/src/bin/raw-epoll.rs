//! `raw-epoll`: the floor. The least that a server on one level-triggered epoll set can do: it
//! looks for the end of each head and sends the same bytes, whatever was asked. It knows no
//! deadline, no limit on clients and no error but the end of a connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use calendarbot_bench::{Result, answer};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

const LISTENER: u64 = u64::MAX;
const BUFFER_BYTES: usize = 2048;

/// A client and the part of its next request that has arrived.
struct Client {
    socket: TcpStream,
    buffer: Box<[u8; BUFFER_BYTES]>,
    filled: usize,
}

fn main() -> Result<()> {
    let (address, body_bytes) = answer::arguments()?;
    let (open, closing) = (answer::whole(body_bytes, false), answer::whole(body_bytes, true));
    let listener = TcpListener::bind(address)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let interest = epoll::EventFlags::IN;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), interest)?;
    // By file descriptor: the kernel gives the lowest that is free.
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut events = Vec::with_capacity(64);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            if event.data.u64() == LISTENER {
                let (socket, _) = listener.accept()?;
                socket.set_nodelay(true)?;
                let slot = usize::try_from(socket.as_raw_fd())?;
                epoll::add(&epoll, &socket, epoll::EventData::new_u64(slot as u64), interest)?;
                clients.resize_with(clients.len().max(slot + 1), || None);
                let buffer = Box::new([0; BUFFER_BYTES]);
                clients[slot] = Some(Client { socket, buffer, filled: 0 });
                continue;
            }
            let slot = &mut clients[event.data.u64() as usize];
            let stays =
                slot.as_mut().is_some_and(|client| client.answer(&open, &closing).unwrap_or(false));
            if !stays {
                *slot = None;
            }
        }
    }
}

impl Client {
    /// Reads once and answers every whole request. False when the connection is over.
    fn answer(&mut self, open: &[u8], closing: &[u8]) -> io::Result<bool> {
        let count = self.socket.read(&mut self.buffer[self.filled..])?;
        if count == 0 {
            return Ok(false);
        }
        self.filled += count;
        let mut start = 0;
        while let Some(length) = head_length(&self.buffer[start..self.filled]) {
            let head = &self.buffer[start..start + length];
            start += length;
            if head.ends_with(b"Connection: close\r\n\r\n") {
                self.socket.write_all(closing)?;
                return Ok(false);
            }
            self.socket.write_all(open)?;
        }
        self.buffer.copy_within(start..self.filled, 0);
        self.filled -= start;
        Ok(self.filled < BUFFER_BYTES)
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}
