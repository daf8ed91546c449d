//! When a turn of the pipeline begins: a crowd's waits for the rest of it, and what nobody has
//! asked for yet waits for those who have. What becomes of it when the data changes meanwhile.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::flags::{Flags, Tuning};
use calendarbot::pipeline::Asking;

use crate::feed_server::run;
use crate::pipeline::{Bench, settle};

const TOOK: Duration = Duration::from_millis(5);

#[test]
fn a_crowd_waits_for_the_rest_of_it_and_no_longer_than_that() {
    run(|executor| async move {
        let bench = Bench::new();
        let pipeline = Rc::clone(&bench.pipeline);
        let _running = executor.spawn(async move { pipeline.run().await });
        (1..=4).for_each(|n| drop(bench.ask(n, n.into())));
        assert_eq!(bench.completed(4).await.len(), 4);
        assert_eq!(bench.metrics.pipeline_turns.get(), 1, "four at once");
        // The clock of this test stands still: that turn took no time, so the next one waits for
        // nobody.
        (5..=6).for_each(|n| drop(bench.ask(n, n.into())));
        assert_eq!(bench.completed(2).await.len(), 2);
        assert_eq!(bench.metrics.pipeline_waited.get(), 0);
        bench.pipeline.tune(Tuning { batch_max: 1, ..Tuning::default() });
        (7..=9).for_each(|n| drop(bench.ask(n, n.into())));
        assert_eq!(bench.completed(3).await.len(), 3);
        assert_eq!(bench.metrics.pipeline_turns.get(), 5, "one each");
    });
}

#[test]
fn while_crowds_come_a_turn_waits_as_long_as_the_last_one_took_or_until_it_is_full() {
    for (more, is_full) in [(1, false), (9, true)] {
        run(|executor| async move {
            let bench = Bench::new();
            let pipeline = Rc::clone(&bench.pipeline);
            let _running = executor.spawn(async move { pipeline.run().await });
            // Between two answers of a turn other tasks have theirs.
            let (completions, clock) = (bench.completions.clone(), bench.clock.clone());
            let time_passes = executor.spawn(async move {
                completions.recv().await.expect("an answer");
                clock.advance(TOOK);
            });
            (1..=2).for_each(|n| drop(bench.ask(n, n.into())));
            time_passes.await;
            bench.completed(1).await;
            settle().await;
            drop(bench.ask(3, 3));
            settle().await;
            assert_eq!(bench.metrics.pipeline_waited.get(), 1);
            (4..4 + more).for_each(|n| drop(bench.ask(n, n.into())));
            settle().await;
            let turns = bench.metrics.pipeline_turns.get();
            assert_eq!(turns, if is_full { 2 } else { 1 });
            bench.clock.advance(TOOK);
            assert_eq!(bench.completed(1 + usize::from(more)).await.len(), 1 + usize::from(more));
            assert_eq!(bench.metrics.pipeline_turns.get(), 2);
        });
    }
}

#[test]
fn whoever_waits_comes_before_what_is_made_ahead() {
    let no_warming = Flags { warming: false, ..Flags::ON };
    for (flags, somebody_waits, cancelled, warmed) in
        [(Flags::ON, false, 0, 1), (Flags::ON, true, 1, 0), (no_warming, false, 0, 0)]
    {
        run(|executor| async move {
            let bench = Bench::new();
            bench.pipeline.set_flags(flags);
            let pipeline = Rc::clone(&bench.pipeline);
            let running = executor.spawn(async move { pipeline.run().await });
            drop(bench.ask(1, 1));
            bench.completed(1).await;
            let pipeline = Rc::clone(&bench.pipeline);
            let cooling = executor.spawn(async move { pipeline.keep_warm().await });
            settle().await;
            bench.clock.advance(Duration::from_secs(60));
            settle().await;
            assert!(matches!(bench.ask(1, 1), Asking::Pending), "it gets hot");
            bench.completed(1).await;
            cooling.cancel().await;
            running.cancel().await;
            let pipeline = Rc::clone(&bench.pipeline);
            let _warming = executor.spawn(async move { pipeline.keep_warm().await });
            settle().await;
            if somebody_waits {
                assert!(matches!(bench.ask(2, 2), Asking::Pending));
            }
            // Two seconds before the minute turns.
            bench.clock.advance(Duration::from_secs(58));
            settle().await;
            let metrics = &bench.metrics;
            let counted = (metrics.pipeline_warming_cancelled.get(), metrics.pipeline_warmed.get());
            assert_eq!(counted, (cancelled, warmed));
            // When that is done, a second before the minute turns is in time all the same.
            let pipeline = Rc::clone(&bench.pipeline);
            let _running = executor.spawn(async move { pipeline.run().await });
            settle().await;
            bench.clock.advance(Duration::from_secs(1));
            settle().await;
            assert_eq!(metrics.pipeline_warmed.get(), u64::from(flags.warming));
        });
    }
}

#[test]
fn who_asks_after_a_change_gets_nothing_of_a_turn_from_before_it() {
    run(|executor| async move {
        let bench = Bench::new();
        (1..=2).for_each(|n| drop(bench.ask(n, n.into())));
        let pipeline = Rc::clone(&bench.pipeline);
        let _running = executor.spawn(async move { pipeline.run().await });
        let changes_between = async move {
            assert_eq!(bench.completed(1).await, [(1, 200)]);
            bench.feeds.changed();
            assert!(matches!(bench.ask(2, 3), Asking::Pending));
            assert_eq!(bench.completed(2).await, [(2, 200), (3, 200)]);
            assert_eq!(bench.metrics.pipeline_joined.get(), 1);
            assert_eq!(bench.metrics.pipeline_turns.get(), 2);
            assert!(matches!(bench.ask(2, 4), Asking::Kept(_)), "it is kept");
        };
        executor.spawn(changes_between).await;
    });
}
