//! What the process uses of the machine, and how the machine is, as the kernel tells it. Each
//! function reads anew; `None` where the kernel does not tell.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::alloc;
use crate::budget::PROGRAM_FILE_BYTES_MAX;
use crate::metrics::Metrics;
use crate::metrics::memory::{Memory, Usage};

/// The unit of times in `/proc/PID/stat`: a hundredth of a second on every machine that Linux
/// shows a program (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: u64 = 100;
/// Thermal zones that are looked at; a board has one or two.
const THERMAL_ZONES_MAX: usize = 16;
/// What a sensor may say, in degrees: those that are not there say absurd things.
const CELSIUS: std::ops::RangeInclusive<f32> = -50.0..=150.0;

/// The CPU time that all threads of the process have taken since its start, to a hundredth of a
/// second.
pub fn cpu_time() -> Duration {
    let [user, system] = stat([14, 15]).unwrap_or_default();
    Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND)
}

/// When the process started, in seconds since 1970. By the clock of this moment: it moves when
/// that is set.
pub fn start_seconds() -> Option<f64> {
    let [started] = stat([22])?;
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let booted = machine.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(booted.parse::<f64>().ok()? + started as f64 / TICKS_PER_SECOND as f64)
}

/// Fields of `/proc/self/stat` by their numbers in proc(5), from 4 on. The second is the program's
/// name, which may hold anything.
fn stat<const COUNT: usize>(numbers: [usize; COUNT]) -> Option<[u64; COUNT]> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = [0; COUNT];
    for (field, number) in fields.iter_mut().zip(numbers) {
        *field = rest.split_whitespace().nth(number - 3)?.parse().ok()?;
    }
    Some(fields)
}

/// The hottest place that the machine has a sensor at.
pub fn celsius() -> Option<f32> {
    hottest(Path::new("/sys/class/thermal"))
}

fn hottest(folder: &Path) -> Option<f32> {
    let zones = fs::read_dir(folder).ok()?.flatten();
    let zones =
        zones.filter(|zone| zone.file_name().as_encoded_bytes().starts_with(b"thermal_zone"));
    let read = |zone: fs::DirEntry| {
        let text = fs::read_to_string(zone.path().join("temp")).ok()?;
        let thousandths: f32 = text.trim().parse().ok()?;
        Some(thousandths / 1000.0).filter(|celsius| CELSIUS.contains(celsius))
    };
    zones.take(THERMAL_ZONES_MAX).filter_map(read).reduce(f32::max)
}

/// File descriptors that are open, and how many may be.
pub fn descriptors() -> Option<(u64, u64)> {
    // Reading the folder opens one more.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let most = line.split_whitespace().next()?.parse().unwrap_or(u64::MAX);
    Some((open as u64, most))
}

/// How many tasks of the machine have run or waited to, on average of one, five and fifteen
/// minutes.
pub fn load() -> Option<[f32; 3]> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let mut words = text.split_whitespace().map(str::parse);
    let mut next = || words.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// Resident memory with what is shared with other programs in part (`Pss`). The kernel walks all
/// pages for it: some tenths of a millisecond.
pub fn proportional_bytes() -> Option<u64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Works out what belongs to the terms of the budget that nobody counts piece by piece: SQLite's,
/// and the program's own. What malloc keeps of freed memory is the program's: when that is too
/// much, it has to give it back.
pub fn terms(metrics: &Metrics) {
    let Memory { database, program, .. } = &metrics.memory;
    let (used, peak) = alloc::database_bytes();
    database.set_with_peak(used, peak);
    let mut own = own_bytes(metrics);
    if own.is_some_and(|bytes| bytes > program.share()) {
        alloc::give_back();
        own = own_bytes(metrics);
    }
    if let Some(bytes) = own {
        program.set(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
}

/// What is resident and belongs to the program itself.
fn own_bytes(metrics: &Metrics) -> Option<u64> {
    let Memory { program, socket_buffers, outbound, .. } = &metrics.memory;
    let (anonymous, file) = resident()?;
    metrics.memory_rss_file.set(file);
    // Sockets' buffers are the kernel's, and what a TLS connection may need is more than it holds:
    // of the heap, what no term has counted is the program's.
    let uncounted: u64 = [program, socket_buffers, outbound].map(Usage::used).iter().sum();
    let counted = metrics.memory.used() - uncounted;
    Some(anonymous.saturating_sub(counted) + file.min(PROGRAM_FILE_BYTES_MAX))
}

/// Resident memory that is the program's alone, and resident pages of files, in bytes.
fn resident() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some((bytes("RssAnon:")?, bytes("RssFile:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        let (open, most) = descriptors().unwrap();
        assert!(open >= 3 && open < most, "{open} of {most}");
        assert!(proportional_bytes().unwrap() > 100_000);
        assert!(load().unwrap().iter().all(|load| *load >= 0.0));
        assert!(start_seconds().unwrap() > 1_600_000_000.0);
    }

    #[test]
    fn work_takes_time() {
        let before = cpu_time();
        let mut sum = 0_u64;
        // Ended by the clock that is tested; a hundred million turns are seconds.
        for number in 0..100_000_000 {
            sum = std::hint::black_box(sum ^ number);
            if number % 100_000 == 0 && cpu_time() > before {
                return;
            }
        }
        panic!("no time has passed");
    }

    #[test]
    fn the_hottest_sensor_counts_and_absurd_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(hottest(&folder.path().join("none")), None);
        assert_eq!(hottest(folder.path()), None);
        for (name, text) in [
            ("thermal_zone0", "48312\n"),
            ("thermal_zone1", "51540\n"),
            ("thermal_zone2", "-274000\n"),
            ("thermal_zone3", "hot\n"),
            ("cooling_device0", "90000\n"),
        ] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("temp"), text).unwrap();
        }
        assert_eq!(hottest(folder.path()), Some(51.54));
    }
}
