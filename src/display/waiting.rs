//! The pages where there is nothing to show: no calendar yet, or none of the name that is asked for.
//! They say so, and ask again by themselves.

use super::frame::html_tag;
use super::html::Html;
use super::{FAVICON, PAGE_CSS, Screen};
use crate::calendar::settings::Display;

/// How such a page looks.
pub struct Face<'a> {
    /// How it is written and coloured.
    pub screen: Screen,
    /// As people have set it.
    pub display: &'a Display,
    /// The build that its files belong to.
    pub build_id: &'a str,
    /// A browser asks for it again after so long.
    pub seconds: u32,
}

/// There is no calendar yet.
pub fn page(face: &Face<'_>) -> String {
    let words = face.screen.locale.words();
    notice(face, words.fetching, |html| {
        html.markup("<p class=\"when\">").text(words.fetching_more).markup("</p>\n");
    })
}

/// There is no calendar of this name, but these.
pub fn unknown<'n>(face: &Face<'_>, name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let words = face.screen.locale.words();
    notice(face, &words.unknown_calendar.replace("{}", name), |html| {
        html.markup("<p class=\"when\">").text(words.calendars).markup(":</p>\n<ul>\n");
        for name in names {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("calendar", name);
            html.markup("<li><a href=\"?").text(&query.finish()).markup("\">");
            html.text(name).markup("</a></li>\n");
        }
        html.markup("</ul>\n");
    })
}

fn notice(face: &Face<'_>, title: &str, below: impl FnOnce(&mut Html)) -> String {
    let Face { screen, display, build_id, seconds } = *face;
    let mut html = Html::default();
    html_tag(&mut html, screen.locale.words(), screen.theme, display);
    html.markup(
        "<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"refresh\" content=\"",
    );
    html.number(seconds.into()).markup("\">\n<title>").text(title).markup("</title>\n");
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
    html.text(title).markup("</h1>\n");
    below(&mut html);
    html.markup("</section>\n</main>\n</div>\n</body>\n</html>\n");
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
        let screen = Screen { locale, theme: Theme::Dark };
        let display = &Display::default();
        let page = page(&Face { screen, display, build_id: "b<1", seconds: 5 });
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
