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

#[cfg(test)]
mod tests {
    use super::super::{Config, load, parse};
    use super::*;

    fn configured(env: &[(&str, &str)]) -> Result<Config, String> {
        let env = env.iter().chain(&[("HOME", "/home/u")]);
        let env = env.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let inputs = Inputs { env, default_budget: 16 << 20, ..Inputs::default() };
        let arguments = parse(&inputs).map_err(|error| error.to_string())?;
        load(&arguments, &inputs).map_err(|error| error.to_string())
    }

    #[test]
    fn an_assistant_s_token_is_given_itself_or_by_a_file() {
        const TEXT: &str = "CALENDARBOT_ALEXA_BEARER_TOKEN";
        const FILE: &str = "CALENDARBOT_ALEXA_BEARER_TOKEN_FILE";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "from a file\n").unwrap();
        let path = path.to_str().unwrap();
        let token = |env: &[(&str, &str)]| configured(env).unwrap().alexa_token;
        assert_eq!(token(&[]), None);
        assert_eq!(token(&[(TEXT, "")]), None);
        assert_eq!(token(&[(TEXT, "canary")]), Some(Secret::new("canary")));
        assert_eq!(token(&[(FILE, path)]), Some(Secret::new("from a file")));
        for (env, expected) in [
            (&[(TEXT, "canary"), (FILE, path)][..], "both `alexa.bearer_token` and"),
            (&[(TEXT, "canary\u{7}")], "CALENDARBOT_ALEXA_BEARER_TOKEN is (hidden)"),
            (&[(FILE, "/nowhere/canary")], "cannot read its `alexa.bearer_token_file`"),
        ] {
            let error = configured(env).expect_err("wrong");
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("canary\u{7}") && !error.contains("from a file"), "{error}");
        }
    }
}
