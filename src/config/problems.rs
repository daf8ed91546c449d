//! What is wrong with a configuration, all of it at once.

use crate::error::{Error, Result};

/// What is wrong, a sentence each; only the first few are kept.
#[derive(Default)]
pub(super) struct Problems {
    said: Vec<String>,
    more: usize,
}

impl Problems {
    const MAX: usize = 20;

    pub(super) fn push(&mut self, problem: String) {
        self.push_with(|| problem);
    }

    /// The same for a sentence that takes work, which is not done when it would not be kept.
    pub(super) fn push_with(&mut self, problem: impl FnOnce() -> String) {
        if self.said.len() < Self::MAX {
            self.said.push(problem());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = String>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    pub(super) fn count(&self) -> usize {
        self.said.len() + self.more
    }

    pub(super) fn into_result(mut self) -> Result<()> {
        if self.more > 0 {
            self.said.push(format!("and {} more", self.more));
        }
        if self.said.is_empty() { Ok(()) } else { Err(Error::config(self.said.join("\n"))) }
    }
}
