//! How often one address may ask: a token bucket each, for so many addresses. Pure.
//!
//! The table is a fixed number of buckets, least recently used first out: an address that is
//! forgotten begins anew with a full bucket, and to be forgotten it must stand back behind all
//! others.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hashlink::LinkedHashMap;

use crate::budget::HttpLimits;
use crate::clock::Moment;

/// The buckets.
pub struct RateLimit {
    buckets: LinkedHashMap<IpAddr, Bucket>,
    addresses_max: usize,
    /// One token comes back in this time.
    token_time: Duration,
    /// Tokens of a full bucket.
    burst: u32,
}

/// A bucket is told by when it will be full again.
struct Bucket {
    full_at: Moment,
}

/// What the map holds for a bucket beside it: two links and its part of the hash table.
const BUCKET_OVERHEAD_BYTES: usize = 2 * size_of::<usize>() + 16;

impl RateLimit {
    /// So many requests a second from one address on average, and those of a few seconds at once.
    pub fn new(per_second: u32, limits: &HttpLimits) -> Self {
        let (burst, addresses) = (limits.rate_burst_seconds, limits.rate_addresses_max);
        Self::with(per_second, per_second.saturating_mul(burst), addresses)
    }

    fn with(per_second: u32, burst: u32, addresses_max: usize) -> Self {
        let token_time = Duration::from_secs(1) / per_second.max(1);
        Self { buckets: LinkedHashMap::new(), addresses_max, token_time, burst }
    }

    /// From now on an address may ask so many times a second; its bucket stays as large.
    pub fn set_rate(&mut self, per_second: u32) {
        self.token_time = Duration::from_secs(1) / per_second.max(1);
    }

    /// Takes a token for `address`.
    ///
    /// # Errors
    /// How long to wait for one when there is none.
    pub fn take(&mut self, address: IpAddr, now: Moment) -> Result<(), Duration> {
        let (token_time, full_time) = (self.token_time, self.token_time * self.burst);
        let bucket = self.bucket(address, now);
        let full_at = bucket.full_at.max(now) + token_time;
        let missing = full_at.since(now);
        if missing > full_time {
            return Err(missing - full_time);
        }
        bucket.full_at = full_at;
        Ok(())
    }

    /// What the buckets weigh.
    pub fn weight_bytes(&self) -> usize {
        self.buckets.len() * (size_of::<(IpAddr, Bucket)>() + BUCKET_OVERHEAD_BYTES)
    }

    /// Takes further tokens for a request that made work, whether or not they are there: what is
    /// missing is missing for the next ones.
    pub fn owe(&mut self, address: IpAddr, tokens: u32, now: Moment) {
        let owed = self.token_time * tokens;
        let bucket = self.bucket(address, now);
        bucket.full_at = bucket.full_at.max(now) + owed;
    }

    fn bucket(&mut self, address: IpAddr, now: Moment) -> &mut Bucket {
        let address = subscriber(address);
        if self.buckets.to_back(&address).is_none() && self.buckets.len() >= self.addresses_max {
            self.buckets.pop_front();
        }
        self.buckets.entry(address).or_insert(Bucket { full_at: now })
    }
}

/// One subscriber has a whole /64 of IPv6 addresses and may use each of them once. Addresses that
/// only hold within a network (RFC 4291 section 2.5.6, RFC 4193) share their /64 with all its
/// machines: one guest must not take the wall's requests.
pub(super) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_unique_local() => address,
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(millis: u64) -> Moment {
        Moment::default() + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut limit = RateLimit::with(10, 3, 8);
        for (millis, passes) in [
            (0, true),
            (0, true),
            (0, true),
            (0, false),
            (99, false),
            (100, true),
            (100, false),
            (200, true),
            (10_000, true),
            (10_000, true),
            (10_000, true),
            (10_000, false),
        ] {
            assert_eq!(limit.take(address(1), at(millis)).is_ok(), passes, "at {millis}");
        }
    }

    #[test]
    fn another_rate_holds_from_the_next_request() {
        let mut limit = RateLimit::with(10, 2, 8);
        limit.set_rate(5);
        for (millis, passes) in [(0, true), (0, true), (199, false), (200, true), (300, false)] {
            assert_eq!(limit.take(address(1), at(millis)).is_ok(), passes, "at {millis}");
        }
        limit.set_rate(10);
        assert!(limit.take(address(1), at(500)).is_ok());
    }

    #[test]
    fn who_waits_as_long_as_told_passes() {
        let mut limit = RateLimit::with(10, 1, 8);
        assert!(limit.take(address(1), at(0)).is_ok());
        let wait = limit.take(address(1), at(30)).unwrap_err();
        assert_eq!(wait, Duration::from_millis(70));
        assert!(limit.take(address(1), at(30) + wait).is_ok());
    }

    #[test]
    fn addresses_do_not_share_but_a_subscriber_s_do() {
        let mut limit = RateLimit::with(1, 1, 8);
        assert!(limit.take(address(1), at(0)).is_ok());
        assert!(limit.take(address(2), at(0)).is_ok());
        assert!(limit.take("2001:db8::1".parse().unwrap(), at(0)).is_ok());
        assert!(limit.take("2001:db8::2".parse().unwrap(), at(0)).is_err());
        assert!(limit.take("2001:db8:0:1::1".parse().unwrap(), at(0)).is_ok());
        for own in ["fe80::1", "fe80::2", "fd00::1", "fd00::2"] {
            assert!(limit.take(own.parse().unwrap(), at(0)).is_ok(), "{own}");
        }
    }

    #[test]
    fn what_is_owed_is_missing_later() {
        let mut limit = RateLimit::with(10, 5, 8);
        assert!(limit.take(address(1), at(0)).is_ok());
        limit.owe(address(1), 4, at(0));
        assert_eq!(limit.take(address(1), at(0)).unwrap_err(), Duration::from_millis(100));
        assert!(limit.take(address(1), at(100)).is_ok());
        limit.owe(address(1), 4, at(100));
        assert_eq!(limit.take(address(1), at(100)).unwrap_err(), Duration::from_millis(500));
        assert!(limit.take(address(2), at(100)).is_ok());
    }

    #[test]
    fn the_table_holds_its_number_and_forgets_the_oldest() {
        let mut limit = RateLimit::with(1, 1, 2);
        for last in [1, 2, 3] {
            assert!(limit.take(address(last), at(0)).is_ok());
        }
        assert_eq!(limit.buckets.len(), 2);
        assert!(limit.take(address(2), at(0)).is_err());
        assert!(limit.take(address(1), at(0)).is_ok(), "forgotten");
    }
}
