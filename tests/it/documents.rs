//! Documents that are made from the program must say what the program says. `make bless` writes
//! them anew.

use std::fs;

use calendarbot::api::kpi::KPIS;
use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::metrics::{Kind, Metrics};

/// Everything from here on is generated.
const MARK: &str = "<!-- generated: make bless -->\n";

/// What stands behind the mark of a document is this, or becomes this.
fn check(name: &str, expected: &str) {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).expect("the document");
    let (written, generated) = text.split_once(MARK).unwrap_or((&text, ""));
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, format!("{written}{MARK}{expected}")).expect("written");
        return;
    }
    assert!(generated == expected, "docs/{name} is out of date: make bless");
}

#[test]
fn the_memory_plan_is_the_one_in_the_documents() {
    let mut expected = String::new();
    for mib in [8, 16, 32] {
        let plan = Plan::new(mib << 20, 4, FeedLimits::default()).expect("a plan");
        expected += &format!("\n## {mib} MiB, four feeds\n\n```\n{plan}\n```\n");
    }
    check("MEMORY.md", &expected);
}

#[test]
fn every_metric_is_in_the_documents() {
    let metrics = Metrics::default();
    let mut expected = "\n## Plain numbers\n\n\
                        | `/stats` | `/metrics` | kind | unit | what it counts |\n\
                        |---|---|---|---|---|\n"
        .to_owned();
    for reading in metrics.readings() {
        let (name, unit, help) = (reading.name, reading.unit, reading.help);
        let (kind, suffix) = match reading.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let family = reading.family().map(|family| format!("`{family}{suffix}`"));
        let family = family.unwrap_or_default();
        expected += &format!("| `{name}` | {family} | {kind} | {unit} | {help} |\n");
    }
    expected += "\n## Terms of the budget\n\n| term | how its figures come about |\n|---|---|\n";
    for term in metrics.memory.terms() {
        expected += &format!("| {} | {} |\n", term.name(), term.how());
    }
    expected +=
        "\n## Key figures\n\n| `/stats`, section `kpi` | unit | what it says |\n|---|---|---|\n";
    for kpi in &KPIS {
        expected += &format!("| `{}` | {} | {} |\n", kpi.name, kpi.unit, kpi.help);
    }
    check("METRICS.md", &expected);
}
