//! A part of the pipeline that fails by itself is left out, visibly, and tried again.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::flags::Flags;
use calendarbot::http::slab::Token;
use calendarbot::pipeline::fallback::Part;
use calendarbot::pipeline::key::{Bound, View, ViewKey};
use calendarbot::pipeline::{Asking, Pipeline};

use crate::feed_server::{Script, run};
use crate::pipeline::{Bench, settle};
use crate::rig::{Rig, fed};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

fn parts_off(pipeline: &Pipeline) -> Vec<Part> {
    pipeline.parts_off().collect()
}

/// An hour has a meeting, so that two windows together may have more than one reading holds.
fn hours(count: usize) -> String {
    let hour = |hour: usize| {
        let (day, hour) = (5 + hour / 24, hour % 24);
        format!(
            "BEGIN:VEVENT\r\nUID:{day}-{hour}\r\nSUMMARY:Hour\r\n\
             DTSTART:202601{day:02}T{hour:02}0000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
        )
    };
    let events: String = (0..count).map(hour).collect();
    format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n")
}

/// Asks for two windows that overlap, and waits for both answers.
async fn ask_for_two(rig: &Rig, days: i64) {
    let rendered = rig.metrics.pipeline_rendered.get();
    let now = rig.clock.wall().as_second();
    for number in 0..2 {
        let day = |day: i64| Some(Bound::Instant(now + day * 86_400));
        let (from, to) = (day(number), day(number + days));
        let key =
            ViewKey { view: View::Events { from, to, calendar: None, limit: 200 }, zone: None };
        let asking = rig.pipeline.ask(&key, Token::from_u64(number as u64), now, false);
        assert!(matches!(asking, Asking::Pending));
    }
    rig.counted(|metrics| &metrics.pipeline_rendered, rendered + 2).await;
    settle().await;
}

#[test]
fn readings_for_several_that_help_none_end_batching_for_a_while() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", &hours(480));
        let (rig, _server, _config, _folder) = fed(&executor, script).await;
        rig.pipeline.set_flags(Flags { caching: false, ..Flags::ON });
        let off = &rig.metrics.pipeline_parts_off;
        // More than 399 events are not read at once: each window is read for by itself.
        for failures in 1..=5 {
            ask_for_two(&rig, 18).await;
            assert_eq!(off.get(), u64::from(failures == 5), "{failures}");
        }
        assert_eq!(parts_off(&rig.pipeline), [Part::Batching]);
        let (turns, readings) = (&rig.metrics.pipeline_turns, &rig.metrics.pipeline_readings);
        let before = (turns.get(), readings.get());
        ask_for_two(&rig, 18).await;
        assert_eq!((turns.get() - before.0, readings.get() - before.1), (2, 2), "one by one");
        // What an operator sets meanwhile does not bring it back.
        rig.pipeline.set_flags(Flags { caching: false, ..Flags::ON });
        rig.advance(FIVE_MINUTES - Duration::from_secs(1));
        settle().await;
        assert_eq!(off.get(), 1);
        rig.advance(Duration::from_secs(1));
        rig.until(|_| off.get() == 0).await;
        ask_for_two(&rig, 18).await;
        assert_eq!(off.get(), 1, "once more is enough");
        rig.advance(FIVE_MINUTES);
        rig.until(|_| off.get() == 0).await;
        ask_for_two(&rig, 2).await;
        for _ in 0..4 {
            ask_for_two(&rig, 18).await;
        }
        assert_eq!(off.get(), 0, "it has worked in between");
    });
}

#[test]
fn answers_made_ahead_in_vain_end_warming_for_a_while() {
    run(|executor| async move {
        let ask = |bench: &Bench| {
            let key = ViewKey { view: View::Page, zone: None };
            let now = bench.clock.wall().as_second();
            let asking = bench.pipeline.ask(&key, Token::from_u64(1), now, true);
            assert!(matches!(asking, Asking::Made(_)));
        };
        let roomy = Bench::new();
        ask(&roomy);
        // Room for one page and not for two.
        let bytes = roomy.metrics.cache_bytes.get() as usize;
        let bench = Bench::limited(|limits| limits.cache_entry_bytes_max = bytes * 3 / 2);
        let rendered = || bench.metrics.pipeline_rendered.get();
        ask(&bench);
        let (pipeline, clock) = (Rc::clone(&bench.pipeline), bench.clock.clone());
        clock.advance(Duration::from_secs(30));
        let _warming = executor.spawn(async move { pipeline.keep_warm().await });
        let mut minutes_on = Vec::new();
        for minute in 0..20 {
            clock.advance(Duration::from_secs(28));
            settle().await;
            let before = rendered();
            clock.advance(Duration::from_secs(2));
            ask(&bench);
            assert_eq!(rendered(), before + 1, "the one of the minute before has run out");
            clock.advance(Duration::from_secs(30));
            settle().await;
            if parts_off(&bench.pipeline).is_empty() {
                minutes_on.push(minute);
            }
        }
        assert_eq!(bench.metrics.pipeline_warmed.get(), 0);
        assert_eq!(minutes_on, [0, 1, 2, 3, 4, 5]);
        // One each minute for who asks, five in vain, and two for which it was tried again.
        assert_eq!(rendered(), 21 + 5 + 2);
    });
}
