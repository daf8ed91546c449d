//! What people have set: which events they want to see, what becomes of meetings that overlap, and
//! how the display shows itself. Its JSON is read and written in `api/full`.

mod judge;
mod pattern;

use std::sync::Arc;

use jiff::Timestamp;

use super::Entry;
use super::text::written_bytes;

pub use self::judge::{Judge, Unwanted};
pub use self::pattern::Pattern;

/// Patterns on titles.
pub const PATTERNS_MAX: usize = 50;
/// How many events each of them matches.
pub type Counts = [u32; PATTERNS_MAX];
/// Categories, and other names that are switched.
pub const NAMES_MAX: usize = 20;
/// The sorts of event that can be switched: those that repeat, and the others.
pub const SORTS: [&str; 2] = ["recurring", "single"];
/// Characters of such a name, and of a theme or model.
pub const NAME_CHARS_MAX: usize = 64;

/// Everything that people can set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which events are shown.
    pub filters: Filters,
    /// What becomes of meetings that overlap.
    pub conflicts: Conflicts,
    /// How pages look.
    pub display: Display,
    /// What is known of a panel.
    pub epaper: Epaper,
    /// When any of this was changed last.
    pub modified: Option<Timestamp>,
}

/// Which events are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters {
    /// False switches all of them off but `hidden`.
    pub enabled: bool,
    /// Days are not shown.
    pub hide_all_day: bool,
    /// Ids of what somebody has hidden, the newest last.
    pub hidden: Vec<Arc<str>>,
    /// What is looked for in titles.
    pub patterns: Vec<Pattern>,
    /// Categories, false for those that are not shown.
    pub categories: Vec<(Box<str>, bool)>,
    /// The same for the [`SORTS`] of events.
    pub recurring: Vec<(Box<str>, bool)>,
    /// Only events with so many attendees, from and to.
    pub attendees: Option<(u32, u32)>,
    /// What becomes of an event that no pattern matches; with the others it is the opposite.
    pub default_action: Action,
}

/// Whether an event is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It is.
    #[default]
    Include,
    /// It is not.
    Exclude,
}

/// What becomes of meetings that overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflicts {
    /// What is settled goes before what is tentative.
    pub by_acceptance: bool,
    /// Then what has more attendees.
    pub by_attendee_count: bool,
    /// Then what has an organizer.
    pub by_organizer: bool,
    /// Say that there are several.
    pub show_multiple: bool,
    /// How they are shown.
    pub mode: ConflictMode,
}

/// How meetings that overlap are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictMode {
    /// Only the one that goes first.
    Primary,
    /// All of them.
    #[default]
    All,
    /// All of them, each with a mark.
    Indicator,
}

/// How pages look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Display {
    /// The layout after a start, in the place of the configured one.
    pub layout: Option<Layout>,
    /// Of headers, body, time labels and navigation.
    pub font_sizes: [Option<FontSize>; 4],
    /// How much room there is between things.
    pub density: Density,
    /// A name; `default` follows the browser.
    pub theme: Box<str>,
    /// Things may move.
    pub animation: bool,
    /// An IANA name that takes the place of the configured one.
    pub zone: Option<Box<str>>,
}

/// The pages that a wall can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `4x8`: a portrait display.
    Portrait,
    /// `3x4`: a small one.
    Small,
    /// `whats-next-view`.
    #[default]
    WhatsNext,
}

/// Sizes of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FontSize {
    /// `small`
    Small,
    /// `medium`
    Medium,
    /// `large`
    Large,
    /// `extra-large`
    ExtraLarge,
}

/// How much room there is between things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Density {
    /// Little.
    Compact,
    /// As usual.
    #[default]
    Normal,
    /// Much.
    Spacious,
}

/// What is known of a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epaper {
    /// There is one.
    pub enabled: bool,
    /// Its name.
    pub model: Option<Box<str>>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In degrees: 0, 90, 180 or 270.
    pub rotation: u32,
}

/// What the configuration has where people have set nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// The name of the display's zone; empty where nobody knows it.
    pub zone: Box<str>,
    /// The wall's layout; `None` where nobody knows it.
    pub layout: Option<Layout>,
}

/// A choice among words.
pub trait Word: Copy + Sized + PartialEq + 'static {
    /// All there are, with their words.
    const WORDS: &'static [(Self, &'static str)];

    /// What a word stands for.
    fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
    }

    /// The word for it.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(value, _)| *value == self).map_or("", |(_, word)| word)
    }
}

impl Word for Action {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Include, "include"), (Self::Exclude, "exclude")];
}

impl Word for ConflictMode {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Primary, "primary"), (Self::All, "all"), (Self::Indicator, "indicator")];
}

impl Word for Layout {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Portrait, "4x8"), (Self::Small, "3x4"), (Self::WhatsNext, "whats-next-view")];
}

impl Word for FontSize {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Small, "small"),
        (Self::Medium, "medium"),
        (Self::Large, "large"),
        (Self::ExtraLarge, "extra-large"),
    ];
}

impl Word for Density {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Compact, "compact"), (Self::Normal, "normal"), (Self::Spacious, "spacious")];
}

impl Layout {
    /// The one after it, in turn.
    pub fn following(self) -> Self {
        match self {
            Self::Portrait => Self::Small,
            Self::Small => Self::WhatsNext,
            Self::WhatsNext => Self::Portrait,
        }
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            enabled: true,
            hide_all_day: false,
            hidden: Vec::new(),
            patterns: Vec::new(),
            categories: Vec::new(),
            recurring: Vec::new(),
            attendees: None,
            default_action: Action::Include,
        }
    }
}

impl Default for Conflicts {
    fn default() -> Self {
        Self {
            by_acceptance: true,
            by_attendee_count: false,
            by_organizer: false,
            show_multiple: true,
            mode: ConflictMode::All,
        }
    }
}

impl Default for Display {
    fn default() -> Self {
        Self {
            layout: None,
            font_sizes: [None; 4],
            density: Density::default(),
            theme: "default".into(),
            animation: true,
            zone: None,
        }
    }
}

impl Default for Epaper {
    fn default() -> Self {
        Self { enabled: false, model: None, width: 400, height: 300, rotation: 0 }
    }
}

impl Settings {
    /// What they take in memory: twice, while others take their place, but for ids, which both
    /// share; and as the text that is written then, which names each pattern twice.
    pub fn weight_bytes(&self) -> usize {
        let Filters { hidden, patterns, categories, recurring, .. } = &self.filters;
        let id = |id: &Arc<str>| ID_OVERHEAD_BYTES + id.len() + written_bytes(id);
        let pattern = |it: &Pattern| {
            2 * (it.weight_bytes() + written_bytes(it.text()) + written_bytes(it.description()))
        };
        let text = |text: &str| 2 * text.len() + written_bytes(text);
        let name = |name: &(Box<str>, bool)| 2 * size_of_val(name) + text(&name.0);
        let others = [self.display.zone.as_deref(), self.epaper.model.as_deref()];
        hidden.iter().map(id).sum::<usize>()
            + patterns.iter().map(pattern).sum::<usize>()
            + categories.iter().chain(recurring).map(name).sum::<usize>()
            + others.into_iter().flatten().chain([&*self.display.theme]).map(text).sum::<usize>()
    }

    /// True when somebody has hidden what has these ids.
    pub fn hides(&self, entry: &Entry) -> bool {
        let ids = [entry.id.as_str(), entry.lite_id()];
        self.filters.hidden.iter().any(|hidden| ids.contains(&&**hidden))
    }

    /// The same with this id hidden as well, or again; `None` when there is no room for it. What
    /// somebody else has hidden stays so.
    pub fn with_hidden(&self, id: &str, bytes_max: usize) -> Option<Self> {
        let mut settings = self.without_hidden(id);
        settings.filters.hidden.push(id.into());
        (settings.weight_bytes() <= bytes_max).then_some(settings)
    }

    /// The same without this id.
    pub fn without_hidden(&self, id: &str) -> Self {
        let mut settings = self.clone();
        settings.filters.hidden.retain(|hidden| **hidden != *id);
        settings
    }

    /// The same with as many of the newest ids as there is room for.
    pub fn dropping_oldest(mut self, bytes_max: usize) -> Self {
        while self.weight_bytes() > bytes_max && !self.filters.hidden.is_empty() {
            self.filters.hidden.remove(0);
        }
        self
    }

    /// The same, where what has been taken over from `home` is not set, unless `before` has set it:
    /// whoever sends back what they have read sets nothing.
    pub fn inheriting(mut self, home: &Home, before: &Display) -> Self {
        let Display { zone, layout, .. } = &mut self.display;
        if before.zone.is_none() {
            *zone = zone.take().filter(|zone| *zone != home.zone);
        }
        if before.layout.is_none() {
            *layout = layout.filter(|layout| Some(*layout) != home.layout);
        }
        self
    }

    /// Who decides by them.
    pub fn judge(&self) -> Judge<'_> {
        Judge::new(&self.filters)
    }
}

/// What two lists, the allocator, the counts of who shares it and quotes take beside an id.
const ID_OVERHEAD_BYTES: usize = 2 * size_of::<Arc<str>>() + 32 + 4;
