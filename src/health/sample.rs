//! Figures about the process: from `/proc/self` and from the counting allocator.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::usage;
use crate::alloc;
use crate::metrics::Metrics;

/// A day, and the least time that a daily rate is worked out from.
const DAY_SECONDS: u64 = 86_400;
const RATE_SECONDS_MIN: u64 = 3_600;

/// What the machine says of itself and of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// What the process takes of its budget: pages of files that the kernel keeps mapped beside
    /// those that are needed are not in it.
    pub memory_bytes: u64,
    /// Time that the process has had a processor.
    pub cpu_time: Duration,
    /// Of the hottest sensor.
    pub celsius: Option<f32>,
    /// What the disk has left for this user.
    pub disk_free_bytes: Option<u64>,
}

/// Asks the machine now; the disk is that of `folder`.
pub fn machine(folder: &Path, metrics: &Metrics) -> Machine {
    let disk = rustix::fs::statvfs(folder).ok();
    usage::terms(metrics);
    Machine {
        memory_bytes: metrics.memory.used(),
        cpu_time: usage::cpu_time(),
        celsius: usage::celsius(),
        disk_free_bytes: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
    }
}

/// Reads the figures of this moment into their metrics. What the system does not tell is left as
/// it was.
pub fn process(metrics: &Metrics, uptime_seconds: u64) {
    metrics.heap_used.set(alloc::used_bytes() as u64);
    metrics.heap_peak.set(alloc::peak_bytes() as u64);
    metrics.heap_allocations.set(alloc::allocations() as u64);
    numbers("/proc/self/status", |name, number| match name {
        "VmRSS" => metrics.memory_rss.set(number * 1024),
        "VmHWM" => metrics.memory_rss_peak.set(number * 1024),
        "Threads" => metrics.threads.set(number),
        _ => {}
    });
    numbers("/proc/self/io", |name, number| {
        if name == "write_bytes" {
            let seconds = uptime_seconds.max(RATE_SECONDS_MIN);
            metrics.disk_written.set(number);
            metrics.disk_written_per_day.set(number.saturating_mul(DAY_SECONDS) / seconds);
        }
    });
}

/// Reads a file of lines such as `VmRSS:  1234 kB`.
fn numbers(path: &str, mut take: impl FnMut(&str, u64)) {
    let Ok(text) = fs::read_to_string(path) else { return };
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let Some(Ok(number)) = value.split_whitespace().next().map(str::parse) {
            take(name, number);
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
        process(&metrics, 60);
        assert!(metrics.memory_rss.get() > 100_000);
        let machine = machine(Path::new("."), &metrics);
        assert!(machine.memory_bytes > 100_000 && machine.disk_free_bytes > Some(1000));
        assert!(machine.celsius.is_none_or(|celsius| celsius > -50.0 && celsius < 150.0));
        assert!(metrics.memory_rss_peak.get() >= metrics.memory_rss.get());
        assert!(metrics.threads.get() >= 1);
        assert_eq!(metrics.disk_written_per_day.get(), metrics.disk_written.get() * 24);
        assert!(total_memory_bytes() > Some(1_000_000));
    }
}
