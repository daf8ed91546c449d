//! Arbitrary bytes, framed and decoded: `make fuzz FUZZ=frame`.

#![no_main]

#[path = "../properties/frame.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = properties::limits();
    properties::is_the_same_at_every_cut(bytes, &limits);
    properties::is_the_same_at_every_cut(bytes, &properties::tight_limits());
    properties::is_decoded_as_framed(bytes, &limits);
});
