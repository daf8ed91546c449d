//! How calendars are told apart: each has a colour, a shape and a letter, so that no one of them
//! is needed to tell.

use super::Theme;
use super::html::Html;
use crate::calendar::CalendarStatus;

/// For calendars without a colour of their own; dark enough that white letters stand out on all.
const COLORS: [Color; 8] = [
    Color(0x1d, 0x5f, 0x8a),
    Color(0x9a, 0x3b, 0x1f),
    Color(0x2f, 0x6b, 0x3c),
    Color(0x7a, 0x3f, 0x86),
    Color(0x8a, 0x5a, 0x00),
    Color(0x0f, 0x6b, 0x6b),
    Color(0xa0, 0x2c, 0x5a),
    Color(0x4a, 0x55, 0x68),
];

/// Shapes in a box of 24 × 24.
const SHAPES: [&str; 4] = [
    "<rect x=\"1\" y=\"1\" width=\"22\" height=\"22\" rx=\"6\"/>",
    "<circle cx=\"12\" cy=\"12\" r=\"11.5\"/>",
    "<path d=\"M12 0 22.5 6v12L12 24 1.5 18V6z\"/>",
    "<path d=\"M4 1h16l3 5-2 17H3L1 6z\"/>",
];

/// Defines, for each calendar, its mark (`m0`) and what an event of it stands on in a grid (`e0`):
/// a tint, an edge and the mark. A page uses them as often as it likes for a few bytes. Colours are
/// attributes of the drawing, not styles, so that pages can forbid inline styles.
pub(super) fn symbols(html: &mut Html, calendars: &[CalendarStatus], theme: Theme) {
    let is_black = theme == Theme::Eink;
    html.markup("<svg class=\"symbols\" aria-hidden=\"true\">");
    for (index, CalendarStatus { name, color, .. }) in calendars.iter().enumerate() {
        let color = Color::parse(color).unwrap_or(COLORS[index % COLORS.len()]);
        let color = if is_black { Color(0, 0, 0) } else { color };
        let letter = name.chars().find(|c| c.is_alphanumeric()).unwrap_or('•');
        let letter: String = letter.to_uppercase().take(1).collect();
        let number = i64::try_from(index).unwrap_or(0);
        html.markup("<symbol id=\"m").number(number).markup("\" viewBox=\"0 0 24 24\"><g fill=\"");
        html.text(&color.hex()).markup("\">").markup(SHAPES[index % SHAPES.len()]);
        html.markup("</g><text x=\"12\" y=\"17.5\" fill=\"");
        html.markup(if color.is_light() { "#000" } else { "#fff" });
        html.markup("\">").text(&letter).markup("</text></symbol><symbol id=\"e").number(number);
        html.markup("\"><g fill=\"").text(&color.hex());
        html.markup("\">");
        if !is_black {
            html.markup("<rect class=\"tint\" width=\"100%\" height=\"100%\"/>");
        }
        html.markup("<rect width=\".25em\" height=\"100%\"/></g><use href=\"#m").number(number);
        html.markup("\" x=\".45em\" y=\".2em\" width=\"1em\" height=\"1em\"/></symbol>");
    }
    html.markup("</svg>\n");
}

/// Draws the mark of the calendar at `index`; without a name it is an ornament.
pub(super) fn write(html: &mut Html, index: usize, name: &str) {
    draw(html, "<svg class=\"mark\"", ("#m", index), name);
}

/// Draws what an event of the calendar at `index` stands on.
pub(super) fn ground(html: &mut Html, index: usize, name: &str) {
    draw(html, "<svg class=\"ground\"", ("#e", index), name);
}

fn draw(html: &mut Html, svg: &'static str, (symbol, index): (&'static str, usize), name: &str) {
    html.markup(svg);
    if name.is_empty() {
        html.markup(" aria-hidden=\"true\"");
    } else {
        html.markup(" role=\"img\" aria-label=\"").text(name).markup("\"");
    }
    let number = i64::try_from(index).unwrap_or(0);
    html.markup("><use href=\"").markup(symbol).number(number).markup("\"/></svg>");
}

/// sRGB, eight bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Color(u8, u8, u8);

impl Color {
    /// Reads `#rrggbb`; anything else is no colour.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self(red, green, blue))
    }

    fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// True when black letters stand out better than white ones (WCAG 2.2, relative luminance:
    /// the two contrasts are equal at 0.179, and either is at least 4.58 there).
    fn is_light(self) -> bool {
        self.luminance() > 0.179
    }

    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { power_2_4((part + 0.055) / 1.055) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

/// A number of (0, 1] to the power of 2.4, as its square times the fifth root of that: the math
/// library, which nobody else needs, has half a megabyte resident.
fn power_2_4(base: f64) -> f64 {
    let square = base * base;
    // Newton's method, from above.
    let mut root = 1.0_f64;
    for _ in 0..12 {
        root -= (root.powi(5) - square) / (5.0 * root.powi(4));
    }
    square * root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::setup::FORMS_CSS;
    use crate::display::{Asset, DARK_CSS, DASHBOARD_CSS, EINK_CSS, PAGE_CSS};

    #[test]
    fn powers_are_those_of_the_math_library() {
        for step in 1..=1000 {
            let base = 0.09 + 0.91 * f64::from(step) / 1000.0;
            assert!((power_2_4(base) - base.powf(2.4)).abs() < 1e-12, "{base}");
        }
    }

    #[test]
    fn only_plain_colors_are_read() {
        let check = |text, expected| assert_eq!(Color::parse(text), expected, "{text}");
        check("#1d5f8a", Some(Color(0x1d, 0x5f, 0x8a)));
        check("#FFFFFF", Some(Color(255, 255, 255)));
        check("", None);
        check("red", None);
        check("#fff", None);
        check("#12345é", None);
        check("#+12345", None);
        check("#123456\"/>", None);
    }

    #[test]
    fn letters_stand_out_on_every_color() {
        for color in COLORS {
            assert!(!color.is_light(), "{color:?}");
        }
        for grey in 0..=255 {
            let luminance = Color(grey, grey, grey).luminance();
            let light = Color(grey, grey, grey).is_light();
            let contrast =
                if light { (luminance + 0.05) / 0.05 } else { 1.05 / (luminance + 0.05) };
            assert!(contrast >= 4.5, "{grey}: {contrast}");
        }
    }

    /// The value of a custom property in one block of the stylesheet.
    fn variable(block: &str, name: &str) -> Color {
        let (_, rest) = block.split_once(&format!("--{name}: ")).unwrap();
        let value = rest.split(';').next().unwrap();
        let long = match value.len() {
            4 => value.chars().skip(1).fold("#".to_owned(), |hex, c| format!("{hex}{c}{c}")),
            _ => value.to_owned(),
        };
        Color::parse(&long).unwrap()
    }

    #[test]
    fn text_stands_out_in_every_theme() {
        let blocks = |css: Asset| -> Vec<_> {
            let css = std::str::from_utf8(css.bytes).unwrap();
            css.split('}').filter(|block| block.contains("--paper:")).collect()
        };
        let only = |blocks: &[&'static str]| {
            assert_eq!(blocks.len(), 1);
            blocks[0]
        };
        let page = blocks(PAGE_CSS);
        assert_eq!(page.len(), 5, "light, dark by preference, dark, eink, eink by medium");
        let others = [DASHBOARD_CSS, FORMS_CSS, DARK_CSS, EINK_CSS].map(blocks);
        for block in page.into_iter().chain(others.map(|blocks| only(&blocks))) {
            let check = |text: &str, ground: &str| {
                let (a, b) =
                    (variable(block, text).luminance(), variable(block, ground).luminance());
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2} in {block}");
            };
            for text in ["ink", "soft", "accent", "soon", "critical"] {
                check(text, "paper");
                check(text, "card");
            }
            check("on-strong", "accent");
            check("on-strong", "critical");
        }
    }

    #[test]
    fn names_are_escaped_and_give_a_letter() {
        let check = |name: &str, expected: &str| {
            let mut html = Html::default();
            let (name, color) = (name.to_owned(), "#c0ffee".to_owned());
            symbols(
                &mut html,
                &[CalendarStatus { name, color, ..Default::default() }],
                Theme::Auto,
            );
            let html = html.into_string();
            assert!(html.contains(&format!(">{expected}</text>")), "{html}");
            assert!(html.contains("fill=\"#c0ffee\"") && !html.contains("<x"), "{html}");
        };
        check("work", "W");
        check("\"><x", "X");
        check("ßport", "S");
        check("🎉", "•");
    }

    #[test]
    fn a_mark_has_the_name_of_its_calendar_or_is_an_ornament() {
        let check = |name: &str, expected: &str| {
            let mut html = Html::default();
            write(&mut html, 3, name);
            assert!(html.into_string().contains(expected), "{name}");
        };
        check("\"><x", "role=\"img\" aria-label=\"&quot;&gt;&lt;x\"><use href=\"#m3\"/>");
        check("", "aria-hidden=\"true\"><use href=\"#m3\"/>");
    }
}
