//! The report on everything: each goal with its bars, from the sections that were measured.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use nanoserde::{DeJson, SerJson};

use super::{Bar, head, with_section};
use crate::Result;
use crate::goal::Goal;

/// The sections, in the order of the document.
pub const SECTIONS: [&str; 5] = ["http", "ical", "connections", "pipeline", "program"];

/// What a section has for this report.
#[derive(DeJson)]
struct Section {
    bars: Vec<Bar>,
}

/// Everything.
#[derive(SerJson)]
pub struct Report {
    conditions: Vec<String>,
    bars: Vec<Bar>,
    /// Sections that are not there.
    pub missing: Vec<String>,
}

impl Report {
    /// Reads the bars of the sections that are in a folder.
    ///
    /// # Errors
    /// When a section cannot be read.
    pub fn read(conditions: Vec<String>, folder: &Path) -> Result<Self> {
        let (mut bars, mut missing) = (Vec::new(), Vec::new());
        for name in SECTIONS {
            let Some(text) = section(folder, name, "json")? else {
                missing.push(name.to_owned());
                continue;
            };
            let section = Section::deserialize_json(&text);
            bars.extend(section.map_err(|error| format!("{name}.json: {error}"))?.bars);
        }
        Ok(Self { conditions, bars, missing })
    }

    /// How many bars are like this.
    fn count(&self, is_one: impl Fn(&Bar) -> bool) -> usize {
        self.bars.iter().filter(|bar| is_one(bar)).count()
    }

    fn goals(&self, f: &mut Formatter<'_>, title: &str, note: &str, goals: &[Goal]) -> fmt::Result {
        head(f, title, note, &["figure, of calendarbot", "measured", "bar", ""])?;
        for goal in goals {
            let mut bars = self.bars.iter().filter(|bar| bar.goal == *goal).peekable();
            let absent = format!("not measured: `make bench-{}`", goal.section());
            let verdict = if bars.peek().is_some() { "" } else { &absent };
            writeln!(f, "| **{}** | | | {verdict} |", goal.title())?;
            bars.try_for_each(|bar| writeln!(f, "{bar}"))?;
        }
        Ok(())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Benchmarks\n\n`make bench` measures and writes all of this.\n")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "* {condition}"))?;
        let (held, missed) =
            (self.count(Bar::holds), self.count(|bar| bar.is_measured() && !bar.holds()));
        let unmeasured = self.count(|bar| !bar.is_measured());
        writeln!(
            f,
            "* {held} bars hold, {missed} are missed, {unmeasured} could not be measured."
        )?;
        self.goals(f, "Speed and size", "", &Goal::SINGLE)?;
        let note = "Against what was published for the Python programs that this one replaces, \
                    and against itself with its flags off.";
        self.goals(f, "All of it together", note, &Goal::COMBINED)
    }
}

/// Writes the summary and all sections as one report into their folder, and the summary over its
/// section of the document, or before all others.
///
/// # Errors
/// When a file cannot be read or written.
pub fn publish(report: &Report, folder: &Path, document: Option<&Path>) -> Result<()> {
    let summary = report.to_string();
    let mut text = summary.clone();
    let mut json = format!("{{\"summary\":{}", report.serialize_json());
    for name in SECTIONS {
        text.extend(section(folder, name, "md")?.map(|section| format!("\n{section}")));
        json.extend(section(folder, name, "json")?.map(|section| format!(",\"{name}\":{section}")));
    }
    fs::write(folder.join("report.md"), text)?;
    fs::write(folder.join("report.json"), json + "}\n")?;
    if let Some(document) = document {
        fs::write(document, with_section(&fs::read_to_string(document)?, &summary, 0))?;
    }
    Ok(())
}

/// A file of a section, if it was measured.
fn section(folder: &Path, name: &str, extension: &str) -> Result<Option<String>> {
    let path = folder.join(name).with_extension(extension);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_in_one_of_the_tables_and_measured_in_one_of_the_sections() {
        let goals = [&Goal::SINGLE[..], &Goal::COMBINED].concat();
        for (nth, goal) in goals.iter().enumerate() {
            assert!(!goals[..nth].contains(goal), "{goal:?}");
            assert!(SECTIONS.contains(&goal.section()), "{goal:?}");
        }
    }

    #[test]
    fn goals_that_were_not_measured_say_how_to_do_it() {
        let folder = tempfile::tempdir().unwrap();
        let bars = [
            Bar::at_most(Goal::Start, "slowest start, ms", 25.0, 20.0),
            Bar::at_most(Goal::Size, "aarch64, MB", None, 6.0).why_none("no file"),
        ];
        let section =
            format!("{{\"conditions\":[\"x\"],\"bars\":{},\"more\":{{}}}}", bars.serialize_json());
        fs::write(folder.path().join("program.json"), &section).unwrap();
        fs::write(folder.path().join("program.md"), "# Program benchmarks\n").unwrap();
        let document = folder.path().join("document.md");
        fs::write(&document, "# HTTP benchmarks\n").unwrap();
        let report = Report::read(Vec::new(), folder.path()).unwrap();
        assert_eq!(report.missing, ["http", "ical", "connections", "pipeline"]);
        publish(&report, folder.path(), Some(&document)).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let text = read("report.md");
        for line in [
            "* 0 bars hold, 1 are missed, 1 could not be measured.",
            "| slowest start, ms | 25 | ≤ 20 | **missed** |",
            "| aarch64, MB | – | ≤ 6 | not measured: no file |",
            "| **instructions of a cached GET** | | | not measured: `make bench-http` |",
            "# Program benchmarks",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
        assert!(read("report.json").contains(&format!(",\"program\":{section}")));
        assert!(read("document.md").starts_with("# Benchmarks\n"));
        assert!(read("document.md").ends_with("\n\n# HTTP benchmarks\n"));
    }

    #[test]
    fn a_section_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ical.json"), "{").unwrap();
        let error = Report::read(Vec::new(), folder.path()).err().unwrap().to_string();
        assert!(error.starts_with("ical.json: "), "{error}");
    }
}
