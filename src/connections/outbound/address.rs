//! Which addresses a feed may be fetched from.
//!
//! A feed's URL, or a redirect that its server sends, may name any host. Without a rule it could
//! make this program ask the router, the cloud's metadata service or a neighbour's printer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Refuses every address that is not a global unicast one, with the reason in words. Ranges are
/// those of the IANA special-purpose registries (RFC 6890 and its successors).
///
/// An address that carries an IPv4 address for a translator (NAT64, RFC 6052) is as good as that
/// one: a network without IPv4 reaches every old server that way.
pub fn allowed(address: IpAddr) -> Result<(), &'static str> {
    match address {
        IpAddr::V4(address) => allowed_v4(address),
        IpAddr::V6(address) => allowed_v6(address),
    }
}

/// Network, length of its prefix in bits, what it is.
const SPECIAL_V4: [(Ipv4Addr, u32, &str); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignment"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

const GLOBAL_UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The first that matches names the reason: a narrow network stands before the one around it.
const SPECIAL_V6: [(Ipv6Addr, u32, &str); 15] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "IPv4-mapped"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "local NAT64"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignment"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

fn allowed_v4(address: Ipv4Addr) -> Result<(), &'static str> {
    let differs = |network: Ipv4Addr| (network.to_bits() ^ address.to_bits()).leading_zeros();
    match SPECIAL_V4.iter().find(|(network, bits, _)| differs(*network) >= *bits) {
        Some((_, _, what)) => Err(what),
        None => Ok(()),
    }
}

fn allowed_v6(address: Ipv6Addr) -> Result<(), &'static str> {
    let within = |network: Ipv6Addr, bits: u32| {
        (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits
    };
    if within(NAT64.0, NAT64.1) {
        let [.., a, b, c, d] = address.octets();
        return allowed_v4(Ipv4Addr::new(a, b, c, d));
    }
    match SPECIAL_V6.iter().find(|(network, bits, _)| within(*network, *bits)) {
        Some((_, _, what)) => Err(what),
        None if within(GLOBAL_UNICAST_V6.0, GLOBAL_UNICAST_V6.1) => Ok(()),
        None => Err("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Result<(), &'static str>) {
        let parsed: IpAddr = address.parse().expect("an address");
        assert_eq!(allowed(parsed), expected, "{address}");
    }

    #[test]
    fn v4_special_ranges_are_refused_from_their_first_to_their_last_address() {
        for (first, last, what) in [
            ("0.0.0.0", "0.255.255.255", "unspecified"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "protocol assignment"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.88.99.0", "192.88.99.255", "6to4 relay"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("255.255.255.255", "255.255.255.255", "broadcast"),
        ] {
            check(first, Err(what));
            check(last, Err(what));
        }
    }

    #[test]
    fn v4_neighbours_of_special_ranges_are_allowed() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
        ] {
            check(address, Ok(()));
        }
    }

    #[test]
    fn v6_special_ranges_are_refused() {
        for (address, what) in [
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::7f00:1", "IPv4-compatible"),
            ("::8.8.8.8", "IPv4-compatible"),
            ("::ffff:127.0.0.1", "IPv4-mapped"),
            ("::ffff:8.8.8.8", "IPv4-mapped"),
            ("64:ff9b:1::808:808", "local NAT64"),
            ("100::1", "discard"),
            ("2001::1", "Teredo"),
            ("2001:0:ffff::", "Teredo"),
            ("2001:2::1", "protocol assignment"),
            ("2001:1ff:ffff::", "protocol assignment"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("3fff:fff::1", "documentation"),
            ("fc00::1", "private"),
            ("fdff::1", "private"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("5f00::1", "reserved"),
            ("4000::1", "reserved"),
            ("1fff::1", "reserved"),
            ("fe00::1", "reserved"),
        ] {
            check(address, Err(what));
        }
    }

    #[test]
    fn v6_global_unicast_is_allowed() {
        for address in ["2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"] {
            check(address, Ok(()));
        }
    }

    #[test]
    fn nat64_is_as_good_as_the_address_inside() {
        check("64:ff9b::8.8.8.8", Ok(()));
        check("64:ff9b::127.0.0.1", Err("loopback"));
        check("64:ff9b::192.168.1.1", Err("private"));
        check("64:ff9b::169.254.169.254", Err("link-local"));
        check("64:ff9b::1:808:808", Err("reserved"));
    }
}
