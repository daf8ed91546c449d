//! The figures as a page of text: a section after the other, in as many columns as fit.
//!
//! Nothing here knows the sections; what a server of another version tells is shown, too. The
//! units are those of the table of metrics.

use std::fmt::Write;

use crate::api::kpi::KPIS;
use crate::budget::show_bytes;
use crate::calendar::text::harmless;
use crate::metrics::Metrics;

/// What it is shown on.
#[derive(Clone, Copy)]
pub(super) struct Paper {
    /// Letters in a line.
    pub(super) columns: usize,
    /// It may be coloured.
    pub(super) colour: bool,
}

/// The width of a name with its value and its unit.
const CELL: usize = 40;
/// Stands where there is no value.
const NOTHING: &str = "–";
/// The longest text of a cell or a table.
const TEXT_MAX: usize = 48;

/// A JSON object, which is sound, as a page.
pub(super) fn show(body: &str, paper: Paper) -> String {
    let units = Units::new();
    let mut page = String::new();
    let Value::Object(sections) = Cursor { rest: body }.value() else { return page };
    for (name, value) in &sections {
        let _ = writeln!(page, "{}", paper.bold(name));
        match value {
            Value::Object(fields) => section(&mut page, paper, &units, name, fields),
            Value::List(rows) => table(&mut page, paper, name, rows),
            Value::Plain(text) => {
                let _ = writeln!(page, "  {}", units.show(name, name, text));
            }
        }
    }
    page
}

/// Plain fields side by side, then what has parts of its own.
fn section(page: &mut String, paper: Paper, units: &Units, name: &str, fields: &[(String, Value)]) {
    let plain = fields.iter().filter_map(|(field, value)| match value {
        Value::Plain(text) => Some((field.as_str(), units.show(name, field, text))),
        _ => None,
    });
    cells(page, paper, &plain.collect::<Vec<_>>());
    for (field, value) in fields {
        match value {
            Value::Plain(_) => {}
            Value::Object(parts) => {
                let parts = parts.iter().filter_map(|(part, value)| match value {
                    Value::Plain(text) => Some((format!("{field} {part}"), text.clone())),
                    _ => None,
                });
                let parts: Vec<_> = parts.collect();
                let parts = parts.iter().map(|(part, text)| (part.as_str(), text.clone()));
                cells(page, paper, &parts.collect::<Vec<_>>());
            }
            Value::List(rows) => table(page, paper, field, rows),
        }
    }
}

/// Names and values, down one column after the other.
fn cells(page: &mut String, paper: Paper, cells: &[(&str, String)]) {
    let columns = (paper.columns / CELL).clamp(1, 4);
    let rows = cells.len().div_ceil(columns);
    for row in 0..rows {
        let mut line = String::new();
        for (name, value) in cells.iter().skip(row).step_by(rows) {
            let gap = (CELL - 3).saturating_sub(width(name) + width(value)).max(1);
            let _ = write!(line, "  {name}{}{value} ", paper.faint(&".".repeat(gap)));
        }
        let _ = writeln!(page, "{}", line.trim_end());
    }
}

/// Rows with the same fields, or plain values.
fn table(page: &mut String, paper: Paper, name: &str, rows: &[Value]) {
    let plain: Vec<&str> = rows.iter().filter_map(Value::plain).collect();
    if !plain.is_empty() {
        cells(page, paper, &[(name, plain.join(" "))]);
    }
    let objects = || rows.iter().filter_map(Value::object);
    let Some(first) = objects().next() else { return };
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    let names = || names.iter().map(|name| name.strip_suffix("_bytes").unwrap_or(name));
    let mut lines: Vec<Vec<String>> = vec![names().map(str::to_owned).collect()];
    lines.extend(
        objects().map(|fields| fields.iter().map(|(name, value)| in_table(name, value)).collect()),
    );
    let widths: Vec<usize> = (0..first.len())
        .map(|column| {
            lines.iter().filter_map(|line| line.get(column)).map(|text| width(text)).max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    for (number, line) in lines.iter().enumerate() {
        let mut text = String::from(" ");
        for (column, (cell, width_max)) in line.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width_max - width(cell));
            let is_number =
                lines[1..].iter().filter_map(|line| line.get(column)).all(|cell| is_number(cell));
            let _ =
                if is_number { write!(text, " {gap}{cell}") } else { write!(text, " {cell}{gap}") };
        }
        let text = text.trim_end();
        let is_bad = line.contains(&"true".to_owned());
        let text = match number {
            0 => paper.faint(text),
            _ if is_bad => paper.alarming(text),
            _ => text.to_owned(),
        };
        let _ = writeln!(page, "{text}");
    }
}

fn in_table(name: &str, value: &Value) -> String {
    match value {
        Value::Plain(text) if text == "null" => NOTHING.to_owned(),
        Value::Plain(text) if name.ends_with("_bytes") => bytes(text),
        Value::Plain(text) => cut(text),
        Value::List(rows) => {
            cut(&rows.iter().filter_map(Value::plain).collect::<Vec<_>>().join("; "))
        }
        Value::Object(_) => String::new(),
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().next().is_none_or(|first| first.is_ascii_digit() || first == b'-')
}

fn cut(text: &str) -> String {
    if width(text) <= TEXT_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn bytes(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), show_bytes)
}

impl Paper {
    fn bold(self, text: &str) -> String {
        self.painted("1", text)
    }

    fn faint(self, text: &str) -> String {
        if self.colour { self.painted("2", text) } else { text.replace('.', " ") }
    }

    fn alarming(self, text: &str) -> String {
        self.painted("31", text)
    }

    fn painted(self, how: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{how}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What the numbers of the table of metrics mean.
struct Units(Vec<(&'static str, &'static str)>);

impl Units {
    fn new() -> Self {
        let metrics = Metrics::default();
        Self(metrics.readings().map(|reading| (reading.name, reading.unit)).collect())
    }

    /// A value of a section with its unit where the name does not say it.
    fn show(&self, section: &str, field: &str, text: &str) -> String {
        let is_it = |name: &str| name.split_once('.') == Some((section, field));
        let kpi = KPIS.iter().find(|kpi| section == "kpi" && kpi.name == field);
        let unit = self.0.iter().find(|(name, _)| is_it(name)).map(|(_, unit)| *unit);
        let unit = unit.or(kpi.map(|kpi| kpi.unit));
        let is_size = field == "bytes" || field.ends_with("_bytes");
        match unit {
            _ if text == "null" => NOTHING.to_owned(),
            Some("bytes") => bytes(text.strip_suffix(".000").unwrap_or(text)),
            None if is_size => bytes(text),
            Some("percent") => format!("{text} %"),
            _ => cut(text),
        }
    }
}

/// A JSON value; texts without what would repaint a terminal.
enum Value {
    /// A text, a number, a word.
    Plain(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    fn plain(&self) -> Option<&str> {
        if let Self::Plain(text) = self { Some(text) } else { None }
    }

    fn object(&self) -> Option<&[(String, Value)]> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }
}

/// What is left of a text that is known to be sound JSON, which also bounds how deep it goes.
struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn value(&mut self) -> Value {
        self.blanks();
        match self.rest.as_bytes().first() {
            Some(b'{') => {
                let mut fields = Vec::new();
                self.items('}', |cursor| {
                    let name = cursor.string();
                    cursor.take();
                    fields.push((name, cursor.value()));
                });
                Value::Object(fields)
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.items(']', |cursor| items.push(cursor.value()));
                Value::List(items)
            }
            Some(b'"') => Value::Plain(self.string()),
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\r', '\n']);
                let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                Value::Plain(word.to_owned())
            }
        }
    }

    fn items(&mut self, end: char, mut item: impl FnMut(&mut Self)) {
        self.take();
        while !self.rest.is_empty() {
            self.blanks();
            match self.rest.chars().next() {
                Some(c) if c == end => return self.take(),
                Some(',') => self.take(),
                _ => item(self),
            }
        }
    }

    /// Drops one character of the syntax, and the blanks before it.
    fn take(&mut self) {
        self.blanks();
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn string(&mut self) -> String {
        self.take();
        let (mut text, mut letters) = (String::new(), self.rest.chars());
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => match letters.next() {
                    Some('u') => {
                        let digits: String = letters.by_ref().take(4).collect();
                        let code = u32::from_str_radix(&digits, 16).ok();
                        text.push(code.and_then(char::from_u32).map_or('\u{fffd}', harmless));
                    }
                    Some(plain @ ('"' | '\\' | '/')) => text.push(plain),
                    _ => text.push(' '),
                },
                letter => text.push(harmless(letter)),
            }
        }
        self.rest = letters.as_str();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"server":{"name":"calendarbot","uptime_seconds":61},
"budget":{"bytes":16777216,"terms":[
{"name":"cache","share_bytes":1048576,"used_bytes":2097152,"over":true},
{"name":"feeds","share_bytes":8128,"used_bytes":0,"over":false}]},
"cpu":{"load":[0.1,0.2],"percent":null},"http":{"bytes_in":2048,"latency_ms":{"p50":0.1,"max":2}},
"feeds_status":[{"name":"a\u001b[2Jb","last_error":null}]}"#;

    #[test]
    fn sections_are_aligned() {
        let text = show(BODY, Paper { columns: 80, colour: false });
        assert_eq!(
            text,
            "server
  name                      calendarbot   uptime_seconds                     61
budget
  bytes                          16 MiB
  name  share  used over
  cache 1 MiB 2 MiB true
  feeds 8 KiB 0 KiB false
cpu
  percent                             –
  load                          0.1 0.2
http
  bytes_in                        2 KiB
  latency_ms p50                    0.1   latency_ms max                      2
feeds_status
  name   last_error
  a\u{fffd}[2Jb –
"
        );
    }

    #[test]
    fn a_terminal_gets_colours_and_nothing_of_a_stranger_s() {
        let text = show(BODY, Paper { columns: 200, colour: true });
        assert!(text.starts_with("\x1b[1mserver\x1b[0m\n"));
        assert!(text.contains("\x1b[31m  cache"), "{text}");
        assert!(!text.contains("\x1b[2J"));
    }

    #[test]
    fn any_sound_object_is_shown() {
        for body in ["{}", "{\"a\":[]}", "{\"a\":[[1],{\"b\":{}}]}", "{\"a\":\"\\ud800\\n\"}"] {
            show(body, Paper { columns: 0, colour: false });
        }
    }
}
