//! Connections to the database: kept, lent, lost, broken, and what becomes of a folder that cannot
//! be written.

use std::fs;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::budget::{DatabaseLimits, FeedLimits, Plan};
use calendarbot::clock::Clock;
use calendarbot::config::Config;
use calendarbot::connections::database::{Database, put_aside};
use calendarbot::error::{Error, Result};
use calendarbot::metrics::Metrics;
use rusqlite::Connection;
use smol::{LocalExecutor, Task, future};
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{NOW, Rig, configure, fed, folder, toml};
use crate::routes::WORK;

struct Opened {
    folder: TempDir,
    limits: DatabaseLimits,
    clock: Clock,
    metrics: Rc<Metrics>,
    database: Rc<Database>,
}

impl Opened {
    fn start_writer(&self, executor: &LocalExecutor<'static>) -> Task<()> {
        let database = Rc::clone(&self.database);
        executor.spawn(async move { database.run_writer().await })
    }

    async fn start_readers(&self, executor: &LocalExecutor<'static>) -> Task<()> {
        let database = Rc::clone(&self.database);
        let task = executor.spawn(async move { database.run_readers().await });
        self.advance(0).await;
        task
    }

    /// Moves the clock and lets every task see it.
    async fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        for _ in 0..10 {
            future::yield_now().await;
        }
    }

    /// Compares readers active, idle, opened, reused, reopened, failed, leaked.
    #[track_caller]
    fn are(&self, expected: [u64; 7]) {
        let metrics = [
            &self.metrics.readers_active,
            &self.metrics.readers_idle,
            &self.metrics.readers_opened,
            &self.metrics.readers_reused,
            &self.metrics.readers_reopened,
            &self.metrics.readers_failed,
            &self.metrics.readers_leaked,
        ];
        assert_eq!(metrics.map(|metric| metric.get()), expected);
    }
}

fn open() -> Opened {
    let folder = folder();
    let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
    let metrics = Rc::new(Metrics::default());
    let clock = Clock::manual(NOW.parse().expect("a time"));
    let (database, _) =
        Database::open(folder.path(), &limits, clock.clone(), Rc::clone(&metrics)).expect("made");
    Opened { folder, limits, clock, metrics, database: Rc::new(database) }
}

fn count(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT count(*) FROM feed", [], |row| row.get(0))?)
}

#[test]
fn the_heap_limit_is_the_plan_s() {
    let Opened { limits, metrics, .. } = open();
    assert_eq!(metrics.database_heap_limit.get(), limits.heap_bytes_max as u64);
}

#[test]
fn a_reader_that_fails_is_closed_and_the_next_read_opens_another() {
    let opened = open();
    let database = &opened.database;
    let mut lease = database.lease();
    opened.are([1, 0, 0, 0, 0, 0, 0]);
    assert!(lease.read(count).is_ok());
    opened.are([1, 0, 1, 0, 0, 0, 0]);
    assert!(lease.read(|_| Err::<(), _>(Error::store("it broke"))).is_err());
    opened.are([1, 0, 1, 0, 0, 1, 0]);
    drop(lease);
    opened.are([0, 0, 1, 0, 0, 1, 0]);
    for reused in 0..2 {
        assert!(database.lease().read(count).is_ok());
        opened.are([0, 1, 2, reused, 1, 1, 0]);
    }
    database.keep_connections(false);
    opened.are([0, 0, 2, 1, 1, 1, 0]);
    for opened_now in 3..5 {
        assert!(database.lease().read(count).is_ok());
        opened.are([0, 0, opened_now, 1, 1, 1, 0]);
    }
}

/// Its file is moved away and cut: it could read no more, which another one can.
#[test]
fn a_reader_that_is_not_well_is_replaced() {
    let opened = open();
    let forget = |reader: &Connection| {
        let statements = "PRAGMA query_only = 0; PRAGMA wal_checkpoint(TRUNCATE);
                          PRAGMA query_only = 1; PRAGMA shrink_memory";
        Ok(reader.execute_batch(statements)?)
    };
    opened.database.lease().read(forget).expect("it reads");
    opened.are([0, 1, 1, 0, 0, 0, 0]);
    let path = opened.folder.path().join("calendarbot.db");
    let aside = opened.folder.path().join("aside");
    fs::rename(&path, &aside).expect("moved");
    fs::copy(&aside, &path).expect("copied");
    fs::write(&aside, "").expect("cut");
    assert_eq!(opened.database.lease().read(count).expect("a count"), 0);
    opened.are([0, 1, 2, 0, 1, 0, 0]);
}

#[test]
fn readers_grow_with_the_leases_and_shrink_when_idle() {
    run(|executor| async move {
        let opened = open();
        let _readers = opened.start_readers(&executor).await;
        let most = opened.limits.readers_max as u64;
        let mut leases: Vec<_> = (0..most + 2).map(|_| opened.database.lease()).collect();
        for lease in &mut leases {
            assert!(lease.read(count).is_ok(), "nobody starves");
        }
        opened.are([most + 2, 0, most + 2, 0, 0, 0, 0]);
        drop(leases);
        opened.are([0, most, most + 2, 0, 0, 0, 0]);
        opened.advance(30).await;
        opened.are([0, most, most + 2, 0, 0, 0, 0]);
        opened.advance(30).await;
        opened.are([0, 1, most + 2, 0, 0, 0, 0]);
        opened.advance(3600).await;
        assert!(opened.database.lease().read(count).is_ok());
        opened.are([0, 1, most + 2, 1, 0, 0, 0]);
        assert_eq!(opened.metrics.readers_reuse_percent.get(), 100 / (most + 3));
    });
}

#[test]
fn a_lease_that_is_forgotten_is_taken_back() {
    run(|executor| async move {
        let opened = open();
        let mut lease = opened.database.lease();
        assert!(lease.read(count).is_ok());
        let mut forgotten = std::mem::ManuallyDrop::new(lease);
        let _readers = opened.start_readers(&executor).await;
        opened.advance(29).await;
        opened.are([1, 0, 1, 0, 0, 0, 0]);
        opened.advance(1).await;
        opened.are([0, 1, 1, 0, 0, 0, 1]);
        // Whoever remembers it has to be given a reader again, and gives it back once.
        assert!(forgotten.read(count).is_ok());
        opened.are([1, 0, 1, 1, 0, 0, 1]);
        drop(std::mem::ManuallyDrop::into_inner(forgotten));
        opened.are([0, 1, 1, 1, 0, 0, 1]);
    });
}

/// 1 is NORMAL, 2 is FULL (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
#[test]
fn what_a_person_changes_is_on_the_disk_before_it_is_acknowledged() {
    run(|executor| async move {
        let opened = open();
        let database = &opened.database;
        let _writer = opened.start_writer(&executor);
        let level = |connection: &Connection| -> Result<i64> {
            Ok(connection.pragma_query_value(None, "synchronous", |row| row.get(0))?)
        };
        assert_eq!(database.write(level).await.expect("written"), 1);
        assert_eq!(database.write_durably(level).await.expect("written"), 2);
        assert_eq!(database.write(level).await.expect("written"), 1);
        let together = future::zip(database.write(level), database.write_durably(level)).await;
        let together = (together.0.expect("written"), together.1.expect("written"));
        assert_eq!(together, (2, 2));
        assert_eq!(opened.metrics.database_commits.get(), 4);
    });
}

#[test]
fn a_database_in_use_is_not_put_aside() {
    let Opened { folder, database, .. } = open();
    let error = put_aside(folder.path()).expect_err("it is in use");
    assert!(error.to_string().contains("another calendarbot"), "{error}");
    drop(database);
    assert!(put_aside(folder.path()).is_ok());
}

/// The file must be closed before it is put aside: what the writer has begun is waited for.
#[test]
fn a_database_that_is_closed_finishes_what_it_has_begun() {
    run(|executor| async move {
        let opened = open();
        let mut writer = opened.start_writer(&executor);
        let (enter, entered) = async_channel::bounded(1);
        let (release, gate) = async_channel::bounded::<()>(1);
        let database = Rc::clone(&opened.database);
        let writing = executor.spawn(async move {
            let wait = move |_: &Connection| {
                let _ = (enter.send_blocking(()), gate.recv_blocking());
                Ok(())
            };
            database.write(wait).await
        });
        entered.recv().await.expect("begun");
        opened.database.close();
        assert!(future::poll_once(&mut writer).await.is_none(), "it is under way");
        drop(release);
        writer.await;
        assert!(writing.await.is_ok());
        assert!(opened.database.write(count).await.is_err());
    });
}

/// A full disk takes back the transaction and nothing else; with room again the next one is
/// written, by another writer.
#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    run(|executor| async move {
        let opened = open();
        let Opened { metrics, database, .. } = &opened;
        let _writer = opened.start_writer(&executor);
        let insert = |length| {
            move |connection: &Connection| {
                let name = "x".repeat(length);
                connection.execute("INSERT INTO feed (name, source) VALUES (?1, 0)", [name])?;
                Ok(())
            }
        };
        // The limit of the connection stands for the disk's.
        let fill = |connection: &Connection| {
            let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
        };
        database.write(fill).await.expect("filled");
        // Three changes of one transaction, of which the second is too much.
        let others = future::zip(database.write(insert(100_000)), database.write(insert(2)));
        let (first, (second, third)) = future::zip(database.write(insert(1)), others).await;
        let errors = [first, second, third].map(|told| told.expect_err("it is full").to_string());
        assert!(errors[0].contains("rolled back"), "{errors:?}");
        assert!(errors[1].contains("full"), "{errors:?}");
        assert_eq!(database.lease().read(count).expect("a count"), 0, "readers read on");
        database.write(insert(100_000)).await.expect("there is room again");
        assert_eq!(database.lease().read(count).expect("a count"), 1);
        let counted = [&metrics.database_failed, &metrics.database_reopened];
        assert_eq!(counted.map(|metric| metric.get()), [1, 1]);
    });
}

/// What this program has read from files and elsewhere.
fn read_bytes() -> usize {
    let figures = fs::read_to_string("/proc/self/io").expect("the kernel counts");
    let figure = figures.lines().find_map(|line| line.strip_prefix("rchar: "));
    figure.and_then(|figure| figure.parse().ok()).expect("a number")
}

/// All of the file is read at the start, and not whenever a change has failed.
#[test]
fn the_file_is_checked_once() {
    run(|executor| async move {
        let Opened { folder, limits, clock, database, metrics } = open();
        let fill = "INSERT INTO component (feed, kind, uid, hash, text) WITH RECURSIVE n (i) AS
                        (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                    SELECT 1, 0, i, randomblob(16), hex(zeroblob(500)) FROM n";
        database.set_up(|connection| Ok(connection.execute_batch(fill)?)).expect("filled");
        drop(database);
        let before = read_bytes();
        let opened = Database::open(folder.path(), &limits, clock, Rc::clone(&metrics));
        let database = Rc::new(opened.expect("opened").0);
        assert!(read_bytes() - before > 2_000_000, "at the start");
        let _writer = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_writer().await }
        });
        let failed = database.write(|_| Err::<(), _>(Error::store("it broke"))).await;
        assert!(failed.is_err());
        let before = read_bytes();
        database.write(count).await.expect("written");
        assert_eq!(metrics.database_reopened.get(), 1);
        assert!(read_bytes() - before < 200_000, "{} bytes", read_bytes() - before);
    });
}

/// A folder in the place of a file stands for a disk on which none can be made.
#[test]
fn what_is_stored_is_served_while_nothing_can_be_written() {
    run(|executor| async move {
        let (rig, server, config, folder) = fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        rig.stop().await;
        let obstacle = folder.path().join("staging.db");
        fs::remove_file(&obstacle).expect("removed");
        fs::create_dir(&obstacle).expect("made");
        server.set(Script::new().ics("/a.ics", &WORK.replace("Stand-up", "Sit-down")));
        let rig = Rig::start(&executor, config.clone());
        rig.failed(1).await;
        assert_eq!(rig.metrics.database_writable.get(), 0);
        let answer = rig.get("/api/v1/next").await;
        assert_eq!((answer.status, answer.json("title")), (200, "Stand-up"));
        assert_eq!(answer.json("stale"), "true");
        assert!(rig.get("/").await.body.contains("staging.db"), "the page says why");
        // What is configured can be changed all the same.
        let settings = rig.feeds.settings_generation();
        rig.reload(Config { time_zone: Some("Asia/Tokyo".to_owned()), ..config }).await;
        rig.until(|rig| rig.feeds.settings_generation() > settings).await;
        let answer = rig.get("/api/v1/next").await;
        assert_eq!((answer.json("title"), answer.json("zone")), ("Stand-up", "Asia/Tokyo"));
        fs::remove_dir(&obstacle).expect("removed");
        rig.advance(Duration::from_secs(60));
        rig.refreshed(1).await;
        assert_eq!(rig.metrics.database_writable.get(), 1);
        assert_eq!(rig.get("/api/v1/next").await.json("title"), "Sit-down");
    });
}

/// The same for a program that knows none of its feeds yet.
#[test]
fn a_first_start_waits_until_something_can_be_written() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let obstacle = folder.path().join("staging.db");
        fs::create_dir(&obstacle).expect("made");
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, config);
        rig.failed(1).await;
        assert_eq!(rig.get("/api/v1/next").await.status, 503);
        assert_eq!(rig.get("/healthz").await.status, 200);
        fs::remove_dir(&obstacle).expect("removed");
        rig.advance(Duration::from_secs(60));
        rig.refreshed(1).await;
        assert_eq!(rig.get("/api/v1/next").await.json("title"), "Stand-up");
    });
}

/// Whoever goes back a version takes the file along, and comes back with what that one has stored.
#[test]
fn the_program_of_the_previous_schema_can_use_the_file() {
    run(|executor| async move {
        let (rig, server, config, folder) = fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        rig.stop().await;
        let connection = Connection::open(folder.path().join("calendarbot.db")).expect("opened");
        let script = fs::read_to_string("tests/data/schema/3.sql").expect("read");
        let statements: Vec<&str> = script.split(';').filter(|text| text.len() > 1).collect();
        assert_eq!(statements.len(), 35);
        for statement in &statements {
            connection.prepare(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        let window = statements.last().expect("the window");
        let texts: Vec<String> = connection
            .prepare(window)
            .expect("prepared")
            .query_map((0, i64::MAX / 2, 0, 0), |row| row.get(6))
            .expect("read")
            .collect::<std::result::Result<_, _>>()
            .expect("texts");
        assert!(texts.len() > 1 && texts[0].contains("Stand-up"), "{texts:?}");
        let changed = connection.execute(statements[0], ("b", 1)).expect("written");
        assert_eq!(changed, 1, "what is new has a default");
        let insert = statements.iter().find(|text| text.contains("INSERT INTO occurrence"));
        let forget = "CREATE TEMP TABLE kept AS SELECT * FROM occurrence; DELETE FROM occurrence";
        connection.execute_batch(forget).expect("forgotten");
        connection
            .prepare("SELECT start, component, recurrence, stop, form FROM kept")
            .and_then(|mut kept| {
                let mut rows = kept.query([])?;
                while let Some(row) = rows.next()? {
                    let row: (i64, i64, i64, i64, i64) = row.try_into()?;
                    connection.execute(insert.expect("one"), row)?;
                }
                Ok(())
            })
            .expect("stored by that program");
        drop(connection);
        server.set(Script::new().status("/a.ics", 503));
        let rig = Rig::start(&executor, config);
        for path in ["/api/v1/events", "/api/v1/events?calendar=a"] {
            assert_eq!(rig.get(path).await.json("title"), "Stand-up", "{path}");
        }
    });
}
