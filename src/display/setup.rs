//! The pages on which a person sets something up. But for language and colours they are the same
//! whatever there is to see: their script asks for that.

use super::frame::html_tag;
use super::html::Html;
use super::{Asset, DARK_CSS, DASHBOARD_HTML, EINK_CSS, Screen, Theme};
use crate::calendar::locale::Language;
use crate::calendar::settings::Display;

/// Where a first calendar is added, and every other one.
pub const SETUP_HTML: Asset = Asset {
    path: "/setup",
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("assets/setup.html"),
    gzip: &[],
};

/// The stylesheet of such pages.
pub const FORMS_CSS: Asset = Asset {
    path: "/static/forms.css",
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/forms.css"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/forms.css.gz")),
};

/// What their scripts share.
pub const FORMS_JS: Asset = Asset {
    path: "/static/forms.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/forms.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/forms.js.gz")),
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
    gzip: &[],
};

/// Its script.
pub const SETTINGS_JS: Asset = Asset {
    path: "/static/settings.js",
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/settings.js"),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/settings.js.gz")),
};

/// What these pages say, one text a line behind its name. It is markup of ours.
const fn texts(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("assets/forms.en.txt"),
        Language::German => include_str!("assets/forms.de.txt"),
        Language::French => include_str!("assets/forms.fr.txt"),
        Language::Spanish => include_str!("assets/forms.es.txt"),
    }
}

/// Where a token is typed in, on each page that may be closed.
const UNLOCK: &str = include_str!("assets/unlock.html");

/// A page for this screen. `home` is the zone where people have set none.
pub fn page(asset: &'static Asset, screen: Screen, display: &Display, home: &str) -> String {
    // The dashboard has one language.
    let language = match asset.path == DASHBOARD_HTML.path {
        true => Language::English,
        false => screen.locale.language,
    };
    let (screen, mut html) = (screen.set(display), Html::default());
    let text = std::str::from_utf8(asset.bytes).unwrap_or_default();
    fill(&mut html, text, &mut |html, name| match name {
        "html" => html_tag(html, language.words(), screen.theme, display),
        "theme" => sheets(html, screen.theme),
        "home" => _ = html.text(home),
        "unlock" => fill(html, UNLOCK, &mut |html, name| say(html, language, name)),
        name => say(html, language, name),
    });
    html.into_string()
}

/// Writes `text` with its blanks, `{{name}}`, filled in.
fn fill(html: &mut Html, text: &'static str, blank: &mut dyn FnMut(&mut Html, &str)) {
    let mut pieces = text.split("{{");
    html.markup(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, after) = piece.split_once("}}").unwrap_or((piece, ""));
        blank(html, name);
        html.markup(after);
    }
}

fn say(html: &mut Html, language: Language, name: &str) {
    let text = |line: &'static str| line.strip_prefix(name)?.strip_prefix(": ");
    html.markup(texts(language).lines().find_map(text).unwrap_or_default());
}

/// The stylesheet of a theme, beside that of the page.
fn sheets(html: &mut Html, theme: Theme) {
    let (sheet, media) = match theme {
        Theme::Light => return,
        Theme::Auto => (DARK_CSS, "\" media=\"(prefers-color-scheme: dark)\">\n"),
        Theme::Dark => (DARK_CSS, "\">\n"),
        Theme::Eink => (EINK_CSS, "\">\n"),
    };
    html.markup("<link rel=\"stylesheet\" href=\"").markup(sheet.path.trim_start_matches('/'));
    html.markup(media);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::locale::Locale;

    const LANGUAGES: [Language; 4] =
        [Language::English, Language::German, Language::French, Language::Spanish];

    fn ask(asset: &'static Asset, language: Language) -> String {
        let locale = Locale { language, ..Locale::default() };
        let screen = Screen { locale, ..Screen::default() };
        page(asset, screen, &Display::default(), "Europe/\"Berlin\"")
    }

    #[test]
    fn they_need_nothing_that_their_policy_forbids() {
        for (asset, language) in [&SETUP_HTML, &SETTINGS_HTML].into_iter().zip(LANGUAGES) {
            let page = ask(asset, language);
            for traces in ["<style", " style=", "<script>", " onload=", "javascript:"] {
                assert!(!page.contains(traces), "{}: {traces}", asset.path);
            }
            for input in page.split("<input ").skip(1) {
                let (_, rest) = input.split_once("id=\"").unwrap();
                let (id, _) = rest.split_once('"').unwrap();
                let label = format!("<label for=\"{id}\"");
                let is_inside = input.starts_with("type=\"checkbox\"");
                assert!(page.contains(&label) || is_inside, "{}: {id}", asset.path);
            }
        }
        for script in [FORMS_JS, SETUP_JS, SETTINGS_JS] {
            let text = std::str::from_utf8(script.bytes).unwrap();
            for traces in ["innerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(traces), "{}: {traces}", script.path);
            }
        }
    }

    /// Every text is there in every language, with the same blanks and nothing that ends an
    /// attribute, and is said somewhere.
    #[test]
    fn they_say_the_same_in_every_language() {
        let pages = [SETUP_HTML.bytes, SETTINGS_HTML.bytes, UNLOCK.as_bytes()].concat();
        let pages = String::from_utf8(pages).unwrap();
        let named: Vec<&str> =
            texts(Language::English).lines().map(|line| line.split_once(": ").unwrap().0).collect();
        for name in &named {
            assert!(pages.contains(&format!("{{{{{name}}}}}")), "{name} is said nowhere");
        }
        for language in LANGUAGES {
            let lines = texts(language).lines().zip(texts(Language::English).lines());
            assert_eq!(texts(language).lines().count(), named.len());
            for (line, english) in lines {
                let name = |line: &'static str| line.split_once(": ").unwrap().0;
                assert_eq!(name(line), name(english), "{language:?}");
                assert_eq!(line.matches("{}").count(), english.matches("{}").count(), "{line}");
                assert!(!line.contains('"') && !line.contains("{{"), "{line}");
            }
            for asset in [&SETUP_HTML, &SETTINGS_HTML] {
                let page = ask(asset, language);
                assert!(!page.contains("{{") && !page.contains("=\"\""), "{page}");
            }
        }
        let page = ask(&SETTINGS_HTML, Language::German);
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"de\">"), "{page}");
        assert!(page.contains("placeholder=\"Europe/&quot;Berlin&quot;\""), "{page}");
    }
}
