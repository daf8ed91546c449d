//! What clients have to show who are not welcome without it.

use std::path::{Path, PathBuf};

use super::feed::either;
use super::problems::Problems;
use super::{Draft, Inputs};
use crate::secret::Secret;

/// Tokens as they were given: themselves, or by a file.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) admin_file: Option<PathBuf>,
    pub(super) alexa: Option<Secret>,
    pub(super) alexa_file: Option<PathBuf>,
}

impl Draft {
    /// Reads the files of tokens.
    pub(super) fn tokens(&mut self, inputs: &Inputs, problems: &mut Problems) {
        let credentials = inputs.variable("CREDENTIALS_DIRECTORY").map(Path::new);
        let Tokens { admin_file, alexa, alexa_file } = std::mem::take(&mut self.tokens);
        let mut token = |name: &str, text, file| {
            either(name, &text, &file, credentials).unwrap_or_else(|why| {
                let keys = [format!("{name}_file"), name.to_owned()];
                let given = keys.iter().find_map(|key| self.config.sources.given(key));
                let place = given.map_or(name, |value| value.source.as_str());
                problems.push(format!("{place}: the program {why}"));
                None
            })
        };
        let admin = token("admin.token", None, admin_file);
        let alexa = token("alexa.bearer_token", alexa, alexa_file);
        (self.config.admin_token, self.config.alexa_token) = (admin, alexa);
    }
}
