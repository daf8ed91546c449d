//! Arbitrary bytes, read as a feed and expanded: `make fuzz FUZZ=calendar`.

#![no_main]

#[path = "../properties/calendar.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for limits in [properties::limits(), properties::tight_limits()] {
        properties::is_the_same_at_every_cut(bytes, &limits);
        properties::stays_within_its_limits(bytes, &limits);
    }
});
