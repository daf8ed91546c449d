//! How times and foreign texts are written, once for every answer: JSON, pages, pictures and
//! speech.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::locale::{DateOrder, Locale, Words};
pub use crate::ical::is_bidi_control;

/// `2025-11-23T22:00:00Z`.
pub fn utc(at: Timestamp) -> String {
    at.to_string()
}

/// `2025-11-23T23:00:00+01:00`: RFC 3339 with the offset that `zone` has at that moment.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// The IANA name of a zone, or its offset at `at` when it has none.
pub fn zone_name(zone: &TimeZone, at: Timestamp) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => zone.to_offset(at).to_string(),
    }
}

/// The time on a wall clock: `14:05`, or `2:05 pm`.
pub fn clock(at: Timestamp, zone: &TimeZone, hour12: bool) -> String {
    let time = zone.to_datetime(at);
    let (hour, minute) = (time.hour(), time.minute());
    if !hour12 {
        return format!("{hour:02}:{minute:02}");
    }
    let half = if hour < 12 { "am" } else { "pm" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!("{hour}:{minute:02} {half}")
}

/// `Sunday 23 November`.
pub fn day(date: Date) -> String {
    day_in(date, &Locale::default())
}

/// `Today`, `Tomorrow`, or the day itself, with its year when that is another one.
pub fn day_from(date: Date, today: Date) -> String {
    day_from_in(date, today, &Locale::default())
}

/// The same as [`day`], as a place writes it: `Sonntag, 23. November`, `Sunday, November 23`.
pub fn day_in(date: Date, locale: &Locale) -> String {
    let words = locale.words();
    let (weekday, month) = (weekday(date, &words.weekdays), month(date, words));
    match locale.date_order {
        DateOrder::DayMonth => {
            let (after_weekday, after_day) = (words.after_weekday, words.after_day);
            format!("{weekday}{after_weekday}{}{after_day}{month}", date.day())
        }
        DateOrder::MonthDay => format!("{weekday}, {month} {}", date.day()),
        DateOrder::YearMonthDay => format!("{weekday} {date}"),
    }
}

/// The same as [`day_from`], as a place writes it.
pub fn day_from_in(date: Date, today: Date, locale: &Locale) -> String {
    let words = locale.words();
    if date == today {
        words.today.to_owned()
    } else if today.tomorrow().is_ok_and(|tomorrow| date == tomorrow) {
        words.tomorrow.to_owned()
    } else if date.year() == today.year() {
        day_in(date, locale)
    } else {
        day_with_year(date, locale)
    }
}

/// `Sunday 23 November 2025`.
pub fn day_with_year(date: Date, locale: &Locale) -> String {
    let (day, year) = (day_in(date, locale), date.year());
    match locale.date_order {
        DateOrder::DayMonth => format!("{day}{}{year}", locale.words().before_year),
        DateOrder::MonthDay => format!("{day}, {year}"),
        DateOrder::YearMonthDay => day,
    }
}

/// `November 2025`.
pub fn month_with_year(date: Date, locale: &Locale) -> String {
    let words = locale.words();
    match locale.date_order {
        DateOrder::YearMonthDay => format!("{}-{:02}", date.year(), date.month()),
        _ => format!("{}{}{}", month(date, words), words.before_year, date.year()),
    }
}

/// The days from one to another: `24 – 30 November 2025`, `24 November – 7 December 2025`.
pub fn days_with_year(first: Date, last: Date, locale: &Locale) -> String {
    let words = locale.words();
    if first == last {
        return day_with_year(first, locale);
    }
    let (year, of_month) = (date_year(last, locale), |date: Date| match locale.date_order {
        DateOrder::MonthDay => format!("{} {}", month(date, words), date.day()),
        _ => format!("{}{}{}", date.day(), words.after_day, month(date, words)),
    });
    if locale.date_order == DateOrder::YearMonthDay {
        return format!("{first} – {last}");
    }
    if first.year() != last.year() {
        let (start, end) = (of_month(first), of_month(last));
        return format!("{start}{} – {end}{year}", date_year(first, locale));
    }
    if first.month() != last.month() {
        return format!("{} – {}{year}", of_month(first), of_month(last));
    }
    match locale.date_order {
        DateOrder::MonthDay => format!("{} – {}{year}", of_month(first), last.day()),
        _ => {
            let dot = words.after_day.trim_end().trim_end_matches("de").trim_end();
            format!("{}{dot} – {}{year}", first.day(), of_month(last))
        }
    }
}

/// The year as it follows a day and a month.
fn date_year(date: Date, locale: &Locale) -> String {
    match locale.date_order {
        DateOrder::MonthDay => format!(", {}", date.year()),
        _ => format!("{}{}", locale.words().before_year, date.year()),
    }
}

/// `Mon`, `Mo`.
pub fn weekday_short(date: Date, locale: &Locale) -> &'static str {
    weekday(date, &locale.words().weekdays_short)
}

/// A full hour, 0 to 24, at the side of a day: `09`, `9 am`.
pub fn hour(hour: i8, locale: &Locale) -> String {
    match (locale.hour12, hour % 24) {
        (false, _) => format!("{hour:02}"),
        (true, 0) => "12 am".to_owned(),
        (true, 12) => "12 pm".to_owned(),
        (true, hour) if hour < 12 => format!("{hour} am"),
        (true, hour) => format!("{} pm", hour - 12),
    }
}

/// `Monday, November 23`, as front-ends of the full family have it.
pub fn day_us(date: Date) -> String {
    day_in(date, &Locale { date_order: DateOrder::MonthDay, ..Locale::default() })
}

/// `11:00 PM - 11:30 PM`, for the same.
pub fn hours_us(start: Timestamp, end: Timestamp, zone: &TimeZone) -> String {
    let [start, end] = [start, end].map(|at| clock(at, zone, true).to_uppercase());
    format!("{start} - {end}")
}

/// `Today`, `Tomorrow`, `Yesterday`, `In 3 days` or `3 days ago`.
pub fn relative_day(date: Date, today: Date) -> String {
    match (date - today).get_days() {
        0 => "Today".to_owned(),
        1 => "Tomorrow".to_owned(),
        -1 => "Yesterday".to_owned(),
        days if days > 0 => format!("In {days} days"),
        days => format!("{} days ago", -days),
    }
}

/// `2025-11-24`, of a day since 1970.
pub fn utc_day(day: i64) -> String {
    let at = Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or_default();
    TimeZone::UTC.to_datetime(at).date().to_string()
}

/// The day and the hours of a meeting as columns of a list in a terminal.
pub fn columns(
    (start, end): (Timestamp, Timestamp),
    all_day: bool,
    zone: &TimeZone,
    today: Date,
) -> String {
    let day = day_from(zone.to_datetime(start).date(), today);
    let hours = match all_day {
        true => "all day".to_owned(),
        false => format!("{}–{}", clock(start, zone, false), clock(end, zone, false)),
    };
    format!("{day:<22} {hours:<13}")
}

/// A stretch of time in whole minutes, rounded up, as a person says it: `1 min`, `1 h 5 min`,
/// `3 days`. For text that stands still; what counts down shows seconds.
pub fn span(seconds: i64) -> String {
    span_in(seconds, &Locale::default())
}

/// The same in the words of a place.
pub fn span_in(seconds: i64, locale: &Locale) -> String {
    let Words { minutes: min, hours: h, one_day, days, .. } = locale.words();
    let minutes = seconds.max(0).saturating_add(59) / 60;
    let (hours, rest) = (minutes / 60, minutes % 60);
    match (hours, rest) {
        (0, _) => format!("{rest} {min}"),
        (1..24, 0) => format!("{hours} {h}"),
        (1..24, _) => format!("{hours} {h} {rest} {min}"),
        (24..48, _) => format!("1 {one_day}"),
        _ => format!("{} {days}", hours / 24),
    }
}

/// The first `chars_max` characters of a text.
pub fn cut(text: &str, chars_max: usize) -> &str {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A text as people compare it: in lower case, with one blank for each run of white space and none
/// at its ends.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

/// What a text takes where it is written at the longest, in JSON or in HTML: a character is at most
/// six bytes there, or as many as it has.
pub fn written_bytes(text: &str) -> usize {
    let bytes = |c: char| match c {
        '<' | '"' | '\u{2028}' | '\u{2029}' => 6,
        '&' | '\'' => 5,
        '>' => 4,
        '\n' | '\r' | '\t' | '\\' => 2,
        c if c.is_control() || is_bidi_control(c) => 6,
        c => c.len_utf8(),
    };
    text.chars().map(bytes).sum()
}

/// For logs and terminals: a line break or an escape sequence in a feed's text must not forge a
/// line or repaint a screen.
pub fn harmless(c: char) -> char {
    if c.is_control() || is_bidi_control(c) { '\u{fffd}' } else { c }
}

/// The text when it is an `http` or `https` link with a host and nothing in it that could mean
/// something else to a browser; any other scheme, `javascript:` first of all, is no link here.
pub(super) fn web_link(text: &str) -> Option<&str> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let hosted = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || is_bidi_control(c) || "\"'<>\\`".contains(c)
    };
    (known && hosted && text.len() <= LINK_BYTES_MAX && !text.contains(odd)).then_some(text)
}

/// Longer links are cut off by some browsers and fit on no screen.
const LINK_BYTES_MAX: usize = 2048;

/// `Monday`.
pub fn weekday_long(date: Date) -> &'static str {
    weekday(date, &Locale::default().words().weekdays)
}

fn weekday(date: Date, names: &[&'static str; 7]) -> &'static str {
    let index = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    names.get(index).copied().unwrap_or("")
}

fn month(date: Date, words: &Words) -> &'static str {
    let index = usize::try_from(date.month() - 1).unwrap_or(0);
    words.months.get(index).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::calendar::locale::Language;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_in_the_zone_of_the_answer() {
        let check = |instant: &str, zone: &str, expected: [&str; 3]| {
            let zone = TimeZone::get(zone).unwrap();
            let instant = at(instant);
            let written =
                [local(instant, &zone), clock(instant, &zone, false), clock(instant, &zone, true)];
            assert_eq!(written, expected);
        };
        check(
            "2025-11-23T22:00:00Z",
            "Europe/Berlin",
            ["2025-11-23T23:00:00+01:00", "23:00", "11:00 pm"],
        );
        check("2025-07-01T22:05:09Z", "UTC", ["2025-07-01T22:05:09+00:00", "22:05", "10:05 pm"]);
        check(
            "2025-07-01T04:00:00Z",
            "America/New_York",
            ["2025-07-01T00:00:00-04:00", "00:00", "12:00 am"],
        );
        check(
            "2025-07-01T06:30:00Z",
            "Asia/Kolkata",
            ["2025-07-01T12:00:00+05:30", "12:00", "12:00 pm"],
        );
        assert_eq!(utc(at("2025-11-23T23:00:00+01:00")), "2025-11-23T22:00:00Z");
    }

    #[test]
    fn days_are_named_from_today() {
        let today = date(2025, 12, 31);
        let check = |day, expected| assert_eq!(day_from(day, today), expected);
        check(today, "Today");
        check(date(2026, 1, 1), "Tomorrow");
        check(date(2025, 12, 30), "Tuesday 30 December");
        check(date(2026, 1, 2), "Friday 2 January 2026");
    }

    #[test]
    fn spans_are_rounded_up_to_the_minute() {
        let check = |seconds, expected| assert_eq!(span(seconds), expected);
        check(-5, "0 min");
        check(1, "1 min");
        check(60, "1 min");
        check(61, "2 min");
        check(3600, "1 h");
        check(3661, "1 h 2 min");
        check(24 * 3600, "1 day");
        check(47 * 3600, "1 day");
        check(49 * 3600, "2 days");
        check(i64::MAX, "106751991167300 days");
    }

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!(cut("größer", 3), "grö");
        assert_eq!(cut("größer", 6), "größer");
        assert_eq!(cut("", 3), "");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn only_web_links_are_links() {
        let check =
            |text: &str, expected: bool| assert_eq!(web_link(text).is_some(), expected, "{text}");
        check("https://meet.example.org/abc?x=1&y=2", true);
        check(" HTTP://example.org ", true);
        check("https://[2001:db8::1]/", true);
        check("javascript:alert(1)", false);
        check("javascript://example.org/%0aalert(1)", false);
        check("data:text/html,x", false);
        check("https:example.org", false);
        check("https:///example.org", false);
        check("https://example.org/\"onclick=x", false);
        check("https://example.org/a b", false);
        check("https://example.org/\u{202e}gpj", false);
        check("//example.org", false);
        check("", false);
        check(&format!("https://example.org/{}", "a".repeat(3000)), false);
    }

    fn locale(language: Language, date_order: DateOrder) -> Locale {
        Locale { language, date_order, ..Locale::default() }
    }

    #[test]
    fn dates_are_written_as_places_write_them() {
        let (monday, sunday) = (date(2025, 11, 24), date(2025, 11, 30));
        let check = |language, order, expected: [&str; 5]| {
            let locale = locale(language, order);
            let written = [
                day_with_year(monday, &locale),
                month_with_year(monday, &locale),
                days_with_year(monday, sunday, &locale),
                days_with_year(monday, date(2025, 12, 7), &locale),
                days_with_year(date(2025, 12, 29), date(2026, 1, 4), &locale),
            ];
            assert_eq!(written, expected);
        };
        check(
            Language::English,
            DateOrder::DayMonth,
            [
                "Monday 24 November 2025",
                "November 2025",
                "24 – 30 November 2025",
                "24 November – 7 December 2025",
                "29 December 2025 – 4 January 2026",
            ],
        );
        check(
            Language::English,
            DateOrder::MonthDay,
            [
                "Monday, November 24, 2025",
                "November 2025",
                "November 24 – 30, 2025",
                "November 24 – December 7, 2025",
                "December 29, 2025 – January 4, 2026",
            ],
        );
        check(
            Language::German,
            DateOrder::DayMonth,
            [
                "Montag, 24. November 2025",
                "November 2025",
                "24. – 30. November 2025",
                "24. November – 7. Dezember 2025",
                "29. Dezember 2025 – 4. Januar 2026",
            ],
        );
        check(
            Language::Spanish,
            DateOrder::DayMonth,
            [
                "lunes, 24 de noviembre de 2025",
                "noviembre de 2025",
                "24 – 30 de noviembre de 2025",
                "24 de noviembre – 7 de diciembre de 2025",
                "29 de diciembre de 2025 – 4 de enero de 2026",
            ],
        );
        check(
            Language::French,
            DateOrder::YearMonthDay,
            [
                "lundi 2025-11-24",
                "2025-11",
                "2025-11-24 – 2025-11-30",
                "2025-11-24 – 2025-12-07",
                "2025-12-29 – 2026-01-04",
            ],
        );
    }

    #[test]
    fn hours_at_the_side_of_a_day() {
        let check = |number, hour12, expected: &str| {
            assert_eq!(hour(number, &Locale { hour12, ..Locale::default() }), expected);
        };
        for (number, plain, halves) in
            [(0, "00", "12 am"), (9, "09", "9 am"), (12, "12", "12 pm"), (23, "23", "11 pm")]
        {
            check(number, false, plain);
            check(number, true, halves);
        }
        check(24, false, "24");
        check(24, true, "12 am");
    }
}
