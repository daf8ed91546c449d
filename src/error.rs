//! One error for the whole program: what sort of thing went wrong, said in words that a
//! person can act on, and the cause underneath.
//!
//! An error means that somebody must act. Partial input, a cache miss or an unchanged feed are
//! values, not errors. No context ever holds a feed URL.

use std::fmt;

/// The result of anything that can fail in a way that somebody must act on.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and why.
pub struct Error {
    kind: Kind,
    context: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The sorts of error, one for each way in which a caller reacts differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command line cannot be understood (exit 2).
    Usage,
    /// The configuration or the memory budget cannot be used (exit 78, `EX_CONFIG`).
    Config,
    /// The database could not be read or written.
    Store,
    /// The database file is damaged and must be rebuilt.
    Corrupt,
    /// The operating system refused something: a socket, a folder, a signal.
    System,
}

impl Error {
    /// The command line cannot be understood.
    pub fn usage(context: impl Into<String>) -> Self {
        Self::new(Kind::Usage, context)
    }

    /// The configuration or the budget cannot be used.
    pub fn config(context: impl Into<String>) -> Self {
        Self::new(Kind::Config, context)
    }

    /// The database could not be read or written.
    pub fn store(context: impl Into<String>) -> Self {
        Self::new(Kind::Store, context)
    }

    /// The database file is damaged.
    pub fn corrupt(context: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, context)
    }

    /// The operating system refused something.
    pub fn system(context: impl Into<String>) -> Self {
        Self::new(Kind::System, context)
    }

    /// The same error with its cause, which is printed after the context.
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// True when the database file is damaged and must be rebuilt.
    pub fn is_corrupt(&self) -> bool {
        self.kind == Kind::Corrupt
    }

    /// True when the database could not be read or written, which may pass.
    pub fn is_store(&self) -> bool {
        self.kind == Kind::Store
    }

    /// True when the configuration or the budget cannot be used.
    pub fn is_config(&self) -> bool {
        self.kind == Kind::Config
    }

    /// The process exit code that tells a supervisor what sort of failure this is: 2 for usage,
    /// 78 for configuration (do not restart), 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => 2,
            Kind::Config => 78,
            Kind::Store | Kind::Corrupt | Kind::System => 1,
        }
    }

    fn new(kind: Kind, context: impl Into<String>) -> Self {
        Self { kind, context: context.into(), cause: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl std::error::Error for Error {}
