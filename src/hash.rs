//! FNV-1a, 64 bits: for telling things apart, the same after a restart and on every machine. It
//! resists nobody; nothing that an attacker gains from depends on it. What shall resist is SHA-256.

use ring::digest::{Context, SHA256};

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of some bytes.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    fnv1a_parts(&[bytes])
}

/// The hash of several texts, each ended so that `["ab", "c"]` and `["a", "bc"]` differ.
pub fn fnv1a_parts(parts: &[&[u8]]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    let mut hash = OFFSET;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash = step(hash, &0xff);
        }
        hash = part.iter().fold(hash, step);
    }
    hash
}

/// What a private event is called, by its UID and whatever else tells it from others. `source`, the
/// hash of its feed's address, is in it so that nobody who knows a UID can look for it.
pub fn private_name(source: i64, parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(&source.to_le_bytes());
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let digest = context.finish();
    let first = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}"));
    format!("private-{}", first.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_values() {
        for (text, hash) in
            [("", OFFSET), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv1a(text.as_bytes()), hash);
        }
    }

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(fnv1a_parts(&[b"ab", b"c"]), fnv1a_parts(&[b"a", b"bc"]));
        assert_eq!(fnv1a_parts(&[b"ab"]), fnv1a(b"ab"));
        assert_ne!(private_name(1, &[b"ab", b"c"]), private_name(1, &[b"a", b"bc"]));
        assert_ne!(private_name(1, &[b"ab"]), private_name(2, &[b"ab"]));
    }
}
