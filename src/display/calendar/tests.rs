//! Tables over the pages of some days: where things stand, days of 23 and 25 hours, languages,
//! hostile text, sizes.

use jiff::civil::date;

use super::*;
use crate::calendar::Entry;
use crate::calendar::fixture::{Desk, calendar, entry, titled, with};
use crate::calendar::locale::{DateOrder, WeekStart};
use crate::calendar::settings::ConflictMode;
use crate::display::{FAVICON, PAGE_CSS, PAGE_JS};

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

fn week() -> Vec<Entry> {
    vec![
        titled(entry("r", "2025-11-24T13:00:00Z", "2025-11-24T14:30:00Z"), "Review"),
        titled(entry("c", "2025-11-24T13:30:00Z", "2025-11-24T14:05:00Z"), "Call"),
        titled(entry("p", "2025-11-25T21:00:00Z", "2025-11-26T00:30:00Z"), "Party"),
        titled(entry("m", "2025-11-22", "2025-11-27"), "Market"),
    ]
}

fn desk(entries: Vec<Entry>) -> Desk {
    Desk::new("2025-11-24T12:02:00Z", "Europe/Berlin", entries)
}

/// A page, asked for by its path and query.
fn ask(desk: &Desk, target: &str, options: &PageOptions<'_>) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let layouts = [Layout::Day, Layout::Week, Layout::Agenda, Layout::Month];
    let layout = layouts.into_iter().find(|layout| layout.path() == path).unwrap();
    let mut view = View::of(layout);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "calendar" => view.calendar = Some((*value).into()),
            _ => view.read(&name, &value).unwrap(),
        }
    }
    let Screen { locale, theme } =
        view.screen(Screen { locale: options.locale, theme: options.theme });
    page(&desk.agenda(), &view, None, &PageOptions { locale, theme, ..*options })
}

/// Every one of `expected` stands in the page, in this order.
fn check(desk: &Desk, target: &str, options: &PageOptions<'_>, expected: &[&str]) {
    let page = ask(desk, target, options);
    let mut rest = page.as_str();
    for part in expected {
        let Some(place) = rest.find(part) else { panic!("{part:?} is not in {page}") };
        rest = &rest[place + part.len()..];
    }
}

#[test]
fn a_week_is_a_grid_of_time() {
    let expected = [
        "<html lang=\"en\">",
        "<title>24 – 30 November 2025</title>",
        "href=\"static/page.css?v=b1\"",
        "href=\"static/calendar.css?v=b1\"",
        "<noscript><meta http-equiv=\"refresh\" content=\"300\">",
        "<div id=\"view\" class=\"page-week\" data-now=\"2025-11-24T12:02:00Z\"",
        "<h1>24 – 30 November 2025 <small>Week 48</small></h1>",
        "<a href=\"week?date=2025-11-17\" aria-label=\"Earlier\">‹</a>",
        "<a href=\"week\">Today</a>",
        "<a href=\"week?date=2025-12-01\" aria-label=\"Later\">›</a>",
        "<main class=\"calendar-content\" data-current-time=\"2025-11-24T13:02:00+01:00\">",
        "<div class=\"grid n7 h0 H24\">",
        "<ul class=\"bars\" aria-label=\"all day\">",
        "<li class=\"bar s3 began\">",
        "<bdi>Market</bdi> <span class=\"until\">until Wednesday 26 November</span></li>",
        "<section class=\"day today\">",
        "<a href=\"day?date=2025-11-24\"><time datetime=\"2025-11-24\"><span>Mon</span> <b>24</b>",
        "<li class=\"event n2 h14 H15 M6 long\">",
        "<time datetime=\"2025-11-24T14:00:00+01:00\">14:00<i>–15:30</i></time> <b>Review</b>",
        "<li class=\"event c1 n2 h14 m6 H15 M1 short\">",
        "<b>Call</b>",
        "<li class=\"now-line h13\" aria-hidden=\"true\"></li>",
        "<section class=\"day c1\">",
        "<li class=\"event h22 H24 long\">",
        "<section class=\"day c2\">",
        "<li class=\"event h0 H1 M6 long\">",
        "<b>Party</b>",
        "<section class=\"day c6\">",
        "<a href=\"week\" aria-current=\"page\">Week</a>",
        "<a href=\"dashboard\">Dashboard</a>",
        "<a href=\"settings\">Settings</a>",
    ];
    check(&desk(week()), "week", &OPTIONS, &expected);
}

#[test]
fn hours_around_what_happens() {
    let hours = |start: &str, end: &str, expected: &str| {
        let desk = desk(vec![entry("a", start, end)]);
        check(&desk, "day", &OPTIONS, &[expected]);
    };
    hours("2025-11-24T10:00:00Z", "2025-11-24T11:00:00Z", "<div class=\"grid n1 h8 H18\">");
    hours("2025-11-24T06:59:00Z", "2025-11-24T17:01:00Z", "<div class=\"grid n1 h7 H19\">");
    // What lasts no time is drawn all the same, and inside of its day.
    hours("2025-11-24T22:50:00Z", "2025-11-24T22:50:00Z", "<li class=\"event h23 m6 H24 short\">");
    hours("2025-11-24T09:07:00Z", "2025-11-24T09:08:00Z", "<li class=\"event h10 m1 H10 M7 short");
}

#[test]
fn a_week_begins_where_the_configuration_says() {
    let check = |week_start, target: &str, title: &str| {
        let locale = Locale { week_start, ..OPTIONS.locale };
        let options = PageOptions { locale, ..OPTIONS };
        super::tests::check(&desk(week()), target, &options, &["<h1>", title, "</h1>"]);
    };
    check(WeekStart::Sunday, "week", "23 – 29 November 2025 <small>Week 48</small>");
    check(WeekStart::Today, "week", "24 – 30 November 2025");
    check(WeekStart::Today, "week?date=2025-11-27", "27 November – 3 December 2025");
    check(WeekStart::Monday, "week?date=2025-11-27", "24 – 30 November 2025");
    check(WeekStart::Monday, "week?date=2025-11-27&days=3", "27 – 29 November 2025");
    check(WeekStart::Monday, "day?date=2025-11-27", "Thursday 27 November 2025");
    check(WeekStart::Monday, "agenda", "24 November – 7 December 2025");
    check(WeekStart::Monday, "month?date=2025-12-31", "December 2025");
}

#[test]
fn days_of_23_and_of_25_hours_are_marked() {
    let autumn = vec![
        entry("first", "2025-10-26T00:15:00Z", "2025-10-26T00:45:00Z"),
        entry("second", "2025-10-26T01:15:00Z", "2025-10-26T01:45:00Z"),
    ];
    let expected = [
        "<small>25 h</small>",
        "<li class=\"event n2 h2 m3 H2 M9 short past\">",
        "<time datetime=\"2025-10-26T02:15:00+02:00\">",
        "<li class=\"event c1 n2 h2 m3 H2 M9 short past\">",
        "<time datetime=\"2025-10-26T02:15:00+01:00\">",
    ];
    check(&desk(autumn), "day?date=2025-10-26", &OPTIONS, &expected);
    let spring = vec![entry("over", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z")];
    let expected = ["<small>23 h</small>", "<li class=\"event h1 m6 H3 M6 long\">"];
    check(&desk(spring), "week?date=2026-03-29", &OPTIONS, &expected);
}

#[test]
fn an_agenda_lists_each_event_once() {
    let expected = [
        "<section class=\"plan today\">",
        "<a href=\"day?date=2025-11-24\">Today</a>",
        "<li class=\"entry\" data-event-time=\"2025-11-22T00:00:00+01:00\">",
        "all day",
        "<bdi>Market</bdi>",
        "<bdi>Review</bdi>",
        "<bdi>Call</bdi>",
        "<a href=\"day?date=2025-11-25\">Tomorrow</a>",
        "<bdi>Party</bdi>",
    ];
    check(&desk(week()), "agenda", &OPTIONS, &expected);
    let page = ask(&desk(week()), "agenda", &OPTIONS);
    for title in ["Market", "Party"] {
        assert_eq!(page.matches(&format!("<bdi>{title}</bdi>")).count(), 1, "{page}");
    }
    let many: Vec<Entry> = (0..60)
        .map(|number| {
            let day = 24 + number / 10;
            let hour = 10 + number % 10;
            let time = |minute| format!("2025-11-{day}T{hour}:{minute}:00Z");
            entry(&number.to_string(), &time("00"), &time("30"))
        })
        .collect();
    let more = ["<a href=\"day?date=2025-11-28\">+20 more</a>"];
    check(&desk(many), "agenda", &OPTIONS, &more);
}

#[test]
fn a_month_is_whole_weeks() {
    let mut entries = week();
    for number in 0..6 {
        let start = format!("2025-11-24T{:02}:00:00Z", 6 + number);
        entries.push(entry(&format!("x{number}"), &start, &start));
    }
    let expected = [
        "<h1>November 2025</h1>",
        "<a href=\"month?date=2025-10-01\" aria-label=\"Earlier\">",
        "<a href=\"month?date=2025-12-01\" aria-label=\"Later\">",
        "<div class=\"weeks n5 numbered\">",
        "<span class=\"c0\">Mon</span>",
        "<ul class=\"row\" aria-label=\"Week 44\">",
        "<li class=\"number\" aria-hidden=\"true\">44</li>",
        "<li class=\"cell other\"><a href=\"day?date=2025-10-27\">",
        "<li class=\"cell c5\"><a href=\"day?date=2025-11-01\">",
        "<ul class=\"row\" aria-label=\"Week 47\">",
        "<li class=\"bar c5 s2 goes-on\">",
        "<ul class=\"row\" aria-label=\"Week 48\">",
        "<li class=\"cell today\">",
        "<span class=\"more few\"> +7<span class=\"unseen\"> more</span></span>",
        "<span class=\"more all\"> +5<",
        "<li class=\"bar s3 began\">",
        "<li class=\"chip r1 past\">",
        "<time datetime=\"2025-11-24T07:00:00+01:00\">07:00</time> <bdi>Title x0</bdi>",
        "<li class=\"chip c1 r1\">",
        "<bdi>Party</bdi>",
        "<li class=\"chip c2 r1\">",
    ];
    check(&desk(entries), "month", &OPTIONS, &expected);
}

#[test]
fn months_of_four_five_and_six_weeks() {
    let weeks = |year, month, week_start| {
        let locale = Locale { week_start, ..OPTIONS.locale };
        let view = View { date: Some(date(year, month, 14)), ..View::of(Layout::Month) };
        let (first, count) = view.days(date(2025, 11, 24), &locale);
        (first, count / 7)
    };
    assert_eq!(weeks(2027, 2, WeekStart::Monday), (date(2027, 2, 1), 4));
    assert_eq!(weeks(2025, 11, WeekStart::Monday), (date(2025, 10, 27), 5));
    assert_eq!(weeks(2026, 3, WeekStart::Monday), (date(2026, 2, 23), 6));
    assert_eq!(weeks(2026, 3, WeekStart::Sunday), (date(2026, 3, 1), 5));
    assert_eq!(weeks(2025, 11, WeekStart::Today), (date(2025, 10, 27), 5));
}

#[test]
fn pages_speak_the_language_of_the_wall() {
    let german = [
        "<html lang=\"de\">",
        "24. – 30. November 2025 <small>KW 48</small>",
        ">Heute</a>",
        "aria-label=\"ganztägig\"",
        "bis Mittwoch, 26. November",
        "<span>Mo</span> <b>24</b>",
        "Einstellungen",
    ];
    check(&desk(week()), "week?lang=de", &OPTIONS, &german);
    let french = ["<html lang=\"fr\">", "novembre 2025", "<span class=\"c0\">lun</span>"];
    check(&desk(week()), "month?lang=fr", &OPTIONS, &french);
    let spanish = ["<html lang=\"es\" data-theme=\"dark\">", ">Hoy</a></h2>", "todo el día"];
    check(&desk(week()), "agenda?lang=es&theme=dark", &OPTIONS, &spanish);
    let kept = ["href=\"day?date=2025-11-24&amp;theme=eink&amp;lang=es\"", "href=\"dashboard\""];
    check(&desk(week()), "week?lang=es&theme=eink", &OPTIONS, &kept);
    let locale = Locale { hour12: true, week_numbers: false, ..OPTIONS.locale };
    let halves = PageOptions { locale, ..OPTIONS };
    let page = ask(&desk(week()), "week", &halves);
    assert!(page.contains(">2:00 pm<i>–3:30 pm</i>") && page.contains(">9 am</span>"), "{page}");
    assert!(!page.contains("Week 48"), "{page}");
}

#[test]
fn days_that_are_not_kept_are_not_called_empty() {
    let options = PageOptions { kept: Some((date(2025, 11, 23), date(2026, 1, 23))), ..OPTIONS };
    check(&desk(vec![]), "day?date=2025-11-23", &options, &["<p class=\"nothing\">No events</p>"]);
    for target in ["day?date=2025-11-22", "agenda?date=2026-01-24"] {
        check(&desk(vec![]), target, &options, &["These days are not kept here"]);
    }
    let cells = ["<li class=\"cell c5 unkept\">", "<li class=\"cell c6\">", "today"];
    check(&desk(vec![]), "month", &options, &cells);
}

#[test]
fn stale_data_and_too_much_of_it_are_said_so() {
    let mut desk = desk(week());
    desk.calendars[0].stale = true;
    let stale = ["class=\"notice stale\"", "as of <time", "work: nicht rechtzeitig aktualisiert"];
    let expected = stale.map(|text| text.replace("as of", "Stand"));
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for target in ["day?lang=de", "week?lang=de", "agenda?lang=de", "month?lang=de"] {
        check(&desk, target, &OPTIONS, &expected);
    }
    let mut agenda = desk.agenda();
    agenda.truncated = true;
    let page = page(&agenda, &View::of(Layout::Month), None, &OPTIONS);
    assert!(page.contains("There is more than this page can show."), "{page}");
}

#[test]
fn what_is_skipped_running_or_unsettled_looks_so() {
    let mut desk = Desk::new("2025-11-24T13:32:00Z", "Europe/Berlin", week());
    desk.skip("c");
    let expected =
        ["H15 M6 long running\">", "<b>Review", "M1 short running skipped\">", "<b>Call"];
    check(&desk, "day", &OPTIONS, &expected);
    assert!(!ask(&desk, "day?calendar=home", &OPTIONS).contains("Review"));
}

#[test]
fn what_overlaps_has_a_mark_where_people_want_one() {
    let mut desk = desk(vec![
        entry("a", "2025-11-24T13:00:00Z", "2025-11-24T14:00:00Z"),
        entry("b", "2025-11-24T13:30:00Z", "2025-11-24T14:30:00Z"),
        entry("c", "2025-11-24T16:30:00Z", "2025-11-24T17:30:00Z"),
    ]);
    for (mode, expected) in [(ConflictMode::All, 0), (ConflictMode::Indicator, 2)] {
        desk.settings.conflicts.mode = mode;
        for path in ["day", "week", "agenda", "month"] {
            let page = ask(&desk, path, &OPTIONS);
            let marks = page.matches("aria-label=\"overlaps another\"").count();
            assert_eq!(marks, expected, "{path} {mode:?}");
        }
    }
}

#[test]
fn nothing_from_a_feed_becomes_markup() {
    let evil = "</b><img src=x onerror=alert(1)> \" ' & \u{202e}txt\u{0}\u{85}";
    let hostile = |id: &str, start: &str, end: &str| {
        with(titled(entry(id, start, end), evil), |e| {
            e.details_mut().location = evil.to_owned();
            e.details_mut().url = "javascript:alert(1)".to_owned();
        })
    };
    let mut desk = desk(vec![
        hostile("a", "2025-11-24T13:00:00Z", "2025-11-24T14:00:00Z"),
        hostile("c", "2025-11-24", "2025-11-26"),
    ]);
    desk.calendars[0].name = evil.to_owned();
    desk.calendars[0].color = evil.to_owned();
    desk.calendars.push(calendar(evil));
    for path in ["day", "week", "agenda", "month"] {
        let page = ask(&desk, path, &PageOptions { build_id: evil, ..OPTIONS });
        for trace in ["<img", "javascript", "\u{202e}", "\u{0}", "\u{85}", " style=", "</b><i"] {
            assert!(!page.contains(trace), "{trace:?} in {page}");
        }
        let escaped = "&lt;/b&gt;&lt;img src=x onerror=alert(1)&gt;";
        assert!(page.matches(escaped).count() >= 4, "{page}");
        let query = View { calendar: Some("\"><img".into()), ..View::of(Layout::Week) };
        let page = super::page(&desk.agenda(), &query, Some("\"><x"), &OPTIONS);
        assert!(page.contains("calendar=%22%3E%3Cimg&amp;tz=%22%3E%3Cx"), "{page}");
    }
}

/// Eight calendars, thirty meetings a day and more bars than there are lanes.
fn everything() -> Desk {
    let mut entries = Vec::new();
    for day in 1..=30 {
        for number in 0..30 {
            let time = |minute: i32| {
                format!("2025-11-{day:02}T{:02}:{minute:02}:00Z", 6 + number / 2 % 16)
            };
            let id = format!("{day}-{number}");
            entries.push(with(titled(entry(&id, &time(0), &time(59)), &"t".repeat(512)), |e| {
                e.details_mut().location = "l".repeat(512);
                e.calendar = number as usize % 8;
            }));
        }
        let last = format!("2025-12-{:02}", day.min(9));
        entries.push(titled(entry("bar", &format!("2025-11-{day:02}"), &last), &"b".repeat(512)));
    }
    let mut desk = desk(entries);
    desk.settings.conflicts.mode = ConflictMode::Indicator;
    for index in 1..8 {
        desk.calendars.push(calendar(&format!("calendar {index}")));
    }
    desk
}

#[test]
fn pages_with_everything_take_40_kb() {
    let desk = everything();
    let files = [PAGE_CSS, CALENDAR_CSS, PAGE_JS, FAVICON].map(|file| file.gzip.len());
    let sizes = ["day", "week", "week?days=14", "agenda", "month"].map(|path| {
        let page = ask(&desk, path, &OPTIONS).len();
        (path, page, page + files.iter().sum::<usize>())
    });
    assert!(sizes.iter().all(|(.., all)| *all <= 40_000), "{sizes:?}, {files:?}");
}

#[test]
fn every_class_of_a_grid_is_in_the_stylesheet() {
    let css = std::str::from_utf8(CALENDAR_CSS.bytes).unwrap();
    let ranges: [(&str, std::ops::Range<u8>); 8] = [
        ("c", 1..14),
        ("s", 2..15),
        ("n", 1..15),
        ("r", 1..4),
        ("h", 0..24),
        ("m", 1..12),
        ("H", 1..25),
        ("M", 1..12),
    ];
    for (name, range) in ranges {
        for value in range {
            let rule = format!(".{name}{value}{{--{name}:{value}}}");
            assert!(css.contains(&rule), "{rule}");
        }
    }
}
