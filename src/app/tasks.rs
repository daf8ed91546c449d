//! Tasks that the program consists of, and what is done between its other rooms.

use std::rc::Rc;

use smol::{LocalExecutor, Task};

use crate::clock::Clock;
use crate::connections::database::Database;
use crate::error::Result;
use crate::feed::refresh::Refresher;
use crate::feed::{Feed, Feeds, store};
use crate::flags::Flags;
use crate::pipeline::Pipeline;

/// Ends tasks and waits until they have let go of what they held: the database must be closed
/// when the program is opened again.
pub(super) async fn cancel(tasks: Vec<Task<()>>) {
    for task in tasks {
        task.cancel().await;
    }
}

/// When the clock jumps, every answer and every window may be wrong, and nobody knows how old
/// anything is.
pub(super) async fn watch_clock(clock: Clock, feeds: Rc<Feeds>) {
    let mut jumps = clock.jumps();
    loop {
        let jump = jumps.next().await;
        log::warn!("the clock was set by {} s", jump.as_secs());
        feeds.changed();
        feeds.nudge_all();
    }
}

pub(super) fn start_refreshing(
    executor: &LocalExecutor<'static>,
    refresher: &Rc<Refresher>,
    feeds: &Feeds,
) -> Vec<Task<()>> {
    let start = |feed: &Rc<Feed>| {
        let (refresher, feed) = (Rc::clone(refresher), Rc::clone(feed));
        executor.spawn(async move { refresher.run(feed).await })
    };
    feeds.list().iter().map(start).collect()
}

/// Hands down what is switched; it takes effect with the next request and the next refresh.
pub(super) fn carry_out(
    flags: Flags,
    pipeline: &Pipeline,
    database: &Database,
    refresher: &Refresher,
) {
    pipeline.set_flags(flags);
    database.keep_connections(flags.connection_pooling);
    refresher.outbound.keep_connections(flags.connection_pooling);
}

pub(super) async fn write_ages(database: &Database, feeds: &Feeds) -> Result<()> {
    let ages: Vec<_> = feeds.list().iter().filter_map(|feed| feed.age_to_write()).collect();
    database
        .write(move |connection| {
            ages.iter().try_for_each(|(feed, at)| store::remember_check(connection, *feed, *at))
        })
        .await
}
