//! The keys of `[display]`: how pages are written and coloured.

use super::Draft;
use super::key::{Key, Kind, Preset};
use crate::calendar::locale::{DateOrder, Language, WeekStart};
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
