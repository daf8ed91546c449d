//! How many of the clients have the pipeline, and which: always the same ones, and with a larger
//! part those of the smaller one, too. The others are served the direct way, with the same answers.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};

use jiff::Timestamp;

use super::switches::{By, WHY_BYTES_MAX};

/// The stages that have a name, with the part of all clients in percent.
pub const STAGES: [(&str, u32); 5] =
    [("disabled", 0), ("canary", 5), ("gradual", 25), ("majority", 75), ("full", 100)];

/// The part of a stage.
pub fn stage(name: &str) -> Option<u32> {
    STAGES.iter().find(|(known, _)| *known == name).map(|(_, percent)| *percent)
}

/// How far the pipeline is rolled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of all clients, 0 to 100.
    pub percent: u32,
    /// Who said so.
    pub by: By,
    /// What for, in the words of whoever did; perhaps none.
    pub why: Cow<'static, str>,
    /// Since when.
    pub since: Timestamp,
}

impl Part {
    /// Its name, if it has one.
    pub fn stage(&self) -> Option<&'static str> {
        STAGES.iter().find(|(_, percent)| *percent == self.percent).map(|(name, _)| *name)
    }
}

/// The part that counts: an operator's, as long as there is one, else the configured.
pub struct Rollout {
    /// What every request looks at.
    percent: Cell<u32>,
    /// Of this run: nobody can work out what to call themselves to be among the first, or the last.
    salt: u64,
    configured: RefCell<Part>,
    operator: RefCell<Option<Part>>,
}

impl Rollout {
    /// As configured.
    pub fn new(percent: u32, by: By, now: Timestamp) -> Self {
        let configured = RefCell::new(Part { percent, by, why: "".into(), since: now });
        let (percent, salt) = (Cell::new(percent), fastrand::u64(..));
        Self { percent, salt, configured, operator: RefCell::default() }
    }

    /// Takes over another configuration.
    pub fn configure(&self, percent: u32, by: By, now: Timestamp) {
        let is_same = {
            let old = self.configured.borrow();
            (old.percent, old.by) == (percent, by)
        };
        if !is_same {
            *self.configured.borrow_mut() = Part { percent, by, why: "".into(), since: now };
            self.settle();
        }
    }

    /// An operator says how far.
    pub fn turn(&self, percent: u32, why: &str, now: Timestamp) {
        let why = why[..why.floor_char_boundary(WHY_BYTES_MAX)].to_owned().into();
        *self.operator.borrow_mut() = Some(Part { percent, by: By::Api, why, since: now });
        self.settle();
    }

    /// The operator takes that back.
    pub fn clear(&self) {
        *self.operator.borrow_mut() = None;
        self.settle();
    }

    fn settle(&self) {
        let percent = self.part().percent;
        self.percent.set(percent);
    }

    /// What counts.
    pub fn part(&self) -> Part {
        let operator: Ref<'_, Option<Part>> = self.operator.borrow();
        operator.clone().unwrap_or_else(|| self.configured.borrow().clone())
    }

    /// True when some clients have the pipeline and others do not.
    pub fn is_partial(&self) -> bool {
        (1..100).contains(&self.percent.get())
    }

    /// Whether a client has the pipeline; `client` makes a salted hash of it, the same at every
    /// request.
    pub fn has(&self, client: impl FnOnce(u64) -> u64) -> bool {
        match self.percent.get() {
            100 => true,
            percent => client(self.salt) % 100 < u64::from(percent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::fnv1a;

    #[test]
    fn a_larger_part_has_the_clients_of_a_smaller_one() {
        let rollout = Rollout::new(100, By::Default, Timestamp::UNIX_EPOCH);
        let clients = |rollout: &Rollout| -> Vec<u64> {
            let all = (0..1000_u64).map(|client| fnv1a(&client.to_le_bytes()));
            all.filter(|client| rollout.has(|_| *client)).collect()
        };
        let mut before = Vec::new();
        for (name, percent) in STAGES {
            rollout.turn(percent, "", Timestamp::UNIX_EPOCH);
            let now = clients(&rollout);
            assert!(now.len().abs_diff(percent as usize * 10) < 30, "{name}: {}", now.len());
            assert!(before.iter().all(|client| now.contains(client)), "{name}");
            assert_eq!(rollout.part().stage(), Some(name));
            assert_eq!(rollout.is_partial(), !now.is_empty() && now.len() < 1000);
            before = now;
        }
    }

    #[test]
    fn an_operator_counts_before_the_configuration() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let rollout = Rollout::new(100, By::Default, at(0));
        rollout.turn(10, "try", at(1));
        rollout.configure(25, By::File, at(2));
        let part = Part { percent: 10, by: By::Api, why: "try".into(), since: at(1) };
        assert_eq!((rollout.part(), part.stage()), (part, None));
        rollout.clear();
        let part = Part { percent: 25, by: By::File, why: "".into(), since: at(2) };
        assert_eq!((rollout.part(), part.stage()), (part.clone(), Some("gradual")));
        rollout.configure(25, By::File, at(3));
        assert_eq!(rollout.part(), part);
    }
}
