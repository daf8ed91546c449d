//! The reports: what was measured, as Markdown for people and as JSON for programs. Each is a
//! section of one document.

pub mod calendars;
pub mod connections;
pub mod http;
pub mod pipeline;

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use nanoserde::SerJson;

use crate::Result;

/// A figure of the product and what it may be at most, or must be at least.
#[derive(SerJson)]
pub struct Bar {
    name: String,
    value: f64,
    bar: f64,
    /// True when less is better.
    at_most: bool,
}

impl Bar {
    /// A figure that may be so much at most.
    pub fn at_most(name: impl Into<String>, value: f64, bar: f64) -> Self {
        Self { name: name.into(), value, bar, at_most: true }
    }

    /// A figure that must be so much at least.
    pub fn at_least(name: impl Into<String>, value: f64, bar: f64) -> Self {
        Self { name: name.into(), value, bar, at_most: false }
    }

    /// True when it is.
    pub fn holds(&self) -> bool {
        if self.at_most { self.value <= self.bar } else { self.value >= self.bar }
    }
}

impl Display for Bar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.at_most { '≤' } else { '≥' };
        let verdict = if self.holds() { "holds" } else { "**missed**" };
        let Self { name, value, bar, .. } = self;
        write!(f, "| {name} | {} | {sign} {bar} | {verdict} |", Figure(Some(*value)))
    }
}

/// Writes a report for people and for programs into a folder, and over its section of `document`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn publish(
    report: &(impl Display + SerJson),
    name: &str,
    folder: &Path,
    document: Option<&Path>,
) -> Result<()> {
    let text = report.to_string();
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name).with_extension("md"), &text)?;
    fs::write(folder.join(name).with_extension("json"), report.serialize_json())?;
    if let Some(document) = document {
        fs::write(document, with_section(&fs::read_to_string(document)?, &text))?;
    }
    Ok(())
}

/// The document with a section in the place of the one that has the same heading, or at its end.
fn with_section(document: &str, section: &str) -> String {
    let is_start = |at: &usize| *at == 0 || document[..*at].ends_with('\n');
    let mut starts: Vec<usize> =
        document.match_indices("# ").map(|(at, _)| at).filter(is_start).collect();
    starts.push(document.len());
    let heading = section.lines().next();
    let mut sections: Vec<&str> =
        starts.windows(2).map(|range| document[range[0]..range[1]].trim_end()).collect();
    match sections.iter_mut().find(|old| old.lines().next() == heading) {
        Some(old) => *old = section.trim_end(),
        None => sections.push(section.trim_end()),
    }
    sections.join("\n\n") + "\n"
}

/// The machine, in words.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor = processor.lines().find(|line| line.starts_with("model name"));
    let processor =
        processor.and_then(|line| line.split_once(": ")).map_or("a processor", |it| it.1);
    format!("{processor}, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

fn head(f: &mut Formatter<'_>, title: &str, note: &str, columns: &[&str]) -> fmt::Result {
    writeln!(f, "\n## {title}\n")?;
    if !note.is_empty() {
        writeln!(f, "{note}\n")?;
    }
    writeln!(f, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()))
}

/// A row; without any figure it says why.
fn line(f: &mut Formatter<'_>, name: &str, figures: &[Option<f64>], why_none: &str) -> fmt::Result {
    if figures.iter().all(Option::is_none) {
        return writeln!(f, "| {name} | {why_none} |");
    }
    write!(f, "| {name} |")?;
    figures.iter().try_for_each(|figure| write!(f, " {} |", Figure(*figure)))?;
    writeln!(f)
}

/// A number with as many digits as mean something.
struct Figure(Option<f64>);

impl Display for Figure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0 else { return write!(f, "–") };
        let digits = match value.abs() {
            value if value == value.trunc() || value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{value:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_holds_at_its_limit_and_not_past_it() {
        for (bar, holds) in [
            (Bar::at_most("x", 2.1, 2.1), true),
            (Bar::at_most("x", 2.11, 2.1), false),
            (Bar::at_least("x", 1.0, 1.0), true),
            (Bar::at_least("x", 0.99, 1.0), false),
        ] {
            assert_eq!(bar.holds(), holds, "{bar}");
        }
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        for (value, text) in [(4806.18, "4806"), (21.44, "21.4"), (2.0798, "2.08"), (0.0, "0")] {
            assert_eq!(Figure(Some(value)).to_string(), text);
        }
    }

    #[test]
    fn a_section_takes_the_place_of_the_one_before_it() {
        for (document, section, expected) in [
            ("", "# A\n\na\n", "# A\n\na\n"),
            ("# A\n\nold\n\n## A a\n", "# A\n\na\n", "# A\n\na\n"),
            ("# A\n\na\n", "# B\n\nb\n", "# A\n\na\n\n# B\n\nb\n"),
            ("# A\n\nold # 1\n\n# B\n\nb\n", "# A\n\na\n", "# A\n\na\n\n# B\n\nb\n"),
        ] {
            assert_eq!(with_section(document, section), expected);
        }
    }
}
