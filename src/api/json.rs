//! JSON as every route writes it. Shapes are plain structs with nanoserde's derive; every string
//! in them is a [`Text`].
//!
//! What comes in is looked at by [`is_sound`] before nanoserde reads it: nanoserde recurses as deep
//! as the text says and takes trailing commas, comments and what follows the value.
//!
//! nanoserde's own strings are not used because they leave `<`, U+2028 and the C1 controls as
//! they are, which an answer with a stranger's words in it must not; its floats may write `NaN`
//! and its slices may not be empty, so answers hold neither: a number with a fraction is a
//! [`Decimal`].

mod value;

use std::borrow::Cow;
use std::fmt::Write as _;

use nanoserde::{SerJson, SerJsonState};

use crate::calendar::text::{is_bidi_control, written_bytes};

pub use self::value::Value;

/// A string that is safe in any JSON answer, also inside a `<script>` and on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text, or nothing (`null`) when it is empty.
    pub fn unless_empty(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
}

/// What one meeting may say beside the texts that name it: as much as two descriptions, which only
/// hostile ones take, or those of very many people.
pub const TOLD_BYTES_MAX: usize = 6 * 1024;
/// What stands around a text in a list: quotes, comma, line end, indentation.
const LISTED_BYTES: usize = 16;

/// The room for what a meeting says, as it is written.
pub(super) struct Told(usize);

impl Told {
    pub(super) fn new() -> Self {
        Self(TOLD_BYTES_MAX)
    }

    /// As much of a text as there is room for.
    pub(super) fn text<'a>(&mut self, text: &'a str) -> &'a str {
        let mut written = 0;
        let mut is_beyond = |c: char| {
            written += written_bytes(c.encode_utf8(&mut [0; 4]));
            written > self.0
        };
        let end = text.char_indices().find(|&(_, c)| is_beyond(c));
        let end = end.map_or(text.len(), |(end, _)| end);
        self.0 -= written_bytes(&text[..end]);
        &text[..end]
    }

    /// As many of some texts as there is room for.
    pub(super) fn list<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> Vec<Text<'a>> {
        let fits = |text: &&str| {
            let left = self.0.checked_sub(written_bytes(text) + LISTED_BYTES);
            left.inspect(|left| self.0 = *left).is_some()
        };
        texts.take_while(fits).map(Text::from).collect()
    }
}

/// A list of strings as it is written.
pub(super) fn texts(list: &[String]) -> Vec<Text<'_>> {
    list.iter().map(|text| text.as_str().into()).collect()
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl SerJson for Text<'_> {
    /// Escapes quotes and backslashes (RFC 8259 section 7), every control, `<`, and the line
    /// ends that JavaScript knows and JSON does not; drops what reorders text.
    fn ser_json(&self, _depth: usize, state: &mut SerJsonState) {
        let (out, mut rest) = (&mut state.out, &*self.0);
        out.push('"');
        loop {
            let plain = rest.bytes().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            let mut chars = rest[plain..].chars();
            let Some(c) = chars.next() else { break };
            rest = chars.as_str();
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if is_bidi_control(c) => {}
                '<' | '\u{2028}' | '\u{2029}' => escape(out, c),
                c if c.is_control() => escape(out, c),
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// A number with a fraction, to three places; `null` for what is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal(pub f64);

impl SerJson for Decimal {
    fn ser_json(&self, _depth: usize, state: &mut SerJsonState) {
        let _ = match self.0.is_finite() {
            true => write!(state.out, "{:.3}", self.0),
            false => write!(state.out, "null"),
        };
    }
}

/// Most of most texts: what is in ASCII and stands as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'<')
}

/// All of the escaped characters lie below U+10000, so four digits hold them.
fn escape(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// The same JSON with each member and item on a line of its own, indented by two. It grows where it
/// is: a large one has no room for another beside it.
pub fn indented(json: String) -> String {
    let mut bytes = json.into_bytes();
    let (mut lines, length) = (Lines::default(), bytes.len());
    let gaps: usize = bytes.iter().map(|byte| lines.gap_before(*byte).len()).sum();
    // Moved to the end of its room, it comes back byte by byte, and never catches itself up.
    bytes.reserve_exact(gaps);
    bytes.resize(length + gaps, 0);
    bytes.copy_within(..length, gaps);
    let (mut lines, mut end) = (Lines::default(), 0);
    for place in gaps..bytes.len() {
        let byte = bytes[place];
        let gap = lines.gap_before(byte);
        bytes[end..end + gap.len()].copy_from_slice(gap);
        end += gap.len() + 1;
        bytes[end - 1] = byte;
    }
    String::from_utf8(bytes).expect("gaps stand beside ASCII")
}

/// A new line, as deep as any of our answers goes.
const NEW_LINE: &[u8] = b"\n                                ";

/// What stands between the bytes of JSON on many lines.
#[derive(Default)]
struct Lines {
    depth: usize,
    is_text: bool,
    is_escaped: bool,
    last: u8,
}

impl Lines {
    fn gap_before(&mut self, byte: u8) -> &'static [u8] {
        if self.is_text {
            self.is_text = self.is_escaped || byte != b'"';
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return b"";
        }
        let (ends, begun) = (matches!(byte, b'}' | b']'), matches!(self.last, b'{' | b'['));
        self.depth = (self.depth + usize::from(begun)).saturating_sub(ends.into());
        let gap: &[u8] = match self.last {
            b':' => b" ",
            last if (ends || begun || last == b',') && !(ends && begun) => {
                &NEW_LINE[..(1 + 2 * self.depth).min(NEW_LINE.len())]
            }
            _ => b"",
        };
        (self.last, self.is_text) = (byte, byte == b'"');
        gap
    }
}

/// Arrays and objects inside each other that a request may hold.
const DEPTH_MAX: usize = 16;

/// True for one JSON value of RFC 8259, in UTF-8 and at most [`DEPTH_MAX`] deep, and nothing else.
pub fn is_sound(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && Cursor { rest: bytes }.text().is_some()
}

/// What is left of a text while it is checked; `None` anywhere means that it is not JSON.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn text(mut self) -> Option<()> {
        self.value(0)?;
        self.blanks();
        self.rest.is_empty().then_some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.blanks();
        match *self.rest.first()? {
            b'{' | b'[' if depth == DEPTH_MAX => None,
            b'{' => self.items(b'}', |cursor| {
                cursor.blanks();
                cursor.string()?;
                cursor.blanks();
                cursor.take(b":")?;
                cursor.value(depth + 1)
            }),
            b'[' => self.items(b']', |cursor| cursor.value(depth + 1)),
            b'"' => self.string(),
            b't' => self.take(b"true"),
            b'f' => self.take(b"false"),
            b'n' => self.take(b"null"),
            _ => self.number(),
        }
    }

    /// What stands between brackets, with commas between the items and none after the last.
    fn items(&mut self, end: u8, item: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        self.rest = &self.rest[1..];
        self.blanks();
        if self.take(&[end]).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.blanks();
            if self.take(&[end]).is_some() {
                return Some(());
            }
            self.take(b",")?;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b"\"")?;
        loop {
            match self.rest {
                [b'"', ..] => return self.take(b"\""),
                [b'\\', b'u', digits @ ..] => {
                    let is_hex = digits.get(..4)?.iter().all(u8::is_ascii_hexdigit);
                    self.rest = is_hex.then(|| &digits[4..])?;
                }
                [b'\\', escaped, after @ ..] => {
                    self.rest = b"\"\\/bfnrt".contains(escaped).then_some(after)?;
                }
                [byte, after @ ..] if *byte >= b' ' && *byte != b'\\' => self.rest = after,
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b"-");
        match self.rest.first()? {
            b'0' => self.take(b"0")?,
            _ => self.digits()?,
        }
        if self.take(b".").is_some() {
            self.digits()?;
        }
        if self.take(b"e").or_else(|| self.take(b"E")).is_some() {
            let _ = self.take(b"+").or_else(|| self.take(b"-"));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = &self.rest[count..];
        (count > 0).then_some(())
    }

    fn take(&mut self, text: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn blanks(&mut self) {
        let blank = |byte: &&u8| b" \t\r\n".contains(byte);
        self.rest = &self.rest[self.rest.iter().take_while(blank).count()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_and_what_is_not() {
        for text in [
            "{}",
            " [ ] ",
            "null",
            "true",
            "false",
            "0",
            "-0.5e+10",
            "1E3",
            r#""""#,
            r#"{"a":[1,{"b":null}],"c":"\u00e4\n\"ä"}"#,
            "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
        ] {
            assert!(is_sound(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "{} {}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "NaN",
            "tru",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "// x\n1",
            "[/**/]",
            "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
            "{\"a\" 1}",
            "{1:2}",
            "\u{feff}{}",
            "]",
        ] {
            assert!(!is_sound(text.as_bytes()), "{text}");
        }
        assert!(!is_sound(b"\"\xff\""));
        assert!(!is_sound("[".repeat(1 << 16).as_bytes()));
    }

    #[test]
    fn strings_are_escaped() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Text::from(text).serialize_json(), format!("\"{expected}\""));
        };
        check("plain, ümläut, 日本, 🎉", "plain, ümläut, 日本, 🎉");
        check("", "");
        check(r#"say "hi" \ bye"#, r#"say \"hi\" \\ bye"#);
        check("a\r\n\tb", r"a\r\n\tb");
        check("</script><!--", r"\u003c/script>\u003c!--");
        check("\u{0}\u{8}\u{c}\u{1b}\u{1f}\u{7f}", r"\u0000\u0008\u000c\u001b\u001f\u007f");
        check("\u{80}\u{85}\u{9f}", r"\u0080\u0085\u009f");
        check("\u{2028}\u{2029}", r"\u2028\u2029");
        check("a\u{202e}b\u{2066}c\u{200f}d\u{61c}e", "abcde");
    }

    #[test]
    fn json_is_indented_by_two() {
        let check = |json, expected| assert_eq!(indented(String::from(json)), expected);
        check(r#"{"a":[],"b":{},"c":1}"#, "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": 1\n}");
        check(r#"[{"a":"x:,{\"\\"},null]"#, "[\n  {\n    \"a\": \"x:,{\\\"\\\\\"\n  },\n  null\n]");
        check(r#""a""#, r#""a""#);
    }

    #[test]
    fn nothing_is_written_longer_than_planned() {
        for c in ('\0'..='\u{3000}').chain(['\u{feff}', '\u{ffff}', '🎉']) {
            let text = c.to_string();
            let json = Text::from(&*text).serialize_json().len() - 2;
            assert!(json <= written_bytes(&text), "{c:?}");
        }
    }

    #[test]
    fn a_meeting_says_as_much_as_there_is_room_for() {
        let mut told = Told(20);
        assert_eq!(told.text("a<b"), "a<b");
        assert_eq!(told.text("äö<<<"), "äö<", "eight bytes are taken, and another two fit");
        assert_eq!(told.text("ü"), "ü");
        assert_eq!((told.text("x"), told.0), ("", 0));
        let mut told = Told(2 * LISTED_BYTES + 3);
        let listed = told.list(["ab", "c", "d"].into_iter());
        assert_eq!(listed, ["ab".into(), "c".into()]);
    }

    #[test]
    fn derived_shapes_keep_null_and_empty_lists() {
        #[derive(SerJson)]
        #[nserde(serialize_none_as_null)]
        struct Shape<'a> {
            text: Option<Text<'a>>,
            number: Option<i64>,
            list: Vec<Text<'a>>,
            #[nserde(rename = "type")]
            kind: Text<'a>,
        }
        let empty = Shape { text: None, number: None, list: vec![], kind: "x".into() };
        assert_eq!(empty.serialize_json(), r#"{"text":null,"number":null,"list":[],"type":"x"}"#);
        let full = Shape {
            text: Text::unless_empty("a"),
            number: Some(-3),
            list: vec!["b".into(), "c".into()],
            kind: "x".into(),
        };
        assert_eq!(
            full.serialize_json(),
            r#"{"text":"a","number":-3,"list":["b","c"],"type":"x"}"#
        );
    }
}
