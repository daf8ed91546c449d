//! Regular expressions that people write on titles, matched in time that is linear in the title:
//! all places where a match may be are followed at once (Thompson's way), and none is gone back to.
//! Only whether there is a match is asked, so what is lazy or captures is read as if it did not.
//!
//! Read are `.`, `[a-z]`, `[^…]`, `\d \w \s \b` and their opposites, groups, `|`, `* + ?`,
//! `{2,5}`, `^` and `$`. What would need going back (`\1`, `(?=…)`) is refused.

mod reading;

use self::reading::read;

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
    /// Items from one index to another, in order: named ones, then ranges that do not overlap. True
    /// for whatever is not in them.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Digit(bool),
    Word(bool),
    Space(bool),
    Range(char, char),
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

/// However long a class is, this takes about as long as any other step.
fn is_in(items: &[Item], c: char) -> bool {
    let named = items.partition_point(|item| *item < Item::Range(char::MIN, char::MIN));
    let (named, ranges) = items.split_at(named);
    let begun = ranges.partition_point(|range| *range <= Item::Range(c, char::MAX));
    let range = begun.checked_sub(1).and_then(|last| ranges.get(last));
    named.iter().chain(range).any(|item| item.has(c))
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

impl Regex {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(text: &str, ignores_case: bool) -> Result<Self, &'static str> {
        let (ops, items) = read(text, ignores_case)?;
        Ok(Self { ops: ops.into(), items: items.into(), ignores_case })
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
                let items = items.unwrap_or_default();
                let has = |c| is_in(items, c);
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

#[cfg(test)]
mod tests {
    use super::reading::{DEPTH_MAX, OPS_MAX, TOO_LARGE};
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
        check("^[x-zc-ga-dm]$", &["a", "e", "g", "m", "y"], &["h", "l", "n", "w"]);
        check("^[a-zc-d]$", &["b", "z"], &["1"]);
        check(r"^[\d\d.\s0-5,]$", &["7", ".", " ", ","], &["a", "-"]);
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
        // What takes no step is not written again and again either.
        let nothing = "(".repeat(DEPTH_MAX) + &"){100}".repeat(DEPTH_MAX);
        assert!(Regex::new(&nothing, true).is_ok());
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
