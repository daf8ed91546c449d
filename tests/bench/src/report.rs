//! The reports: what was measured, as Markdown for people and as JSON for programs. Each is a
//! section of one document.

pub mod calendars;
pub mod connections;
pub mod http;
pub mod pipeline;
pub mod program;
pub mod summary;

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use nanoserde::{DeJson, SerJson};

use crate::Result;
use crate::goal::Goal;

/// A figure of the product and what it may be at most, or must be at least.
#[derive(Clone, Debug, PartialEq, SerJson, DeJson)]
pub struct Bar {
    /// What it is about.
    pub goal: Goal,
    name: String,
    measured: Measured,
    bar: f64,
    /// True when less is better.
    at_most: bool,
}

/// What came of measuring something.
#[derive(Clone, Debug, PartialEq, SerJson, DeJson)]
enum Measured {
    /// A figure.
    Figure(f64),
    /// None, and why.
    Nothing(String),
}

impl Bar {
    /// A figure that may be so much at most.
    pub fn at_most(
        goal: Goal,
        name: impl Into<String>,
        measured: impl Into<Option<f64>>,
        bar: f64,
    ) -> Self {
        // JSON has no other figures, nor has a bar.
        let measured = match measured.into() {
            Some(figure) if figure.is_finite() => Measured::Figure(figure),
            _ => Measured::Nothing("it failed".to_owned()),
        };
        Self { goal, name: name.into(), measured, bar, at_most: true }
    }

    /// A figure that must be so much at least.
    pub fn at_least(
        goal: Goal,
        name: impl Into<String>,
        measured: impl Into<Option<f64>>,
        bar: f64,
    ) -> Self {
        Self { at_most: false, ..Self::at_most(goal, name, measured, bar) }
    }

    /// Says why there is no figure, when there is none.
    pub fn why_none(mut self, why: &str) -> Self {
        if let Measured::Nothing(reason) = &mut self.measured {
            *reason = why.to_owned();
        }
        self
    }

    /// True when there is a figure.
    pub fn is_measured(&self) -> bool {
        matches!(self.measured, Measured::Figure(_))
    }

    /// True when there is one, and it is what it shall be.
    pub fn holds(&self) -> bool {
        match self.measured {
            Measured::Figure(figure) if self.at_most => figure <= self.bar,
            Measured::Figure(figure) => figure >= self.bar,
            Measured::Nothing(_) => false,
        }
    }
}

impl Display for Bar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.at_most { '≤' } else { '≥' };
        let Self { name, measured, bar, .. } = self;
        match measured {
            Measured::Figure(figure) => {
                let verdict = if self.holds() { "holds" } else { "**missed**" };
                write!(f, "| {name} | {} | {sign} {bar} | {verdict} |", Figure(Some(*figure)))
            }
            Measured::Nothing(why) => {
                write!(f, "| {name} | – | {sign} {bar} | not measured: {why} |")
            }
        }
    }
}

/// The table of bars that every section begins with.
fn bars(f: &mut Formatter<'_>, bars: &[Bar]) -> fmt::Result {
    head(f, "Bars", "", &["figure, of calendarbot", "measured", "bar", ""])?;
    bars.iter().try_for_each(|bar| writeln!(f, "{bar}"))
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
        fs::write(document, with_section(&fs::read_to_string(document)?, &text, usize::MAX))?;
    }
    Ok(())
}

/// The document with a section in the place of the one that has the same heading, or before the
/// nth of the others.
fn with_section(document: &str, section: &str, nth: usize) -> String {
    let is_start = |at: &usize| *at == 0 || document[..*at].ends_with('\n');
    let mut starts: Vec<usize> =
        document.match_indices("# ").map(|(at, _)| at).filter(is_start).collect();
    starts.push(document.len());
    let heading = section.lines().next();
    let mut sections: Vec<&str> =
        starts.windows(2).map(|range| document[range[0]..range[1]].trim_end()).collect();
    match sections.iter_mut().find(|old| old.lines().next() == heading) {
        Some(old) => *old = section.trim_end(),
        None => sections.insert(nth.min(sections.len()), section.trim_end()),
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
            value if value >= 0.1 => 2,
            _ => 3,
        };
        write!(f, "{value:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_holds_at_its_limit_and_not_past_it() {
        for (bar, verdict) in [
            (Bar::at_most(Goal::Syscalls, "x", 2.1, 2.1), "holds"),
            (Bar::at_most(Goal::Syscalls, "x", 2.11, 2.1), "**missed**"),
            (Bar::at_least(Goal::CachedGet, "x", 1.0, 1.0), "holds"),
            (Bar::at_least(Goal::CachedGet, "x", 0.99, 1.0), "**missed**"),
            (Bar::at_most(Goal::Size, "x", None, 6.0), "not measured: it failed"),
            (Bar::at_most(Goal::Size, "x", None, 6.0).why_none("no file"), "not measured: no file"),
            (Bar::at_most(Goal::Size, "x", f64::NAN, 6.0), "not measured: it failed"),
            (Bar::at_most(Goal::Size, "x", 5.0, 6.0).why_none("no file"), "holds"),
        ] {
            assert!(bar.to_string().ends_with(&format!(" | {verdict} |")), "{bar}");
            assert_eq!(bar.holds(), verdict == "holds", "{bar}");
            assert_eq!(Bar::deserialize_json(&bar.serialize_json()).unwrap(), bar);
        }
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        for (value, text) in
            [(4806.18, "4806"), (21.44, "21.4"), (2.0798, "2.08"), (0.0012, "0.001"), (0.0, "0")]
        {
            assert_eq!(Figure(Some(value)).to_string(), text);
        }
    }

    #[test]
    fn a_section_takes_the_place_of_the_one_before_it() {
        for (document, section, nth, expected) in [
            ("", "# A\n\na\n", 9, "# A\n\na\n"),
            ("# A\n\nold\n\n## A a\n", "# A\n\na\n", 9, "# A\n\na\n"),
            ("# A\n\na\n", "# B\n\nb\n", 9, "# A\n\na\n\n# B\n\nb\n"),
            ("# A\n\na\n", "# B\n\nb\n", 0, "# B\n\nb\n\n# A\n\na\n"),
            ("# A\n\nold # 1\n\n# B\n\nb\n", "# A\n\na\n", 9, "# A\n\na\n\n# B\n\nb\n"),
        ] {
            assert_eq!(with_section(document, section, nth), expected);
        }
    }
}
