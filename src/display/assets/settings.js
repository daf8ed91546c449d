// Shows what is set, and changes it. What comes from calendars gets in as text only.
import { $, ask, count, guard, make, put, time, words } from "./forms.js";

const TITLES_MAX = 500;
// As far as what is skipped and hidden is called by its title.
const NAMED_DAYS = 14;
const ZONES_MAX = 600;
let named = [];
// What patterns are tried on: the days that the server counts their matches in.
let ahead = [];

const say = (text, isBad) => {
  $("outcome").textContent = text;
  $("outcome").className = isBad ? "bad" : "";
  $("outcome").hidden = !text;
};

// A row with what is meant by it, and perhaps a way to take it back.
const row = (text, hint, label, undo) => {
  const item = make("li");
  const said = make("span", text);
  if (hint) said.append(make("small", ` ${hint}`, "soft"));
  item.append(said);
  if (undo) {
    const button = make("button", label, "plain");
    button.type = "button";
    button.setAttribute("aria-label", `${label}: ${text}`);
    button.addEventListener("click", () => change(undo));
    item.append(button);
  }
  return item;
};
const fill = (id, rows, none) => $(id).replaceChildren(...(rows.length ? rows : [make("li", none, "soft")]));
const called = (id) => {
  const event = named.find((it) => it.id === id);
  return event ? [event.title, time(event.start, event.all_day)] : [id, ""];
};

const showCalendars = ({ calendars }) => {
  const told = (it) => {
    const age = it.last_success ? put(words.asOf, time(it.last_success)) : words.unread;
    const said = [it.source, count(it.events), age];
    if (it.skipped) said.push(put(words.unreadable, it.skipped));
    if (it.last_error) said.push(it.last_error);
    const item = row(it.name, said.join(" · "));
    if (it.stale) item.className = "bad";
    return item;
  };
  fill("calendars", calendars.map(told), words.noCalendar);
};

const showSkips = ({ skips }) => {
  const told = ({ id, skipped_until }) => {
    const [title] = called(id);
    const undo = () => ask("DELETE", `api/v1/skips?id=${encodeURIComponent(id)}`);
    return row(title, put(words.until, time(skipped_until)), words.again, undo);
  };
  fill("skips", skips.map(told), words.noneSkipped);
};
const showHidden = ({ hidden }) => {
  const told = ({ id }) => {
    const undo = () => ask("DELETE", `api/v1/hidden?id=${encodeURIComponent(id)}`);
    return row(...called(id), words.again, undo);
  };
  fill("hidden", hidden.map(told), words.noneHidden);
};

const showSettings = ({ data }) => {
  const { event_filters: filters, display } = data;
  $("all-day").checked = filters.hide_all_day_events;
  const told = (it) => {
    const { pattern, is_regex, case_sensitive } = it;
    const undo = () => ask("DELETE", "api/settings/filters/patterns", { pattern, is_regex, case_sensitive });
    const matches = it.is_active ? put(words.ahead, count(it.match_count)) : words.off;
    return row(pattern, matches, words.remove, undo);
  };
  $("patterns").replaceChildren(...filters.patterns.map(told));
  $("layout").value = display.default_layout;
  // Any other name is as the configuration has it.
  $("theme").value = display.color_theme;
  if ($("theme").selectedIndex < 0) $("theme").value = "default";
  $("density").value = display.display_density;
  const zone = display.timezone || "";
  $("zone").value = zone === $("zone").placeholder ? "" : zone;
  $("settings").hidden = false;
};

const folded = (text) => text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
const tryPattern = () => {
  const wanted = folded($("pattern").value);
  const found = ahead.filter((event) => wanted && folded(event.title).includes(wanted));
  const titles = [...new Set(found.map((event) => event.title))].slice(0, 3).join(", ");
  const matches = put(words.ahead, count(found.length));
  $("matching").textContent = wanted ? `${matches}${titles && `: ${titles}`}` : words.matching;
};

const parts = [
  ["api/v1/calendars", showCalendars],
  ["api/v1/skips", showSkips],
  ["api/v1/hidden", showHidden],
  ["api/settings", showSettings],
];
const events = (query) => ask("GET", `api/v1/events?limit=${TITLES_MAX}${query}`).catch(() => ({ events: [] }));
const load = async () => {
  const to = new Date(Date.now() + NAMED_DAYS * 86400000).toISOString();
  [{ events: named }, { events: ahead }] = await Promise.all([events(`&to=${to}`), events("")]);
  await Promise.all(parts.map(([path, show]) => ask("GET", path).then(show).catch(fail)));
};
const fail = guard("settings", say, load);
const change = async (work) => {
  try {
    await work();
    say(words.saved);
    await load();
  } catch (problem) {
    fail(problem);
  }
};

$("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  const pattern = $("pattern").value.trim();
  if (!pattern) return;
  change(async () => {
    await ask("POST", "api/settings/filters/patterns", { pattern });
    $("pattern").value = "";
    tryPattern();
  });
});
$("pattern").addEventListener("input", tryPattern);
$("all-day").addEventListener("change", () =>
  change(() => ask("PUT", "api/settings/filters", { hide_all_day_events: $("all-day").checked })),
);
$("display").addEventListener("submit", (event) => {
  event.preventDefault();
  const display = {
    default_layout: $("layout").value,
    color_theme: $("theme").value,
    display_density: $("density").value,
    timezone: $("zone").value.trim() || null,
  };
  change(() => ask("PUT", "api/settings/display", display));
});

const zones = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone").slice(0, ZONES_MAX) : [];
$("zones").replaceChildren(...zones.map((zone) => Object.assign(make("option"), { value: zone })));
load();
