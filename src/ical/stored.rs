//! The text that a component is stored as, read back: content lines, each ended by one LF,
//! unfolded, names in capitals, as [`draft`](super::draft) writes them.

use memchr::memchr_iter;

use super::line::ContentLine;
use super::value::Value;

/// The lines of a component.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    memchr_iter(b'\n', text.as_bytes()).chain([text.len()]).scan(0, move |start, end| {
        let line = &text[*start..end];
        *start = end + 1;
        Some(line)
    })
}

/// The property that a line is of.
pub(crate) fn name(line: &str) -> &str {
    let end = line.bytes().position(|byte| byte == b':' || byte == b';');
    &line[..end.unwrap_or(line.len())]
}

/// True for the properties whose values are dates and times. They keep their zone beside them, and
/// have no colon in them.
pub(crate) fn is_time(name: &str) -> bool {
    matches!(name, "DTSTART" | "DTEND" | "RECURRENCE-ID" | "EXDATE" | "RDATE")
}

/// A line, taken apart.
pub(super) fn content(line: &str) -> Option<ContentLine<'_>> {
    if is_time(name(line)) { ContentLine::parse_time(line) } else { ContentLine::parse(line) }
}

/// TZID of a line of times.
pub(super) fn tzid(line: &ContentLine<'_>) -> Option<String> {
    let tzid = line.param("TZID")?.trim().to_owned();
    (!tzid.is_empty()).then_some(tzid)
}

/// How the values of a line of times are read: one that says DATE and writes a time means the day.
pub(super) fn reads_values(
    line: &ContentLine<'_>,
) -> impl Fn(&str) -> Option<Value> + Copy + use<> {
    let dated = line.param("VALUE").is_some_and(|value| value.eq_ignore_ascii_case("DATE"));
    move |text| match Value::parse(text) {
        Some(value) if dated => Some(Value::Date(value.date())),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_as_many_lines_as_line_ends_or_one_more() {
        for text in ["UID:a\nDTSTART:20240101\n", "UID:a\nDTSTART:20240101"] {
            assert_eq!(lines(text).map(name).collect::<Vec<_>>(), ["UID", "DTSTART"]);
        }
    }

    #[test]
    fn the_last_colon_separates_a_time_and_the_first_a_text() {
        let check = |line, value| assert_eq!(content(line).unwrap().value, value);
        check("DTSTART;TZID=(UTC+01:00) Berlin:20240101T090000", "20240101T090000");
        check("SUMMARY:one: two", "one: two");
        assert_eq!(content("SUMMARY"), None);
    }
}
