//! Which of two media types a client would rather have (RFC 9110 section 12.5.1). Pure.

use httparse::Header;

/// True when `Accept` names OpenMetrics 1.0 and plain text is not liked better. Who does not know
/// of it gets plain text: a browser and curl take anything.
pub fn prefers_openmetrics(headers: &[Header<'_>]) -> bool {
    let (mut openmetrics, mut plain) = (0, (0, 0));
    let fields = headers.iter().filter(|field| field.name.eq_ignore_ascii_case("accept"));
    for range in fields.flat_map(|field| field.value.split(|byte| *byte == b',')) {
        let Some(range) = Range::read(range) else { continue };
        match &*range.media_type {
            "application/openmetrics-text" if range.is_version_1 => {
                openmetrics = openmetrics.max(range.weight);
            }
            // The most specific one counts.
            "text/plain" => plain = plain.max((3, range.weight)),
            "text/*" => plain = plain.max((2, range.weight)),
            "*/*" => plain = plain.max((1, range.weight)),
            _ => {}
        }
    }
    openmetrics > 0 && openmetrics >= plain.1
}

/// One media range.
struct Range {
    /// In small letters.
    media_type: String,
    /// It names no version, or 1.0.
    is_version_1: bool,
    /// In thousandths.
    weight: u32,
}

impl Range {
    /// `None` for one that cannot be read: it says nothing.
    fn read(range: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(range).ok()?.split(';').map(str::trim);
        let media_type = parts.next()?.to_ascii_lowercase();
        let mut read = Self { media_type, is_version_1: true, weight: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match &*name.to_ascii_lowercase() {
                "q" => {
                    let weight: f32 = value.parse().ok()?;
                    read.weight = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
                }
                "version" => read.is_version_1 = value.trim_matches('"').starts_with("1."),
                _ => {}
            }
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", true),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;version=\"1.0.0\";q=0", false),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.4", true),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.5", false),
            ("application/openmetrics-text;q=0.4,*/*;q=0.5", false),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.3,*/*;q=0.5", true),
            ("application/openmetrics-text;q=much", false),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true,
            ),
        ] {
            let field = Header { name: "ACCEPT", value: accept.as_bytes() };
            assert_eq!(prefers_openmetrics(&[field]), expected, "{accept}");
        }
        let fields = ["application/openmetrics-text;q=0.2", "text/plain;q=0.1"];
        let fields = fields.map(|value| Header { name: "accept", value: value.as_bytes() });
        assert!(prefers_openmetrics(&fields));
    }
}
