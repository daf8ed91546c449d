//! Connections to the database: what becomes of those that fail.

use std::rc::Rc;

use calendarbot::budget::{DatabaseLimits, FeedLimits, Plan};
use calendarbot::connections::database::{Database, put_aside};
use calendarbot::error::{Error, Result};
use calendarbot::metrics::Metrics;
use rusqlite::Connection;
use smol::future;
use tempfile::TempDir;

use crate::feed_server::run;
use crate::rig::folder;

struct Opened {
    folder: TempDir,
    limits: DatabaseLimits,
    metrics: Rc<Metrics>,
    database: Rc<Database>,
}

fn open() -> Opened {
    let folder = folder();
    let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
    let metrics = Rc::new(Metrics::default());
    let (database, _) = Database::open(folder.path(), &limits, Rc::clone(&metrics)).expect("made");
    Opened { folder, limits, metrics, database: Rc::new(database) }
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
    let Opened { folder: _folder, metrics, database, .. } = open();
    let is = |leased, idle, opened, failed| {
        let metrics = [
            &metrics.readers_leased,
            &metrics.readers_idle,
            &metrics.readers_opened,
            &metrics.readers_failed,
        ];
        assert_eq!(metrics.map(|metric| metric.get()), [leased, idle, opened, failed]);
    };
    let mut lease = database.lease();
    is(1, 0, 0, 0);
    assert!(lease.read(count).is_ok());
    is(1, 0, 1, 0);
    assert!(lease.read(|_| Err::<(), _>(Error::store("it broke"))).is_err());
    is(1, 0, 1, 1);
    drop(lease);
    is(0, 0, 1, 1);
    for _ in 0..2 {
        assert!(database.lease().read(count).is_ok());
        is(0, 1, 2, 1);
    }
    database.keep_connections(false);
    is(0, 0, 2, 1);
    assert!(database.lease().read(count).is_ok());
    is(0, 0, 3, 1);
}

#[test]
fn a_database_in_use_is_not_put_aside() {
    let Opened { folder, database, .. } = open();
    let error = put_aside(folder.path()).expect_err("it is in use");
    assert!(error.to_string().contains("another calendarbot"), "{error}");
    drop(database);
    assert!(put_aside(folder.path()).is_ok());
}

/// A full disk takes back the transaction and nothing else; with room again the next one is
/// written, by another writer.
#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    run(|executor| async move {
        let Opened { folder: _folder, metrics, database, .. } = open();
        let _writer = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_writer().await }
        });
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
