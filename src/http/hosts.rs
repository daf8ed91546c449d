//! Which names this server answers to.
//!
//! A page of a stranger can give its own name our address (DNS rebinding) and then read the
//! calendars as if it were ours; its requests carry that name in Host. Addresses are safe: no
//! name leads to them but themselves.

use std::net::{IpAddr, Ipv6Addr};

/// The names that are ours.
pub struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// `localhost`, the machine's name with and without `.local`, and the configured ones.
    pub fn new(machine: &str, configured: &[String]) -> Self {
        let machine = machine.to_ascii_lowercase();
        let mut names = vec!["localhost".to_owned(), format!("{machine}.local"), machine];
        names.extend(configured.iter().map(|name| name.to_ascii_lowercase()));
        Self { names }
    }

    /// True when a request with this Host, `name[:port]`, is meant for us. HTTP/1.0 may leave it
    /// out; no browser does.
    pub fn are_ours(&self, authority: &str) -> bool {
        if let Some(literal) = authority.strip_prefix('[') {
            return literal.split(']').next().is_some_and(|at| at.parse::<Ipv6Addr>().is_ok());
        }
        let name = authority.split(':').next().unwrap_or_default();
        let name = name.strip_suffix('.').unwrap_or(name);
        authority.is_empty()
            || name.parse::<IpAddr>().is_ok()
            || self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_and_any_address_but_no_stranger() {
        let hosts = Hosts::new("Kitchen", &["wall.example".to_owned()]);
        for (authority, ours) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("kitchen", true),
            ("kitchen.local:80", true),
            ("kitchen.local.", true),
            ("wall.example", true),
            ("127.0.0.1:8080", true),
            ("192.168.1.7", true),
            ("[::1]:8080", true),
            ("", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("kitchen.local.evil", false),
            ("wall.example.evil:80", false),
            (":80", false),
        ] {
            assert_eq!(hosts.are_ours(authority), ours, "{authority}");
        }
    }
}
