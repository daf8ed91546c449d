//! Regular expressions that people write on titles, matched in time that is linear in the title:
//! all places where a match may be are followed at once (Thompson's way), and none is gone back to.
//! Only whether there is a match is asked, so what is lazy or captures is read as if it did not.
//!
//! Read are `.`, `[a-z]`, `[^…]`, `\d \w \s \b` and their opposites, groups, `|`, `* + ?`,
//! `{2,5}`, `^` and `$`. What would need going back (`\1`, `(?=…)`) is refused.

use std::iter::Peekable;
use std::str::Chars;

/// Steps of one expression; repetition by number writes what it repeats that often.
const OPS_MAX: usize = 1000;
/// Groups inside each other.
const DEPTH_MAX: usize = 16;
/// The largest number in `{…}`.
const REPEAT_MAX: u32 = 100;

/// An expression, ready to be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regex {
    ops: Box<[Op]>,
    /// What the classes hold, one after the other.
    items: Box<[Item]>,
    ignores_case: bool,
}

/// One step. Places are indices of other steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Char(char),
    Any,
    /// Items from one index to another; true for whatever is not in them.
    Class(u16, u16, bool),
    Split(u16, u16),
    Jump(u16),
    Start,
    End,
    /// True where a word begins or ends, false where none does.
    Boundary(bool),
    Match,
}

/// A part of a class. The switch of a named one is false for its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Range(char, char),
    Digit(bool),
    Word(bool),
    Space(bool),
}

impl Item {
    fn has(self, c: char) -> bool {
        match self {
            Item::Range(first, last) => (first..=last).contains(&c),
            Item::Digit(is) => c.is_ascii_digit() == is,
            Item::Word(is) => is_word(c) == is,
            Item::Space(is) => c.is_whitespace() == is,
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn upper(c: char) -> char {
    c.to_uppercase().next().unwrap_or(c)
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

impl Regex {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(text: &str, ignores_case: bool) -> Result<Self, &'static str> {
        let mut reader = Reader { rest: text.chars().peekable(), items: Vec::new(), depth: 0 };
        let node = reader.either()?;
        if reader.rest.next().is_some() {
            return Err("a `)` has no `(`");
        }
        let mut writer = Writer { ops: Vec::new(), ignores_case };
        writer.node(&node)?;
        writer.push(Op::Match)?;
        Ok(Self { ops: writer.ops.into(), items: reader.items.into(), ignores_case })
    }

    /// What it takes in memory beside itself.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.ops) + size_of_val(&*self.items)
    }

    /// True when it matches anywhere in `text`.
    pub fn is_match(&self, text: &str, work: &mut Work) -> bool {
        work.begin(self.ops.len());
        let (mut before, mut rest) = (None, text.chars());
        loop {
            let mut ahead = rest.clone();
            let here = ahead.next();
            work.stack.push(0);
            if self.follow(before, here, work) {
                return true;
            }
            let Some(c) = here else { return false };
            std::mem::swap(&mut work.places, &mut work.next);
            work.places.clear();
            work.forget_visits();
            let folded = if self.ignores_case { lower(c) } else { c };
            for index in 0..work.next.len() {
                let place = work.next[index];
                work.steps += 1;
                if self.takes(place, c, folded) {
                    work.stack.push(place + 1);
                }
            }
            (before, rest) = (here, ahead);
        }
    }

    /// Goes on from the places on the stack to those that take a character, which are between
    /// `before` and `here`; true when one of them is the end.
    fn follow(&self, before: Option<char>, here: Option<char>, work: &mut Work) -> bool {
        while let Some(place) = work.stack.pop() {
            let Some(op) = self.ops.get(usize::from(place)) else { continue };
            work.steps += 1;
            if !work.visit(place) {
                continue;
            }
            let goes_on = match *op {
                Op::Match => return true,
                Op::Split(first, second) => {
                    work.stack.extend([second, first]);
                    continue;
                }
                Op::Jump(to) => {
                    work.stack.push(to);
                    continue;
                }
                Op::Start => before.is_none(),
                Op::End => here.is_none(),
                Op::Boundary(is) => {
                    (before.is_some_and(is_word) != here.is_some_and(is_word)) == is
                }
                Op::Char(_) | Op::Any | Op::Class(..) => {
                    work.places.push(place);
                    continue;
                }
            };
            if goes_on {
                work.stack.push(place + 1);
            }
        }
        false
    }

    fn takes(&self, place: u16, c: char, folded: char) -> bool {
        match self.ops.get(usize::from(place)) {
            Some(Op::Char(expected)) => *expected == folded,
            Some(Op::Any) => c != '\n',
            Some(Op::Class(from, to, is_negated)) => {
                let items = self.items.get(usize::from(*from)..usize::from(*to));
                let has = |c| items.unwrap_or_default().iter().any(|item| item.has(c));
                let has = has(c) || self.ignores_case && (has(folded) || has(upper(c)));
                has != *is_negated
            }
            _ => false,
        }
    }
}

/// What matching needs, for one expression after the other; and how much has been done.
#[derive(Default)]
pub struct Work {
    /// Places that take a character.
    places: Vec<u16>,
    next: Vec<u16>,
    stack: Vec<u16>,
    /// By place: the round in which it was visited last.
    visited: Vec<u32>,
    round: u32,
    /// Steps in all, each of which takes about as long as another.
    pub steps: usize,
}

impl Work {
    fn begin(&mut self, ops: usize) {
        self.places.clear();
        self.stack.clear();
        self.visited.resize(self.visited.len().max(ops), 0);
        self.forget_visits();
    }

    fn forget_visits(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.visited.fill(0);
            self.round = 1;
        }
    }

    /// True for the first visit of a round.
    fn visit(&mut self, place: u16) -> bool {
        let Some(visited) = self.visited.get_mut(usize::from(place)) else { return false };
        std::mem::replace(visited, self.round) != self.round
    }
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
        let from = self.items.len();
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
            self.items.push(item);
        }
        self.class_from(from, is_negated)
    }

    fn class_from(&self, from: usize, is_negated: bool) -> Read<Op> {
        let place = |index: usize| u16::try_from(index).map_err(|_| TOO_LARGE);
        Ok(Op::Class(place(from)?, place(self.items.len())?, is_negated))
    }
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

const TOO_LARGE: &str = "it is too large";

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
            self.node(node)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let regex = Regex::new(pattern, true).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        for (texts, expected) in [(matching, true), (other, false)] {
            for text in texts {
                assert_eq!(
                    regex.is_match(text, &mut Work::default()),
                    expected,
                    "{pattern} {text}"
                );
            }
        }
    }

    #[test]
    fn what_is_read_means_what_it_means_elsewhere() {
        check("", &["", "anything"], &[]);
        check("stand-?up", &["Daily Standup", "stand-up!"], &["stand--up"]);
        check("^lunch$", &["Lunch"], &["lunch ", "a lunch"]);
        check("a|b|", &["a", "x"], &[]);
        check("^(a|bc)+$", &["a", "abca", "BC"], &["", "ab", "b"]);
        check("^a{2}$", &["aa"], &["a", "aaa"]);
        check("^a{2,}$", &["aa", "aaaa"], &["a"]);
        check("^a{0,2}b{1,1}$", &["b", "aab"], &["aaab", "abb"]);
        check("^(?:ab{2}){2}$", &["abbabb"], &["abb", "abbab"]);
        check("^x{,2}{a}$", &["x{,2}{a}"], &["xx"]);
        check(r"\b1:1\b", &["1:1", "Ann 1:1!"], &["11:1", "1:12"]);
        check(r"\Bup", &["setup"], &["up", "set up"]);
        check(r"^\d\D\w\W\s\S$", &["1aü! x"], &["aaü! x", "11ü! x"]);
        check(r"^[a-cX\-\]]+$", &["abcx-]"], &["d", "^"]);
        check("^[^a-c]$", &["d", "-"], &["a", "B"]);
        check("^[]-]+$", &["]-"], &["["]);
        check(r"^[\d.]+$", &["1.5"], &["1,5"]);
        check("^.$", &["日"], &["", "ab", "\n"]);
        check("ÜBUNG", &["Die übung"], &["ubung"]);
        check(r"a\.b\*", &["a.b*"], &["axb*"]);
        check("a*?b+?c??", &["ab", "b"], &["a"]);
        check("(a*)*b", &["aab", "b"], &["aa"]);
        let exact = Regex::new("[A-Z]b", false).unwrap();
        let is_match = |text| exact.is_match(text, &mut Work::default());
        assert_eq!((is_match("Ab"), is_match("ab"), is_match("AB")), (true, false, false));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for pattern in [
            "(",
            ")",
            "(a",
            "a)",
            "[",
            "[a",
            "[]",
            "[b-a]",
            r"[a-\d]",
            r"[\",
            "*",
            "a**",
            "+a",
            "?",
            "(*)",
            "a{2}{3}*",
            "a{3,2}",
            "a{101}",
            "a{1000000000000}",
            r"\",
            r"\1",
            r"\k",
            r"\x41",
            "(?=a)",
            "(?!a)",
            "(?<a>b)",
            "(?i)a",
            "(?P<a>b)",
        ] {
            assert!(Regex::new(pattern, true).is_err(), "{pattern}");
        }
    }

    #[test]
    fn each_limit_holds_at_it_and_not_past_it() {
        let nested = |depth: usize| "(".repeat(depth) + "a" + &")".repeat(depth);
        assert!(Regex::new(&nested(DEPTH_MAX), true).is_ok());
        assert!(Regex::new(&nested(DEPTH_MAX + 1), true).is_err());
        assert!(Regex::new("a{100}", true).is_ok());
        // One step is the end.
        let long = |ops: usize| "a".repeat(ops - 1);
        assert!(Regex::new(&long(OPS_MAX), true).is_ok());
        assert_eq!(Regex::new(&long(OPS_MAX + 1), true), Err(TOO_LARGE));
        assert_eq!(Regex::new("(a{100}){100}", true), Err(TOO_LARGE));
    }

    #[test]
    fn time_is_linear_whatever_the_expression() {
        for pattern in
            ["(a*)*b", "(a|a)*b", "(a+)+$b", "a?a?a?a?a?a?a?a?aaaaaaaab", "(.*)(.*)(.*)b"]
        {
            let regex = Regex::new(pattern, true).unwrap();
            let steps = |length: usize| {
                let mut work = Work::default();
                assert!(!regex.is_match(&"a".repeat(length), &mut work), "{pattern}");
                work.steps
            };
            let (short, long) = (steps(100), steps(1000));
            assert!(long <= 12 * short && short <= 100 * 4 * regex.ops.len(), "{pattern}: {short}");
        }
    }
}
