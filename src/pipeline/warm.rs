//! Answers before anybody asks: what displays ask for again and again is made anew just before it
//! runs out (the minute turns, a meeting starts) and as soon as the data changes.

use std::time::Duration;

use jiff::Timestamp;
use smol::future;

use super::fallback::{Event, Part, State};
use super::key::ViewKey;
use super::{Job, Pipeline, Whom};
use crate::clock::Moment;

/// What is hot cools once in this time.
const MINUTE: Duration = Duration::from_secs(60);
/// From one look at what runs out to the next, at least.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Keeps the hot views warm until the program ends. Run it as a task, once.
    pub async fn keep_warm(&self) {
        let (clock, feeds) = (&self.sources.clock, &self.sources.feeds);
        let changes = feeds.watch();
        let mut cools = clock.now() + MINUTE;
        loop {
            if clock.now() >= cools {
                cools = clock.now() + MINUTE;
                let (now, generation) = (clock.wall().as_second(), feeds.generation());
                self.cache.borrow_mut().cool(now, generation);
                self.gauge();
            }
            Part::ALL.into_iter().for_each(|part| self.note(part, Event::Tick));
            let next = self.warm().await.unwrap_or(MINUTE).max(LOOK_INTERVAL);
            let tried_again = self.parts.get().into_iter().filter_map(State::tried_again);
            let due = tried_again.fold(cools.min(clock.now() + next), Moment::min);
            // The feeds are there as long as this is.
            let changed = async { changes.recv().await.unwrap_or(()) };
            future::or(clock.sleep_until(due), changed).await;
        }
    }

    /// Makes what runs out, and says when to look again.
    async fn warm(&self) -> Option<Duration> {
        if !self.flags.get().warming {
            return None;
        }
        let now = self.sources.clock.wall().as_second();
        let (mut due, _) = self.running_out(now);
        due.sort_by_key(|(at, _)| *at);
        for together in due.chunk_by(|(a, _), (b, _)| a == b) {
            for keys in together.chunks(self.tuning.get().batch_max as usize) {
                let has_room = self.cache.borrow().has_spare_room();
                // Those who wait come first, and they may need the room.
                let somebody_waits = !self.queue.1.is_empty();
                if !has_room || somebody_waits {
                    self.sources.metrics.pipeline_warming_cancelled.count();
                    // Soon nobody does; room is there when something has run out.
                    return somebody_waits.then_some(LOOK_INTERVAL);
                }
                let at = Timestamp::from_second(keys[0].0).ok()?;
                let job = |(_, key): &(i64, _)| Job { key: Clone::clone(key), whom: Whom::Later };
                self.make(keys.iter().map(job).collect(), at).await;
            }
        }
        let (_, next) = self.running_out(now);
        next.map(|at| Duration::from_secs(at.saturating_sub(now).try_into().unwrap_or(0)))
    }

    fn running_out(&self, now: i64) -> (Vec<(i64, ViewKey)>, Option<i64>) {
        let (limits, generation) = (&self.limits, self.sources.feeds.generation());
        let lead = limits.warm_lead.as_secs() as i64;
        self.cache.borrow().running_out(now, lead, generation, limits.warm_keys_max)
    }
}
