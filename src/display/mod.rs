//! What a person looks at: pages, made from the view model, and the files that they need.

mod html;
mod mark;
pub mod page;

use crate::hash::fnv1a_parts;

/// A file that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is served. Pages add `?v=` and the build's id, so that no page meets an old one.
    pub path: &'static str,
    /// Its Content-Type.
    pub content_type: &'static str,
    /// Its bytes, not compressed.
    pub bytes: &'static [u8],
    /// The same in gzip, made when the program was built.
    pub gzip: &'static [u8],
}

/// The stylesheet of every page.
pub const PAGE_CSS: Asset = Asset {
    path: "/static/page.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/page.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/page.css.gz")),
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

/// Every file that is served as it is.
pub static ASSETS: [Asset; 3] = [PAGE_CSS, PAGE_JS, FAVICON];

/// The file at a path.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Names this build: a page of another one reloads itself, and no old script meets a new page.
pub fn build_id() -> String {
    let files = ASSETS.map(|asset| asset.bytes);
    format!("{}-{:08x}", env!("CARGO_PKG_VERSION"), fnv1a_parts(&files) as u32)
}
