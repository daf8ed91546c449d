//! Text that must never be seen: feed addresses, passwords, tokens.
//!
//! [`Secret::expose`] is the only way to the text, so that `grep expose` lists every place where
//! a secret leaves. The memory is not wiped when it is freed: safe Rust cannot promise that.

use std::fmt;

/// What is written wherever a secret would otherwise stand.
pub const HIDDEN: &str = "(hidden)";

/// A text that no log, error or page can show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_format_shows_it() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(),
            0
        );
        assert_eq!(format!("{secret}"), HIDDEN);
        assert_eq!(secret.expose(), "hunter2");
    }
}
