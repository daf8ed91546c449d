//! One feed: where it is, how to log in, and what may not go together.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::filter::Filter;
use crate::secret::{HIDDEN, Secret};

use super::feed_keys::FEED_KEYS;
use super::feed_url::FeedUrl;
use super::file::open_regular;
use super::filter::FilterDraft;
use super::key::{HEADERS_MAX, SECRET_BYTES_MAX, headers, secret};
use super::keys::{SECRET_TEXT, SECRET_URL};
use super::sources::Value;
use super::{Problems, set_defaults};

/// One feed, ready to be fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedConfig {
    /// What it is called: 1 to 64 characters, unlike every other feed's.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// `#rrggbb` in lower case, or empty.
    pub color: String,
    /// How often it is fetched.
    pub interval: Duration,
    /// From an answer's first byte to its last, beyond what its size needs.
    pub timeout: Duration,
    /// How to log in, at the feed's own origin only.
    pub auth: Auth,
    /// Further header fields, for the feed's own origin only. None is one that the HTTP client
    /// sets itself, `Authorization` included.
    pub headers: Vec<(String, Secret)>,
    /// Show every event as "Busy".
    pub private: bool,
    /// Which of its events are shown.
    pub filter: Arc<Filter>,
    /// Private and loopback addresses are allowed on every hop.
    pub allow_private_address: bool,
    /// They are allowed at the configured origin, since the operator named it in the
    /// environment; a redirect elsewhere is still checked.
    pub trusted_origin: bool,
    /// The User-Agent sent.
    pub user_agent: String,
    /// Accept any certificate.
    pub insecure_tls: bool,
}

/// Where a feed is.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// On a server.
    Url(FeedUrl),
    /// In a file of this machine.
    File(PathBuf),
}

/// How to log in to a feed's server.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// Not at all.
    None,
    /// RFC 7617. The user holds no colon.
    Basic {
        /// The user name; a secret too, since it is often an address.
        user: Secret,
        /// The password; empty when a URL gave only a user.
        password: Secret,
    },
    /// RFC 6750.
    Bearer(Secret),
}

impl Source {
    /// What to call it in a log: `host#ab12`, or `file`.
    pub fn label(&self) -> &str {
        match self {
            Source::Url(url) => url.label(),
            Source::File(_) => "file",
        }
    }
}

/// What a table or the environment says of one feed, before it is known to make sense.
#[derive(Default)]
pub(super) struct FeedDraft {
    pub(super) name: String,
    pub(super) url: Option<Secret>,
    pub(super) url_file: Option<PathBuf>,
    pub(super) credential: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) color: String,
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Duration,
    pub(super) auth: Option<AuthScheme>,
    pub(super) username: Option<Secret>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) bearer_token: Option<Secret>,
    pub(super) bearer_token_file: Option<PathBuf>,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) headers_file: Option<PathBuf>,
    pub(super) private: bool,
    pub(super) filter: FilterDraft,
    pub(super) allow_private_address: bool,
    pub(super) trusted_origin: bool,
    pub(super) insecure_tls: bool,
    pub(super) user_agent: String,
    pub(super) given: Vec<Value>,
}

/// The word of the key `auth`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum AuthScheme {
    None,
    Basic,
    Bearer,
}

impl AuthScheme {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "none" => Some(Self::None),
            "basic" => Some(Self::Basic),
            "bearer" => Some(Self::Bearer),
            _ => None,
        }
    }
}

/// What a feed's table does not say itself.
pub(super) struct Surroundings<'a> {
    /// `$CREDENTIALS_DIRECTORY`.
    pub(super) credentials: Option<&'a Path>,
    /// `refresh_interval`.
    pub(super) interval: Duration,
    /// `allow_private_feeds`.
    pub(super) allow_private: bool,
    /// `me`.
    pub(super) me: &'a [String],
}

impl FeedDraft {
    pub(super) fn new() -> Self {
        let mut draft = Self::default();
        set_defaults(FEED_KEYS, &mut draft);
        draft
    }

    /// The feed, if everything in it agrees. `place` says where it was configured; everything
    /// that is wrong goes to `problems`.
    pub(super) fn finish(
        self,
        place: &str,
        around: &Surroundings,
        problems: &mut Problems,
    ) -> Option<FeedConfig> {
        let mut wrong = Vec::new();
        if self.name.is_empty() {
            wrong.push("has no `name`".to_owned());
        }
        let filter = self.filter.finish(around.me, &mut wrong);
        let source = self.source(around).map_err(|why| wrong.push(why)).ok();
        let auth = self.log_in(around).map_err(|why| wrong.push(why)).ok();
        let headers = self.fields(around).map_err(|why| wrong.push(why)).unwrap_or_default();
        let auth = source.as_ref().zip(auth).map(|((source, from_url), auth)| {
            match (source, from_url, auth) {
                (Source::File(_), _, auth) if auth != Auth::None || !headers.is_empty() => {
                    wrong.push("is a local file, which needs neither login nor `headers`".into());
                    Auth::None
                }
                (_, Auth::None, auth) => auth,
                (_, from_url, Auth::None) if self.auth.is_none() => from_url.clone(),
                _ => {
                    wrong.push("has a user in its URL and a login beside it; keep one".into());
                    Auth::None
                }
            }
        });
        let subject = match self.name.as_str() {
            "" => format!("{place}this feed"),
            name => format!("{place}feed `{name}`"),
        };
        let sound = wrong.is_empty();
        problems.extend(wrong.into_iter().map(|why| format!("{subject} {why}")));
        let (source, auth) = source.map(|(source, _)| source).zip(auth).filter(|_| sound)?;
        Some(FeedConfig {
            name: self.name,
            source,
            color: self.color,
            interval: self.interval.unwrap_or(around.interval),
            timeout: self.timeout,
            auth,
            headers,
            private: self.private,
            filter: Arc::new(filter),
            allow_private_address: self.allow_private_address || around.allow_private,
            trusted_origin: self.trusted_origin,
            user_agent: self.user_agent,
            insecure_tls: self.insecure_tls,
        })
    }

    /// Where the feed is, and the login that its URL holds.
    fn source(&self, around: &Surroundings) -> Result<(Source, Auth), String> {
        let given = one_of(&[
            ("url", self.url.is_some()),
            ("url_file", self.url_file.is_some()),
            ("credential", self.credential.is_some()),
            ("file", self.file.is_some()),
        ])?;
        if let Some(file) = &self.file {
            return Ok((Source::File(file.clone()), Auth::None));
        }
        let credential = match (&self.credential, around.credentials) {
            (Some(_), None) => {
                return Err("has a `credential`, but $CREDENTIALS_DIRECTORY is not set".into());
            }
            (Some(name), Some(folder)) => Some(folder.join(name)),
            (None, _) => None,
        };
        let url = match (&self.url, credential.as_ref().or(self.url_file.as_ref())) {
            (Some(url), _) => url.clone(),
            (None, Some(path)) => read_secret(given.unwrap_or_default(), path, around.credentials)?,
            (None, None) => {
                return Err("has no address: give `url`, `url_file`, `credential` or `file`".into());
            }
        };
        let source = FeedUrl::of(&url).map(|(url, auth)| (Source::Url(url), auth));
        source.map_err(|why| format!("has {HIDDEN} for a URL; allowed: {SECRET_URL}; {why}"))
    }

    /// The further header fields, from the file if there is one.
    fn fields(&self, around: &Surroundings) -> Result<Vec<(String, Secret)>, String> {
        let given = ("headers", !self.headers.is_empty());
        one_of(&[given, ("headers_file", self.headers_file.is_some())])?;
        let Some(path) = &self.headers_file else { return Ok(self.headers.clone()) };
        let text =
            read_text("headers_file", path, HEADERS_MAX * SECRET_BYTES_MAX, around.credentials)?;
        let pairs = text.as_deref().and_then(|text| {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let pairs = lines.map(|line| line.split_once(':'));
            let trimmed = pairs.map(|pair| pair.map(|(name, value)| (name, value.trim())));
            headers(trimmed.collect::<Option<_>>()?)
        });
        pairs.ok_or_else(|| {
            format!(
                "has a `headers_file` {path:?} that holds {HIDDEN}; allowed: at most {HEADERS_MAX} \
                 lines, X-Name: value, that the HTTP client does not set itself"
            )
        })
    }

    /// The login that the keys describe.
    fn log_in(&self, around: &Surroundings) -> Result<Auth, String> {
        let password = either("password", &self.password, &self.password_file, around.credentials)?;
        let token = either(
            "bearer_token",
            &self.bearer_token,
            &self.bearer_token_file,
            around.credentials,
        )?;
        let basic = self.username.is_some() || password.is_some();
        match (self.auth, basic, token) {
            (_, true, Some(_)) => Err("has both a password and a bearer token; keep one".into()),
            (Some(AuthScheme::None), basic, token) if basic || token.is_some() => {
                Err("has `auth` none and a login beside it".into())
            }
            (Some(AuthScheme::Basic), _, Some(_)) => {
                Err("has `auth` basic and a bearer token".into())
            }
            (Some(AuthScheme::Bearer), true, _) => {
                Err("has `auth` bearer and a user or password".into())
            }
            (Some(AuthScheme::Bearer), _, None) => {
                Err("has `auth` bearer and no `bearer_token`".into())
            }
            (Some(AuthScheme::Basic), ..) | (_, true, _) => match (&self.username, password) {
                (Some(user), _) if user.expose().contains(':') => {
                    Err("has a colon in its `username`, which basic authentication cannot send"
                        .into())
                }
                (Some(user), Some(password)) => Ok(Auth::Basic { user: user.clone(), password }),
                (Some(_), None) => Err("has a `username` and no `password`".into()),
                (None, _) => Err("has basic authentication and no `username`".into()),
            },
            (_, _, Some(token)) if !token.expose().bytes().all(|b| b.is_ascii_graphic()) => {
                Err("has a bearer token with characters that are not visible ASCII".into())
            }
            (_, _, Some(token)) => Ok(Auth::Bearer(token)),
            (_, _, None) => Ok(Auth::None),
        }
    }
}

/// The name of the only key given, if any.
fn one_of<'a>(keys: &[(&'a str, bool)]) -> Result<Option<&'a str>, String> {
    let mut given = keys.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    match (given.next(), given.next()) {
        (Some(one), Some(other)) => Err(format!("has both `{one}` and `{other}`; keep one")),
        (one, _) => Ok(one),
    }
}

/// A secret that is given itself or by a file.
pub(super) fn either(
    name: &str,
    text: &Option<Secret>,
    file: &Option<PathBuf>,
    credentials: Option<&Path>,
) -> Result<Option<Secret>, String> {
    let from_file = format!("{name}_file");
    one_of(&[(name, text.is_some()), (&from_file, file.is_some())])?;
    match file {
        Some(path) => read_secret(&from_file, path, credentials).map(Some),
        None => Ok(text.clone()),
    }
}

/// The only line of a file that holds a secret.
fn read_secret(key: &str, path: &Path, credentials: Option<&Path>) -> Result<Secret, String> {
    let text = read_text(key, path, SECRET_BYTES_MAX + 2, credentials)?;
    let line = text.as_deref().map(|text| text.trim_end_matches(['\r', '\n']));
    line.and_then(secret).ok_or_else(|| {
        format!("has a `{key}` {path:?} that holds {HIDDEN}; allowed: one line, {SECRET_TEXT}")
    })
}

/// What a small file holds; `None` when it is longer, or not UTF-8.
fn read_text(
    key: &str,
    path: &Path,
    bytes_max: usize,
    credentials: Option<&Path>,
) -> Result<Option<String>, String> {
    // It may have been joined with the folder that relative paths start from.
    let is_in = |folder: &Path| folder.ends_with("$CREDENTIALS_DIRECTORY");
    let name = path.file_name().filter(|_| path.parent().is_some_and(is_in));
    let credential = match (name, credentials) {
        (Some(_), None) => {
            return Err(format!("has a `{key}` in $CREDENTIALS_DIRECTORY, which is not set"));
        }
        (name, folder) => name.zip(folder).map(|(name, folder)| folder.join(name)),
    };
    let mut bytes = Vec::new();
    open_regular(credential.as_deref().unwrap_or(path))
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read its `{key}` {path:?}: {error}"))?;
    Ok(String::from_utf8(bytes).ok().filter(|text| text.len() <= bytes_max))
}
