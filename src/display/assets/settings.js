// Shows what is set, and changes it. What comes from calendars gets in as text only.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const TITLES_MAX = 500;
  const TITLE_DAYS = 14;
  const ZONES_MAX = 600;
  let token = "";
  // What lies ahead, to name what is skipped and hidden, and to try patterns on.
  let events = [];
  let patterns = [];

  const say = (text, isBad) => {
    $("outcome").textContent = text;
    $("outcome").className = isBad ? "bad" : "";
    $("outcome").hidden = !text;
  };

  const ask = async (method, path, body) => {
    const headers = body ? { "Content-Type": "application/json" } : {};
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
    const said = await response.json().catch(() => ({}));
    if (response.ok) return said;
    const faults = said.validation_errors || [];
    const words = [said.detail || said.error || `The server answered ${response.status}.`, ...faults];
    const problem = new Error(words.join(" "));
    problem.status = response.status;
    throw problem;
  };

  const close = (problem) => {
    $("why").textContent = problem.message;
    $("unlock").hidden = problem.status === 403;
    $("closed").hidden = false;
    $("settings").hidden = true;
  };
  const fail = (problem) => {
    if ([401, 403, 429].includes(problem.status)) return close(problem);
    say(problem instanceof TypeError ? "This program does not answer." : problem.message, true);
  };

  const make = (name, text, className) => {
    const node = document.createElement(name);
    node.textContent = text || "";
    if (className) node.className = className;
    return node;
  };
  // A row with what is meant by it, and perhaps a way to take it back.
  const row = (text, hint, label, undo) => {
    const item = make("li");
    const words = make("span", text);
    if (hint) words.append(make("small", ` ${hint}`, "soft"));
    item.append(words);
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

  const time = (text) => {
    const at = new Date(text);
    return Number.isNaN(at.getTime()) ? text : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  };
  const named = (id) => {
    const event = events.find((it) => it.id === id);
    return event ? [event.title, time(event.start)] : [id, ""];
  };

  const showCalendars = ({ calendars }) => {
    const told = (it) => {
      const age = it.last_success ? `as of ${time(it.last_success)}` : "not read yet";
      const words = [it.source, `${it.events} events`, age];
      if (it.skipped) words.push(`${it.skipped} cannot be read`);
      if (it.last_error) words.push(it.last_error);
      const item = row(it.name, words.join(" · "));
      if (it.stale) item.className = "bad";
      return item;
    };
    fill("calendars", calendars.map(told), "There is no calendar yet.");
  };

  const showSkips = ({ skips }) => {
    const told = ({ id, skipped_until }) => {
      const [title] = named(id);
      const undo = () => ask("DELETE", `api/v1/skips?id=${encodeURIComponent(id)}`);
      return row(title, `until ${time(skipped_until)}`, "Show again", undo);
    };
    fill("skips", skips.map(told), "Nothing is skipped.");
  };
  const showHidden = ({ hidden }) => {
    const told = (it) => {
      const id = it.id || it;
      const [title, hint] = named(id);
      return row(title, hint, "Show again", () => ask("DELETE", `api/v1/hidden?id=${encodeURIComponent(id)}`));
    };
    fill("hidden", hidden.map(told), "Nothing is hidden.");
  };

  const showSettings = ({ data }) => {
    const { event_filters: filters, display } = data;
    patterns = filters.patterns;
    $("all-day").checked = filters.hide_all_day_events;
    const told = (it) => {
      const { pattern, is_regex, case_sensitive } = it;
      const undo = () => ask("DELETE", "api/settings/filters/patterns", { pattern, is_regex, case_sensitive });
      return row(pattern, it.is_active ? count(it.match_count) : "switched off", "Remove", undo);
    };
    $("patterns").replaceChildren(...patterns.map(told));
    $("layout").value = display.default_layout;
    $("theme").value = display.color_theme;
    $("density").value = display.display_density;
    $("zone").value = display.timezone || "";
    $("settings").hidden = false;
  };

  const count = (n) => (n === 1 ? "1 event" : `${n} events`);
  const folded = (text) => text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
  const tryPattern = () => {
    const wanted = folded($("pattern").value);
    const found = events.filter((event) => wanted && folded(event.title).includes(wanted));
    const titles = [...new Set(found.map((event) => event.title))].slice(0, 3).join(", ");
    $("matching").textContent = wanted
      ? `${count(found.length)} of the next ${TITLE_DAYS} days${titles && `: ${titles}`}`
      : "What stands here is looked for in every title, whatever its case.";
  };

  const parts = [
    ["api/v1/calendars", showCalendars],
    ["api/v1/skips", showSkips],
    ["api/v1/hidden", showHidden],
    ["api/settings", showSettings],
  ];
  const load = async () => {
    const to = new Date(Date.now() + TITLE_DAYS * 86400000).toISOString();
    const ahead = await ask("GET", `api/v1/events?limit=${TITLES_MAX}&to=${to}`).catch(() => ({ events: [] }));
    events = ahead.events;
    const shown = parts.map(([path, show]) => ask("GET", path).then(show).catch(fail));
    await Promise.all(shown);
  };
  const change = async (work) => {
    try {
      await work();
      say("Saved.");
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
    };
    if ($("zone").value.trim()) display.timezone = $("zone").value.trim();
    change(() => ask("PUT", "api/settings/display", display));
  });
  $("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    token = $("token").value;
    $("closed").hidden = true;
    load();
  });

  const zones = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone").slice(0, ZONES_MAX) : [];
  $("zones").replaceChildren(...zones.map((zone) => Object.assign(make("option"), { value: zone })));
  load();
})();
