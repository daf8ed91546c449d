//! Content lines to components: the VEVENTs and VTIMEZONEs of a calendar, one at a time
//! (RFC 5545 section 3.4).
//!
//! [`Reader`] holds one unfolded line and the kept lines of one component, whatever the feed
//! holds. A malformed component is skipped and named; the rest of the calendar stands.

use std::fmt;

use super::draft::{Draft, EVENT, OBSERVANCE, TIME_ZONE};
use super::event::Event;
use super::line::{self, ContentLine, Line, Lines, cut};
use crate::budget::{FeedLimits, NOTE_UID_BYTES_MAX};

/// Reads a calendar from chunks of bytes, cut anywhere.
pub struct Reader {
    lines: Lines,
    bytes: usize,
    assembler: Assembler,
}

/// What a [`Reader`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A component to store.
    Component(Component),
    /// Something that had to be left out.
    Skipped(Skip),
}

/// What is stored of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// What it is.
    pub kind: Kind,
    /// UID of an event, TZID of a zone. An event without one gets one made from its content.
    pub uid: String,
    /// The kept content lines in file order, unfolded, names in capitals, each ended by `\n`.
    pub text: String,
}

/// The components that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// VEVENT.
    Event,
    /// VTIMEZONE.
    TimeZone,
}

/// A component that was skipped, or a line of one that was kept without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The UID; empty when it was not seen, and that of a private event is not told.
    pub uid: String,
    /// The line of the file, from 1.
    pub line: u32,
    /// Why, in words.
    pub reason: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uid = cut(&self.uid, NOTE_UID_BYTES_MAX);
        let uid = if uid.is_empty() { "no UID" } else { uid };
        write!(f, "line {}, {uid}: {}", self.line, self.reason)
    }
}

/// What is known about a calendar at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// X-WR-TIMEZONE.
    pub zone: Option<String>,
    /// Components that were handed out.
    pub components: usize,
}

/// Why the whole feed cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotACalendar {
    /// Nothing, or nothing but blank lines.
    Empty,
    /// It begins with `<`.
    Html,
    /// It begins with something else than a calendar.
    NoBegin,
    /// It begins with a component that belongs inside a calendar.
    Bare,
    /// It ends inside a calendar.
    CutOff,
    /// Text goes on behind a calendar whose end may be none: something in it was still open.
    TrailingText,
    /// It is longer than this many bytes.
    TooLarge(usize),
}

impl fmt::Display for NotACalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotACalendar::Empty => "an empty body",
            NotACalendar::Html => "an HTML page",
            NotACalendar::NoBegin => "no BEGIN:VCALENDAR",
            NotACalendar::Bare => "components without BEGIN:VCALENDAR around them",
            NotACalendar::CutOff => "cut off before END:VCALENDAR",
            NotACalendar::TrailingText => "text after an END:VCALENDAR that ends nothing",
            NotACalendar::TooLarge(bytes_max) => {
                return write!(f, "larger than {} MiB (feed bytes_max)", bytes_max / (1024 * 1024));
            }
        })
    }
}

impl std::error::Error for NotACalendar {}

impl Reader {
    /// A reader at the beginning of a feed.
    pub fn new(limits: &FeedLimits) -> Reader {
        Reader {
            lines: Lines::new(limits.line_bytes_max),
            bytes: 0,
            assembler: Assembler::new(limits.clone()),
        }
    }

    /// Reads on; `sink` is called for each component that ends in these bytes.
    ///
    /// # Errors
    /// When it becomes clear that the feed as a whole is unusable. Nothing of it counts then.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Item)) -> Result<(), NotACalendar> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        let bytes_max = self.assembler.limits.bytes_max;
        if self.bytes > bytes_max {
            return Err(NotACalendar::TooLarge(bytes_max));
        }
        let assembler = &mut self.assembler;
        self.lines.push(bytes, &mut |line| assembler.read(&line, sink))
    }

    /// What the line and the component that are being read take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.lines.line.capacity() + self.assembler.draft.weight_bytes()
    }

    /// The feed has ended. The last component can end here, when its line end is missing.
    ///
    /// # Errors
    /// When it did not end with END:VCALENDAR.
    pub fn finish(mut self, sink: &mut impl FnMut(Item)) -> Result<Summary, NotACalendar> {
        let assembler = &mut self.assembler;
        self.lines.finish(&mut |line| assembler.read(&line, sink))?;
        match (assembler.begun, assembler.open.is_empty()) {
            (false, _) => Err(NotACalendar::Empty),
            (true, false) => Err(NotACalendar::CutOff),
            (true, true) => {
                assembler.tell_surplus(sink);
                Ok(self.assembler.summary)
            }
        }
    }
}

/// What BEGIN opened, as far as it matters.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    Calendar,
    Event,
    TimeZone,
    /// In a VTIMEZONE.
    Standard,
    /// In a VTIMEZONE.
    Daylight,
    /// Anything else: VTODO, VALARM, an unknown component.
    Other,
}

impl Block {
    fn named(name: &[u8]) -> Block {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name {
            _ if is("VCALENDAR") => Block::Calendar,
            _ if is("VEVENT") => Block::Event,
            _ if is("VTIMEZONE") => Block::TimeZone,
            _ if is("STANDARD") => Block::Standard,
            _ if is("DAYLIGHT") => Block::Daylight,
            _ => Block::Other,
        }
    }
}

/// Lines to components.
struct Assembler {
    limits: FeedLimits,
    /// A calendar was seen.
    begun: bool,
    /// The last one ended where nothing else was open, and everything of it was there.
    complete: bool,
    /// The lines after it that belong to none, and the first of them.
    surplus: u32,
    surplus_begun: u32,
    /// What is open, the outermost first; at most `nesting_max`.
    open: Vec<Block>,
    /// How many more are open inside those.
    beyond: usize,
    draft: Draft,
    summary: Summary,
}

impl Assembler {
    fn new(limits: FeedLimits) -> Self {
        Self {
            limits,
            begun: false,
            complete: false,
            surplus: 0,
            surplus_begun: 0,
            open: Vec::new(),
            beyond: 0,
            draft: Draft::default(),
            summary: Summary::default(),
        }
    }

    fn read(&mut self, line: &Line<'_>, sink: &mut impl FnMut(Item)) -> Result<(), NotACalendar> {
        let name = line::name(line.bytes).unwrap_or_default();
        if name.len() == 5 && name.eq_ignore_ascii_case(b"BEGIN") {
            return self.begin(Block::named(block_name(line)), line.number, sink);
        }
        if name.len() == 3 && name.eq_ignore_ascii_case(b"END") {
            self.end(Block::named(block_name(line)), sink);
            return Ok(());
        }
        match (self.open.last(), self.beyond) {
            (None, _) => return self.outside(line),
            (Some(Block::Event), 0) => self.draft.keep(EVENT, name, line, &self.limits),
            (Some(Block::TimeZone), 0) => self.draft.keep(TIME_ZONE, name, line, &self.limits),
            (Some(Block::Standard | Block::Daylight), 0) => {
                self.draft.keep(OBSERVANCE, name, line, &self.limits);
            }
            (Some(Block::Calendar), 0) => self.read_calendar_property(name, line),
            _ => {}
        }
        Ok(())
    }

    /// A line that no calendar holds. Behind a complete one it does no harm: caches and providers
    /// leave comments there.
    fn outside(&mut self, line: &Line<'_>) -> Result<(), NotACalendar> {
        match line.bytes.trim_ascii_start() {
            [] => {}
            _ if self.complete => {
                if self.surplus == 0 {
                    self.surplus_begun = line.number;
                }
                self.surplus = self.surplus.saturating_add(1);
            }
            _ if self.begun => return Err(NotACalendar::TrailingText),
            [b'<', ..] => return Err(NotACalendar::Html),
            _ => return Err(NotACalendar::NoBegin),
        }
        Ok(())
    }

    fn tell_surplus(&mut self, sink: &mut impl FnMut(Item)) {
        let (uid, line) = (String::new(), self.surplus_begun);
        match std::mem::take(&mut self.surplus) {
            0 => {}
            lines => {
                let reason = format!("lines after END:VCALENDAR are left out: {lines}");
                sink(Item::Skipped(Skip { uid, line, reason }));
            }
        }
    }

    fn read_calendar_property(&mut self, name: &[u8], line: &Line<'_>) {
        if self.summary.zone.is_some() || !name.eq_ignore_ascii_case(b"X-WR-TIMEZONE") {
            return;
        }
        let text = line::text(line.bytes);
        let value = ContentLine::parse(&text).map(|line| line::decode_text(line.value.trim(), ' '));
        let value = value.filter(|value| !value.is_empty());
        self.summary.zone = value.map(|value| cut(&value, self.limits.text_bytes_max).to_owned());
    }

    fn begin(
        &mut self,
        block: Block,
        line: u32,
        sink: &mut impl FnMut(Item),
    ) -> Result<(), NotACalendar> {
        let block = match (block, self.open.last()) {
            // Neither a calendar nor an event may stand inside anything else: whatever is open
            // was not ended.
            (Block::Calendar, _) => {
                self.close_to(0, sink);
                self.tell_surplus(sink);
                (self.begun, self.complete) = (true, false);
                block
            }
            (_, None) if !self.begun => return Err(NotACalendar::Bare),
            (Block::Event | Block::TimeZone, _) => {
                let in_calendar = self.open.first() == Some(&Block::Calendar);
                self.close_to(usize::from(in_calendar), sink);
                self.draft.start(line);
                if !in_calendar {
                    self.draft.unfit = Some("outside of BEGIN:VCALENDAR");
                }
                block
            }
            (Block::Standard | Block::Daylight, Some(Block::TimeZone)) => block,
            _ => Block::Other,
        };
        if self.open.len() < self.limits.nesting_max {
            self.open.push(block);
        } else {
            self.beyond += 1;
            if self.beyond == 1 {
                let reason =
                    format!("nested deeper than {} (nesting_max)", self.limits.nesting_max);
                self.draft.drop_line(line, reason);
            }
        }
        if let (Some(name), 0) = (observance(block), self.beyond) {
            self.draft.write(&["BEGIN:", name, "\n"], &self.limits);
        }
        Ok(())
    }

    fn end(&mut self, block: Block, sink: &mut impl FnMut(Item)) {
        if block == Block::Calendar {
            // One more END behind the last one changes nothing.
            self.complete |= self.open == [Block::Calendar] && self.beyond == 0;
            return self.close_to(0, sink);
        }
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        // An END without a BEGIN is not missed.
        let Some(at) = self.open.iter().rposition(|&open| open == block) else { return };
        self.open.truncate(at);
        match block {
            Block::Event => self.finish(Kind::Event, sink),
            Block::TimeZone => self.finish(Kind::TimeZone, sink),
            _ => {
                if let Some(name) = observance(block) {
                    self.draft.write(&["END:", name, "\n"], &self.limits);
                }
            }
        }
    }

    /// Closes all but the outermost `depth` blocks. An event or zone among them has no end.
    fn close_to(&mut self, depth: usize, sink: &mut impl FnMut(Item)) {
        if self.open[depth.min(self.open.len())..].iter().any(|&open| is_component(open)) {
            self.skip("its END is missing", sink);
        }
        self.open.truncate(depth);
        self.beyond = 0;
    }

    fn skip(&mut self, reason: impl Into<String>, sink: &mut impl FnMut(Item)) {
        let uid = self.draft.shown_uid();
        sink(Item::Skipped(Skip { uid, line: self.draft.line, reason: reason.into() }));
    }

    /// The component is complete: hands it out if it is sound.
    fn finish(&mut self, kind: Kind, sink: &mut impl FnMut(Item)) {
        if self.summary.components == self.limits.components_max {
            let max = self.limits.components_max;
            return self.skip(format!("more than {max} components (components_max)"), sink);
        }
        if self.draft.unfit.is_none() && self.draft.uid.is_empty() {
            if kind == Kind::TimeZone {
                return self.skip("TZID is missing", sink);
            }
            self.draft.name_by_content(&self.limits);
        }
        if let Some(reason) = self.draft.unfit {
            return self.skip(reason, sink);
        }
        let draft = &self.draft;
        if kind == Kind::Event
            && let Err(reason) = Event::check(&draft.text, &self.limits)
        {
            return self.skip(reason, sink);
        }
        self.summary.components += 1;
        for (line, reason) in &draft.dropped {
            let (uid, line, reason) = (draft.shown_uid(), *line, reason.clone());
            sink(Item::Skipped(Skip { uid, line, reason }));
        }
        sink(Item::Component(Component { kind, uid: draft.uid.clone(), text: draft.text.clone() }));
    }
}

fn is_component(block: Block) -> bool {
    matches!(block, Block::Event | Block::TimeZone)
}

fn observance(block: Block) -> Option<&'static str> {
    match block {
        Block::Standard => Some("STANDARD"),
        Block::Daylight => Some("DAYLIGHT"),
        _ => None,
    }
}

/// What stands behind BEGIN: or END:.
fn block_name<'a>(line: &Line<'a>) -> &'a [u8] {
    let colon = line.bytes.iter().position(|&byte| byte == b':');
    colon.map_or(&[][..], |colon| line.bytes[colon + 1..].trim_ascii())
}

#[cfg(test)]
mod tests;
