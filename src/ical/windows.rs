//! The names that Windows gives to time zones, by the table of the Unicode CLDR project.

use windows_timezones::WindowsTimezone;

/// Lists every zone of the table; the match does not compile when one is missing.
macro_rules! every_zone {
    ($($zone:ident)*) => {
        const EVERY_ZONE: &[WindowsTimezone] = &[$(WindowsTimezone::$zone),*];
        const _: fn(WindowsTimezone) = |zone| match zone { $(WindowsTimezone::$zone)|* => () };
    };
}

every_zone! {
    DatelineStandardTime UtcMinus11 AleutianStandardTime HawaiianStandardTime
    MarquesasStandardTime AlaskanStandardTime UtcMinus09 PacificStandardTimeMexico UtcMinus08
    PacificStandardTime UsMountainStandardTime MountainStandardTimeMexico MountainStandardTime
    YukonStandardTime CentralAmericaStandardTime CentralStandardTime EasterIslandStandardTime
    CentralStandardTimeMexico CanadaCentralStandardTime SaPacificStandardTime
    EasternStandardTimeMexico EasternStandardTime HaitiStandardTime CubaStandardTime
    UsEasternStandardTime TurksAndCaicosStandardTime ParaguayStandardTime AtlanticStandardTime
    VenezuelaStandardTime CentralBrazilianStandardTime SaWesternStandardTime
    PacificSaStandardTime NewfoundlandStandardTime TocantinsStandardTime
    ESouthAmericaStandardTime SaEasternStandardTime ArgentinaStandardTime GreenlandStandardTime
    MontevideoStandardTime MagallanesStandardTime SaintPierreStandardTime BahiaStandardTime
    UtcMinus02 AzoresStandardTime CapeVerdeStandardTime Utc GmtStandardTime
    GreenwichStandardTime SaoTomeStandardTime MoroccoStandardTime WEuropeStandardTime
    CentralEuropeStandardTime RomanceStandardTime CentralEuropeanStandardTime
    WCentralAfricaStandardTime JordanStandardTime GtbStandardTime MiddleEastStandardTime
    EgyptStandardTime EEuropeStandardTime SyriaStandardTime WestBankStandardTime
    SouthAfricaStandardTime FleStandardTime IsraelStandardTime SouthSudanStandardTime
    KaliningradStandardTime SudanStandardTime LibyaStandardTime NamibiaStandardTime
    ArabicStandardTime TurkeyStandardTime ArabStandardTime BelarusStandardTime
    RussianStandardTime EAfricaStandardTime IranStandardTime ArabianStandardTime
    AstrakhanStandardTime AzerbaijanStandardTime RussiaTimeZone3 MauritiusStandardTime
    SaratovStandardTime GeorgianStandardTime VolgogradStandardTime CaucasusStandardTime
    AfghanistanStandardTime WestAsiaStandardTime EkaterinburgStandardTime PakistanStandardTime
    QyzylordaStandardTime IndiaStandardTime SriLankaStandardTime NepalStandardTime
    CentralAsiaStandardTime BangladeshStandardTime OmskStandardTime MyanmarStandardTime
    SeAsiaStandardTime AltaiStandardTime WMongoliaStandardTime NorthAsiaStandardTime
    NCentralAsiaStandardTime TomskStandardTime ChinaStandardTime NorthAsiaEastStandardTime
    SingaporeStandardTime WAustraliaStandardTime TaipeiStandardTime UlaanbaatarStandardTime
    AusCentralWStandardTime TransbaikalStandardTime TokyoStandardTime NorthKoreaStandardTime
    KoreaStandardTime YakutskStandardTime CenAustraliaStandardTime AusCentralStandardTime
    EAustraliaStandardTime AusEasternStandardTime WestPacificStandardTime TasmaniaStandardTime
    VladivostokStandardTime LordHoweStandardTime BougainvilleStandardTime RussiaTimeZone10
    MagadanStandardTime NorfolkStandardTime SakhalinStandardTime CentralPacificStandardTime
    RussiaTimeZone11 NewZealandStandardTime UtcPlus12 FijiStandardTime
    ChathamIslandsStandardTime UtcPlus13 TongaStandardTime SamoaStandardTime
    LineIslandsStandardTime
}

/// The IANA name of `W. Europe Standard Time`. Outlook numbers copies of a zone, so that a
/// trailing number is not part of its name.
pub(super) fn iana_name(name: &str) -> Option<&'static str> {
    let bare = name.trim_end_matches(|char: char| char.is_ascii_digit());
    let bare = bare.strip_suffix(' ').unwrap_or(name);
    let zone = EVERY_ZONE.iter().find(|zone| {
        zone.name().eq_ignore_ascii_case(name) || zone.name().eq_ignore_ascii_case(bare)
    })?;
    Some(zone.tzdb_id())
}

/// The IANA name of `(UTC+01:00) Amsterdam, Berlin, …`. The list of cities changes with the
/// Windows version and with the program, so that it is enough when every zone that names one of
/// the cities is the same one. The offset alone says too little.
pub(super) fn iana_of_display(name: &str) -> Option<&'static str> {
    let wanted = places(name)?;
    let same = EVERY_ZONE
        .iter()
        .find(|zone| places(zone.description()).is_some_and(|known| alike(known, wanted)));
    if let Some(zone) = same {
        return Some(zone.tzdb_id());
    }
    let mut candidates = EVERY_ZONE.iter().filter(|zone| {
        let known = places(zone.description()).unwrap_or_default();
        let mut wanted = cities(wanted).take(CITIES_MAX);
        wanted.any(|city| cities(known).any(|other| alike(other, city)))
    });
    let zone = candidates.next()?;
    candidates.next().is_none().then(|| zone.tzdb_id())
}

/// Cities of a name that are looked for; no zone of Windows names as many.
const CITIES_MAX: usize = 12;

/// What stands behind `(UTC+01:00) ` or `(GMT+01:00) `.
fn places(display: &str) -> Option<&str> {
    let rest = display.strip_prefix("(UTC").or_else(|| display.strip_prefix("(GMT"))?;
    let (_, places) = rest.split_once(')')?;
    Some(places.trim()).filter(|places| !places.is_empty())
}

fn cities(places: &str) -> impl Iterator<Item = &str> {
    places.split([',', ';', '/']).map(str::trim).filter(|city| !city.is_empty())
}

/// Some programs write `(US and Canada)` where Windows has `(US & Canada)`.
fn alike(one: &str, other: &str) -> bool {
    let mut others = words(other);
    words(one).all(|word| others.next().is_some_and(|other| other.eq_ignore_ascii_case(word)))
        && others.next().is_none()
}

fn words(places: &str) -> impl Iterator<Item = &str> {
    places.split_whitespace().map(|word| if word == "&" { "and" } else { word })
}
