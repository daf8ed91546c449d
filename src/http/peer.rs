//! Who is at the other end of a connection, and what a proxy there says of its client. Pure.

use std::fmt;
use std::net::IpAddr;

use httparse::Header;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A machine.
    Address(IpAddr),
    /// A process of this machine, through a Unix socket.
    Local,
}

impl Peer {
    /// True for a peer on this machine: a proxy or a script of the owner's, who would only limit
    /// himself.
    pub fn is_near(self) -> bool {
        match self {
            Peer::Address(address) => address.is_loopback(),
            Peer::Local => true,
        }
    }
}

impl Peer {
    /// True for a peer on this machine or in the network at home: an address that is routed
    /// nowhere else (RFC 1918, 3927, 4193 and 4291 section 2.5.6).
    pub fn is_private(self) -> bool {
        let Peer::Address(address) = self else { return true };
        match address.to_canonical() {
            IpAddr::V4(address) => {
                address.is_loopback() || address.is_private() || address.is_link_local()
            }
            IpAddr::V6(address) => {
                address.is_loopback()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(address) => write!(f, "{address}"),
            Peer::Local => f.write_str("local"),
        }
    }
}

/// An address with the length of its common prefix: `192.168.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = bits.unwrap_or(bits_max);
        (prefix_bits <= bits_max).then_some(Self { address, prefix_bits })
    }

    /// True when `address` has this network's prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.prefix_bits);
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The proxies whose word about their clients is taken. One on this machine's Unix socket is
/// trusted by the permissions of the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<Network>);

/// What is known of a request's way here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded<'b> {
    /// Who asks.
    pub client: Peer,
    /// `http` or `https`, as the client spoke to a trusted proxy that says so.
    pub scheme: Option<&'b str>,
    /// The path that a trusted proxy has cut off in front; empty when there is none.
    pub prefix: &'b str,
}

impl TrustedProxies {
    /// The way of a request from `peer` with these header fields. Only a trusted proxy is
    /// believed. The client is then the nearest address in `X-Forwarded-For` that is not a
    /// trusted proxy itself; what stands left of it is the client's own claim, and so is every
    /// field but the last of those that name scheme or prefix.
    pub fn resolve<'b>(&self, peer: Peer, headers: &[Header<'b>]) -> Forwarded<'b> {
        let mut way = Forwarded { client: peer, scheme: None, prefix: "" };
        if !self.trust(peer) {
            return way;
        }
        let hops = headers.iter().rev().filter(|field| is_named(field, "x-forwarded-for"));
        way.client = hops.fold(peer, |client, field| self.client(client, field.value));
        for field in headers {
            let text = || std::str::from_utf8(field.value).unwrap_or_default();
            if is_named(field, "x-forwarded-proto") {
                way.scheme = Some(text()).filter(|scheme| ["http", "https"].contains(scheme));
            } else if is_named(field, "x-forwarded-prefix") {
                way.prefix = Some(text().trim_end_matches('/'))
                    .filter(|prefix| is_base_path(prefix))
                    .unwrap_or_default();
            }
        }
        way
    }

    /// Walks from the proxy towards the client for as long as the hops are trusted.
    fn client(&self, mut client: Peer, hops: &[u8]) -> Peer {
        for hop in hops.rsplit(|byte| *byte == b',') {
            if !self.trust(client) {
                break;
            }
            let Some(address) = forwarded_address(hop) else { break };
            client = Peer::Address(address);
        }
        client
    }

    /// True when the peer is believed what it says of its client.
    pub fn trust(&self, peer: Peer) -> bool {
        match peer {
            Peer::Local => true,
            Peer::Address(address) => self.0.iter().any(|network| network.contains(address)),
        }
    }
}

/// True for a program on this machine that speaks for nobody else. What a proxy passes on is from
/// elsewhere, trusted or not, as far as the proxy says that it is one; whoever has a proxy here
/// that does not, names it among the trusted ones.
pub fn came_directly(peer: Peer, headers: &[Header<'_>]) -> bool {
    let is_proxy_s = |field: &Header<'_>| {
        let name = field.name.to_ascii_lowercase();
        name.starts_with("x-forwarded-") || ["forwarded", "x-real-ip", "via"].contains(&&*name)
    };
    matches!(peer, Peer::Address(address) if address.is_loopback())
        && !headers.iter().any(is_proxy_s)
}

fn is_named(field: &Header<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// The longest base path.
const BASE_PATH_BYTES_MAX: usize = 128;

/// True for a path that can stand in front of every route: empty, or segments of unreserved
/// characters (RFC 3986 section 2.3), each with a slash before it and none after the last.
pub fn is_base_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !["", ".", ".."].contains(&segment) && segment.bytes().all(is_plain)
    };
    let Some(rest) = path.strip_prefix('/') else { return path.is_empty() };
    path.len() <= BASE_PATH_BYTES_MAX && rest.split('/').all(is_segment)
}

/// `203.0.113.7`, `[2001:db8::7]`, each also with a port.
fn forwarded_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(at, _)| at);
    let bare = bare.unwrap_or(text);
    let without_port = || bare.rsplit_once(':').and_then(|(address, _)| address.parse().ok());
    bare.parse().ok().or_else(without_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_has_their_prefix() {
        for (network, address, holds) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("192.168.0.0/16", "192.168.255.1", true),
            ("192.168.0.0/16", "192.169.0.1", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), holds, "{address} in {network}");
        }
        for wrong in ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/", "name"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let trusted =
            ["10.0.0.1", "10.0.0.2"].into_iter().filter_map(Network::parse).collect::<Vec<_>>();
        let proxies = TrustedProxies(trusted);
        for (peer, fields, client) in [
            ("10.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("203.0.113.9", &["203.0.113.7"], "203.0.113.9"),
            ("10.0.0.1", &["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["6.6.6.6, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["6.6.6.6", "203.0.113.7 , 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["203.0.113.7:5000"], "203.0.113.7"),
            ("10.0.0.1", &["[2001:db8::7]:5000"], "2001:db8::7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1"),
        ] {
            let headers: Vec<Header<'_>> = fields
                .iter()
                .map(|value| Header { name: "x-forwarded-FOR", value: value.as_bytes() })
                .collect();
            let peer = Peer::Address(peer.parse().unwrap());
            let way = proxies.resolve(peer, &headers);
            assert_eq!(way.client.to_string(), client, "{fields:?}");
        }
        let headers = [Header { name: "X-Forwarded-For", value: b"203.0.113.7" }];
        let client = proxies.resolve(Peer::Local, &headers).client;
        assert_eq!(client, Peer::Address("203.0.113.7".parse().unwrap()));
    }

    #[test]
    fn scheme_and_prefix_are_taken_from_a_trusted_proxy_and_only_when_they_are_sound() {
        let way = |peer, name, value: &'static str| {
            let headers = [Header { name, value: value.as_bytes() }];
            let way = TrustedProxies::default().resolve(peer, &headers);
            (way.scheme, way.prefix)
        };
        let stranger = Peer::Address("203.0.113.9".parse().unwrap());
        assert_eq!(way(stranger, "X-Forwarded-Proto", "https"), (None, ""));
        assert_eq!(way(stranger, "X-Forwarded-Prefix", "/wall"), (None, ""));
        for (scheme, taken) in [("https", Some("https")), ("http", Some("http")), ("ftp", None)] {
            assert_eq!(way(Peer::Local, "X-Forwarded-Proto", scheme).0, taken);
        }
        for (prefix, taken) in [
            ("/wall", "/wall"),
            ("/wall/", "/wall"),
            ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
            ("wall", ""),
            ("//evil.example", ""),
            ("/a//b", ""),
            ("/..", ""),
            ("/a%2f", ""),
            ("/a\r\nX: y", ""),
            ("/", ""),
        ] {
            assert_eq!(way(Peer::Local, "X-Forwarded-Prefix", prefix).1, taken, "{prefix}");
        }
        let headers = [("X-Forwarded-Proto", "http"), ("X-Forwarded-Prefix", "/own")]
            .into_iter()
            .chain([("X-Forwarded-Proto", "https"), ("X-Forwarded-Prefix", "/wall")])
            .map(|(name, value)| Header { name, value: value.as_bytes() });
        let way = TrustedProxies::default().resolve(Peer::Local, &headers.collect::<Vec<_>>());
        assert_eq!((way.scheme, way.prefix), (Some("https"), "/wall"), "the proxy's, not a claim");
        assert!(is_base_path(&format!("/{}", "x".repeat(BASE_PATH_BYTES_MAX - 1))));
        assert!(!is_base_path(&format!("/{}", "x".repeat(BASE_PATH_BYTES_MAX))));
    }
}
