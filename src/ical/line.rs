//! Bytes to content lines (RFC 5545 section 3.1): encodings, line ends, folding, and the parts
//! of one line.
//!
//! Lines are unfolded as bytes, since a fold may cut a UTF-8 sequence in two. Nothing here knows
//! what a line means.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr2_iter, memrchr};

/// U+FEFF, which some programs write in front of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An unfolded line.
pub(super) struct Line<'a> {
    /// Its bytes, without line end, control characters and byte-order mark.
    pub(super) bytes: &'a [u8],
    /// The number of the physical line it begins on, from 1.
    pub(super) number: u32,
    /// It was longer than the limit, and `bytes` is only its beginning.
    pub(super) overlong: bool,
}

/// Turns chunks of bytes, cut anywhere, into unfolded lines; holds one line at a time.
///
/// CRLF, LF and CR end a line. Empty lines vanish, even in front of a continuation: that is what
/// a CRLF becomes when it is translated twice.
pub(super) struct Lines {
    bytes_max: usize,
    encoding: Encoding,
    pub(super) line: Vec<u8>,
    overlong: bool,
    /// There are control characters in what `line` was made of, and it is searched for them.
    has_controls: bool,
    /// The physical line that is being read, from 1, and the one on which `line` began.
    number: u32,
    begun: u32,
    place: Place,
}

/// Where in a physical line the next byte stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    /// At the start, after a CR: an LF still belongs to it.
    AfterCr,
    Inside,
}

enum Encoding {
    /// Not enough bytes yet to see a byte-order mark.
    Unknown(Vec<u8>),
    Utf8,
    Utf16 {
        little_endian: bool,
        /// The first byte of a unit that a chunk cut in two.
        half: Option<u8>,
        /// The first unit of a surrogate pair.
        high: Option<u16>,
    },
}

impl Lines {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            encoding: Encoding::Unknown(Vec::new()),
            line: Vec::new(),
            overlong: false,
            has_controls: false,
            number: 1,
            begun: 1,
            place: Place::Start,
        }
    }

    /// Reads a chunk; `sink` sees each line that it ends.
    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.encoding {
            Encoding::Utf8 => self.unfold(bytes, sink),
            Encoding::Utf16 { .. } => self.transcode(bytes, sink),
            Encoding::Unknown(head) => {
                let (missing, rest) = bytes.split_at(bytes.len().min(2 - head.len()));
                head.extend_from_slice(missing);
                if head.len() < 2 {
                    return Ok(());
                }
                let head = std::mem::take(head);
                let utf16 =
                    |little_endian| Encoding::Utf16 { little_endian, half: None, high: None };
                match head[..] {
                    [0xFF, 0xFE] => self.encoding = utf16(true),
                    [0xFE, 0xFF] => self.encoding = utf16(false),
                    _ => {
                        self.encoding = Encoding::Utf8;
                        self.unfold(&head, sink)?;
                    }
                }
                self.push(rest, sink)
            }
        }
    }

    /// The input has ended: `sink` sees the last line.
    pub(super) fn finish<E>(
        &mut self,
        sink: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Encoding::Unknown(head) = &mut self.encoding {
            let head = std::mem::take(head);
            self.unfold(&head, sink)?;
        }
        self.emit(sink)
    }

    fn unfold<E>(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // All bytes at once, which the compiler does with vectors; sound feeds have none.
        let has_controls = bytes.iter().fold(false, |found, &byte| {
            found | (is_control(byte) & (byte != b'\r') & (byte != b'\n'))
        });
        self.has_controls |= has_controls;
        let mut rest = bytes;
        while let [first, after @ ..] = rest {
            if self.place != Place::Inside {
                let after_cr = self.place == Place::AfterCr;
                match first {
                    b'\n' if after_cr => {
                        self.place = Place::Start;
                        rest = after;
                        continue;
                    }
                    b' ' | b'\t' => rest = after,
                    b'\r' | b'\n' => {}
                    _ => {
                        self.emit(sink)?;
                        self.has_controls = has_controls;
                        rest = self.emit_whole(rest, sink)?;
                        self.begun = self.number;
                    }
                }
                self.place = Place::Inside;
            }
            let (segment, after) = rest.split_at(memchr2(b'\r', b'\n', rest).unwrap_or(rest.len()));
            self.append(segment);
            rest = after;
            if let [end, after @ ..] = rest {
                self.place = if *end == b'\r' { Place::AfterCr } else { Place::Start };
                self.number = self.number.saturating_add(1);
                rest = after;
            }
        }
        Ok(())
    }

    fn append(&mut self, segment: &[u8]) {
        let room = self.bytes_max - self.line.len();
        self.overlong |= segment.len() > room;
        self.line.extend_from_slice(&segment[..segment.len().min(room)]);
    }

    /// Hands out the lines at the front of `bytes` that lie whole in it, without a copy, and returns
    /// the rest. A line is whole when the byte behind its end is there, and begins another.
    fn emit_whole<'b, E>(
        &mut self,
        bytes: &'b [u8],
        sink: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<&'b [u8], E> {
        let mut rest = bytes;
        while !self.has_controls
            && let Some(end) = memchr2(b'\r', b'\n', rest)
            && end <= self.bytes_max
            && !rest.starts_with(BYTE_ORDER_MARK)
        {
            let next = end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
            if let None | Some(b' ' | b'\t' | b'\r' | b'\n') = rest.get(next) {
                break;
            }
            sink(Line { bytes: &rest[..end], number: self.number, overlong: false })?;
            self.number = self.number.saturating_add(1);
            rest = &rest[next..];
        }
        Ok(rest)
    }

    fn emit<E>(&mut self, sink: &mut impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.has_controls {
            self.line.retain(|&byte| !is_control(byte));
        }
        let bytes = self.line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.line);
        let outcome = match bytes {
            [] => Ok(()),
            _ => sink(Line { bytes, number: self.begun, overlong: self.overlong }),
        };
        self.line.clear();
        self.overlong = false;
        outcome
    }

    /// UTF-16 to UTF-8, a little at a time.
    fn transcode<E>(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut text = String::new();
        for piece in bytes.chunks(4096) {
            text.clear();
            self.encoding.decode_utf16(piece, &mut text);
            self.unfold(text.as_bytes(), sink)?;
        }
        Ok(())
    }
}

impl Encoding {
    fn decode_utf16(&mut self, bytes: &[u8], text: &mut String) {
        let Encoding::Utf16 { little_endian, half, high } = self else { return };
        for &byte in bytes {
            let Some(first) = half.take() else {
                *half = Some(byte);
                continue;
            };
            let pair = [first, byte];
            let unit =
                if *little_endian { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
            let is_high = (0xD800..0xDC00).contains(&unit);
            match high.take() {
                None if is_high => *high = Some(unit),
                None => text.extend(lossy([unit])),
                Some(_) if is_high => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    *high = Some(unit);
                }
                Some(before) => text.extend(lossy([before, unit])),
            }
        }
    }
}

/// A control character that no text of a line holds (RFC 5545 section 3.1, CONTROL).
fn is_control(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') | (byte == 0x7F)
}

fn lossy<const N: usize>(units: [u16; N]) -> impl Iterator<Item = char> {
    char::decode_utf16(units).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// The text of a line; what is not UTF-8 in it is replaced.
pub(super) fn text(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    }
}

/// The name of a line that is not taken apart yet: what stands before the first `;` or `:`.
/// `None` for a line that has neither.
pub(super) fn name(line: &[u8]) -> Option<&[u8]> {
    Some(line[..name_end(line)?].trim_ascii())
}

fn name_end(line: &[u8]) -> Option<usize> {
    line.iter().position(|&byte| byte == b':' || byte == b';')
}

/// A content line, taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct ContentLine<'a> {
    pub(super) name: &'a str,
    /// The parameters with the `;` before each.
    params: &'a str,
    pub(super) value: &'a str,
}

impl<'a> ContentLine<'a> {
    /// `NAME;PARAM=value;PARAM="quoted: value":value`. Without a colon it is no content line.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        // An unbalanced quote hides every colon after it; then the first one must do.
        Self::split(line, |rest| find_unquoted(b':', rest).or_else(|| memchr(b':', rest)))
    }

    /// The same for a property whose value holds no colon, such as a date or a list of dates:
    /// the last one separates, so that an unquoted `TZID=(UTC+01:00) Berlin` is read as meant.
    pub(super) fn parse_time(line: &'a str) -> Option<Self> {
        Self::split(line, |rest| memrchr(b':', rest))
    }

    /// `colon` finds where the parameters end; most lines have none.
    fn split(line: &'a str, colon: impl FnOnce(&[u8]) -> Option<usize>) -> Option<Self> {
        let (name, rest) = line.split_at(name_end(line.as_bytes())?);
        let colon = if rest.starts_with(':') { 0 } else { colon(rest.as_bytes())? };
        Some(Self { name: name.trim_ascii(), params: &rest[..colon], value: &rest[colon + 1..] })
    }

    /// The parameters in order, names as written, values without their quotes.
    pub(super) fn params(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.params;
        std::iter::from_fn(move || {
            rest = rest.strip_prefix(';')?;
            let end = find_unquoted(b';', rest.as_bytes());
            let (param, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            let equals = memchr(b'=', param.as_bytes()).unwrap_or(param.len());
            let (name, value) = param.split_at(equals);
            let value = value.strip_prefix('=').unwrap_or_default().trim_ascii();
            let bare = value.strip_prefix('"').unwrap_or(value);
            Some((name.trim_ascii(), bare.strip_suffix('"').unwrap_or(bare)))
        })
    }

    /// The first parameter of this name, in any case, with RFC 6868 escapes resolved.
    pub(super) fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.params().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(decode_caret(value))
    }
}

/// The first `wanted` that does not stand between quotes.
fn find_unquoted(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let mut quoted = false;
    memchr2_iter(wanted, b'"', bytes).find(|&at| {
        quoted ^= bytes[at] == b'"';
        bytes[at] == wanted && !quoted
    })
}

/// RFC 6868: `^n`, `^^` and `^'`.
fn decode_caret(value: &str) -> Cow<'_, str> {
    if !value.contains('^') {
        return Cow::Borrowed(value);
    }
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('^') {
        decoded.push_str(&rest[..at]);
        let (escape, after) = match rest.as_bytes().get(at + 1) {
            Some(b'n') => (' ', at + 2),
            Some(b'^') => ('^', at + 2),
            Some(b'\'') => ('"', at + 2),
            _ => ('^', at + 1),
        };
        decoded.push(escape);
        rest = &rest[after..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// A TEXT value (RFC 5545 section 3.3.11) with its escapes resolved; `newline` stands for `\n`.
/// A backslash before anything else stays: it is more likely a path than an escape.
pub(super) fn decode_text(value: &str, newline: char) -> String {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr2(b'\\', b'\t', rest.as_bytes()) {
        decoded.push_str(&rest[..at]);
        let (char, length) = match rest.as_bytes()[at..] {
            [b'\t', ..] => (' ', 1),
            [_, b'n' | b'N', ..] => (newline, 2),
            [_, escaped @ (b'\\' | b',' | b';' | b'"'), ..] => (char::from(escaped), 2),
            _ => ('\\', 1),
        };
        decoded.push(char);
        rest = &rest[at + length..];
    }
    decoded.push_str(rest);
    decoded
}

/// The parts of a list of TEXT values, still escaped.
pub(super) fn split_texts(value: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    value.split(move |char| {
        let separates = char == ',' && !escaped;
        escaped = char == '\\' && !escaped;
        separates
    })
}

/// At most `bytes_max` bytes of an escaped text, cut between characters and not inside an
/// escape.
pub(super) fn cut_escaped(value: &str, bytes_max: usize) -> &str {
    if value.len() <= bytes_max {
        return value;
    }
    let cut = cut(value, bytes_max);
    let backslashes = cut.bytes().rev().take_while(|&byte| byte == b'\\').count();
    &cut[..cut.len() - backslashes % 2]
}

/// At most `bytes_max` bytes of a text, cut between characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Enough of a foreign text to recognise it in a message.
pub(super) fn excerpt(text: &str) -> &str {
    cut(text, 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(chunks: &[&[u8]], bytes_max: usize) -> Vec<(u32, String, bool)> {
        let mut lines = Lines::new(bytes_max);
        let mut seen = Vec::new();
        let mut sink = |line: Line<'_>| {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            seen.push((line.number, text, line.overlong));
            Ok::<(), ()>(())
        };
        for chunk in chunks {
            lines.push(chunk, &mut sink).unwrap();
        }
        lines.finish(&mut sink).unwrap();
        seen
    }

    #[test]
    fn lines_are_the_same_however_they_end_and_however_they_are_cut() {
        let expected = [(1, "A:1", false), (2, "B:zwölf", false), (4, "C:3", false)]
            .map(|(number, text, overlong)| (number, text.to_owned(), overlong));
        let texts: [&[u8]; 3] = [
            b"A:1\r\nB:zw\xC3\r\n \xB6lf\r\nC:3\r\n",
            b"\xEF\xBB\xBFA:1\nB:zw\xC3\n\t\xB6lf\nC:\x003",
            b"A:1\rB:zw\xC3\r \xB6lf\rC:3\r",
        ];
        for text in texts {
            assert_eq!(unfolded(&[text], 100), expected);
            for cut in 0..text.len() {
                let (before, after) = text.split_at(cut);
                assert_eq!(unfolded(&[before, after], 100), expected, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_doubled_carriage_return_does_not_break_a_fold() {
        let lines = unfolded(&[b"A:1\r\r\n 2\r\r\nB:3"], 100);
        assert_eq!(lines, [(1, "A:12".to_owned(), false), (5, "B:3".to_owned(), false)]);
    }

    #[test]
    fn utf_16_is_read_by_its_byte_order_mark() {
        for big in [false, true] {
            let bytes: Vec<u8> = "\u{FEFF}A:é😀\r\nB:2"
                .encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let expected = [(1, "A:é😀".to_owned(), false), (2, "B:2".to_owned(), false)];
            assert_eq!(unfolded(&[&bytes], 100), expected);
            assert_eq!(unfolded(&single, 100), expected);
        }
    }

    #[test]
    fn a_line_is_cut_at_its_limit_and_marked() {
        let lines = unfolded(&[b"ABCDEFGH", b"IJ\nB:1"], 8);
        assert_eq!(lines, [(1, "ABCDEFGH".to_owned(), true), (2, "B:1".to_owned(), false)]);
    }

    #[test]
    fn a_content_line_comes_apart() {
        let line = ContentLine::parse("attendee;CN=\"Doe; Jane: x\";PartStat=ACCEPTED:mailto:a@b");
        let line = line.unwrap();
        assert_eq!((line.name, line.value), ("attendee", "mailto:a@b"));
        assert_eq!(line.param("cn").unwrap(), "Doe; Jane: x");
        assert_eq!(line.param("PARTSTAT").unwrap(), "ACCEPTED");
        assert_eq!(line.param("ROLE"), None);
        assert_eq!(ContentLine::parse("NO COLON;X=1"), None);
        let broken = ContentLine::parse("X;CN=\"open:value").unwrap();
        assert_eq!(broken.value, "value");
        let zone = ContentLine::parse_time("DTSTART;TZID=(UTC+01:00) Berlin, Bern:20240101T0900");
        assert_eq!(zone.unwrap().param("TZID").unwrap(), "(UTC+01:00) Berlin, Bern");
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(decode_text(r"a\, b\; c\\d\ne\N C:\temp\", '\n'), "a, b; c\\d\ne\n C:\\temp\\");
        assert_eq!(decode_caret("a^^b^'c^n^x^"), "a^b\"c ^x^");
        assert_eq!(split_texts(r"a\,b,c\\,d").collect::<Vec<_>>(), [r"a\,b", r"c\\", "d"]);
    }

    #[test]
    fn a_cut_splits_no_character_and_no_escape() {
        assert_eq!(cut_escaped("añb", 2), "a");
        assert_eq!(cut_escaped(r"ab\nc", 3), "ab");
        assert_eq!(cut_escaped(r"a\\nc", 3), r"a\\");
    }
}
