//! Figures about the process: from `/proc/self` and from the counting allocator.

use std::fs;

use crate::alloc;
use crate::metrics::Metrics;

/// Reads the figures of this moment into their metrics. What the system does not tell is left as
/// it was.
pub fn process(metrics: &Metrics) {
    metrics.heap_used.set(alloc::used_bytes() as u64);
    metrics.heap_peak.set(alloc::peak_bytes() as u64);
    metrics.heap_allocations.set(alloc::allocations() as u64);
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let number = value.split_whitespace().next().and_then(|number| number.parse().ok());
        let Some(number): Option<u64> = number else { continue };
        match name {
            "VmRSS" => metrics.memory_rss.set(number * 1024),
            "VmHWM" => metrics.memory_rss_peak.set(number * 1024),
            "Threads" => metrics.threads.set(number),
            _ => {}
        }
    }
}

/// The machine's memory in bytes; `None` where it is not told.
pub fn total_memory_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_a_size_and_threads() {
        let metrics = Metrics::default();
        process(&metrics);
        assert!(metrics.memory_rss.get() > 100_000);
        assert!(metrics.memory_rss_peak.get() >= metrics.memory_rss.get());
        assert!(metrics.threads.get() >= 1);
        assert!(total_memory_bytes() > Some(1_000_000));
    }
}
