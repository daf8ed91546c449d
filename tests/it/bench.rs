//! Figures of the main paths: counts, which repeat, and times, which are only reported.
//! `make bench` runs them in the release build; none of them asserts a time.

use std::rc::Rc;

use calendarbot::alloc;
use calendarbot::budget::FeedLimits;
use calendarbot::clock::Clock;
use calendarbot::ical::component::{Item, Reader};

use crate::feed_server::{Script, run};
use crate::generate;
use crate::rig::fed;

/// Runs `work` so many times and prints what one of them takes.
fn report(name: &str, clock: &Clock, times: u32, work: impl FnOnce()) {
    let (allocations, began) = (alloc::allocations(), clock.now());
    work();
    let spent = clock.now().since(began) / times;
    let allocations = (alloc::allocations() - allocations) as f64 / f64::from(times);
    println!("{name:<44} {spent:>12.1?} {allocations:>10.1} allocations");
}

#[test]
#[ignore = "a figure, not a check: make bench"]
fn reading_a_feed() {
    let text = generate::calendar(5_000);
    let clock = Clock::system(None);
    alloc::restart_peak();
    let (before, began) = (alloc::used_bytes(), clock.now());
    let mut components = 0;
    let mut reader = Reader::new(&FeedLimits::default());
    let mut sink = |item: Item| components += usize::from(matches!(item, Item::Component(_)));
    for piece in text.as_bytes().chunks(16 << 10) {
        reader.push(piece, &mut sink).expect("a calendar");
    }
    reader.finish(&mut sink).expect("a whole one");
    let seconds = clock.now().since(began).as_secs_f64();
    let mib = text.len() as f64 / 1e6;
    println!(
        "reading {components} components of {mib:.1} MB: {:.0} MB/s, {} KiB of heap at most",
        mib / seconds,
        (alloc::peak_bytes() - before) / 1024
    );
}

#[test]
#[ignore = "a figure, not a check: make bench"]
fn answering() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 500)).await;
        let clock = Clock::system(None);
        let request = b"GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut client = rig.connect().await;
        client.send(request).await;
        client.response().await.expect("an answer");
        // The client of the tests is in these figures, with about ten allocations an answer.
        let times = 10_000;
        let (allocations, began) = (alloc::allocations(), clock.now());
        for _ in 0..times {
            client.send(request).await;
            client.response().await.expect("an answer");
        }
        let spent = clock.now().since(began) / times;
        let allocations = (alloc::allocations() - allocations) / times as usize;
        println!("a cached answer, client and all: {spent:.1?}, {allocations} allocations");

        let times = 200;
        let began = clock.now();
        for _ in 0..times {
            rig.feeds.changed();
            client.send(request).await;
            client.response().await.expect("an answer");
        }
        println!("an answer made anew, of 500 events: {:.1?}", clock.now().since(began) / times);
    });
}

#[test]
#[ignore = "a figure, not a check: make bench"]
fn expanding() {
    use calendarbot::ical::Window;
    use calendarbot::ical::event::Event;
    use calendarbot::ical::expand::expand;
    use calendarbot::ical::zone::Zones;
    use calendarbot::tzdb::tzdb;
    use jiff::tz::TimeZone;

    let zones = Rc::new(Zones::new(tzdb(), TimeZone::UTC, None));
    let at = |text: &str| text.parse().expect("a time");
    let window = Window { start: at("2026-01-05T00:00:00Z"), end: at("2026-03-06T00:00:00Z") };
    let clock = Clock::system(None);
    for rule in ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "FREQ=MONTHLY;BYDAY=-1FR"] {
        let text = format!(
            "UID:x\nDTSTART;TZID=Europe/Berlin:19990101T090000\nDURATION:PT1H\nRRULE:{rule}\n"
        );
        let series = [Event::parse(&text, &FeedLimits::default()).expect("an event")];
        report(&format!("expanding {rule} since 1999"), &clock, 1000, || {
            for _ in 0..1000 {
                expand(&series, &zones, window, &FeedLimits::default());
            }
        });
    }
}
