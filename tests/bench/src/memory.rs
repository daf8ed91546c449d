//! What an idle connection holds: how much the resident set grows while clients that have asked
//! once stay connected. What the kernel holds for its sockets is not in it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;
use crate::server::{Kind, Server, Setting};

/// How many clients stay.
pub const CONNECTIONS: [usize; 2] = [64, 256];
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of each of so many idle connections.
///
/// # Errors
/// When the server fails or refuses a client.
pub fn bytes_a_connection(kind: Kind, setting: &Setting) -> Result<[f64; 2]> {
    let server = Server::start(kind, setting, &[])?;
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", setting.path, server.address);
    let mut answer = vec![0; setting.body_bytes];
    let mut clients = Vec::new();
    let mut connect = || -> Result<TcpStream> {
        let mut client = TcpStream::connect(server.address)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(request.as_bytes())?;
        // As many bytes as the body has are more than the head: the answer has begun, and so
        // the server has read, answered and kept what it keeps.
        client.read_exact(&mut answer)?;
        Ok(client)
    };
    // The first client touches what is touched once.
    drop(connect()?);
    let before = server.resident_bytes()?;
    let mut bytes = [0.0; 2];
    for (bytes, connections) in bytes.iter_mut().zip(CONNECTIONS) {
        while clients.len() < connections {
            clients.push(connect()?);
        }
        let grown = server.resident_bytes()?.saturating_sub(before);
        *bytes = grown as f64 / connections as f64;
    }
    drop(clients);
    server.stop()?;
    Ok(bytes)
}
