//! Where a feed is: a URL that is a secret, and what may be told of it.

use std::fmt;

use http_types::Url;

use super::feed::Auth;
use super::key::SECRET_BYTES_MAX;
use crate::hash::fnv1a;
use crate::secret::Secret;

/// An http or https URL with a host, and without user and fragment. It is a secret: whoever
/// knows it reads the calendar.
#[derive(Clone, PartialEq)]
pub struct FeedUrl {
    url: Url,
    label: String,
}

impl FeedUrl {
    /// The same as [`Self::parse`].
    pub fn of(secret: &Secret) -> Result<(Self, Auth), &'static str> {
        Self::parse(secret.expose())
    }

    /// Reads a URL; `webcal` is https. A user and password in it come apart from it.
    ///
    /// # Errors
    /// What is wrong, in words that show nothing of the text.
    pub fn parse(text: &str) -> Result<(Self, Auth), &'static str> {
        if text.len() > SECRET_BYTES_MAX || text.contains(|c: char| c.is_control() || c == ' ') {
            return Err("it is too long, or holds a space or a control character");
        }
        let (scheme, rest) = text.split_once(':').ok_or("it has no scheme")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "webcal" | "webcals" | "https" => "https",
            "http" => "http",
            "file" => return Err("a file of this machine is configured with `file`"),
            _ => return Err("its scheme is another one"),
        };
        if !rest.starts_with("//") {
            return Err("it has no // after its scheme");
        }
        let mut url = Url::parse(&format!("{scheme}:{rest}")).map_err(|_| "it cannot be parsed")?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err("it has no host");
        }
        let auth = userinfo(&url)?;
        // Neither can fail on an http or https URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let label = format!("{}#{:04x}", url.host_str().unwrap_or_default(), hash(url.as_str()));
        Ok((Self { url, label }, auth))
    }

    /// The host, as it is looked up: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// What to call it in a log: its host and four hexadecimal digits of a hash of all of it,
    /// the same after every start.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The URL itself, for the one place that asks its server for it.
    pub fn expose(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for FeedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// The user and password of a URL (RFC 3986 section 3.2.1), decoded.
fn userinfo(url: &Url) -> Result<Auth, &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(Auth::None);
    }
    let part = |text| decode(text).ok_or("its user or password is not percent-encoded UTF-8");
    let (user, password) = (part(url.username())?, part(url.password().unwrap_or_default())?);
    if user.contains(':') || [&user, &password].iter().any(|t| t.contains(char::is_control)) {
        return Err("its user or password cannot be sent");
    }
    Ok(Auth::Basic { user: Secret::new(user), password: Secret::new(password) })
}

/// Percent-decoding (RFC 3986 section 2.1).
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

/// FNV-1a folded to 16 bits: enough to tell two feeds of a host apart, too little to find either
/// by it.
fn hash(text: &str) -> u16 {
    let hash = fnv1a(text.as_bytes());
    (hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_what_is_not_its_own() {
        let (url, auth) = FeedUrl::parse("webcal://me%40x:p%3Aw@Cal.Example/a?b=c#d").unwrap();
        assert_eq!(url.expose().as_str(), "https://cal.example/a?b=c");
        assert_eq!(url.host(), "cal.example");
        let Auth::Basic { user, password } = auth else { panic!("no login") };
        assert_eq!((user.expose(), password.expose()), ("me@x", "p:w"));
        let label = |text| FeedUrl::parse(text).unwrap().0.label().to_owned();
        assert_ne!(url.label(), label("https://cal.example/a?b=d"));
        assert_eq!([format!("{url:?}"), label("https://cal.example/a?b=c")], [url.label(); 2]);
        assert!(url.label().starts_with("cal.example#") && url.label().len() == 16);
    }
    #[test]
    fn only_http_with_a_host_is_a_feed() {
        for wrong in [
            "",
            "cal.example/a",
            "ftp://h/",
            "file:///etc/passwd",
            "https:h/",
            "https://",
            "http:///",
            "https://h/ a",
            "https://h/\n",
            "https://h:99999/",
            "https://a%zz@h/",
            "https://a%3Ab@h/",
            "https://[::1/",
            "https://%ff@h/",
        ] {
            assert!(FeedUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
