//! A strict reader of what a Prometheus server reads: the text format 0.0.4 and OpenMetrics 1.0.
//! Whatever their grammars leave open and a program like ours has no need of is refused.

/// A metric family.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    unit: Option<String>,
    help: bool,
    pub(crate) samples: Vec<Sample>,
}

/// One line with a value.
#[derive(Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// Every family of a page.
pub(crate) struct Page(pub(crate) Vec<Family>);

impl Page {
    /// Reads a page; panics with the line that is wrong.
    pub(crate) fn read(text: &str, is_openmetrics: bool) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a line feed");
        let text = match is_openmetrics {
            true => text.strip_suffix("# EOF\n").expect("it says where it ends"),
            false => text,
        };
        let mut page = Self(Vec::new());
        for line in text.lines() {
            assert!(!line.is_empty() && line.trim() == line, "blanks: {line:?}");
            match line.strip_prefix("# ") {
                Some(comment) => page.comment(comment, is_openmetrics),
                None => page.sample(line),
            }
        }
        for family in &page.0 {
            family.check(is_openmetrics);
        }
        page
    }

    fn comment(&mut self, comment: &str, is_openmetrics: bool) {
        let mut parts = comment.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_else(|| panic!("a short comment: {comment}"));
        let (word, name, rest) = (next(), next(), next());
        assert!(is_name(name, true), "a name: {comment}");
        if word == "TYPE" {
            assert!(["counter", "gauge", "histogram"].contains(&rest), "{comment}");
            assert!(self.0.iter().all(|known| known.name != name), "twice: {name}");
            let (name, kind) = (name.to_owned(), rest.to_owned());
            self.0.push(Family { name, kind, unit: None, help: false, samples: Vec::new() });
            return;
        }
        let family = self.0.last_mut().expect("a type first");
        assert!(family.name == name && family.samples.is_empty(), "not of its family: {comment}");
        match word {
            "HELP" => {
                assert!(!family.help && !rest.is_empty(), "{comment}");
                // In OpenMetrics a quote would have to be escaped, in the other it must not be.
                assert!(!rest.contains(['"', '\\']), "{comment}");
                family.help = true;
            }
            "UNIT" if is_openmetrics => {
                assert!(family.unit.is_none() && name.ends_with(&format!("_{rest}")), "{comment}");
                family.unit = Some(rest.to_owned());
            }
            _ => panic!("an unknown comment: {comment}"),
        }
    }

    fn sample(&mut self, line: &str) {
        let end = line.find(['{', ' ']).expect("a value");
        let (name, rest) = line.split_at(end);
        assert!(is_name(name, true), "a name: {line}");
        let mut labels = Vec::new();
        let value = match rest.strip_prefix('{') {
            None => rest,
            Some(mut rest) => loop {
                let (label, after) = rest.split_once("=\"").expect("a label");
                assert!(is_name(label, false), "a label's name: {line}");
                let (value, after) = quoted(after);
                assert!(labels.iter().all(|(known, _)| known != label), "twice: {line}");
                labels.push((label.to_owned(), value));
                match after.strip_prefix(',') {
                    Some(next) => rest = next,
                    None => break after.strip_prefix('}').expect("a closing brace"),
                }
            },
        };
        let value = value.strip_prefix(' ').expect("a blank");
        let value = match value {
            "+Inf" => f64::INFINITY,
            _ => {
                assert!(
                    value.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)),
                    "{line}"
                );
                value.parse().expect("a number")
            }
        };
        let family = self.0.last_mut().expect("a type first");
        let suffix = name.strip_prefix(&family.name);
        let suffix = suffix.unwrap_or_else(|| panic!("not of its family: {line}"));
        let suffixes: &[&str] = match (family.kind.as_str(), family.name.ends_with("_total")) {
            ("counter", false) => &["_total"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(suffixes.contains(&suffix), "a suffix: {line}");
        let sample = Sample { name: name.to_owned(), labels, value };
        let same = |known: &Sample| (&known.name, &known.labels) == (&sample.name, &sample.labels);
        assert!(!family.samples.iter().any(same), "twice: {line}");
        family.samples.push(sample);
    }

    pub(crate) fn family(&self, name: &str) -> &Family {
        let found = self.0.iter().find(|family| family.name == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    /// The value of a sample that has no labels.
    pub(crate) fn value(&self, family: &str, sample: &str) -> f64 {
        let samples = &self.family(family).samples;
        let found = samples.iter().find(|known| known.name == sample && known.labels.is_empty());
        found.unwrap_or_else(|| panic!("no {sample}")).value
    }
}

impl Family {
    fn check(&self, is_openmetrics: bool) {
        let Self { name, kind, samples, .. } = self;
        assert!(self.help, "{name} has no help");
        assert_eq!(name.ends_with("_total"), kind == "counter" && !is_openmetrics, "{name}");
        for sample in samples {
            assert!(kind == "gauge" || sample.value >= 0.0, "{sample:?}");
        }
        if kind != "histogram" {
            return;
        }
        let with =
            |suffix: &'static str| samples.iter().filter(move |it| it.name.ends_with(suffix));
        let bound = |sample: &Sample| match sample.label("le") {
            "+Inf" => f64::INFINITY,
            text => {
                assert!(text.contains('.'), "a bound is no whole number: {text}");
                text.parse().expect("a bound")
            }
        };
        let buckets: Vec<(f64, f64)> = with("_bucket").map(|it| (bound(it), it.value)).collect();
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
        let (last, all) = buckets.last().expect("buckets");
        assert!(last.is_infinite(), "{name}");
        let count: Vec<f64> = with("_count").map(|it| it.value).collect();
        assert_eq!((count, with("_sum").count()), (vec![*all], 1), "{name}");
    }
}

fn is_name(text: &str, with_colon: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (with_colon && c == ':');
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// A quoted text, its opening quote left out, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut letters) = (String::new(), text.chars());
    loop {
        match letters.next().expect("a closing quote") {
            '"' => return (value, letters.as_str()),
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                Some(letter @ ('\\' | '"')) => value.push(letter),
                other => panic!("an unknown escape: {other:?}"),
            },
            letter => value.push(letter),
        }
    }
}
