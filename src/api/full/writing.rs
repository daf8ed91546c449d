//! Settings as clients read them, and as they are stored.

use std::fmt::Write as _;

use nanoserde::{SerJson, SerJsonState};

use super::reading::SIZED;
use crate::api::json::Text;
use crate::calendar::settings::{
    Conflicts, Counts, Display, Epaper, Filters, Home, Pattern, Settings, Word,
};
use crate::calendar::text::{is_bidi_control, utc};

/// All of them.
pub(super) fn whole(settings: &Settings, counts: &Counts, home: &Home) -> String {
    let Settings { filters: filtering, conflicts: overlaps, display: look, epaper, modified } =
        settings;
    WholeShape {
        event_filters: filters_shape(filtering, counts),
        conflict_resolution: conflicts_shape(overlaps),
        display: display_shape(look, home),
        epaper: epaper_shape(epaper),
        metadata: Metadata {
            version: "1.0.0".into(),
            last_modified: modified.map(|at| utc(at).into()),
            last_modified_by: "user".into(),
            device_id: None,
        },
    }
    .serialize_json()
}

/// Which events are shown.
pub(super) fn filters(filters: &Filters, counts: &Counts) -> String {
    filters_shape(filters, counts).serialize_json()
}

/// What becomes of meetings that overlap.
pub(super) fn conflicts(conflicts: &Conflicts) -> String {
    conflicts_shape(conflicts).serialize_json()
}

/// How pages look. `home` is what holds where people have set nothing.
pub(super) fn display(display: &Display, home: &Home) -> String {
    display_shape(display, home).serialize_json()
}

/// One pattern.
pub(super) fn pattern(pattern: &Pattern, count: u32) -> String {
    pattern_shape(pattern, count).serialize_json()
}

/// What can be said of them in short.
pub(super) fn info(settings: &Settings, counts: &Counts, home: &Home) -> String {
    let Settings { filters, display, epaper, .. } = settings;
    let modified = || settings.modified.map(|at| utc(at).into());
    InfoShape {
        settings_data: SettingsData {
            active_filters: filters.patterns.iter().filter(|it| it.is_active).count(),
            total_match_count: counts.iter().map(|count| u64::from(*count)).sum(),
            default_layout: display.layout.or(home.layout).unwrap_or_default().word().into(),
            display_density: display.density.word().into(),
            hide_all_day_events: filters.hide_all_day,
            conflict_display_mode: settings.conflicts.mode.word().into(),
            epaper_enabled: epaper.enabled,
            epaper_display_model: epaper.model.as_deref().map(Into::into),
            epaper_dimensions: format!("{}x{}", epaper.width, epaper.height).into(),
            schema_version: "1.0.0".into(),
            last_modified: modified(),
        },
        persistence_info: PersistenceInfo { storage: "database".into(), last_saved: modified() },
        service_info: ServiceInfo { version: env!("CARGO_PKG_VERSION").into() },
    }
    .serialize_json()
}

fn filters_shape<'s>(filters: &'s Filters, counts: &Counts) -> FiltersShape<'s> {
    let patterns = || {
        let counted = filters.patterns.iter().zip(counts);
        counted.map(|(pattern, count)| pattern_shape(pattern, *count)).collect()
    };
    FiltersShape {
        enabled: filters.enabled,
        hide_all_day_events: filters.hide_all_day,
        hidden_events: filters.hidden.iter().map(|id| Exact(id)).collect(),
        title_patterns: patterns(),
        event_categories: Names(&filters.categories),
        recurring_filters: Names(&filters.recurring),
        attendee_count_filter: filters.attendees.map(|(min_count, max)| AttendeesShape {
            min_count,
            max_count: (max < u32::MAX).then_some(max),
        }),
        default_action: filters.default_action.word().into(),
        patterns: patterns(),
    }
}

fn pattern_shape(pattern: &Pattern, match_count: u32) -> PatternShape<'_> {
    PatternShape {
        pattern: Exact(pattern.text()),
        is_regex: pattern.is_regex(),
        is_active: pattern.is_active,
        case_sensitive: pattern.case_sensitive,
        match_count,
        description: Exact::unless_empty(pattern.description()),
    }
}

fn conflicts_shape(conflicts: &Conflicts) -> ConflictsShape {
    ConflictsShape {
        priority_by_acceptance: conflicts.by_acceptance,
        priority_by_attendee_count: conflicts.by_attendee_count,
        priority_by_organizer: conflicts.by_organizer,
        show_multiple_conflicts: conflicts.show_multiple,
        conflict_display_mode: conflicts.mode.word().into(),
    }
}

fn display_shape<'s>(display: &'s Display, home: &'s Home) -> DisplayShape<'s> {
    DisplayShape {
        default_layout: display.layout.or(home.layout).map(|it| it.word().into()),
        font_sizes: Sizes(display),
        display_density: display.density.word().into(),
        color_theme: (*display.theme).into(),
        animation_enabled: display.animation,
        timezone: Text::unless_empty(display.zone.as_deref().unwrap_or(&home.zone)),
    }
}

fn epaper_shape(epaper: &Epaper) -> EpaperShape<'_> {
    EpaperShape {
        enabled: epaper.enabled,
        display_model: epaper.model.as_deref().map(Into::into),
        width: epaper.width,
        height: epaper.height,
        rotation: epaper.rotation,
    }
}

#[derive(SerJson)]
struct WholeShape<'s> {
    event_filters: FiltersShape<'s>,
    conflict_resolution: ConflictsShape,
    display: DisplayShape<'s>,
    epaper: EpaperShape<'s>,
    metadata: Metadata,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct FiltersShape<'s> {
    enabled: bool,
    hide_all_day_events: bool,
    hidden_events: Vec<Exact<'s>>,
    title_patterns: Vec<PatternShape<'s>>,
    event_categories: Names<'s>,
    recurring_filters: Names<'s>,
    attendee_count_filter: Option<AttendeesShape>,
    default_action: Text<'s>,
    patterns: Vec<PatternShape<'s>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct AttendeesShape {
    min_count: u32,
    max_count: Option<u32>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct PatternShape<'s> {
    pattern: Exact<'s>,
    is_regex: bool,
    is_active: bool,
    case_sensitive: bool,
    match_count: u32,
    description: Option<Exact<'s>>,
}

#[derive(SerJson)]
struct ConflictsShape {
    priority_by_acceptance: bool,
    priority_by_attendee_count: bool,
    priority_by_organizer: bool,
    show_multiple_conflicts: bool,
    conflict_display_mode: Text<'static>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct DisplayShape<'s> {
    default_layout: Option<Text<'s>>,
    font_sizes: Sizes<'s>,
    display_density: Text<'s>,
    color_theme: Text<'s>,
    animation_enabled: bool,
    timezone: Option<Text<'s>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct EpaperShape<'s> {
    enabled: bool,
    display_model: Option<Text<'s>>,
    width: u32,
    height: u32,
    rotation: u32,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Metadata {
    version: Text<'static>,
    last_modified: Option<Text<'static>>,
    last_modified_by: Text<'static>,
    device_id: Option<Text<'static>>,
}

#[derive(SerJson)]
struct InfoShape<'s> {
    settings_data: SettingsData<'s>,
    persistence_info: PersistenceInfo,
    service_info: ServiceInfo,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct SettingsData<'s> {
    active_filters: usize,
    total_match_count: u64,
    default_layout: Text<'s>,
    display_density: Text<'s>,
    hide_all_day_events: bool,
    conflict_display_mode: Text<'s>,
    epaper_enabled: bool,
    epaper_display_model: Option<Text<'s>>,
    epaper_dimensions: Text<'s>,
    schema_version: Text<'s>,
    last_modified: Option<Text<'s>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct PersistenceInfo {
    storage: Text<'static>,
    last_saved: Option<Text<'static>>,
}

#[derive(SerJson)]
struct ServiceInfo {
    version: Text<'static>,
}

/// A text of people's own: what [`Text`] leaves out is escaped, so that it comes back as it was.
pub(super) struct Exact<'s>(pub(super) &'s str);

impl<'s> Exact<'s> {
    fn unless_empty(text: &'s str) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }
}

impl SerJson for Exact<'_> {
    fn ser_json(&self, _depth: usize, state: &mut SerJsonState) {
        state.out.push('"');
        for c in self.0.chars() {
            match c {
                '"' | '\\' => state.out.extend(['\\', c]),
                // All of them lie below U+10000, so four digits hold them.
                c if c.is_control() || is_bidi_control(c) || "<\u{2028}\u{2029}".contains(c) => {
                    let _ = write!(state.out, "\\u{:04x}", u32::from(c));
                }
                c => state.out.push(c),
            }
        }
        state.out.push('"');
    }
}

/// An object whose members people have named.
struct Names<'s>(&'s [(Box<str>, bool)]);

impl SerJson for Names<'_> {
    fn ser_json(&self, depth: usize, state: &mut SerJsonState) {
        let members = self.0.iter().map(|(name, on)| (&**name, if *on { "true" } else { "false" }));
        object(members, depth, state);
    }
}

/// The sizes that are set.
struct Sizes<'s>(&'s Display);

impl SerJson for Sizes<'_> {
    fn ser_json(&self, depth: usize, state: &mut SerJsonState) {
        let sizes = SIZED.iter().zip(&self.0.font_sizes);
        let quoted = sizes
            .filter_map(|(name, size)| Some((*name, format!("\"{}\"", size.as_ref()?.word()))));
        let quoted: Vec<_> = quoted.collect();
        object(quoted.iter().map(|(name, size)| (*name, size.as_str())), depth, state);
    }
}

fn object<'m>(
    members: impl Iterator<Item = (&'m str, &'m str)>,
    depth: usize,
    state: &mut SerJsonState,
) {
    state.out.push('{');
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            state.out.push(',');
        }
        Exact(name).ser_json(depth, state);
        state.out.push(':');
        state.out.push_str(value);
    }
    state.out.push('}');
}
