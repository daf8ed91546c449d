//! Documents that are made from the program must say what the program says. `make bless` writes
//! them anew.

use std::fs;

use calendarbot::budget::{FeedLimits, Plan};

/// Everything from here on is generated.
const MARK: &str = "<!-- generated: make bless -->\n";

#[test]
fn the_memory_plan_is_the_one_in_the_documents() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/MEMORY.md");
    let text = fs::read_to_string(path).expect("the document");
    let (written, generated) = text.split_once(MARK).unwrap_or((&text, ""));
    let mut expected = String::new();
    for mib in [8, 16, 32] {
        let plan = Plan::new(mib << 20, 4, FeedLimits::default()).expect("a plan");
        expected += &format!("\n## {mib} MiB, four feeds\n\n```\n{plan}\n```\n");
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, format!("{written}{MARK}{expected}")).expect("written");
        return;
    }
    assert!(generated == expected, "docs/MEMORY.md is out of date: make bless");
}
