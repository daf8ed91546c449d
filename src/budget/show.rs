//! A plan and a size in words.

use std::fmt;

use super::{KIB, MIB, Plan};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>10}  why", "term", "KiB")?;
        for term in &self.terms {
            let kib = term.bytes as f64 / KIB as f64;
            writeln!(f, "{:<16} {kib:>10.1}  {}", term.name, term.reason)?;
        }
        let total = self.total_bytes();
        let budget = self.limits.budget_bytes;
        writeln!(f, "{:<16} {:>10.1}", "total", total as f64 / KIB as f64)?;
        match budget.checked_sub(total) {
            Some(spare) => write!(
                f,
                "{:<16} {:>10.1}  of {}",
                "spare",
                spare as f64 / KIB as f64,
                show_bytes(budget)
            ),
            None => write!(
                f,
                "{:<16} {:>10.1}  over {}",
                "missing",
                (total - budget) as f64 / KIB as f64,
                show_bytes(budget)
            ),
        }
    }
}

/// `16 MiB`, `1.5 MiB`, `300 KiB`: bytes as people read them.
pub fn show_bytes(bytes: usize) -> String {
    if bytes < MIB {
        return format!("{} KiB", bytes.div_ceil(KIB));
    }
    let mib = bytes as f64 / MIB as f64;
    if mib.fract() < 0.05 { format!("{mib:.0} MiB") } else { format!("{mib:.1} MiB") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_people_read_them() {
        assert_eq!(show_bytes(16 * MIB), "16 MiB");
        assert_eq!(show_bytes(3 * MIB / 2), "1.5 MiB");
        assert_eq!(show_bytes(1), "1 KiB");
    }
}
