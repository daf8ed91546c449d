//! The request pipeline in the running program: one answer for many askers, few turns for many
//! questions, and displays that never wait.

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::alloc;
use calendarbot::api::people::{Book, People};
use calendarbot::budget::{FeedLimits, PipelineLimits, Plan};
use calendarbot::clock::Clock;
use calendarbot::connections::database::Database;
use calendarbot::feed::Feeds;
use calendarbot::flags::Flags;
use calendarbot::http::response::{Answer, media};
use calendarbot::http::slab::Token;
use calendarbot::metrics::Metrics;
use calendarbot::pipeline::cache::{Cache, Share, Validity};
use calendarbot::pipeline::key::{View, ViewKey};
use calendarbot::pipeline::{Asking, Completion, Pipeline, Sources};
use jiff::tz::TimeZone;
use smol::future;

use crate::feed_server::{Script, run, run_within};
use crate::rig::{NOW, fed, folder};
use crate::seeded::Random;
use crate::switches::{VARIANTS, ask_together, request, target};

const MIB: usize = 1 << 20;

#[test]
fn a_burst_for_one_view_is_one_computation() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 50)).await;
        let rendered = rig.metrics.pipeline_rendered.get();
        let targets = vec!["/api/v1/next".to_owned(); 64];
        let answers = ask_together(&rig, &targets).await;
        assert!(answers.iter().all(|answer| answer.0 == 200 && *answer == answers[0]));
        assert_eq!(rig.metrics.pipeline_rendered.get() - rendered, 1);
        let (joined, hits) = (rig.metrics.pipeline_joined.get(), rig.metrics.cache_hits.get());
        assert_eq!(joined + hits, 63);
    });
}

#[test]
fn a_burst_for_many_windows_takes_few_turns() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 50)).await;
        let turns = rig.metrics.pipeline_turns.get();
        let window = |hour: usize| {
            let (day, hour) = (5 + hour / 24, hour % 24);
            format!("/api/v1/events?from=2026-01-{day:02}T{hour:02}:00:00Z&to=2026-01-20")
        };
        let targets: Vec<_> = (0..64).map(window).collect();
        let answers = ask_together(&rig, &targets).await;
        assert!(answers.iter().all(|answer| answer.0 == 200));
        let turns = rig.metrics.pipeline_turns.get() - turns;
        assert!(turns <= 7, "{turns} turns");
        let readings = rig.metrics.pipeline_readings.get();
        assert!(readings <= 8, "{readings} readings for 64 windows that overlap");
    });
}

#[test]
fn parameters_that_do_not_matter_split_no_cache() {
    run(|executor| async move {
        let (rig, _server, config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 5)).await;
        let same =
            ["", "?tz=Europe/Berlin", "?_=5", "?limit=5", "?tz=", "?limit=5&tz=Europe/Berlin"];
        for query in same {
            rig.get(&format!("/api/v1/next{query}")).await;
        }
        assert_eq!(rig.metrics.cache_misses.get(), 1);
        assert_eq!(rig.metrics.cache_hits.get(), same.len() as u64 - 1);
        rig.get("/api/v1/next?tz=Europe/Paris").await;
        assert_eq!(rig.metrics.cache_misses.get(), 2);
        // The display moves: the zone of the old one no longer goes without saying.
        let mut client = rig.connect().await;
        let target = request("/api/v1/next?tz=Europe/Berlin");
        client.send(target.as_bytes()).await;
        client.response().await.expect("an answer");
        let moved =
            calendarbot::config::Config { time_zone: Some("Asia/Kolkata".to_owned()), ..config };
        let generation = rig.feeds.settings_generation();
        rig.reload(moved).await;
        rig.until(|rig| rig.feeds.settings_generation() > generation).await;
        client.send(target.as_bytes()).await;
        let answer = client.response().await.expect("an answer");
        assert_eq!(answer.json("zone"), "Europe/Berlin");
    });
}

#[test]
fn switching_under_load_loses_nobody() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 20)).await;
        let mut random = Random(5);
        for turn in 0..50 {
            let targets: Vec<_> = (0..20).map(|_| target("/api/v1/next", &mut random)).collect();
            let mut clients = Vec::new();
            for target in &targets {
                let mut client = rig.connect().await;
                client.send(request(target).as_bytes()).await;
                clients.push(client);
                rig.pipeline.set_flags(VARIANTS[random.below(VARIANTS.len())].1);
            }
            for client in &mut clients {
                assert_eq!(client.response().await.expect("an answer").status, 200, "{turn}");
            }
        }
    });
}

#[test]
fn whoever_is_one_too_many_is_told_to_come_again() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 5)).await;
        let targets: Vec<_> = (1..=65).map(|n| format!("/api/v1/next?limit={n}")).collect();
        for flags in [Flags::ON, Flags { deduplication: false, ..Flags::ON }] {
            rig.pipeline.set_flags(Flags::OFF);
            rig.pipeline.set_flags(flags);
            // Connections are few here, and the keys of a turn are taken as soon as they come: the
            // limit is met by asking the pipeline itself.
            let mut full = 0;
            for (number, target) in (0..).zip(&targets) {
                let limit =
                    target.rsplit('=').next().and_then(|n| n.parse().ok()).expect("a number");
                let key = ViewKey { view: View::Next { limit }, zone: None };
                let now = rig.clock.wall().as_second();
                let asking = rig.pipeline.ask(&key, Token::from_u64(number), now, false);
                full += u32::from(matches!(asking, Asking::Full));
            }
            assert_eq!(full, 1, "64 keys wait, and no more");
            rig.counted(|metrics| &metrics.pipeline_rendered, 64).await;
            assert_eq!(rig.get("/api/v1/next?limit=65").await.status, 200);
        }
    });
}

/// A pipeline alone, with nothing in its database.
pub(crate) struct Bench {
    pub(crate) pipeline: Rc<Pipeline>,
    pub(crate) metrics: Rc<Metrics>,
    pub(crate) completions: async_channel::Receiver<Completion>,
    pub(crate) clock: Clock,
    pub(crate) feeds: Rc<Feeds>,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::limited(|_| {})
    }

    /// The same with limits of its own.
    pub(crate) fn limited(change: impl FnOnce(&mut PipelineLimits)) -> Self {
        let folder = folder();
        let clock = Clock::manual(NOW.parse().expect("a time"));
        let metrics = Rc::new(Metrics::default());
        let mut limits = Plan::new(16 * MIB, 1, FeedLimits::default()).expect("a plan").limits;
        change(&mut limits.pipeline);
        let opened =
            Database::open(folder.path(), &limits.database, clock.clone(), Rc::clone(&metrics));
        let (database, _) = opened.expect("a database");
        let feeds = Rc::new(Feeds::new(Vec::new(), TimeZone::UTC));
        let sources = Sources {
            screen: Default::default(),
            frame_ancestors: String::new(),
            clock: clock.clone(),
            database: Rc::new(database),
            feeds: Rc::clone(&feeds),
            book: Rc::new(Book::new(People::default(), &limits.people).0),
            wall: Rc::default(),
            takes_debug_time: false,
            metrics: Rc::clone(&metrics),
            feed_limits: limits.feed.clone(),
        };
        let (pipeline, completions) = Pipeline::new(sources, &limits);
        let pipeline = Rc::new(pipeline);
        Self { pipeline, metrics, completions, clock, feeds, folder }
    }

    pub(crate) fn ask(&self, limit: u16, asker: u64) -> Asking {
        let key = ViewKey { view: View::Next { limit }, zone: None };
        self.pipeline.ask(&key, Token::from_u64(asker), self.clock.wall().as_second(), false)
    }

    /// The next completions: who gets which status.
    pub(crate) async fn completed(&self, count: usize) -> Vec<(usize, u16)> {
        let mut completed = Vec::new();
        for _ in 0..count {
            let (asker, answer) = self.completions.recv().await.expect("an answer");
            completed.push((asker.slot(), answer.status().code));
        }
        completed
    }
}

#[test]
fn an_asker_that_goes_away_costs_nothing() {
    run(|executor| async move {
        let bench = Bench::new();
        for (limit, asker) in [(1, 1), (1, 2), (2, 3), (3, 4)] {
            assert!(matches!(bench.ask(limit, asker), Asking::Pending));
        }
        for asker in [1, 2, 4] {
            bench.pipeline.leave(Token::from_u64(asker));
        }
        let pipeline = Rc::clone(&bench.pipeline);
        let _running = executor.spawn(async move { pipeline.run().await });
        assert_eq!(bench.completed(1).await, [(3, 200)]);
        assert_eq!(bench.metrics.pipeline_rendered.get(), 1);
        assert!(matches!(bench.ask(1, 5), Asking::Pending), "it may be asked for again");
        assert_eq!(bench.completed(1).await, [(5, 200)]);
        bench.pipeline.set_flags(Flags { caching: false, deduplication: false, ..Flags::ON });
        for asker in 1..=4 {
            assert!(matches!(bench.ask(1, asker), Asking::Pending));
        }
        // One leaves before its turn, one between two answers of it.
        bench.pipeline.leave(Token::from_u64(1));
        let between = async move {
            assert_eq!(bench.completed(1).await, [(2, 200)]);
            bench.pipeline.leave(Token::from_u64(3));
            assert_eq!(bench.completed(1).await, [(4, 200)]);
            assert_eq!(bench.metrics.pipeline_rendered.get(), 4);
        };
        executor.spawn(between).await;
    });
}

#[test]
fn a_failure_is_told_and_neither_kept_nor_passed_on() {
    run(|executor| async move {
        let bench = Bench::new();
        let pipeline = Rc::clone(&bench.pipeline);
        let _running = executor.spawn(async move { pipeline.run().await });
        let file = bench.folder.path().join("calendarbot.db");
        let aside = bench.folder.path().join("aside");
        std::fs::rename(&file, &aside).expect("moved");
        for (limit, asker) in [(1, 1), (1, 2), (2, 3)] {
            assert!(matches!(bench.ask(limit, asker), Asking::Pending));
        }
        assert_eq!(bench.completed(3).await, [(1, 503), (2, 503), (3, 503)]);
        assert_eq!(bench.metrics.pipeline_failed.get(), 2);
        std::fs::rename(&aside, &file).expect("moved back");
        assert!(matches!(bench.ask(1, 1), Asking::Pending), "it was not kept");
        assert_eq!(bench.completed(1).await, [(1, 200)]);
        assert!(matches!(bench.ask(1, 1), Asking::Kept(_)));
    });
}

#[test]
fn the_cache_s_weight_is_what_the_allocator_says() {
    for bytes in [0, 300, 3_000, 30_000] {
        let share = Share {
            bytes_max: 64 * MIB,
            entries_max: 1000,
            entry_bytes_max: 100 << 10,
            ranges_percent: 75,
        };
        let mut cache = Cache::new(share);
        let valid = Validity { from: 0, until: 60, generation: 1 };
        let body = vec![b'x'; bytes];
        let before = alloc::used_bytes();
        for limit in 0..800 {
            let zone = (limit % 2 == 0).then(|| "America/Argentina/Buenos_Aires".into());
            let key = ViewKey { view: View::Next { limit }, zone };
            cache.insert(key, Rc::new(Answer::ok(media::JSON, &body[..])), valid);
        }
        let (used, weight) = (alloc::used_bytes() - before, cache.weight_bytes());
        let off = used.abs_diff(weight) * 100 / used;
        assert!(off < 10, "{bytes}: {used} bytes are used, and it says {weight}");
        drop(cache);
    }
}

/// The calendar of the hour: refresh number `number` has another title.
fn edition(number: usize) -> String {
    let mut text = "BEGIN:VCALENDAR\r\n".to_owned();
    for hour in 0..24 {
        // One of them begins in the middle of a minute.
        let second = if hour == 10 { 25 } else { 0 };
        let _ = write!(
            text,
            "BEGIN:VEVENT\r\nUID:{hour}\r\nSUMMARY:Edition {number} at {hour}\r\n\
             DTSTART:20260105T{hour:02}10{second:02}Z\r\nDURATION:PT30M\r\nRRULE:FREQ=DAILY\r\n\
             END:VEVENT\r\n"
        );
    }
    text + "END:VCALENDAR\r\n"
}

/// Lets everything go on until nothing is left to do for now.
pub(crate) async fn settle() {
    for _ in 0..8 {
        future::yield_now().await;
    }
}

#[test]
fn displays_never_wait_for_a_day_and_never_see_yesterday() {
    const MINUTES: usize = 24 * 60;
    run_within(Duration::from_secs(90), |executor| async move {
        let mut script = Script::new();
        for number in 0..=MINUTES / 5 + 1 {
            script = script.ics("/a.ics", &edition(number));
        }
        let (rig, _server, _config, _folder) = fed(&executor, script).await;
        let share = 16 * MIB / 48;
        let is_right = |answer: &crate::rig::Response, edition: usize| {
            assert_eq!(answer.status, 200);
            let title = format!("Edition {edition} at ");
            assert!(answer.body.contains(&title), "not {title}: {}", answer.body);
            assert!(rig.metrics.cache_bytes.get() <= share as u64);
        };
        let on_time = |answer: &crate::rig::Response| {
            let minute =
                TimeZone::get("Europe/Berlin").expect("a zone").to_datetime(rig.clock.wall());
            let minute = minute.strftime("%Y-%m-%dT%H:%M:").to_string();
            assert!(answer.json("now").starts_with(&minute), "{minute}: {}", answer.body);
        };
        let mut settled = (0, 0);
        for minute in 0..MINUTES {
            let edition = minute / 5;
            for _wall in 0..3 {
                is_right(&rig.get("/").await, edition);
            }
            rig.advance(Duration::from_secs(20));
            settle().await;
            for _panel in 0..2 {
                let next = rig.get("/api/v1/next?limit=3&tz=Europe/Berlin").await;
                is_right(&next, edition);
                on_time(&next);
            }
            rig.advance(Duration::from_secs(20));
            settle().await;
            on_time(&rig.get("/api/v1/next?limit=3&tz=Europe/Berlin").await);
            if minute % 5 == 2 {
                is_right(&rig.get("/api/v1/events").await, edition);
                assert_eq!(rig.get("/stats").await.status, 200, "the dashboard's source");
            }
            rig.advance(Duration::from_secs(18));
            settle().await;
            rig.advance(Duration::from_secs(2));
            if minute % 5 == 4 {
                rig.refreshed(edition as u64 + 2).await;
            }
            settle().await;
            let (hits, misses) = (rig.metrics.cache_hits.get(), rig.metrics.cache_misses.get());
            if minute == 0 {
                settled.0 = hits;
            }
            if minute <= 9 {
                // Every display has asked twice by then, the script included.
                settled.1 = misses;
            }
            assert_eq!(misses, settled.1, "minute {minute}");
        }
        let hits = rig.metrics.cache_hits.get() - settled.0;
        let misses = rig.metrics.cache_misses.get() - settled.1;
        println!(
            "{hits} hits, {misses} misses, {} made ahead, {} bytes at most",
            rig.metrics.pipeline_warmed.get(),
            rig.metrics.cache_bytes_peak.get()
        );
        assert_eq!(misses, 0);
    });
}
