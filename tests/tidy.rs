//! The house rules that a machine can check. Each says what it found and where.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a file may have before somebody must think about splitting it.
const LINES_MAX: usize = 500;

/// A source file, its path relative to the repository, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The text without the unit tests at its end.
    fn product(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.ends_with("/fixture.rs")
            || self.path == "src/config/document.rs"
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        collect(&root().join(folder), &mut sources);
    }
    assert!(sources.len() > 40, "the sources were found");
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root()).expect("inside").display().to_string();
            let text = fs::read_to_string(&path).expect("a source in UTF-8");
            sources.push(Source { path: relative, text });
        }
    }
}

/// The product's code in the files and folders that begin like this, as (place, line).
fn code(rooms: &[&str]) -> Vec<(String, String)> {
    let mut code = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        if !rooms.iter().any(|room| source.path.starts_with(room)) {
            continue;
        }
        for (number, line) in source.product().lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default().trim();
            code.push((format!("{}:{}", source.path, number + 1), line.to_owned()));
        }
    }
    code
}

/// None of these texts stands in the product's code, outside the files and folders that may hold
/// it.
fn check(rule: &str, texts: &[&str], homes: &[&str]) {
    check_in(&["src/"], rule, texts, homes);
}

/// The same for some rooms.
fn check_in(rooms: &[&str], rule: &str, texts: &[&str], homes: &[&str]) {
    let code = code(rooms);
    assert!(!code.is_empty(), "{rooms:?} are there");
    let is_foreign = |(place, line): &&(String, String)| {
        let is_home = homes.iter().any(|home| place.starts_with(home));
        !is_home && texts.iter().any(|text| line.contains(text))
    };
    let places = code.iter().filter(is_foreign).map(|(place, line)| format!("{place}: {line}"));
    let places: Vec<String> = places.collect();
    assert!(places.is_empty(), "{rule}\n{}", places.join("\n"));
}

#[test]
fn only_the_clock_reads_the_time() {
    check(
        "ask clock.rs",
        &["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now"],
        &["src/clock.rs"],
    );
}

#[test]
fn time_zones_come_from_one_database() {
    check(
        "ask tzdb.rs",
        &["tz::db()", "TimeZone::get(", "TimeZoneDatabase::"],
        &["src/tzdb.rs", "src/calendar/fixture.rs"],
    );
}

#[test]
fn sql_has_two_homes() {
    check(
        "SQL belongs into feed/store and connections/database",
        &["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM", "PRAGMA ", "pragma_"],
        &["src/feed/store", "src/connections/database"],
    );
}

/// What each of these rooms uses of the program, all of it. Whoever adds a word moves a wall, and
/// changes docs/ARCHITECTURE.md with it.
const WALLS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("hash", &[]),
    ("secret", &[]),
    ("metrics", &[]),
    ("flags", &[]),
    ("clock", &[]),
    ("budget", &["error"]),
    ("tzdb", &["budget"]),
    ("worker", &[]),
    ("connections", &["budget", "clock", "error", "metrics", "worker"]),
    ("ical", &["budget", "hash", "tzdb"]),
    ("calendar", &["budget", "hash", "ical"]),
];

#[test]
fn rooms_use_only_what_is_below_them() {
    for (room, below) in WALLS {
        let mut used = BTreeSet::new();
        for (_, line) in code(&[&format!("src/{room}.rs"), &format!("src/{room}/")]) {
            for rest in line.split("crate::").skip(1) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                used.insert(rest[..end.unwrap_or(rest.len())].to_owned());
            }
        }
        used.remove(*room);
        assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), *below, "{room}");
    }
}

#[test]
fn calendars_are_computed_from_what_is_given() {
    check_in(
        &["src/ical/", "src/calendar/"],
        "no clock, no I/O and nothing to wait for",
        &["async ", ".await", "std::fs", "std::io", "std::net", "std::env", "std::time"],
        &[],
    );
    check_in(&["src/ical/", "src/calendar/"], "callers log", &["log::"], &[]);
}

#[test]
fn health_decides_from_what_is_read() {
    let pure = ["alert", "baseline", "latch", "mod", "respond", "rollback", "settings", "window"];
    let pure = pure.map(|file| format!("src/health/{file}.rs"));
    check_in(
        &pure.each_ref().map(String::as_str),
        "no clock, no I/O, no log and nothing to wait for",
        &["async ", ".await", "std::fs", "std::io", "crate::alloc", "crate::app", "log::"],
        &[],
    );
}

#[test]
fn http_does_not_know_what_a_calendar_is() {
    check_in(
        &["src/http/"],
        "http carries bytes",
        &["crate::calendar", "crate::ical", "crate::feed", "crate::config"],
        &[],
    );
}

#[test]
fn answers_have_their_times_from_one_place() {
    check_in(
        &["src/api/", "src/display/", "src/pipeline/"],
        "calendar/text.rs writes times",
        &["strftime", "display_with_offset"],
        &[],
    );
}

#[test]
fn what_a_calendar_may_hold_is_in_the_budget() {
    // How far a single word is read takes no memory.
    check_in(
        &["src/ical/"],
        "ask budget",
        &["_MAX: "],
        &["src/ical/value.rs", "src/ical/windows.rs"],
    );
}

#[test]
fn async_h1_stays_behind_our_framing() {
    check("async-h1 belongs into decode.rs", &["async_h1"], &["src/http/decode.rs"]);
}

#[test]
fn nothing_starts_a_thread_or_a_second_executor() {
    check(
        "one thread; see docs/ARCHITECTURE.md",
        &[
            "async_h1::accept",
            "async_h1::server::Server",
            "smol::spawn",
            "async_global_executor",
            "async_std",
            "thread::spawn",
            "unblock",
            "smol::fs",
            "smol::process",
            "smol::net",
        ],
        &[],
    );
}

#[test]
fn two_threads_look_up_names_and_commit() {
    check("a thread of its own", &["thread::Builder"], &["src/worker.rs"]);
    check(
        "only a look-up and a commit may block",
        &["Worker::"],
        &["src/connections/database.rs", "src/connections/outbound/resolve.rs", "src/worker.rs"],
    );
}

#[test]
fn every_queue_is_bounded() {
    check("a queue without a bound", &["unbounded"], &[]);
}

#[test]
fn unsafe_stays_in_the_allocator() {
    check("unsafe code", &["unsafe ", "unsafe_code"], &["src/alloc.rs"]);
}

#[test]
fn the_environment_is_read_in_one_place() {
    check(
        "std::env belongs into config and, for what the system says of the process, daemon",
        &["env::var", "env::args", "env::set_var"],
        &["src/config/mod.rs", "src/daemon", "src/alloc.rs", "src/display/assets/compress.rs"],
    );
}

#[test]
fn secrets_are_exposed_in_two_places() {
    check(
        "a secret leaves only for its server, for its owner's file, and as a hash",
        &[".expose()"],
        &[
            "src/feed/mod.rs",
            "src/app/configuration.rs",
            "src/app/feeds.rs",
            "src/config/addition.rs",
            "src/config/feed.rs",
            "src/config/feed_url.rs",
            "src/config/file.rs",
        ],
    );
}

#[test]
fn nothing_unfinished_is_left() {
    check(
        "unfinished",
        &["todo!", "unimplemented!", "dbg!", ".unwrap()", "panic!(\"not", "FIXME", "XXX"],
        &[],
    );
}

#[test]
fn files_are_rooms_and_not_houses() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines:\n{}", long.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{} begins without a word", source.path);
    }
}

#[test]
fn every_limit_is_documented() {
    let budget = fs::read_to_string(root().join("src/budget/limits.rs")).expect("limits.rs");
    let mut previous = "";
    for line in budget.lines().map(str::trim) {
        let is_field = line.starts_with("pub ") && line.ends_with(',') && line.contains(": ");
        assert!(!is_field || previous.starts_with("///"), "undocumented: {line}");
        previous = line;
    }
}

#[test]
fn nothing_sleeps_in_tests() {
    let sleeps: Vec<String> = sources()
        .iter()
        .filter(|source| source.is_test() && source.path != "tests/tidy.rs")
        .filter(|source| source.text.contains("thread::sleep"))
        .map(|source| source.path.clone())
        .collect();
    assert!(sleeps.is_empty(), "{sleeps:?}");
}

#[test]
fn names_say_what_a_thing_is() {
    for name in ["Manager", "Helper", "Utils", "Optimizer", "Enhanced"] {
        for source in sources().iter().filter(|source| !source.is_test()) {
            for line in source.product().lines() {
                let declares = line.contains("struct ") || line.contains("enum ");
                assert!(!(declares && line.contains(name)), "{}: {line}", source.path);
            }
        }
    }
}
