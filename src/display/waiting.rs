//! The page before there is any calendar: it says so, and asks again by itself.

use super::frame::html_tag;
use super::html::Html;
use super::{FAVICON, PAGE_CSS, Screen};
use crate::calendar::settings::Display;

/// The page. A browser asks for it again after `seconds`.
pub fn page(screen: Screen, build_id: &str, seconds: u32) -> String {
    let words = screen.locale.words();
    let mut html = Html::default();
    html_tag(&mut html, words, screen.theme, &Display::default());
    html.markup(
        "<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"refresh\" content=\"",
    );
    html.number(seconds.into()).markup("\">\n<title>").text(words.fetching).markup("</title>\n");
    html.markup("<link rel=\"icon\" href=\"").markup(FAVICON.path.trim_start_matches('/'));
    html.markup("?v=").text(build_id).markup("\" type=\"image/svg+xml\">\n");
    html.markup("<link rel=\"stylesheet\" href=\"").markup(PAGE_CSS.path.trim_start_matches('/'));
    html.markup("?v=").text(build_id).markup("\">\n</head>\n<body>\n<div id=\"view\">\n");
    html.markup("<main class=\"calendar-content\">\n<section class=\"hero rest waiting\">\n");
    html.markup(
        "<svg class=\"dusk\" viewBox=\"0 0 120 60\" aria-hidden=\"true\">\
         <path d=\"M32 48a28 28 0 0 1 56 0z\"/>\
         <path class=\"line\" d=\"M4 48h112M60 4v8M24 19l6 6M96 19l-6 6M40 56h40\"/></svg>\n<h1>",
    );
    html.text(words.fetching).markup("</h1>\n<p class=\"when\">").text(words.fetching_more);
    html.markup("</p>\n</section>\n</main>\n</div>\n</body>\n</html>\n");
    html.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::locale::{Language, Locale};
    use crate::display::Theme;

    #[test]
    fn it_asks_again_in_the_language_of_the_wall() {
        let locale = Locale { language: Language::German, ..Locale::default() };
        let page = page(Screen { locale, theme: Theme::Dark }, "b<1", 5);
        for part in [
            "<html lang=\"de\" data-theme=\"dark\">",
            "http-equiv=\"refresh\" content=\"5\"",
            "static/page.css?v=b&lt;1",
            "<h1>Die Kalender werden abgerufen …</h1>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("calendarbot-ready"), "{page}");
    }
}
