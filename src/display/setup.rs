//! The pages on which a person sets something up. They are the same whatever there is to see: their
//! script asks for that.

use super::Asset;

/// Where a first calendar is added, and every other one.
pub const SETUP_HTML: Asset = Asset {
    path: "/setup",
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("assets/setup.html"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/setup.html.gz")),
};

/// The stylesheet of such pages.
pub const FORMS_CSS: Asset = Asset {
    path: "/static/forms.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/forms.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/forms.css.gz")),
};

/// Its script.
pub const SETUP_JS: Asset = Asset {
    path: "/static/setup.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/setup.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/setup.js.gz")),
};
