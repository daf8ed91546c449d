//! JSON as every route writes it. Shapes are plain structs with nanoserde's derive; every string
//! in them is a [`Text`].
//!
//! nanoserde's own strings are not used because they leave `<`, U+2028 and the C1 controls as
//! they are, which an answer with a stranger's words in it must not; its floats may write `NaN`
//! and its slices may not be empty, so answers hold neither.

use std::borrow::Cow;
use std::fmt::Write as _;

use nanoserde::{SerJson, SerJsonState};

use crate::calendar::text::is_bidi_control;

/// A string that is safe in any JSON answer, also inside a `<script>` and on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text, or nothing (`null`) when it is empty.
    pub fn unless_empty(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
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
        let out = &mut state.out;
        out.push('"');
        for c in self.0.chars() {
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

/// All of the escaped characters lie below U+10000, so four digits hold them.
fn escape(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

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
