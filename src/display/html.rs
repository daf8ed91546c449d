//! HTML, written so that markup and foreign text cannot be mixed up: markup is a literal of this
//! program, and everything else is escaped.

use crate::calendar::text::is_bidi_control;

/// A document, or a part of one, as it grows.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup. Only literals fit, so nothing from a feed can.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, safe as content and inside a quoted attribute. Controls and what reorders text
    /// are dropped; a line end is a space.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => self.0.push(' '),
                c if c.is_control() || is_bidi_control(c) => {}
                c => self.0.push(c),
            }
        }
        self
    }

    /// Adds a text from a feed as content, isolated so that its direction does not spill over.
    pub(super) fn foreign(&mut self, text: &str) -> &mut Self {
        self.markup("<bdi>").text(text).markup("</bdi>")
    }

    /// Adds a number.
    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// The document.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::text::written_bytes;

    #[test]
    fn text_is_escaped() {
        let check = |text: &str, expected: &str| {
            let mut html = Html::default();
            html.text(text);
            assert_eq!(html.into_string(), expected);
            assert!(expected.len() <= written_bytes(text), "no longer than planned");
        };
        check("Über 5 Uhr 🎉", "Über 5 Uhr 🎉");
        check("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
        check("\" onload=\"x", "&quot; onload=&quot;x");
        check("a&amp;b", "a&amp;amp;b");
        check("a\u{0}b\u{1b}[31mc\u{7f}d\u{85}e\u{9b}f", "ab[31mcdef");
        check("two\nlines\u{2028}three", "two lines three");
        check("gnp\u{202e}exe.\u{2066}x\u{200f}", "gnpexe.x");
    }
}
