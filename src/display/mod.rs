//! What a person looks at: pages, made from the view model, and the files that they need.

pub mod calendar;
mod frame;
mod html;
mod mark;
pub mod page;
pub mod setup;
pub mod waiting;

use flate2::{Decompress, FlushDecompress};

use self::setup::{FORMS_CSS, FORMS_JS, SETTINGS_HTML, SETTINGS_JS, SETUP_HTML, SETUP_JS};
use crate::calendar::locale::Locale;
use crate::calendar::settings;
use crate::hash::fnv1a_parts;

/// How all pages are written and coloured, where nobody wants one otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Words, clock, weeks, dates.
    pub locale: Locale,
    /// Colours.
    pub theme: Theme,
}

impl Screen {
    /// The same as people have set it.
    pub fn set(self, display: &settings::Display) -> Self {
        Self { theme: Theme::parse(&display.theme).unwrap_or(self.theme), ..self }
    }
}

/// The colours of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Theme {
    /// As the browser prefers.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// Black on white, nothing moves: for electronic paper.
    Eink,
}

impl Theme {
    /// Reads its name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "auto" => Self::Auto,
            "light" => Self::Light,
            "dark" => Self::Dark,
            "eink" => Self::Eink,
            _ => return None,
        })
    }
}

/// A file that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is served. Pages add `?v=` and the build's id, so that no page meets an old one.
    pub path: &'static str,
    /// Its Content-Type.
    pub content_type: &'static str,
    /// Its bytes, not compressed; empty when [`Self::plain`] is to make them.
    pub bytes: &'static [u8],
    /// The same in gzip, made when the program was built; empty for a page that [`setup::page`] fills
    /// in.
    pub gzip: &'static [u8],
}

impl Asset {
    /// Its bytes, not compressed.
    pub fn plain(&self) -> Vec<u8> {
        if !self.bytes.is_empty() {
            return self.bytes.to_vec();
        }
        // Behind a header of ten bytes (RFC 1952, without a name); the length stands at the end.
        let Some((body, length)) = self.gzip[HEADER_BYTES..].split_last_chunk::<4>() else {
            return Vec::new();
        };
        let mut plain = Vec::with_capacity(u32::from_le_bytes(*length) as usize);
        let body = &body[..body.len() - CHECKSUM_BYTES];
        let mut inflate = Decompress::new(false);
        // It was made by this program's own build.
        let _ = inflate.decompress_vec(body, &mut plain, FlushDecompress::Finish);
        plain
    }
}

/// What stands before and behind the deflated bytes of a gzip file.
const HEADER_BYTES: usize = 10;
const CHECKSUM_BYTES: usize = 4;

/// The stylesheet of every page.
pub const PAGE_CSS: Asset = Asset {
    path: "/static/page.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/page.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/page.css.gz")),
};

/// Dark colours, for pages that do not have [`PAGE_CSS`].
pub const DARK_CSS: Asset = Asset {
    path: "/static/dark.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/dark.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/dark.css.gz")),
};

/// The same of electronic paper.
pub const EINK_CSS: Asset = Asset {
    path: "/static/eink.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/eink.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/eink.css.gz")),
};

/// Beside it, that of the pages of some days.
pub const CALENDAR_CSS: Asset = Asset {
    path: "/static/calendar.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/calendar.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/calendar.css.gz")),
};

/// The script that makes a page live; without it the page still says everything.
pub const PAGE_JS: Asset = Asset {
    path: "/static/page.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/page.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/page.js.gz")),
};

/// The icon in the browser's tab.
pub const FAVICON: Asset = Asset {
    path: "/favicon.svg",
    content_type: "image/svg+xml",
    bytes: include_bytes!("assets/favicon.svg"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/favicon.svg.gz")),
};

/// The dashboard, but for its colours the same whatever there is to see: its script asks for that.
pub const DASHBOARD_HTML: Asset = Asset {
    path: "/dashboard",
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("assets/dashboard.html"),
    gzip: &[],
};

/// Its stylesheet.
pub const DASHBOARD_CSS: Asset = Asset {
    path: "/static/dashboard.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/dashboard.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/dashboard.css.gz")),
};

/// Its script.
pub const DASHBOARD_JS: Asset = Asset {
    path: "/static/dashboard.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/dashboard.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/dashboard.js.gz")),
};

/// The description of our own routes (OpenAPI 3.1), for programs that make clients of it. Hardly
/// anybody asks for it: only its compressed form is kept.
pub const OPENAPI: Asset = Asset {
    path: "/api/v1/openapi.json",
    content_type: "application/json",
    bytes: &[],
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz")),
};

/// Every file that is served as it is.
pub static ASSETS: [Asset; 16] = [
    PAGE_CSS,
    DARK_CSS,
    EINK_CSS,
    CALENDAR_CSS,
    PAGE_JS,
    FAVICON,
    DASHBOARD_HTML,
    DASHBOARD_CSS,
    DASHBOARD_JS,
    SETUP_HTML,
    SETUP_JS,
    FORMS_CSS,
    FORMS_JS,
    SETTINGS_HTML,
    SETTINGS_JS,
    OPENAPI,
];

/// The file at a path.
pub fn asset(path: &str) -> Option<&'static Asset> {
    // Names that front-ends of the full family have for two of them.
    let path = match path {
        "/favicon.ico" => FAVICON.path,
        "/database-viewer" => DASHBOARD_HTML.path,
        path => path,
    };
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Names this build: a page of another one reloads itself, and no old script meets a new page.
pub fn build_id() -> String {
    let files = ASSETS.map(|asset| asset.bytes);
    format!("{}-{:08x}", env!("CARGO_PKG_VERSION"), fnv1a_parts(&files) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_compressed_is_what_was_compressed() {
        let text = include_bytes!("assets/openapi.json");
        assert_eq!(OPENAPI.plain(), text);
        assert_eq!(FAVICON.plain(), FAVICON.bytes);
    }

    #[test]
    fn the_dashboard_fits_in_30_kb() {
        let files = [DASHBOARD_HTML, DASHBOARD_CSS, DARK_CSS, DASHBOARD_JS];
        let sizes = files.map(|file| file.bytes.len());
        assert!(sizes.iter().sum::<usize>() <= 30_000, "{sizes:?}");
    }

    #[test]
    fn the_dashboard_needs_nothing_that_its_policy_forbids() {
        let text = |file: Asset| std::str::from_utf8(file.bytes).unwrap();
        for traces in
            ["<style", " style=", "<script>", " onload=", "http:", "https:", "javascript:"]
        {
            assert!(!text(DASHBOARD_HTML).contains(traces), "{traces}");
        }
        for traces in ["innerHTML =", "insertAdjacentHTML", "document.write", "eval(", "Function("]
        {
            assert!(!text(DASHBOARD_JS).contains(traces), "{traces}");
        }
        assert!(!text(DASHBOARD_CSS).contains("url(") && !text(DASHBOARD_CSS).contains("@import"));
    }
}
