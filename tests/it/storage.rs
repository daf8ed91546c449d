//! What is kept: over a restart, a damaged file, a full day without changes.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::app::{App, Ended, Turned};
use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::clock::Clock;
use calendarbot::config::Config;
use calendarbot::connections::database::{Database, Opened, put_aside};
use calendarbot::event_loop::EventLoop;
use calendarbot::feed::store;
use calendarbot::flags::Flag;
use calendarbot::ical::Window;
use calendarbot::metrics::Metrics;
use smol::future;

use crate::admin;
use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::rig::{NOW, Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const INTERVAL: Duration = Duration::from_secs(300);

/// The bytes of the database, of its log, and of the staging file, each of which counts its changes.
pub(crate) fn image(folder: &Path) -> [Vec<u8>; 3] {
    let files = ["calendarbot.db", "calendarbot.db-wal", "staging.db"];
    files.map(|name| fs::read(folder.join(name)).unwrap_or_default())
}

fn open(folder: &Path) -> calendarbot::error::Result<(Database, Opened)> {
    let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
    Database::open(folder, &limits, Clock::system(None), Rc::new(Metrics::default()))
}

/// Rows of a table, as a reader sees them.
fn count(database: &Database, table: &str) -> i64 {
    let select = format!("SELECT count(*) FROM {table}");
    let counted =
        database.lease().read(|reader| Ok(reader.query_row(&select, [], |row| row.get(0))?));
    counted.expect("a count")
}

#[test]
fn stored_data_is_served_at_once_after_a_restart() {
    run(|executor| async move {
        let (rig, server, config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK).etag("\"1\"")).await;
        assert_eq!(rig.stop().await, Ended::Stopped);
        // The server is dead: what is shown can only come from the database.
        server.set(Script::new().reply("/a.ics", Reply::new([Step::Stall])));
        let rig = Rig::start_at(&executor, config, "2026-01-05T08:50:00+01:00");
        let answer = rig.get("/api/v1/next").await;
        assert_eq!((answer.status, answer.json("title")), (200, "Stand-up"));
        assert_eq!(answer.json("as_of"), "2026-01-05T08:45:00+01:00");
        assert_eq!(rig.metrics.refreshes.get(), 0);
        server.seen(2).await;
        assert!(server.requests()[1].contains("\"1\""), "the tag was kept too");
    });
}

#[test]
fn a_refresh_that_brings_nothing_new_writes_no_byte() {
    run(|executor| async move {
        // Without a tag, so that the whole body is read and compared.
        let (rig, _server, _config, folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let before = image(folder.path());
        for refresh in 2..=6 {
            rig.advance(INTERVAL);
            rig.refreshed(refresh).await;
        }
        assert_eq!(rig.metrics.refreshes_unchanged.get(), 5);
        assert!(before == image(folder.path()), "the files are the same to the byte");
    });
}

/// A feed makes room for others, but not for the demo: without any feed in the configuration its
/// file has rather got lost.
#[test]
fn a_feed_that_is_no_longer_configured_is_forgotten_when_there_is_another() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let url = || server.url("/a.ics");
        let (one, another) = (toml(&[("a", url())]), toml(&[("b", url())]));
        for (next, kept) in [(one.as_str(), true), ("", true), (&another, false)] {
            let folder = folder();
            let rig = Rig::start(&executor, configure(folder.path(), &one));
            rig.refreshed(1).await;
            rig.stop().await;
            let config = configure(folder.path(), next);
            let clock = Clock::manual("2026-01-05T08:00:00Z".parse().expect("a time"));
            let event_loop = Rc::new(EventLoop::new().expect("a loop"));
            drop(App::open(config, clock, event_loop).expect("it opens"));
            let (database, opened) = open(folder.path()).expect("it opens");
            assert_eq!(opened, Opened::Existing);
            assert_eq!(count(&database, "component") > 0, kept, "{next}");
        }
    });
}

/// Every sort of damage to the file is noticed when it is opened; the old file is kept.
#[test]
fn a_damaged_database_is_put_aside_and_rebuilt() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        for (number, damage) in [
            |bytes: &mut Vec<u8>| bytes.clear(),
            |bytes: &mut Vec<u8>| bytes.truncate(5000),
            |bytes: &mut Vec<u8>| bytes[..100].fill(0x55),
            |bytes: &mut Vec<u8>| bytes[4096..4096 + 200].fill(0x55),
            |bytes: &mut Vec<u8>| *bytes = b"this is somebody's diary".to_vec(),
        ]
        .into_iter()
        .enumerate()
        {
            let folder = folder();
            let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
            let rig = Rig::start(&executor, config.clone());
            rig.refreshed(1).await;
            rig.stop().await;
            let path = folder.path().join("calendarbot.db");
            let mut bytes = fs::read(&path).expect("a database");
            damage(&mut bytes);
            fs::write(&path, &bytes).expect("damaged");
            let rig = Rig::start(&executor, config);
            rig.refreshed(1).await;
            assert_eq!(rig.get("/api/v1/next").await.json("title"), "Stand-up");
            let aside = fs::read(folder.path().join("calendarbot.db.corrupt-1"));
            assert!(aside.is_ok_and(|aside| aside == bytes), "damage {number}");
        }
    });
}

#[test]
fn two_damaged_files_are_kept_and_a_third_pushes_out_the_oldest() {
    let folder = folder();
    let path = folder.path().join("calendarbot.db");
    for number in 1..=3 {
        fs::write(&path, format!("diary {number}")).expect("written");
        let (database, opened) = open(folder.path()).expect("rebuilt");
        assert!(matches!(opened, Opened::Rebuilt(_)));
        drop(database);
    }
    let aside = |number: usize| {
        fs::read_to_string(folder.path().join(format!("calendarbot.db.corrupt-{number}")))
    };
    assert_eq!(aside(1).expect("kept"), "diary 2");
    assert_eq!(aside(2).expect("kept"), "diary 3");
    assert!(aside(3).is_err());
}

#[test]
fn damage_that_shows_later_ends_the_run_so_that_the_next_one_rebuilds() {
    run(|executor| async move {
        let (rig, _server, config, folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        rig.stop().await;
        let rig = Rig::start(&executor, config.clone());
        rig.refreshed(1).await;
        let mut reloaded = config;
        reloaded.feeds[0].private = true;
        let commits = rig.metrics.database_commits.get();
        rig.reload(reloaded.clone()).await;
        rig.until(|rig| rig.feeds.list()[0].status(rig.clock.wall()).private).await;
        // The feeds' rows and the look at the window, so that the reader is the first to notice.
        rig.counted(|metrics| &metrics.database_commits, commits + 2).await;
        let path = folder.path().join("calendarbot.db");
        let mut bytes = fs::read(&path).expect("a database");
        bytes[4096..].fill(0x55);
        fs::write(&path, &bytes).expect("damaged");
        let answer = rig.get("/api/v1/events?from=2026-01-01&to=2026-03-01").await;
        assert_eq!((answer.status, rig.metrics.http_5xx.get()), (503, 1));
        assert_eq!(rig.metrics.http_failed.get(), 1);
        assert_eq!(end_by_damage(rig.ended().await).0, reloaded);
        let aside = put_aside(folder.path()).expect("put aside").expect("one");
        assert_eq!(fs::read(aside).expect("kept"), bytes);
        assert_eq!(open(folder.path()).expect("it opens").1, Opened::New);
    });
}

fn end_by_damage(ended: Ended) -> (Config, Turned) {
    match ended {
        Ended::Damaged(config, turned) => (*config, *turned),
        Ended::Stopped => panic!("it was told to stop"),
    }
}

/// Leaves an index with entries of rows that are not there, which `quick_check` overlooks: it
/// only counts them.
fn leave_dangling(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join("calendarbot.db")).expect("opened");
    let run = |statements: &str| connection.execute_batch(statements).expect("it runs");
    run("CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'component_uid';
         PRAGMA writable_schema = ON;
         DELETE FROM sqlite_schema WHERE name = 'component_uid';
         PRAGMA writable_schema = RESET;
         UPDATE component SET id = id + 1000;
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema SELECT * FROM kept;
         PRAGMA writable_schema = RESET;");
    let check = |name: &str| -> String {
        connection.pragma_query_value(None, name, |row| row.get(0)).expect("a verdict")
    };
    assert_eq!(check("quick_check"), "ok");
    assert_ne!(check("integrity_check"), "ok");
}

#[test]
fn damage_that_the_check_overlooks_is_put_aside_after_the_run_that_met_it() {
    run(|executor| async move {
        let (rig, server, config, folder) = fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        rig.stop().await;
        leave_dangling(folder.path());
        server.set(Script::new().status("/a.ics", 503));
        let rig = Rig::start(&executor, config.clone());
        rig.failed(1).await;
        let mut reloaded = config;
        reloaded.feeds[0].private = true;
        rig.reload(reloaded.clone()).await;
        rig.until(|rig| rig.feeds.list()[0].status(rig.clock.wall()).private).await;
        let off = "{\"name\":\"caching\",\"on\":false,\"why\":\"a test\"}";
        assert_eq!(admin::post(&rig, "flags", off).await.status, 200);
        assert_eq!(admin::post(&rig, "rollout", "{\"stage\":\"canary\"}").await.status, 200);
        server.set(Script::new().ics("/a.ics", &WORK.replace("Stand-up", "Sit-down")));
        rig.advance(INTERVAL);
        let (ended, turned) = end_by_damage(rig.ended().await);
        assert_eq!(ended, reloaded);
        put_aside(folder.path()).expect("put aside");
        let rig = Rig::start_changed(&executor, reloaded, NOW, |app| app.with_turned(turned));
        rig.refreshed(1).await;
        assert_eq!(rig.get("/api/v1/next").await.json("title"), "Busy");
        // What an operator has turned lasts until the program ends.
        assert!(!rig.switches.read().flags().caching);
        assert_eq!(rig.switches.read().switch(Flag::Caching).why, "a test");
        assert_eq!(rig.get("/api/admin/rollout").await.json("stage"), "canary");
        assert!(folder.path().join("calendarbot.db.corrupt-1").exists());
    });
}

/// Fills the page that a table or an index begins on with what is neither.
fn damage_root(folder: &Path, name: &str) {
    let path = folder.join("calendarbot.db");
    let connection = rusqlite::Connection::open(&path).expect("opened");
    let select = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: usize = connection.query_row(select, [name], |row| row.get(0)).expect("a page");
    drop(connection);
    let mut bytes = fs::read(&path).expect("a database");
    bytes[(page - 1) * 4096..page * 4096].fill(0x55);
    fs::write(&path, bytes).expect("damaged");
}

/// Folders in the place of those that are kept stand for a disk that can only be read.
#[test]
fn damage_that_cannot_be_put_aside_is_lived_with_until_it_can() {
    run(|executor| async move {
        for (damage, status) in [
            (|folder: &Path| damage_root(folder, "occurrence_component"), 200),
            (|folder: &Path| damage_root(folder, "occurrence"), 503),
            (|folder: &Path| fs::write(folder.join("calendarbot.db"), "a diary").unwrap(), 503),
        ] as [(fn(&Path), u16); 3]
        {
            let (rig, _server, config, folder) =
                fed(&executor, Script::new().ics("/a.ics", WORK)).await;
            rig.stop().await;
            damage(folder.path());
            let file = || fs::read(folder.path().join("calendarbot.db")).expect("a file");
            let damaged = file();
            let obstacles = ["calendarbot.db.corrupt-1", "calendarbot.db.corrupt-2"]
                .map(|name| folder.path().join(name));
            obstacles.iter().for_each(|path| fs::create_dir_all(path.join("x")).expect("made"));
            let rig = Rig::start(&executor, config.clone());
            for failed in 1..=3 {
                rig.failed(failed).await;
                let answer = rig.get("/api/v1/next").await;
                assert_eq!(answer.status, status, "{}", answer.body);
                assert_eq!(rig.get("/healthz").await.status, 200);
                assert!(rig.get("/stats").await.body.contains("\"writable\":0"));
                let error = rig.feeds.list()[0].status(rig.clock.wall()).last_error;
                assert!(error.is_some_and(|error| error.contains("damaged database aside")));
                rig.advance(Duration::from_secs(3600));
            }
            assert!(file() == damaged, "it is not written to");
            obstacles.iter().for_each(|path| fs::remove_dir_all(path).expect("removed"));
            rig.advance(Duration::from_secs(3600));
            assert_eq!(end_by_damage(rig.ended().await).0, config);
            assert!(fs::read(&obstacles[0]).expect("kept") == damaged);
            assert_eq!(put_aside(folder.path()).expect("done already"), None);
            let rig = Rig::start(&executor, config);
            rig.refreshed(1).await;
            assert_eq!(rig.get("/api/v1/next").await.json("title"), "Stand-up");
            assert_eq!(rig.metrics.database_writable.get(), 1);
        }
    });
}

#[test]
fn a_folder_is_used_by_one_program_at_a_time() {
    let folder = folder();
    let first = open(folder.path()).expect("it opens");
    let Err(error) = open(folder.path()) else { panic!("it opened twice") };
    assert!(error.to_string().contains("another calendarbot"), "{error}");
    drop(first);
    assert!(open(folder.path()).is_ok());
}

#[test]
fn a_newer_schema_is_read_and_one_newer_still_is_refused() {
    let folder = folder();
    drop(open(folder.path()).expect("made"));
    let path = folder.path().join("calendarbot.db");
    let version = |change: i32| {
        let connection = rusqlite::Connection::open(&path).expect("opened");
        let version: i32 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("read");
        connection.pragma_update(None, "user_version", version + change).expect("set");
        version
    };
    let ours = version(1);
    assert_eq!(open(folder.path()).expect("read").1, Opened::Existing);
    assert_eq!(version(1), ours + 1, "it stays the newer one's");
    let Err(error) = open(folder.path()) else { panic!("it opened") };
    assert!(error.to_string().contains("newer calendarbot"), "{error}");
}

#[test]
fn an_older_schema_is_brought_up_to_date() {
    let folder = folder();
    drop(open(folder.path()).expect("made"));
    let path = folder.path().join("calendarbot.db");
    let connection = rusqlite::Connection::open(&path).expect("opened");
    connection
        .execute_batch(
            "PRAGMA cache_size = -64; DROP INDEX occurrence_feed; ALTER TABLE occurrence DROP COLUMN feed;
             DROP TABLE baseline; DROP TABLE skip; DROP TABLE setting; DROP TABLE truncated; ALTER TABLE feed DROP COLUMN warnings;
             INSERT INTO component VALUES (1, 7, 0, 'a', x'', '');
             INSERT INTO occurrence WITH RECURSIVE n (i) AS
                 (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i, 1, 0, i, 0 FROM n;
             PRAGMA user_version = 1;",
        )
        .expect("as version 1 left it");
    store::register(&connection, "a", 1).expect_err("this one wants more");
    drop(connection);
    // The least of all budgets has room for it.
    let limits = Plan::divide(8 << 20, 1, FeedLimits::default()).limits.database;
    let metrics = Rc::new(Metrics::default());
    let (database, opened) =
        Database::open(folder.path(), &limits, Clock::system(None), Rc::clone(&metrics))
            .expect("migrated");
    assert_eq!((opened, metrics.database_writable.get()), (Opened::Existing, 1));
    assert_eq!(count(&database, "occurrence WHERE feed = 7"), 50_000);
    drop(database);
    let connection = rusqlite::Connection::open(&path).expect("opened");
    assert_eq!(store::register(&connection, "a", 1).expect("registered").warnings, [""; 0]);
}

#[test]
fn the_files_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let _database = open(folder.path()).expect("made");
    for name in ["calendarbot.db", "calendarbot.db-wal", "staging.db"] {
        let mode = fs::metadata(folder.path().join(name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn changes_are_committed_together_and_one_that_fails_spoils_no_other() {
    run(|executor| async move {
        let folder = folder();
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
        let metrics = Rc::new(Metrics::default());
        let (database, _) =
            Database::open(folder.path(), &limits, Clock::system(None), Rc::clone(&metrics))
                .expect("made");
        let database = Rc::new(database);
        let insert = |name: &'static str| {
            let database = Rc::clone(&database);
            executor.spawn(async move {
                database
                    .write(move |connection| {
                        connection
                            .execute("INSERT INTO feed (name, source) VALUES (?1, 0)", [name])?;
                        Ok(())
                    })
                    .await
            })
        };
        let changes: Vec<_> = ["a", "b", "a", "c"].map(insert).into_iter().collect();
        // All of them wait in the queue before the writer begins.
        for _ in 0..10 {
            future::yield_now().await;
        }
        let _writer = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_writer().await }
        });
        let mut results = Vec::new();
        for change in changes {
            results.push(change.await.is_ok());
        }
        assert_eq!(results, [true, true, false, true]);
        assert_eq!((metrics.database_commits.get(), metrics.database_batched.get()), (1, 4));
        assert_eq!(count(&database, "feed"), 3);
    });
}

/// A neighbour's failure in the middle of a refresh takes the staged half of it away: the refresh
/// must not publish the other half as if it were everything.
#[test]
fn a_refresh_that_lost_what_it_staged_publishes_nothing() {
    run(|executor| async move {
        let folder = folder();
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits;
        let metrics = Rc::new(Metrics::default());
        let (database, _) = Database::open(
            folder.path(),
            &limits.database,
            Clock::system(None),
            Rc::clone(&metrics),
        )
        .expect("made");
        let database = Rc::new(database);
        let _writer = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_writer().await }
        });
        let staging = database.write(|connection| store::begin_staging(connection, 1, 0)).await;
        let failed: calendarbot::error::Result<()> = database
            .write(|connection| {
                connection.execute("INSERT INTO nowhere VALUES (1)", [])?;
                Ok(())
            })
            .await;
        assert!(failed.is_err());
        let staging = staging.expect("begun");
        let facts = store::FetchedFacts { staging, ..store::FetchedFacts::default() };
        let at = |text: &str| text.parse().expect("a time");
        let publication = store::Publication {
            feed: 1,
            fetched: Some(facts),
            checked_at: None,
            default_zone: jiff::tz::TimeZone::UTC,
            window: Some(Window {
                start: at("2026-01-01T00:00:00Z"),
                end: at("2026-03-01T00:00:00Z"),
            }),
        };
        let published = database
            .write(move |connection| store::publish(connection, &publication, &limits.feed))
            .await;
        let error = published.expect_err("it has lost its first half");
        assert!(error.to_string().contains("interrupted"), "{error}");
        assert_eq!(metrics.database_reopened.get(), 1);
    });
}
