//! What the store makes of components: what it writes, what it keeps when it is too much, and what
//! that takes.

use std::fs;
use std::rc::Rc;

use calendarbot::alloc;
use calendarbot::budget::{FeedLimits, Limits, Plan};
use calendarbot::clock::Clock;
use calendarbot::connections::database::Database;
use calendarbot::error::Result;
use calendarbot::feed::store::{self, FetchedFacts, Publication, Published, Staging};
use calendarbot::ical::Window;
use calendarbot::ical::component::{Component, Kind};
use calendarbot::metrics::Metrics;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use crate::rig::folder;

/// The store of one feed, all of it on the test's own thread.
struct Store {
    database: Database,
    limits: Limits,
    feed: i64,
    folder: TempDir,
}

/// What a refresh took.
#[derive(Debug)]
struct Cost {
    /// The heap at its highest, while publishing.
    heap_bytes: usize,
    /// Given to the system to write, commits included.
    written_bytes: u64,
}

impl Store {
    fn new(feed: FeedLimits) -> Self {
        let folder = folder();
        let limits = Plan::divide(16 << 20, 1, feed).limits;
        let metrics = Rc::new(Metrics::default());
        let (database, _) =
            Database::open(folder.path(), &limits.database, Clock::system(None), metrics)
                .expect("made");
        let registered = database.set_up(|connection| store::register(connection, "a", 0));
        let feed = registered.expect("registered").id;
        Self { database, limits, feed, folder }
    }

    fn stage(&self, components: &[Component]) -> Staging {
        let (feed, bytes_max) = (self.feed, self.limits.refresh.seen_bytes_max);
        let begin = |connection: &_| store::begin_staging(connection, feed, bytes_max);
        let mut staging = self.database.set_up(begin).expect("begun");
        for batch in components.chunks(100) {
            let stage = |connection: &_| store::stage(connection, feed, staging, batch);
            staging = self.database.set_up(stage).expect("staged");
        }
        staging
    }

    fn publish(&self, staging: Staging) -> Result<Published> {
        let at = |text: &str| text.parse().expect("a time");
        let (start, end) = (at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
        let publication = Publication {
            feed: self.feed,
            checked_at: None,
            fetched: Some(FetchedFacts { staging, ..FetchedFacts::default() }),
            default_zone: TimeZone::UTC,
            window: Some(Window { start, end }),
        };
        let limits = &self.limits.feed;
        self.database.set_up(|connection| store::publish(connection, &publication, limits))
    }

    /// How many occurrences each UID has.
    fn occurrences(&self) -> String {
        let mut lease = self.database.lease();
        let counts = lease.read(|reader| {
            let mut select = reader.prepare(
                "SELECT uid || (SELECT count(*) FROM occurrence WHERE component = component.id)
                 FROM component ORDER BY uid",
            )?;
            let counts = select.query_map([], |row| row.get(0))?;
            Ok(counts.collect::<rusqlite::Result<Vec<String>>>()?)
        });
        counts.expect("counts").join(" ")
    }

    /// A whole refresh.
    fn refresh(&self, components: &[Component]) -> (Published, Cost) {
        let written = written_bytes();
        let staging = self.stage(components);
        alloc::restart_peak();
        let used = alloc::used_bytes();
        let published = self.publish(staging).expect("published");
        let heap_bytes = alloc::peak_bytes().saturating_sub(used);
        (published, Cost { heap_bytes, written_bytes: written_bytes() - written })
    }
}

/// What this thread has given to the system to write, so far.
fn written_bytes() -> u64 {
    let figures = fs::read_to_string("/proc/thread-self/io").expect("the kernel counts");
    let figure = figures.lines().find_map(|line| line.strip_prefix("wchar: "));
    figure.and_then(|figure| figure.parse().ok()).expect("a number")
}

fn component((uid, text): (&str, String)) -> Component {
    Component { kind: Kind::Event, uid: uid.to_owned(), text }
}

/// Publishes the components that a feed has one after the other, given as (UID, text), into a new
/// database. Says what the last ones came to, and the heap that they took.
pub(crate) fn publish_in_turn(
    turns: Vec<Vec<(&'static str, String)>>,
    feed: FeedLimits,
) -> (Published, usize) {
    let store = Store::new(feed);
    let turns = turns.into_iter().map(|turn| turn.into_iter().map(component).collect::<Vec<_>>());
    let (published, cost) = turns.map(|turn| store.refresh(&turn)).last().expect("a turn");
    (published, cost.heap_bytes)
}

/// So many events of about a kilobyte.
fn events(count: usize) -> Vec<Component> {
    let event = |number: usize| {
        let (day, minute) = (number % 28 + 1, number % 60);
        let text = format!(
            "UID:{number}\nDTSTART:202602{day:02}T10{minute:02}00Z\nSUMMARY:One\nDESCRIPTION:{}\n",
            "d".repeat(900)
        );
        Component { kind: Kind::Event, uid: number.to_string(), text }
    };
    (0..count).map(event).collect()
}

/// A feed server without a tag sends all of it every few minutes, for years.
#[test]
fn only_what_is_new_is_written() {
    let store = Store::new(FeedLimits::default());
    let all = events(2000);
    let (_, cost) = store.refresh(&all);
    assert!(cost.written_bytes > 2_000_000, "{cost:?}");
    let mut changed = all.clone();
    changed[1000].text = changed[1000].text.replace("One", "Two");
    let reversed: Vec<Component> = all.iter().rev().cloned().collect();
    let twice = [&all[..], &all].concat();
    for (name, components, kib_max) in [
        ("the same", &all[..], 0),
        ("in another order", &reversed, 0),
        ("everything twice", &twice, 0),
        ("one has changed", &changed, 100),
        ("the same as that", &changed, 0),
        ("one is gone", &changed[1..], 100),
        ("the same without it", &changed[1..], 0),
        ("one has come", &changed, 100),
    ] {
        let (published, cost) = store.refresh(components);
        assert!(cost.written_bytes <= kib_max << 10, "{name}: {cost:?}");
        let events = if components.len() > 2000 { 2000 } else { components.len() as u64 };
        assert_eq!((published.changed, published.events), (kib_max > 0, events), "{name}");
    }
}

#[test]
fn what_comes_twice_is_stored_once() {
    let store = Store::new(FeedLimits::default());
    let all = events(20);
    let twice = [&all[..], &all].concat();
    for (components, changed) in [(&twice, true), (&all, false), (&twice, false)] {
        let (published, _) = store.refresh(components);
        assert_eq!((published.changed, published.events), (changed, 20));
    }
}

/// It is the same feed all the same, but the file beside it is written.
#[test]
fn marks_that_have_no_room_in_memory_are_written() {
    let mut store = Store::new(FeedLimits::default());
    let all = events(200);
    store.refresh(&all);
    for bytes_max in [0, 16, 32] {
        store.limits.refresh.seen_bytes_max = bytes_max;
        let (published, cost) = store.refresh(&all);
        assert_eq!((published.changed, published.events), (false, 200));
        assert!(cost.written_bytes > 0);
        let (published, _) = store.refresh(&all[1..]);
        assert_eq!((published.changed, published.events), (true, 199));
        let (published, _) = store.refresh(&all);
        assert_eq!((published.changed, published.events), (true, 200));
    }
}

#[test]
fn what_was_seen_must_still_be_there() {
    let store = Store::new(FeedLimits::default());
    let all = events(3);
    store.refresh(&all);
    let staging = store.stage(&all);
    let file = rusqlite::Connection::open(store.folder.path().join("calendarbot.db"));
    file.expect("opened").execute("DELETE FROM component WHERE uid = '1'", []).expect("deleted");
    let error = store.publish(staging).expect_err("one would be missing");
    assert!(error.to_string().contains("changed while"), "{error}");
}

/// Many masters may share a UID, and each may bring as many RDATEs as one is allowed.
#[test]
fn one_series_takes_no_more_memory_than_it_may() {
    let time = |n: usize| {
        let (day, hour, minute, second) = (n / 86_400, n / 3600 % 24, n / 60 % 60, n % 60);
        format!("202601{:02}T{hour:02}{minute:02}{second:02}Z", day + 2)
    };
    let dates = |n: usize| {
        let dates: Vec<String> = (1..=10_000).map(|second| time(n + second)).collect();
        ("x", format!("UID:x\nDTSTART:{}\nRDATE:{}", time(n), dates.join(",")))
    };
    // Long texts are no part of an expansion, and do not count.
    let texts = |n: usize| {
        let rules = "RRULE:FREQ=DAILY\n".repeat(n);
        ("x", format!("UID:x\nDTSTART:{}\n{rules}DESCRIPTION:{}", time(n), "d".repeat(8_000)))
    };
    let plan = Plan::divide(16 << 20, 1, FeedLimits::default());
    let share = plan.terms.iter().find(|term| term.name == "expansion").expect("a share").bytes;
    for (components, marks) in [
        ((0..60).map(|n| dates(n * 13_000)).collect(), ["exceptions_max", "occurrences_max"]),
        ((0..200).map(texts).collect::<Vec<_>>(), ["series_bytes_max", "components left out"]),
    ] {
        let (published, bytes) = publish_in_turn(vec![components], FeedLimits::default());
        assert!(bytes <= share, "{bytes} bytes of heap, {share} planned, {marks:?}");
        for mark in marks {
            let named = published.warnings.iter().any(|warning| warning.contains(mark));
            assert!(named, "{mark}: {:?}", published.warnings);
        }
    }
}

/// The only writer must not walk for minutes: the rules of a feed share their steps, and what they
/// leave out is counted and named. A series that needs few steps is there all the same.
#[test]
fn the_rules_of_a_feed_share_their_steps() {
    const UIDS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let limits = FeedLimits { feed_steps_max: 250_000, ..FeedLimits::default() };
    let mut components: Vec<_> = UIDS
        .map(|uid| {
            let rule = "RRULE:FREQ=MINUTELY;BYHOUR=1,2;COUNT=4000000000";
            (uid, format!("UID:{uid}\nDTSTART:20000101T000000Z\n{rule}"))
        })
        .into();
    components.push(("z", "UID:z\nDTSTART:20000105T000000Z\nRRULE:FREQ=DAILY\n".to_owned()));
    let (published, _) = publish_in_turn(vec![components], limits);
    let cut = published.warnings.iter().filter(|text| text.contains("(feed_steps_max)"));
    let cut: Vec<&str> = cut.filter_map(|text| text.split(':').next()).collect();
    assert_eq!(cut, UIDS, "{:?}", published.warnings);
    let last = published.warnings.last().expect("a warning");
    assert_eq!(last, "5 series are incomplete: the feed is too much");
    assert_eq!((published.events, published.truncated_series), (6, 5));
    assert!(published.steps < 250_000, "{} steps", published.steps);
}

/// Of what is too much the occurrences nearest to today stay, whatever their UIDs: today is the
/// second of January, at midnight.
#[test]
fn a_feed_that_is_too_much_keeps_what_is_near() {
    let at = |uid: &'static str, start: &str| (uid, format!("UID:{uid}\nDTSTART:{start}\n"));
    let feed = || {
        let daily = "UID:c\nDTSTART:20260101T200000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n";
        let trip = "UID:e\nDTSTART:20251220T000000Z\nDTEND:20260102T120000Z\n".to_owned();
        vec![
            at("a", "20260220T100000Z"),
            at("b", "20260105T100000Z"),
            ("c", daily.to_owned()),
            at("d", "20260104T100000Z"),
            ("e", trip),
        ]
    };
    let soon = || vec![at("z", "20260102T090000Z")];
    for (max, turns, kept, truncated) in [
        (7, vec![feed()], "a1 b1 c3 d1 e1", 0),
        (6, vec![feed()], "a0 b1 c3 d1 e1", 1),
        (5, vec![feed()], "a0 b0 c3 d1 e1", 2),
        (3, vec![feed()], "a0 b0 c2 d0 e1", 4),
        (7, vec![feed(), [feed(), soon()].concat()], "a0 b1 c3 d1 e1 z1", 1),
        (6, vec![feed(), [feed(), soon()].concat()], "a0 b0 c3 d1 e1 z1", 2),
        (7, vec![[feed(), soon()].concat(), feed()], "a1 b1 c3 d1 e1", 0),
        (0, vec![feed()], "a0 b0 c0 d0 e0", 5),
    ] {
        let store = Store::new(FeedLimits { feed_occurrences_max: max, ..FeedLimits::default() });
        let mut last = Published::default();
        for turn in turns {
            let turn: Vec<Component> = turn.into_iter().map(component).collect();
            (last, _) = store.refresh(&turn);
            let (again, cost) = store.refresh(&turn);
            assert_eq!((again.changed, cost.written_bytes), (false, 0), "{max}: {kept}");
        }
        assert_eq!((store.occurrences().as_str(), last.truncated_series), (kept, truncated));
    }
}

/// Not even when it alone has changed: so many does it have when the window moves.
#[test]
fn a_series_that_changes_has_no_more_steps_than_the_others_leave() {
    let daily = |uid, title: &str| {
        let rule = "RRULE:FREQ=DAILY;BYHOUR=1,2;BYSETPOS=1";
        (uid, format!("UID:{uid}\nDTSTART:20000101T000000Z\n{rule}\nSUMMARY:{title}\n"))
    };
    let feed = |title| vec![daily("a", "One"), daily("b", title)];
    let limits = FeedLimits { feed_steps_max: 3_000, ..FeedLimits::default() };
    for turns in [vec![feed("One")], vec![feed("One"), feed("Two")]] {
        let (published, _) = publish_in_turn(turns, limits.clone());
        assert_eq!(published.truncated_series, 1, "{published:?}");
    }
}
