//! Which names this server answers to.
//!
//! A page of a stranger can give its own name our address (DNS rebinding) and then read the
//! calendars as if it were ours; its requests carry that name in Host. Addresses are safe, ours or
//! those that a router or a container has for us: no name leads to them but themselves.

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

    /// True when a request with this Host, `name[:port]` as framing has passed it, is meant for
    /// us. HTTP/1.0 may leave it out; no browser does.
    pub fn are_ours(&self, authority: &[u8]) -> bool {
        if authority.is_empty() || authority.starts_with(b"[") {
            return true;
        }
        let name = authority.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = name.strip_suffix(b".").unwrap_or(name);
        is_address(name) || self.names.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
    }
}

/// A host whose last label is a number is an IPv4 address to every browser, or nothing at all
/// (URL Standard, "ends in a number"); there is no such top-level domain.
fn is_address(name: &[u8]) -> bool {
    let label = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    !label.is_empty() && label.iter().all(u8::is_ascii_digit)
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
            assert_eq!(hosts.are_ours(authority.as_bytes()), ours, "{authority}");
        }
    }
}
