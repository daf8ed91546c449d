//! The same bytes whatever of the pipeline is switched off, with something set, skipped and hidden.

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::flags::Flags;
use smol::LocalExecutor;

use crate::feed_server::{FeedServer, Script, run_within};
use crate::full::send;
use crate::generate;
use crate::rig::{Rig, configure, folder, toml};
use crate::seeded::Random;

/// Every part off, one at a time, and all of them.
pub(crate) const VARIANTS: [(&str, Flags); 6] = [
    ("all on", Flags::ON),
    ("no caching", Flags { caching: false, ..Flags::ON }),
    ("no batching", Flags { batching: false, ..Flags::ON }),
    ("no deduplication", Flags { deduplication: false, ..Flags::ON }),
    ("no warming", Flags { warming: false, ..Flags::ON }),
    ("all off", Flags { request_pipeline: false, ..Flags::ON }),
];

fn pick<'t>(random: &mut Random, of: &[&'t str]) -> &'t str {
    of[random.below(of.len())]
}

/// A request for one of the views, with parameters that matter, some that do not, and some that
/// are refused.
pub(crate) fn target(route: &str, random: &mut Random) -> String {
    let mut target = format!("{route}?_={}", random.below(9));
    let zones =
        ["", "", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = write!(target, "&{name}={value}");
        }
    };
    add("tz", pick(random, &zones).to_owned());
    match route {
        "/api/v1/next" => add("limit", (1 + random.below(40)).to_string()),
        "/api/v1/events" => {
            let first = random.below(40);
            let last = first + 1 + random.below(20);
            let day = |day: usize| format!("2026-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
            let hour = format!("{}T{:02}:30:00Z", day(first), random.below(24));
            add("from", pick(random, &["", &day(first), &hour]).to_owned());
            add("to", pick(random, &["", &day(last)]).to_owned());
            add("calendar", pick(random, &["", "", "", "a", "b", "c"]).to_owned());
            add("limit", pick(random, &["", "", "3", "40", "2000"]).to_owned());
        }
        "/day" | "/week" | "/agenda" | "/month" => {
            let day = 1 + random.below(28);
            add("date", pick(random, &["", &format!("2026-01-{day:02}")]).to_owned());
            add("days", pick(random, &["", "", "3", "14", "15"]).to_owned());
            add("calendar", pick(random, &["", "", "a", "b"]).to_owned());
            add("lang", pick(random, &["", "de"]).to_owned());
        }
        _ => {}
    }
    target
}

/// Sends all at once, each on a connection of its own, and reads the answers in order.
pub(crate) async fn ask_together(rig: &Rig, targets: &[String]) -> Vec<(u16, String)> {
    let mut clients = Vec::new();
    for _ in targets {
        clients.push(rig.connect().await);
    }
    for (client, target) in clients.iter_mut().zip(targets) {
        client.send(request(target).as_bytes()).await;
    }
    let mut answers = Vec::new();
    for client in &mut clients {
        let answer = client.response().await.expect("an answer");
        answers.push((answer.status, answer.body));
    }
    answers
}

pub(crate) fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Two calendars that have half of their meetings in common.
async fn two_feeds(executor: &Rc<LocalExecutor<'static>>) -> (Rig, FeedServer, tempfile::TempDir) {
    let event = |uid: usize, end: usize| {
        let day = 1 + uid % 28;
        format!(
            "BEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:Meeting {uid}\r\nDTSTART:202601{day:02}T090000Z\r\n\
             DTEND:202602{day:02}T{end}0000Z\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nEND:VEVENT\r\n"
        )
    };
    let calendar = |events: String| format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n");
    let generated: String = generate::pieces(60, 3).skip(1).take(60).collect();
    // The same UID and start, and another end: whose end counts depends on who is asked first.
    let a = calendar((0..20).map(|uid| event(uid, 10)).collect::<String>() + &generated);
    let b = calendar((10..30).map(|uid| event(uid, 12)).collect());
    let server = FeedServer::start(executor, Script::new().ics("/a.ics", &a).ics("/b.ics", &b));
    let folder = folder();
    let feeds = [("a", server.url("/a.ics")), ("b", server.url("/b.ics"))];
    let rig = Rig::start(executor, configure(folder.path(), &toml(&feeds)));
    rig.refreshed(2).await;
    (rig, server, folder)
}

#[test]
fn answers_are_the_same_whatever_is_switched_off() {
    // Some ten thousand answers, each of them made.
    run_within(Duration::from_secs(120), |executor| async move {
        let (rig, _server, _folder) = two_feeds(&executor).await;
        for (change, body) in [
            ("PUT /api/settings/filters", r#"{"patterns":[{"pattern":"Meeting 13"}]}"#),
            ("PUT /api/settings/conflicts", r#"{"conflict_display_mode":"indicator"}"#),
            ("POST /api/v1/skips/6", ""),
            ("POST /api/v1/hidden/7", ""),
        ] {
            let answer = send(&rig, change, body).await;
            assert!(answer.status < 300, "{change}: {}", answer.body);
        }
        let mut random = Random(11);
        let routes = "/ /day /week /agenda /month /api/v1/next /api/v1/events /api/v1/calendars \
                      /api/whats-next /api/done-for-day /api/alexa/launch-summary \
                      /api/alexa/morning-summary";
        // Of these there are few that differ.
        let few = "/api/v1/now /api/v1/today /api/alexa/next-meeting /api/alexa/time-until-next \
                   /api/alexa/done-for-day /calendar /api/whats-next/data /api/settings \
                   /api/settings/filters /api/database/info /api/database/tables \
                   /api/database/schema";
        let some = |routes: &'static str, count| routes.split(' ').map(move |it| (it, count));
        for (route, count) in some(routes, 200).chain(some(few, 20)) {
            let targets: Vec<_> = (0..count).map(|_| target(route, &mut random)).collect();
            let mut expected: Option<Vec<(u16, String)>> = None;
            for (name, flags) in VARIANTS {
                rig.pipeline.set_flags(Flags { caching: false, ..flags });
                rig.pipeline.set_flags(flags);
                let mut answers = Vec::new();
                for together in targets.chunks(20) {
                    answers.extend(ask_together(&rig, together).await);
                }
                assert!(answers.iter().any(|answer| answer.0 == 200), "{route}: {answers:?}");
                let expected = expected.get_or_insert_with(|| answers.clone());
                for ((target, answer), expected) in targets.iter().zip(&answers).zip(expected) {
                    assert_eq!(answer, expected, "{name}: {target}");
                }
            }
        }
        let (shared, joined) = (&rig.metrics.pipeline_shared, &rig.metrics.pipeline_joined);
        assert!(shared.get() > 100 && joined.get() > 100, "{} {}", shared.get(), joined.get());
    });
}
