//! Words made to do harm, in every field of a calendar: on every route, in the log and in a terminal
//! they are words and nothing else.

use std::fs;
use std::path::Path;

use calendarbot::api::json::is_sound;
use calendarbot::http::route::places;

use crate::feed_server::run;
use crate::process::{self, Process};
use crate::rig::{Rig, configure, folder};

/// What somebody may write into an invitation.
const WORDS: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onload='alert(1)",
    "</title></bdi><script>alert(1)</script>",
    "--><svg/onload=alert(1)>",
    "<![CDATA[x]]><audio src='x'/></speak>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{\"a\": [1,}",
    "\\\",\"evil\":\"1",
    "[[feeds]]\\nurl = 'x'",
    "a\\nEND:VEVENT\\nBEGIN:VEVENT\\nSUMMARY:Forged",
    "\\r\\nSet-Cookie: evil=1",
    "%0d%0aSet-Cookie: evil=1",
    "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069} \u{200f}\u{61c}",
    "\u{1b}[2J\u{1b}]0;evil\u{7} \u{8}\u{0}\u{7f}",
    "\u{9b}31m \u{85}\u{90}",
    "\u{2028}\u{2029}\u{feff}\u{fffe}",
    "&lt;script&gt; &amp; &#60;",
    "${evil} {{evil}} %s %n $(evil) `evil`",
    "",
];
/// A line of a feed may have so many bytes.
const LONG: usize = 60_000;

/// A calendar with these words everywhere, an event each: the first is under way, and the others
/// follow.
fn calendar() -> String {
    let long = "<u>".repeat(LONG / 3);
    let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
    for (number, words) in WORDS.iter().copied().chain([&*long]).enumerate() {
        let (hour, minute) = (7 + number / 6, number % 6 * 10);
        text += &format!(
            "X-WR-CALNAME:{words}\r\nBEGIN:VEVENT\r\nUID:{words}{number}\r\n\
             DTSTART:20260105T{hour:02}{minute:02}00Z\r\nDURATION:PT2H\r\nSUMMARY:{words}\r\n\
             LOCATION:{words}\r\nDESCRIPTION:{words}\r\nCATEGORIES:{words}\r\nURL:{words}\r\n\
             CONFERENCE:{words}\r\nCOLOR:{words}\r\nX-EVIL:{words}\r\nCOMMENT:{words}\r\n\
             ORGANIZER;CN={words}:mailto:{words}\r\nATTENDEE;CN=\"{words}\":mailto:{words}\r\n\
             X-{words}:1\r\nEND:VEVENT\r\n"
        );
        // What is wrong with one is told in its words.
        text += &format!("BEGIN:VEVENT\r\nUID:{words}\r\nDTSTART:{words}\r\nEND:VEVENT\r\n");
        text += &format!(
            "BEGIN:VEVENT\r\nUID:zone {number}\r\nDTSTART;TZID=\"{words}\":20260107T090000\r\n\
             SUMMARY:Elsewhere\r\nEND:VEVENT\r\n"
        );
    }
    text + "END:VCALENDAR\r\n"
}

fn config(folder: &Path) -> String {
    let path = folder.join("feed.ics");
    fs::write(&path, calendar()).expect("written");
    let path = path.to_str().expect("UTF-8");
    format!("time_zone = \"Europe/Berlin\"\n[[feeds]]\nname = \"a\"\nfile = {path:?}\n")
}

/// No control but a line's end, and nothing that reorders text.
fn check_plain(who: &str, text: &str) {
    let odd = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}')
    };
    let place = text.find(odd);
    let around = place.map(|at| text[..at].chars().rev().take(80).collect::<String>());
    assert_eq!(around.map(|text| text.chars().rev().collect::<String>()), None, "{who}");
}

fn check_html(who: &str, page: &str) {
    let lower = page.to_lowercase();
    for trace in [
        "<script>",
        "<img src=x",
        "<svg/",
        "<audio",
        "<u>",
        "<![cdata",
        "href=\"javascript:",
        "href=\"data:",
    ] {
        assert!(!lower.contains(trace), "{who}: {trace}");
    }
    // Whatever looks like an attribute stands behind an escaped quote.
    for trace in ["\" onmouseover=", "' onload=", "src=\"data:"] {
        assert!(!lower.contains(trace), "{who}: {trace}");
    }
}

fn check_json(who: &str, body: &str) {
    assert!(is_sound(body.as_bytes()), "{who}: {body}");
    assert!(!body.contains('<'), "{who}: {body}");
    assert!(!body.contains("\"evil\":\"1"), "{who}: {body}");
    for part in body.split("\"ssml\":").skip(1) {
        let mut ssml = String::new();
        let mut escaped = false;
        for c in part.trim_start().trim_start_matches('"').chars() {
            if c == '"' && !escaped {
                break;
            }
            escaped = c == '\\' && !escaped;
            ssml.push(c);
        }
        for trace in ["\\u003caudio", "\\u003cscript", "\\u003cimg", "\\u003cu>", "\\u003c!["] {
            assert!(!ssml.contains(trace), "{who}: {ssml}");
        }
    }
}

/// No character that RFC 5545 section 3.1 calls a control. All others are the author's: they go to
/// a program that shows them in its own way.
fn check_calendar(who: &str, text: &str) {
    let odd = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t');
    assert!(!text.contains(odd), "{who}");
    assert!(text.lines().all(|line| line.len() <= 75), "{who}");
    assert!(!text.contains("\nSUMMARY:Forged"), "{who}");
    let [begun, ended] =
        ["\nBEGIN:VEVENT\r\n", "\nEND:VEVENT\r\n"].map(|it| text.matches(it).count());
    assert_eq!(begun, ended, "{who}");
}

/// The ids of all events, as they may stand in a path.
fn ids(events: &str) -> Vec<String> {
    let ids =
        events.split("\"id\":\"").skip(1).filter_map(|rest| rest.split("\",\"calendar\"").next());
    let escape = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    ids.filter(|id| !id.contains('\\')).map(|id| id.bytes().map(escape).collect()).collect()
}

#[test]
fn words_from_a_calendar_are_words_on_every_route() {
    run(|executor| async move {
        let folder = folder();
        let rig = Rig::start(&executor, configure(folder.path(), &config(folder.path())));
        rig.refreshed(1).await;
        let events = rig.get("/api/v1/events?limit=200").await.body;
        assert!(events.matches("\"title\":").count() >= WORDS.len() - 1, "{events}");
        let ids = ids(&events);
        assert!(ids.len() > 3, "{ids:?}");
        for id in &ids[..2] {
            let request = format!("POST /api/v1/skips/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(rig.ask(&request).await.status, 201, "{id}");
        }
        for (place, allow) in places() {
            // It goes on for ever, and says a number.
            if !allow.0.starts_with("GET") || place == "/events" {
                continue;
            }
            let mut paths = vec![place.to_owned()];
            if let Some((before, after)) = place.split_once('{') {
                let after = after.split('}').nth(1).unwrap_or_default();
                let names = ["a".to_owned()].into_iter().chain(ids.iter().cloned());
                paths = names.map(|name| format!("{before}{name}{after}")).collect();
            }
            paths.extend(ids.iter().take(4).map(|id| format!("{place}?id={id}&calendar={id}")));
            for path in paths.iter().filter(|path| !path.contains('{')) {
                let answer = rig.get(path).await;
                assert!(!answer.head.to_lowercase().contains("evil"), "{}", answer.head);
                let kind = answer.field("content-type").unwrap_or_default();
                if !kind.starts_with("text/calendar") {
                    check_plain(path, &answer.body);
                }
                match kind {
                    kind if kind.starts_with("text/html") => check_html(path, &answer.body),
                    kind if kind.contains("json") => check_json(path, &answer.body),
                    kind if kind.starts_with("text/calendar") => check_calendar(path, &answer.body),
                    _ => {}
                }
            }
        }
        let page = rig.get("/").await.body;
        assert!(page.contains("&lt;"), "the words are on the page");
    });
}

#[test]
fn words_from_a_calendar_are_words_in_the_log_and_in_a_terminal() {
    run(|_executor| async move {
        let folder = folder();
        let path = folder.path().join("calendarbot.toml");
        fs::write(&path, config(folder.path())).expect("written");
        let path = path.to_str().expect("UTF-8");
        let mut process =
            Process::start(folder.path(), &["-c", path, "--log-level", "trace", "--access-log"]);
        let log = process.collect_log();
        process.until("/readyz", "ready\n").await;
        process.get("/api/v1/next?tz=%1b%5b2J%e2%80%ae");
        process.ask("GET /\u{9b}31m HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let url = format!("http://{}", process.address);
        let commands = [
            &["next"][..],
            &["explain", "a", "script"],
            &["explain", "a", "Forged"],
            &["explain", "a", "\u{1b}[2J\u{202e}"],
            &["explain", "\u{1b}[2J\u{202e}"],
            &["check"],
            &["config", "show"],
        ];
        for command in commands {
            let output = process::output(folder.path(), &[command, &["-c", path]].concat());
            for stream in [&output.stdout, &output.stderr] {
                check_plain(command[0], &process::text(stream));
            }
        }
        let stats = process::output(folder.path(), &["stats", "--url", &url]);
        check_plain("stats", &process::text(&stats.stdout));
        process.signal("-TERM");
        assert_eq!(process.wait(), Some(0));
        let log = log.join().expect("read");
        check_plain("the log", &log);
        assert!(log.lines().all(|line| !line.starts_with("SUMMARY") && !line.starts_with("END")));
        assert!(log.contains("feed `a`"), "{log}");
    });
}
