//! A regular expression as people write it -> the steps that it is matched by.

use std::iter::Peekable;
use std::str::Chars;

use super::{Item, Op, lower};

/// Steps of one expression; repetition by number writes what it repeats that often.
pub(super) const OPS_MAX: usize = 1000;
/// Groups inside each other.
pub(super) const DEPTH_MAX: usize = 16;
/// The largest number in `{…}`.
const REPEAT_MAX: u32 = 100;

/// The steps, and what the classes hold.
///
/// # Errors
/// What is wrong with the text, in words.
pub(super) fn read(text: &str, ignores_case: bool) -> Read<(Vec<Op>, Vec<Item>)> {
    let mut reader = Reader { rest: text.chars().peekable(), items: Vec::new(), depth: 0 };
    let node = reader.either()?;
    if reader.rest.next().is_some() {
        return Err("a `)` has no `(`");
    }
    let mut writer = Writer { ops: Vec::new(), ignores_case };
    writer.node(&node)?;
    writer.push(Op::Match)?;
    Ok((writer.ops, reader.items))
}

/// What is written, as a tree.
enum Node {
    /// One step by itself.
    One(Op),
    /// One after the other.
    All(Vec<Node>),
    /// One of them.
    Either(Vec<Node>),
    /// From so many times on, up to so many.
    Repeat(Box<Node>, u32, Option<u32>),
}

/// Reads an expression into a tree.
struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    items: Vec<Item>,
    depth: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn either(&mut self) -> Read<Node> {
        let mut parts = vec![self.all()?];
        while self.rest.next_if_eq(&'|').is_some() {
            parts.push(self.all()?);
        }
        Ok(Node::Either(parts))
    }

    fn all(&mut self) -> Read<Node> {
        let mut parts = Vec::new();
        while let Some(&c) = self.rest.peek()
            && c != '|'
            && c != ')'
        {
            let node = self.one()?;
            parts.push(self.repeated(node)?);
        }
        Ok(Node::All(parts))
    }

    fn one(&mut self) -> Read<Node> {
        let op = match self.rest.next() {
            Some('(') => return self.group(),
            Some('[') => self.class()?,
            Some('\\') => self.escape()?,
            Some('.') => Op::Any,
            Some('^') => Op::Start,
            Some('$') => Op::End,
            Some('*' | '+' | '?') => return Err("there is nothing to repeat"),
            Some(c) => Op::Char(c),
            None => return Err("something is missing at the end"),
        };
        Ok(Node::One(op))
    }

    fn group(&mut self) -> Read<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("there are too many groups inside each other");
        }
        if self.rest.next_if_eq(&'?').is_some() && self.rest.next() != Some(':') {
            return Err("of groups that begin with `(?` only `(?:` is read");
        }
        let node = self.either()?;
        self.depth -= 1;
        if self.rest.next() != Some(')') {
            return Err("a `(` has no `)`");
        }
        Ok(node)
    }

    /// What stands behind a node, if it is repeated.
    fn repeated(&mut self, node: Node) -> Read<Node> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.times()? {
                Some(times) => times,
                // As it is read everywhere: a brace that counts nothing is one.
                None => return Ok(node),
            },
            _ => return Ok(node),
        };
        // The sign itself, or the last brace.
        self.rest.next();
        self.rest.next_if_eq(&'?');
        match self.rest.peek() {
            Some('*' | '+' | '?' | '{') => Err("a repetition is repeated; put it into a group"),
            _ => Ok(Node::Repeat(Box::new(node), least, most)),
        }
    }

    /// Reads `{2}`, `{2,}` or `{2,5}` up to its last brace; `None` for braces that are none.
    fn times(&mut self) -> Read<Option<(u32, Option<u32>)>> {
        let text: String = self.rest.clone().skip(1).take_while(|c| *c != '}').collect();
        let is_times = text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || c == ',');
        if !is_times {
            return Ok(None);
        }
        let (least, most) = text.split_once(',').unwrap_or((&text, &text));
        let number = |text: &str| text.parse().ok().filter(|number| *number <= REPEAT_MAX);
        let least = number(least).ok_or("a number of repetitions is too large")?;
        let most = match most {
            "" => None,
            most => Some(number(most).ok_or("a number of repetitions is too large")?),
        };
        if most.is_some_and(|most| most < least) {
            return Err("a repetition ends before it begins");
        }
        // All but the last brace.
        self.rest.by_ref().take(1 + text.chars().count()).for_each(drop);
        Ok(Some((least, most)))
    }

    fn escape(&mut self) -> Read<Op> {
        Ok(match self.rest.next() {
            Some('b') => Op::Boundary(true),
            Some('B') => Op::Boundary(false),
            Some(c) => match named(c)? {
                Item::Range(c, _) => Op::Char(c),
                item => {
                    self.items.push(item);
                    self.class_from(self.items.len() - 1, false)?
                }
            },
            None => return Err("there is nothing after the last `\\`"),
        })
    }

    fn class(&mut self) -> Read<Op> {
        let mut items = Vec::new();
        let is_negated = self.rest.next_if_eq(&'^').is_some();
        let mut is_first = true;
        loop {
            let first = match self.rest.next() {
                Some(']') if !is_first => break,
                Some('\\') => named(self.rest.next().ok_or("a `[` has no `]`")?)?,
                Some(c) => Item::Range(c, c),
                None => return Err("a `[` has no `]`"),
            };
            is_first = false;
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
            let item = match first {
                Item::Range(first, _) if is_range => {
                    self.rest.next();
                    let last = match self.rest.next() {
                        Some('\\') => named(self.rest.next().ok_or("a `[` has no `]`")?)?,
                        Some(c) => Item::Range(c, c),
                        None => return Err("a `[` has no `]`"),
                    };
                    let Item::Range(last, _) = last else {
                        return Err("a range ends with what is no character");
                    };
                    if last < first {
                        return Err("a range in `[…]` ends before it begins");
                    }
                    Item::Range(first, last)
                }
                item => item,
            };
            items.push(item);
        }
        let from = self.items.len();
        self.items.extend(in_order(items));
        self.class_from(from, is_negated)
    }

    fn class_from(&self, from: usize, is_negated: bool) -> Read<Op> {
        let place = |index: usize| u16::try_from(index).map_err(|_| TOO_LARGE);
        Ok(Op::Class(place(from)?, place(self.items.len())?, is_negated))
    }
}

/// The items of a class, sorted, and ranges that overlap as one.
fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_unstable();
    items.dedup_by(|next, kept| {
        if let (Item::Range(first, last), Item::Range(_, end)) = (*next, &mut *kept)
            && first <= *end
        {
            *end = last.max(*end);
            return true;
        }
        next == kept
    });
    items
}

/// What an escaped character stands for: itself, unless it is a letter or a digit.
fn named(c: char) -> Read<Item> {
    let plain = |c| Ok(Item::Range(c, c));
    match c {
        'd' => Ok(Item::Digit(true)),
        'D' => Ok(Item::Digit(false)),
        'w' => Ok(Item::Word(true)),
        'W' => Ok(Item::Word(false)),
        's' => Ok(Item::Space(true)),
        'S' => Ok(Item::Space(false)),
        't' => plain('\t'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        c if c.is_ascii_alphanumeric() => Err("an escape of this sort is not read"),
        c => plain(c),
    }
}

pub(super) const TOO_LARGE: &str = "it is too large";

/// Writes a tree as steps.
struct Writer {
    ops: Vec<Op>,
    ignores_case: bool,
}

impl Writer {
    fn push(&mut self, op: Op) -> Read<usize> {
        if self.ops.len() == OPS_MAX {
            return Err(TOO_LARGE);
        }
        self.ops.push(match op {
            Op::Char(c) if self.ignores_case => Op::Char(lower(c)),
            op => op,
        });
        Ok(self.ops.len() - 1)
    }

    /// The next step, as a place; there are at most [`OPS_MAX`].
    fn here(&self) -> u16 {
        self.ops.len() as u16
    }

    fn node(&mut self, node: &Node) -> Read<()> {
        match node {
            Node::One(op) => self.push(*op).map(drop),
            Node::All(parts) => parts.iter().try_for_each(|part| self.node(part)),
            Node::Either(parts) => self.one_of(parts),
            Node::Repeat(node, least, most) => self.repeat(node, *least, *most),
        }
    }

    fn one_of(&mut self, parts: &[Node]) -> Read<()> {
        let Some((last, others)) = parts.split_last() else { return Ok(()) };
        let mut ends = Vec::new();
        for part in others {
            let split = self.push(Op::Match)?;
            self.node(part)?;
            ends.push(self.push(Op::Match)?);
            self.ops[split] = Op::Split(split as u16 + 1, self.here());
        }
        self.node(last)?;
        for end in ends {
            self.ops[end] = Op::Jump(self.here());
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, least: u32, most: Option<u32>) -> Read<()> {
        for _ in 0..least {
            let before = self.ops.len();
            self.node(node)?;
            // Nothing as often as one likes is nothing, and would count for no limit.
            if self.ops.len() == before {
                break;
            }
        }
        let Some(most) = most else {
            let split = self.push(Op::Match)?;
            self.node(node)?;
            self.push(Op::Jump(split as u16))?;
            self.ops[split] = Op::Split(split as u16 + 1, self.here());
            return Ok(());
        };
        let mut splits = Vec::new();
        for _ in least..most {
            splits.push(self.push(Op::Match)?);
            self.node(node)?;
        }
        for split in splits {
            self.ops[split] = Op::Split(split as u16 + 1, self.here());
        }
        Ok(())
    }
}
