//! Tables over pages: states, urgency, hostile text, sizes.

use super::*;
use crate::calendar::Entry;
use crate::calendar::fixture::{Desk, at, calendar, entry, titled, with};
use crate::calendar::locale::{DateOrder, Language, Locale, WeekStart};
use crate::calendar::settings::ConflictMode;
use crate::display::{FAVICON, PAGE_CSS, PAGE_JS, Theme};
use crate::ical::Status;

const OPTIONS: PageOptions<'_> = PageOptions {
    build_id: "b1",
    locale: Locale {
        language: Language::English,
        hour12: false,
        week_start: WeekStart::Monday,
        week_numbers: true,
        date_order: DateOrder::DayMonth,
    },
    theme: Theme::Auto,
    demo: false,
    kept: None,
};

fn monday() -> Vec<Entry> {
    vec![
        titled(entry("r", "2025-11-24T13:00:00Z", "2025-11-24T13:45:00Z"), "Review"),
        titled(entry("s", "2025-11-24T13:45:00Z", "2025-11-24T14:00:00Z"), "Stand-up"),
        titled(entry("i", "2025-11-25T08:00:00Z", "2025-11-25T09:00:00Z"), "Interview"),
        titled(entry("m", "2025-11-24", "2025-11-27"), "Market"),
    ]
}

fn desk(now: &str, entries: Vec<Entry>) -> Desk {
    Desk::new(now, "Europe/Berlin", entries)
}

/// Every one of `expected` stands in the page, in this order.
fn check(desk: &Desk, options: &PageOptions<'_>, expected: &[&str]) {
    let page = whats_next(&desk.agenda(), options);
    let mut rest = page.as_str();
    for part in expected {
        let Some(place) = rest.find(part) else { panic!("{part:?} is not in {page}") };
        rest = &rest[place + part.len()..];
    }
}

/// The text of a page without its markup.
fn text(page: &str) -> String {
    page.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

#[test]
fn a_running_meeting_counts_to_its_end() {
    let expected = [
        "<html lang=\"en\">",
        "<meta name=\"calendarbot-ready\" content=\"1\">",
        "<title>14:00 Review</title>",
        "<noscript><meta http-equiv=\"refresh\"",
        "data-now=\"2025-11-24T13:20:00Z\" data-changes=\"2025-11-24T13:45:00Z\"",
        "data-offset=\"3600\" data-build=\"b1\">",
        "<p class=\"date\">Monday 24 November</p>",
        "<time datetime=\"2025-11-24T14:20:00+01:00\">14:20</time>",
        "<bdi>Market</bdi> <span class=\"until\">until Wednesday 26 November</span>",
        "<section class=\"hero now\" data-event-time=\"2025-11-24T14:00:00+01:00\">",
        "<p class=\"acts\" data-id=\"r\"></p>",
        "<bdi>Review</bdi></h1>",
        ">14:00</time> – <time",
        ">14:45</time>",
        "ends in</span> <time class=\"countdown words\" datetime=\"2025-11-24T13:45:00Z\">25 min</time>",
        "data-start=\"1763989200\" max=\"2700\" value=\"1200\"",
        "<h2>Then</h2>",
        "<bdi>Stand-up</bdi>",
        "in <time class=\"countdown words\" datetime=\"2025-11-24T13:45:00Z\">25 min</time>",
        "<h2>Tomorrow</h2>",
        "<bdi>Interview</bdi>",
    ];
    check(&desk("2025-11-24T13:20:00Z", monday()), &OPTIONS, &expected);
}

#[test]
fn the_next_meeting_becomes_urgent() {
    let check = |now: &str, class: &str, left: &str| {
        let expected = [class, ">Next</p>", "<bdi>Review</bdi></h1>", "starts in", left];
        super::tests::check(&desk(now, monday()), &OPTIONS, &expected);
    };
    check("2025-11-24T12:00:00Z", "\"hero\"", ">1 h<");
    check("2025-11-24T12:44:59Z", "\"hero\"", ">16 min<");
    check("2025-11-24T12:45:00Z", "\"hero soon\"", ">15 min<");
    check("2025-11-24T12:58:00Z", "\"hero critical\"", ">2 min<");
    check("2025-11-24T12:59:59Z", "\"hero critical\"", ">1 min<");
}

#[test]
fn a_day_without_more_meetings_is_said_so() {
    let check = |now: &str, entries: Vec<Entry>, expected: &[&str]| {
        super::tests::check(&desk(now, entries), &OPTIONS, expected);
    };
    let done = ["<title>What’s next", "Done for today", "Next: Tomorrow <time", ">09:00</time>"];
    check("2025-11-24T20:00:00Z", monday(), &done);
    check("2025-11-26T20:00:00Z", monday(), &["Nothing scheduled", "The days ahead are clear"]);
    let later = monday().split_off(2);
    check("2025-11-24T09:00:00Z", later, &["Nothing today", "<h2>Tomorrow</h2>", "Interview"]);
    check("2025-11-24T09:00:00Z", vec![], &["Nothing scheduled"]);
}

#[test]
fn twelve_hours_themes_and_relative_links() {
    let desk = desk("2025-11-24T13:20:00Z", monday());
    let locale = Locale { hour12: true, ..OPTIONS.locale };
    let options = PageOptions { locale, theme: Theme::Eink, ..OPTIONS };
    let expected = [
        "<html lang=\"en\" data-theme=\"eink\">",
        "<title>2:00 pm Review",
        "href=\"favicon.svg?v=b1\"",
        "href=\"static/page.css?v=b1\"",
        "src=\"static/page.js?v=b1\" defer",
        "data-hour12=\"1\"",
        ">2:20 pm</time>",
    ];
    check(&desk, &options, &expected);
}

#[test]
fn stale_data_says_since_when_and_why() {
    let mut desk = desk("2025-11-24T13:20:00Z", monday());
    let page = whats_next(&desk.agenda(), &OPTIONS);
    assert!(!page.contains("as of"), "{page}");
    desk.calendars[0].stale = true;
    desk.calendars[0].last_error = Some("HTTP 503 <x>".to_owned());
    let reason = "<bdi>work: HTTP 503 &lt;x&gt;</bdi>";
    check(&desk, &OPTIONS, &["as of <time", ">10:00</time>", reason]);
    desk.calendars[0].last_success = Some(at("2025-11-23T09:00:00Z"));
    check(&desk, &OPTIONS, &["as of Sunday 23 November <time", ">10:00</time>", reason]);
    desk.calendars[0].last_success = None;
    check(&desk, &OPTIONS, &["incomplete", reason]);
}

#[test]
fn the_first_run_says_what_to_do() {
    let mut desk = desk("2025-11-24T13:20:00Z", vec![]);
    let demo = PageOptions { demo: true, ..OPTIONS };
    let link = "<a href=\"setup\">Add yours</a>";
    check(&desk, &demo, &["This is the demo calendar. ", link]);
    desk.calendars.clear();
    check(&desk, &OPTIONS, &["There is no calendar yet. ", link]);
}

#[test]
fn calendars_are_told_apart_by_mark_and_name() {
    let mut desk = desk("2025-11-24T13:20:00Z", monday());
    desk.calendars[0].color = "#ffe08a".to_owned();
    assert!(!whats_next(&desk.agenda(), &OPTIONS).contains("class=\"legend\""));
    desk.calendars.push(calendar("home"));
    let work = "role=\"img\" aria-label=\"work\"><use href=\"#m0\"/>";
    let symbol = "<symbol id=\"m0\" viewBox=\"0 0 24 24\"><g fill=\"#ffe08a\"><rect";
    let legend = ["class=\"legend\"", "#m0", "<bdi>work</bdi>", "#m1", "<bdi>home</bdi>"];
    let symbols = [symbol, "fill=\"#000\">W</text>", "<circle", ">H<", work];
    check(&desk, &OPTIONS, &[&symbols[..], &legend].concat());
}

#[test]
fn nothing_from_a_feed_becomes_markup() {
    let evil = "</script><img src=x onerror=alert(1)> \" ' & \u{202e}txt\u{0}\u{85}";
    let hostile = |id: &str, start: &str, end: &str| {
        with(titled(entry(id, start, end), evil), |e| {
            e.details_mut().location = evil.to_owned();
            e.details_mut().url = "javascript:alert(1)".to_owned();
            e.details_mut().conference = "https://x.example.org/\"onclick=alert(1)".to_owned();
        })
    };
    let mut desk = desk(
        "2025-11-24T13:20:00Z",
        vec![
            hostile("a", "2025-11-24T13:00:00Z", "2025-11-24T14:00:00Z"),
            hostile("b", "2025-11-24T15:00:00Z", "2025-11-24T16:00:00Z"),
            hostile("c", "2025-11-24", "2025-11-25"),
        ],
    );
    desk.calendars[0].name = evil.to_owned();
    desk.calendars[0].color = evil.to_owned();
    desk.calendars[0].stale = true;
    desk.calendars[0].last_error = Some(evil.to_owned());
    desk.calendars.push(calendar(evil));
    let page = whats_next(&desk.agenda(), &PageOptions { build_id: evil, ..OPTIONS });
    for trace in
        ["<img", "<a rel", "javascript", "\u{202e}", "\u{0}", "\u{85}", " style=", "</script><"]
    {
        let found = page.matches(trace).count();
        assert_eq!(found, 0, "{trace:?} in {page}");
    }
    let escaped = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; &quot; &#39; &amp; txt";
    assert!(page.matches(escaped).count() >= 10, "{page}");
    assert!(page.contains("data-id=\"a\""), "{page}");
}

#[test]
fn links_and_tentative_marks() {
    let linked = with(monday().remove(0), |e| {
        e.details_mut().conference = "https://meet.example.org/a?b&c".to_owned();
        e.details_mut().status = Status::Tentative;
    });
    let link = "<a rel=\"noopener noreferrer\" href=\"https://meet.example.org/a?b&amp;c\">";
    let desk = desk("2025-11-24T12:00:00Z", vec![linked]);
    check(&desk, &OPTIONS, &[link, "<bdi>Review</bdi></a></h1>", "tentative"]);
}

#[test]
fn private_events_are_masked() {
    let mut desk = desk("2025-11-24T13:20:00Z", monday());
    desk.calendars[0].private = true;
    let page = whats_next(&desk.agenda(), &OPTIONS);
    assert!(page.contains("<title>14:00 Busy</title>"), "{page}");
    assert!(["Review", "Stand-up", "Market"].iter().all(|secret| !page.contains(secret)), "{page}");
}

#[test]
fn several_at_once_are_all_there() {
    let long = titled(entry("w", "2025-11-24T08:00:00Z", "2025-11-24T17:00:00Z"), "Workshop");
    let mut entries = monday();
    entries.push(long);
    for day in 0..5 {
        entries.push(entry(&format!("x{day}"), "2025-11-24", "2025-11-25"));
    }
    let page = whats_next(&desk("2025-11-24T13:20:00Z", entries).agenda(), &OPTIONS);
    let text = text(&page);
    let order = ["Market", "+3 more", "Review", "Then", "Workshop", "now", "Stand-up"];
    let mut rest = text.as_str();
    for part in order {
        let Some((_, after)) = rest.split_once(part) else { panic!("{part:?} is not in {text}") };
        rest = after;
    }
}

#[test]
fn what_overlaps_has_a_mark_where_people_want_one() {
    let mut desk = desk("2025-11-24T13:20:00Z", monday());
    desk.entries.push(entry("o", "2025-11-24T13:30:00Z", "2025-11-24T13:40:00Z"));
    let mark = "<span class=\"overlap\" role=\"img\" aria-label=\"overlaps another\"></span>";
    let count = |desk: &Desk| whats_next(&desk.agenda(), &OPTIONS).matches(mark).count();
    assert_eq!(count(&desk), 0);
    desk.settings.conflicts.mode = ConflictMode::Indicator;
    assert_eq!(count(&desk), 2);
    desk.settings.conflicts.mode = ConflictMode::Primary;
    assert_eq!(count(&desk), 1);
    desk.settings.conflicts.show_multiple = false;
    assert_eq!(count(&desk), 0);
}

#[test]
fn a_page_with_everything_fits_in_40_kb() {
    let mut entries = Vec::new();
    for hour in 0..24 {
        let (start, end) =
            (format!("2025-11-25T{hour:02}:00:00Z"), format!("2025-11-25T{hour:02}:59:00Z"));
        entries.push(with(titled(entry("x", &start, &end), &"t".repeat(512)), |e| {
            e.details_mut().location = "l".repeat(512);
        }));
    }
    let mut desk = desk("2025-11-25T00:20:00Z", entries);
    for index in 0..8 {
        desk.calendars.push(calendar(&format!("calendar {index}")));
    }
    let page = whats_next(&desk.agenda(), &OPTIONS).len();
    let assets: usize = [PAGE_CSS, PAGE_JS, FAVICON].map(|asset| asset.gzip.len()).iter().sum();
    assert!(page + assets <= 40_000, "page {page} + assets {assets}");
}

#[test]
fn the_page_speaks_the_language_of_the_wall() {
    let check = |language, date_order, expected: &[&str]| {
        let locale = Locale { language, date_order, ..OPTIONS.locale };
        let options = PageOptions { locale, ..OPTIONS };
        super::tests::check(&desk("2025-11-24T12:20:00Z", monday()), &options, expected);
    };
    let german = [
        "<html lang=\"de\">",
        "data-now=\"jetzt\"",
        "data-offline=\"Offline seit {}.",
        "<p class=\"date\">Montag, 24. November</p>",
        "bis Mittwoch, 26. November",
        ">Als Nächstes</p>",
        "beginnt in</span>",
        ">40 min<",
        "<h2>Danach</h2>",
        "<h2>Morgen</h2>",
    ];
    check(Language::German, DateOrder::DayMonth, &german);
    let french = ["<p class=\"date\">lundi 24 novembre</p>", ">Ensuite</p>", "commence dans"];
    check(Language::French, DateOrder::DayMonth, &french);
    let spanish = ["<p class=\"date\">lunes 2025-11-24</p>", ">Siguiente</p>", "empieza en"];
    check(Language::Spanish, DateOrder::YearMonthDay, &spanish);
    check(Language::English, DateOrder::MonthDay, &["<p class=\"date\">Monday, November 24</p>"]);
}

#[test]
fn what_is_next_needs_no_second_request() {
    let page = whats_next(&desk("2025-11-24T12:20:00Z", monday()).agenda(), &OPTIONS);
    let requests = page.matches(" src=").count() + page.matches("<link").count();
    assert_eq!(requests, 3, "icon, stylesheet and script, which only shows: {page}");
    assert!(page.contains("<bdi>Review</bdi></h1>") && page.contains(">40 min</time>"), "{page}");
}

#[test]
fn a_page_without_a_clock_says_so_and_shows_no_time() {
    let mut desk = desk("1970-01-01T00:00:09Z", monday());
    desk.clock_is_set = false;
    let notice = "the clock is not set";
    let parts = ["clock unset\"", notice, "<h1>The clock is not set</h1>", "Waiting for"];
    check(&desk, &OPTIONS, &parts);
    assert!(!whats_next(&desk.agenda(), &OPTIONS).contains("Review"));
}
