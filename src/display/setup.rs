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

/// The script of the page for new calendars.
pub const SETUP_JS: Asset = Asset {
    path: "/static/setup.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/setup.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/setup.js.gz")),
};

/// Which events are shown and how, calendars and how they fare, what is skipped and hidden.
pub const SETTINGS_HTML: Asset = Asset {
    path: "/settings",
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("assets/settings.html"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/settings.html.gz")),
};

/// Its script.
pub const SETTINGS_JS: Asset = Asset {
    path: "/static/settings.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/settings.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/settings.js.gz")),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_need_nothing_that_their_policy_forbids() {
        let text = |file: Asset| std::str::from_utf8(file.bytes).unwrap();
        for page in [SETUP_HTML, SETTINGS_HTML] {
            for traces in ["<style", " style=", "<script>", " onload=", "javascript:"] {
                assert!(!text(page).contains(traces), "{}: {traces}", page.path);
            }
            for input in text(page).split("<input ").skip(1) {
                let (_, rest) = input.split_once("id=\"").unwrap();
                let (id, _) = rest.split_once('"').unwrap();
                let label = format!("<label for=\"{id}\"");
                let is_inside = input.starts_with("type=\"checkbox\"");
                assert!(text(page).contains(&label) || is_inside, "{}: {id}", page.path);
            }
        }
        for script in [SETUP_JS, SETTINGS_JS] {
            for traces in ["innerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text(script).contains(traces), "{}: {traces}", script.path);
            }
        }
    }
}
