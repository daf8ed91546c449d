//! `calendarbot stats`: asks a running server for its figures and shows them in a terminal.

mod page;

use std::io::{IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use self::page::{Paper, show};
use crate::api::json;
use crate::config::Config;
use crate::error::{Error, Result};

/// From one look at a server that is watched to the next.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// A server that runs answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer answer is not one of ours.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Asks once, or again and again until the server is gone, and prints what it tells.
///
/// # Errors
/// When nothing answers, or something else does.
pub(super) fn stats(
    config: &Config,
    url: Option<&str>,
    watch: bool,
    json: bool,
    colour: bool,
) -> Result<String> {
    let place = url.map_or_else(|| Ok(Place::configured(config)), Place::named)?;
    let out = std::io::stdout();
    let is_terminal = out.is_terminal();
    let look = || {
        let body = place.ask()?;
        let paper = Paper { columns: size(&out).0, colour: colour && is_terminal };
        Ok(if json { body + "\n" } else { show(&body, paper) })
    };
    if !watch {
        return look();
    }
    loop {
        let text = look()?;
        let text = match is_terminal && !json {
            true => repainted(&text, size(&out).1),
            false => text + "\n",
        };
        // A reader that has closed the pipe has read enough.
        if (&out).write_all(text.as_bytes()).and_then(|()| (&out).flush()).is_err() {
            return Ok(String::new());
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// Columns and rows of the terminal; of none, what a printed page has.
fn size(out: &std::io::Stdout) -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(out).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((80, usize::MAX), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// The text over the one before, as much of it as there are rows: what scrolls cannot be watched.
fn repainted(text: &str, rows: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut painted = String::from("\x1b[H");
    let is_cut = lines.len() >= rows;
    let shown = if is_cut { rows.saturating_sub(2) } else { lines.len() };
    for line in &lines[..shown] {
        painted += &format!("{line}\x1b[K\n");
    }
    if is_cut {
        painted +=
            &format!("… {} more lines: a larger window shows them\x1b[K\n", lines.len() - shown);
    }
    painted + "\x1b[J"
}

/// Where the server is.
struct Place {
    /// Everything that it may be reached at; the first that answers is it.
    doors: Vec<Door>,
    /// For `Host`.
    host: String,
    path: String,
}

enum Door {
    Tcp(String),
    Unix(PathBuf),
}

impl Place {
    /// Where a server with this configuration listens.
    fn configured(config: &Config) -> Self {
        let address = match config.host {
            IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        let tcp = Door::Tcp(SocketAddr::new(address, config.port).to_string());
        let unix = config.unix_socket.clone().map(Door::Unix);
        let path = format!("{}/stats", config.base_path);
        Self {
            doors: [Some(tcp), unix].into_iter().flatten().collect(),
            host: "localhost".into(),
            path,
        }
    }

    /// `http://HOST[:PORT][/BASE]`.
    fn named(url: &str) -> Result<Self> {
        let wrong = || Error::usage("--url: expected http://HOST[:PORT], perhaps with a base path");
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_graphic() && !"?#@".contains(c);
        if authority.is_empty() || !rest.chars().all(is_plain) {
            return Err(wrong());
        }
        let has_port = authority.rsplit(':').next().is_some_and(|end| end.parse::<u16>().is_ok())
            && !authority.ends_with(']')
            && authority.contains(':');
        let door = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let base = base.trim_end_matches('/');
        let path = if base.is_empty() { "/stats".into() } else { format!("/{base}/stats") };
        Ok(Self { doors: vec![Door::Tcp(door)], host: authority.to_owned(), path })
    }

    /// The body of its answer, one JSON object.
    fn ask(&self) -> Result<String> {
        let Self { host, path, .. } = self;
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n");
        let mut refusals = Vec::new();
        for door in &self.doors {
            match door.ask(request.as_bytes()) {
                Ok(answer) => return body(answer).map_err(|what| self.stranger(door, &what)),
                Err(error) => refusals.push(format!("{door}: {error}")),
            }
        }
        let refusals = refusals.join("; ");
        let hint = "is it running? --url asks another, -c names its configuration";
        Err(Error::system(format!("no server answers at {refusals}; {hint}")))
    }

    fn stranger(&self, door: &Door, what: &str) -> Error {
        let path = &self.path;
        Error::system(format!("{door} answers to {path}, but {what}: is it a calendarbot?"))
    }
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Door {
    fn ask(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Tcp(address) => {
                let mut last = std::io::ErrorKind::NotFound.into();
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, PATIENCE) {
                        Ok(socket) => {
                            socket.set_read_timeout(Some(PATIENCE))?;
                            return exchange(socket, request);
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Self::Unix(path) => {
                let socket = UnixStream::connect(path)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                exchange(socket, request)
            }
        }
    }
}

fn exchange(mut socket: impl Read + Write, request: &[u8]) -> std::io::Result<Vec<u8>> {
    socket.write_all(request)?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The body of an answer to HTTP/1.0, which ends with the connection; else what is wrong with it.
fn body(answer: Vec<u8>) -> std::result::Result<String, String> {
    let text = String::from_utf8(answer).map_err(|_| "not in UTF-8")?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("not in HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    let code =
        status.split(' ').nth(1).filter(|_| status.starts_with("HTTP/1.")).ok_or("not in HTTP")?;
    if code != "200" {
        return Err(format!("with status {}", code.get(..3).unwrap_or_default()));
    }
    if !body.starts_with('{') || !json::is_sound(body.as_bytes()) {
        return Err("not with an object of JSON".into());
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_the_figures_below_it() {
        for (url, expected) in [
            ("http://pi.local", Some(("http://pi.local:80", "/stats"))),
            ("http://pi.local:8080/", Some(("http://pi.local:8080", "/stats"))),
            ("http://[::1]:8080/cal/", Some(("http://[::1]:8080", "/cal/stats"))),
            ("http://[::1]", Some(("http://[::1]:80", "/stats"))),
            ("https://pi.local", None),
            ("pi.local", None),
            ("http://", None),
            ("http://me@pi.local", None),
            ("http://pi.local/ HTTP/1.1\r\nX: y", None),
        ] {
            let place = Place::named(url).ok();
            let found = place.map(|place| (place.doors[0].to_string(), place.path));
            let expected = expected.map(|(door, path)| (door.to_owned(), path.to_owned()));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn only_an_object_that_was_found_is_an_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"a\":1}", Ok("{\"a\":1}")),
            ("HTTP/1.1 404 Not Found\r\n\r\n{}", Err("with status 404")),
            ("HTTP/1.1 200 OK\r\n\r\n[]", Err("not with an object of JSON")),
            ("HTTP/1.1 200 OK\r\n\r\n{\"a\"", Err("not with an object of JSON")),
            ("SSH-2.0-OpenSSH\r\n\r\n", Err("not in HTTP")),
            ("", Err("not in HTTP")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(body(answer.into()), expected, "{answer}");
        }
    }

    #[test]
    fn what_is_watched_fits_its_window() {
        assert_eq!(repainted("a\nb\n", 24), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        let cut = repainted("a\nb\nc\nd\n", 4);
        assert_eq!(cut.lines().count(), 4, "the last one is empty: {cut:?}");
        assert!(cut.contains("… 2 more lines"));
    }
}
