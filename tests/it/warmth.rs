//! What displays ask for stays warm, whatever else is asked for, and what is too old is not kept.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::flags::Tuning;
use calendarbot::http::slab::Token;
use calendarbot::pipeline::Asking;
use calendarbot::pipeline::key::{View, ViewKey, lite};

use crate::feed_server::run;
use crate::pipeline::{Bench, settle};

/// What comes of a lone question.
fn ask_alone(bench: &Bench, view: View) -> Asking {
    let (key, now) = (ViewKey { view, zone: None }, bench.clock.wall().as_second());
    bench.pipeline.ask(&key, Token::from_u64(1), now, true)
}

#[test]
fn a_flood_of_variants_leaves_the_wall_warm() {
    run(|executor| async move {
        let bench = Bench::new();
        let pipeline = Rc::clone(&bench.pipeline);
        let _warming = executor.spawn(async move { pipeline.keep_warm().await });
        settle().await;
        for minute in 0..6 {
            // A wall is there for longer than a flood.
            let variants = if minute < 3 { 0..0 } else { 100..700 };
            for limit in variants {
                drop(ask_alone(&bench, View::Next { limit }));
            }
            let is_kept = matches!(ask_alone(&bench, View::Page), Asking::Kept(_));
            assert!(is_kept || minute < 3, "minute {minute}");
            for seconds in [30, 28, 2] {
                bench.clock.advance(Duration::from_secs(seconds));
                settle().await;
            }
        }
        assert!(bench.metrics.whats_next_evicted.get() > 1000);
    });
}

#[test]
fn an_answer_that_counts_seconds_is_never_given_again_in_the_next() {
    run(|_| async move {
        let bench = Bench::new();
        bench.pipeline.tune(Tuning { ttl: Duration::from_secs(1200), ..Tuning::default() });
        for (view, is_kept) in [(View::Lite(lite::View::Next), false), (View::Calendars, true)] {
            assert!(matches!(ask_alone(&bench, view.clone()), Asking::Made(_)));
            assert!(matches!(ask_alone(&bench, view.clone()), Asking::Kept(_)));
            bench.clock.advance(Duration::from_secs(1));
            let asking = ask_alone(&bench, view.clone());
            assert_eq!(matches!(asking, Asking::Kept(_)), is_kept, "{view:?}");
        }
    });
}
