//! The keys of `[display]`: how pages are written and coloured.

use super::Draft;
use super::key::{Key, Kind, Preset};
use crate::calendar::locale::{DateOrder, Language, WeekStart};
use crate::calendar::settings::{Layout, Word};
use crate::display::Theme;

pub(super) const LANGUAGE: Key<Draft> = word(
    "display.language",
    "en, de, fr or es",
    |draft, text| Language::parse(text).map(|it| draft.config.screen.locale.language = it),
    "en",
    "The language of the pages.",
);

pub(super) const HOUR12: Key<Draft> = switch(
    "display.hour12",
    |draft, on| draft.config.screen.locale.hour12 = on,
    "false",
    "Write 2:05 pm rather than 14:05.",
);

pub(super) const WEEK_START: Key<Draft> = word(
    "display.week_start",
    "monday, sunday, saturday or today",
    |draft, text| WeekStart::parse(text).map(|it| draft.config.screen.locale.week_start = it),
    "monday",
    "The first day of the week page, and of the weeks of a month. With `today` the week rolls; \
     those of a month begin on Monday then.",
);

pub(super) const WEEK_NUMBERS: Key<Draft> = switch(
    "display.week_numbers",
    |draft, on| draft.config.screen.locale.week_numbers = on,
    "true",
    "Show the numbers of weeks (ISO 8601).",
);

pub(super) const DATE_ORDER: Key<Draft> = word(
    "display.date_order",
    "day-month, month-day or year-month-day",
    |draft, text| DateOrder::parse(text).map(|it| draft.config.screen.locale.date_order = it),
    "day-month",
    "What comes first in a date: 24 November, November 24 or 2025-11-24.",
);

pub(super) const THEME: Key<Draft> = word(
    "display.theme",
    "auto, light, dark or eink",
    |draft, text| Theme::parse(text).map(|it| draft.config.screen.theme = it),
    "auto",
    "The colours of the pages. `auto` is as the browser prefers, `eink` is black and white, and \
     nothing moves.",
);

pub(super) const LAYOUT: Key<Draft> = Key {
    env: &["CALENDARBOT_WEB_LAYOUT"],
    option: "layout",
    ..word(
        "display.layout",
        "4x8, 3x4 or whats-next-view",
        |draft, text| Layout::of(text).map(|it| draft.config.layout = it),
        "whats-next-view",
        "What `/calendar` shows after a start. It is a day, a short list, or what is next, where \
         people have set nothing else.",
    )
};

pub(super) const FRAME_ANCESTORS: Key<Draft> = Key {
    name: "display.frame_ancestors",
    env: &[],
    option: "",
    kind: Kind::Texts(allowed_origins, |draft, texts| {
        let fit = texts.len() <= ORIGINS_MAX && texts.iter().all(|text| is_origin(text));
        draft.config.frame_ancestors =
            fit.then(|| texts.iter().map(|text| format!(" {text}")).collect())?;
        Some(())
    }),
    default: Preset::Says("none"),
    help: "Sites whose pages may hold the pages of the calendar in a frame, as in \
           `frame_ancestors = [\"http://homeassistant.local:8123\"]`.",
};

/// More would make every answer's head long.
const ORIGINS_MAX: usize = 8;

fn allowed_origins() -> String {
    format!("at most {ORIGINS_MAX} origins, like https://wall.example or http://10.0.0.2:8123")
}

/// Scheme, host and port, with nothing that ends a directive or a header field.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        (1..=261).contains(&host.len()) && host.bytes().all(is_plain)
    })
}

const fn word(
    name: &'static str,
    allowed: &'static str,
    read: fn(&mut Draft, &str) -> Option<()>,
    default: &'static str,
    help: &'static str,
) -> Key<Draft> {
    let kind = Kind::Text(allowed, read);
    Key { name, env: &[], option: "", kind, default: Preset::Is(default), help }
}

const fn switch(
    name: &'static str,
    set: fn(&mut Draft, bool),
    default: &'static str,
    help: &'static str,
) -> Key<Draft> {
    let kind = Kind::Switch(set);
    Key { name, env: &[], option: "", kind, default: Preset::Is(default), help }
}
