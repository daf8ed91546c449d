//! A request as bytes, from parts that have been checked.

use http_types::Url;

use super::FetchError;

/// A request's fields, checked: names are tokens, values visible ASCII with spaces.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field, in place of an earlier one of that name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), FetchError> {
        let name = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_value) {
            return Err(FetchError::refused("a configured header holds bytes that cannot be sent"));
        }
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, value.to_owned()));
        Ok(())
    }
}

/// `GET` for `url`, with Host and `fields`.
pub(super) fn get(url: &Url, fields: &Fields) -> Vec<u8> {
    encode("GET", url, fields, None)
}

/// `POST` of a text to `url`, with Host and `fields`.
pub(super) fn post(url: &Url, fields: &Fields, text: &str) -> Vec<u8> {
    encode("POST", url, fields, Some(text))
}

/// A URL that was parsed holds no byte that could end the line, and neither does a checked field.
fn encode(method: &str, url: &Url, fields: &Fields, text: Option<&str>) -> Vec<u8> {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    let mut head = format!("{method} {}{query} HTTP/1.1\r\nhost: {host}{port}\r\n", url.path());
    let length = text.map(|text| ("content-length".to_owned(), text.len().to_string()));
    let mut sorted: Vec<_> = fields.0.iter().chain(&length).collect();
    sorted.sort_unstable();
    for (name, value) in sorted {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n" + text.unwrap_or_default()).into_bytes()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_value(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, fields: &[(&str, &str)], expected: &str) {
        let url: Url = url.parse().expect("a URL");
        let mut checked = Fields::new();
        for (name, value) in fields {
            checked.set(name, value).expect("a field");
        }
        let bytes = get(&url, &checked);
        assert_eq!(String::from_utf8(bytes).expect("ASCII"), expected);
    }

    #[test]
    fn a_request_is_a_line_and_sorted_fields() {
        check(
            "https://example.org/calendar.ics?key=a%20b#today",
            &[("User-Agent", "x/1"), ("accept", "text/calendar")],
            "GET /calendar.ics?key=a%20b HTTP/1.1\r\nhost: example.org\r\n\
             accept: text/calendar\r\nuser-agent: x/1\r\n\r\n",
        );
        check("http://[::1]:8080", &[], "GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n");
    }

    #[test]
    fn a_url_s_user_and_password_are_not_in_the_request() {
        check("http://me:secret@example.org/", &[], "GET / HTTP/1.1\r\nhost: example.org\r\n\r\n");
    }

    #[test]
    fn what_is_posted_has_a_length() {
        let url = "https://example.org/hook?key=a".parse().expect("a URL");
        let mut fields = Fields::new();
        fields.set("Content-Type", "application/json").expect("a field");
        let bytes = post(&url, &fields, "{}");
        assert_eq!(
            String::from_utf8(bytes).expect("ASCII"),
            "POST /hook?key=a HTTP/1.1\r\nhost: example.org\r\ncontent-length: 2\r\n\
             content-type: application/json\r\n\r\n{}",
        );
    }

    #[test]
    fn odd_urls_are_escaped_and_stay_one_line() {
        check(
            "http://example.org/a b\r\nX: y/ü?q=\r\n z€",
            &[],
            "GET /a%20bX:%20y/%C3%BC?q=%20z%E2%82%AC HTTP/1.1\r\nhost: example.org\r\n\r\n",
        );
    }

    #[test]
    fn a_later_field_takes_the_place_of_an_earlier_one() {
        check(
            "http://a/",
            &[("Accept", "text/calendar"), ("ACCEPT", "*/*")],
            "GET / HTTP/1.1\r\nhost: a\r\naccept: */*\r\n\r\n",
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("a\r\nb", "x"),
            ("ä", "x"),
            ("a", "x\r\nb: c"),
            ("a", "x\ny"),
            ("a", "x\0y"),
            ("a", "naïve"),
        ] {
            let error = Fields::new().set(name, value).expect_err("refused");
            assert_eq!(error.kind(), super::super::Kind::Refused, "{name:?}: {value:?}");
        }
    }
}
