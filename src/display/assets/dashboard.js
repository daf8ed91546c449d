// Draws what /stats says every five seconds, and a day from /api/v1/history. What is not there is
// not shown; when the server does not answer, the last figures stay and say from when they are.

const POLL_MS = 5000;
const HISTORY_MS = 300000;
const LIVE_POINTS = 120;
const DAY_POINTS = 288;
const ROUTES_MAX = 12;
const $ = (selector, within = document) => within.querySelector(selector);

// Markup is made of elements and text, never of strings: what a feed calls itself is only text.
const make = (tag, given, ...children) => {
  const attributes = typeof given === "string" ? { class: given } : given;
  const svg = /^(svg|path|line)$/.test(tag) ? "http://www.w3.org/2000/svg" : null;
  const node = svg ? document.createElementNS(svg, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(Boolean));
  return node;
};
const small = (text, tone = "") => make("small", tone, text);
const tag = (text, tone) => make("span", `tag ${tone}`, text);
const foreign = (text) => make("bdi", "", text);

// What has not changed is left alone, so that a selection in it stays.
const drawn = new WeakMap();
const renew = (node, parts) => {
  const text = parts.map((part) => part.outerHTML ?? part).join("\n");
  if (drawn.get(node) !== text) node.replaceChildren(...parts);
  drawn.set(node, text);
};
const setText = (node, text) => renew(node, [text]);

const known = Number.isFinite;
const shown = (format) => (value) => (known(value) ? format(value) : "–");
const decimal = (n) => n.toFixed(n > 0 && n < 9.95 ? 1 : 0);
const count = shown((n) => Math.round(n).toLocaleString("en"));
const ratio = (hits, misses) => (100 * hits) / (hits + misses);
const fine = (n) => (n < 0.995 ? n.toFixed(2) : decimal(n));
const inUnit = (unit, digits) => shown((n) => `${digits(n)} ${unit}`);
const percent = inUnit("%", decimal);
const perSecond = inUnit("/s", fine);
const millis = inUnit("ms", fine);
const bytes = shown((n) => {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = n / 1024;
  while (size >= 1023.5 && units.length > 1) [size] = [size / 1024, units.shift()];
  return `${decimal(size)} ${units[0]}`;
});
const span = shown((seconds) => {
  const all = Math.max(0, Math.round(seconds));
  const parts = [[all / 86400, "d"], [(all / 3600) % 24, "h"], [(all / 60) % 60, "min"]];
  const whole = parts.map(([n, unit]) => [Math.floor(n), unit]);
  const first = whole.findIndex(([n]) => n);
  const told = first < 0 ? [[all, "s"]] : whole.slice(first, first + 2).filter(([n]) => n);
  return told.flat().join(" ");
});
const words = (name) => String(name).replace(/_(mb|ms|percent)$/, "").replaceAll("_", " ");
const SIGNS = { percent: "%", "degrees Celsius": "°C", "yes or no": "" };
const figure = (value, unit = "") => {
  if (!known(value)) return String(value ?? "–");
  return unit === "seconds" ? span(value) : `${+value.toFixed(1)} ${SIGNS[unit] ?? unit}`;
};
const clock = (ms, timeStyle) => new Date(ms).toLocaleTimeString(undefined, { timeStyle });

// The server's time: its Date, and a clock of ours that never jumps.
let ahead = 0;
const now = () => performance.now() + ahead;
const ago = (at) => shown((ms) => `${span((now() - ms) / 1000)} ago`)(Date.parse(at));
const until = (at) =>
  shown((ms) => (ms > now() ? `in ${span((ms - now()) / 1000)}` : "now"))(Date.parse(at));

// Parts of a card. A fact is [name, value, tone]; one that is not known is left out.
const facts = (card, list) => {
  const held = list.filter(([, value]) => value && value !== "–");
  const pair = ([name, value, tone = ""]) =>
    [make("dt", "", name), make("dd", tone, value)];
  renew($("dl", card), held.flatMap(pair));
};
const rows = (card, list, row) => {
  const body = $("tbody", card);
  const heads = body.parentNode.tHead.rows[0].cells;
  const cell = (content, at) =>
    make(at ? "td" : "th", heads[at].className, ...[content].flat());
  renew(body, list.map((item) => make("tr", "", ...row(item).map(cell))));
  body.parentNode.hidden = !list.length;
};
const gauge = (value, peak, whole) => {
  const part = (n) => `${100 * Math.min(1, Math.max(0, n / whole))}%`;
  const [bar, mark] = [make("div", "fill"), make("div", "peak")];
  if (known(value / whole)) bar.style.width = part(value);
  if (known(peak / whole)) mark.style.left = part(peak);
  return make("div", "gauge", bar, known(peak / whole) && mark);
};
const level = (card, value, peak, whole, text) => {
  setText($(".sub", card), text);
  renew($(".level", card), [gauge(value, peak, whole)]);
};

// What there is to see, what there was before, and the seconds between.
let [stats, before, elapsed] = [null, null, NaN];
let history = {};
// Where a pointer is over a plot, from 0 to 1: all of them tell of the same time.
let cursor = null;

// By how much a figure rises in a second; at first, on average since the start.
const rise = (find) => {
  const [later, earlier] = [find(stats), before ? find(before) : 0];
  return later < earlier ? NaN : (later - earlier) / elapsed;
};
const VITALS = [
  {
    name: "Memory",
    past: "rss_kib",
    beside: "heap_kib",
    format: bytes,
    now: (s) => s.memory?.rss,
    limit: (s) => s.budget?.bytes,
    detail: (s) => `of ${bytes(s.budget?.bytes)}, at most ${bytes(s.memory?.rss_peak)}`,
  },
  {
    name: "Requests",
    past: "requests_per_second",
    format: perSecond,
    now: () => rise((s) => s.http?.requests),
    detail: (s) => `${count(s.http?.requests)} since the start`,
  },
  {
    name: "Latency (95 %)",
    past: "p95_ms",
    format: millis,
    // Of a minute in which too few have asked there is none.
    now: (s) => s.alerts_status?.find((a) => /latency/.test(a.name))?.value || NaN,
    detail: ({ http: { latency_ms: l } = {} }) => `half ${millis(l?.p50)}, 99 % ${millis(l?.p99)}`,
  },
  {
    name: "From the cache",
    past: "hit_percent",
    format: percent,
    now: () => ratio(rise((s) => s.cache?.hits), rise((s) => s.cache?.misses)),
    limit: () => 100,
    detail: (s) => `${count(s.cache?.entries)} kept, ${bytes(s.cache?.bytes)}`,
  },
  {
    name: "Processor",
    past: "cpu_percent",
    format: percent,
    now: () => 100 * rise((s) => s.cpu?.seconds),
    detail: () => "of one core",
  },
  {
    name: "Temperature",
    past: "celsius",
    format: inUnit("°C", decimal),
    now: (s) => s.thermal?.celsius,
    detail: () => "",
  },
];
// A line of the history; on its left is room for what was before the first point.
const past = (name) => {
  const points = (history[name] ?? []).map((n) => (n && /kib/.test(name) ? 1024 * n : n));
  return stretched(points, DAY_POINTS);
};
const stretched = (points, whole) => [...Array(Math.max(0, whole - points.length)), ...points];
const point = (at) => {
  cursor = at;
  drawVitals();
};
const [WIDTH, HEIGHT] = [300, 80];
const view = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" };
for (const vital of VITALS) {
  vital.live = [];
  vital.big = make("p", "big");
  vital.sub = make("p", "sub");
  vital.svg = make("svg", view);
  vital.ends = make("p", "ends");
  const plot = make("div", "plot", vital.svg, vital.ends);
  const title = make("h3", "", vital.name);
  vital.panel = make("article", "vital", title, vital.big, vital.sub, plot);
  $("#vitals").append(vital.panel);
  plot.onpointermove = plot.onpointerdown = ({ clientX }) => {
    const { left, width } = vital.svg.getBoundingClientRect();
    point(Math.min(1, Math.max(0, (clientX - left) / width)));
  };
  plot.onpointerleave = () => point(null);
}

// The line through what is known, and the ground under it: a piece for each run of values.
const trace = (values, top) => {
  const runs = [[]];
  values.forEach((value, at) => {
    const x = (at * WIDTH) / (values.length - 1);
    const y = HEIGHT - 1 - (value / top) * (HEIGHT - 2);
    if (!known(value)) runs.push([]);
    else runs.at(-1).push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  });
  const held = runs.filter((run) => run.length);
  const ground = (run) =>
    `M${parseFloat(run[0])} ${HEIGHT}L${run.join("L")}L${parseFloat(run.at(-1))} ${HEIGHT}Z`;
  // A value alone is a dot: a line of no length with round ends.
  return [held.map((run) => `M${run.join("L")}h0`).join(""), held.map(ground).join("")];
};
const ceiling = (value) => {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
};
const drawVital = (vital, isLive) => {
  const { format, live, name } = vital;
  const value = vital.now(stats);
  const day = past(vital.past);
  vital.panel.hidden = !known(value) && !day.some(known);
  if (vital.panel.hidden) return;
  const values = isLive ? stretched(live, LIVE_POINTS) : [...day, value];
  const held = values.filter(known);
  const [least, most] = [Math.min(...held), Math.max(...held)];
  const limit = vital.limit?.(stats);
  const top = known(limit) ? Math.max(limit, most) : ceiling(most * 1.05);
  const [line, ground] = trace(values, top);
  const beside = isLive || !vital.beside ? [] : [...past(vital.beside), null];

  const last = values.length - 1;
  const at = Math.round((cursor ?? 1) * last);
  const then = now() - (last - at) * (isLive ? POLL_MS : HISTORY_MS);
  const [number, ...unit] = format(cursor === null ? value : values[at]).split(" ");
  renew(vital.big, [number, small(unit.join(" "))]);
  setText(vital.sub, cursor === null ? vital.detail(stats) : `at ${clock(then, "short")}`);
  const across = (tone, x1, x2, y1, y2) => make("line", { class: tone, x1, x2, y1, y2 });
  const x = (at * WIDTH) / last;
  renew(vital.svg, [
    across("axis", 0, WIDTH, HEIGHT, HEIGHT),
    ...(known(limit) ? [across("limit", 0, WIDTH, 1, 1)] : []),
    make("path", { class: "ground", d: ground }),
    make("path", { class: "beside", d: trace(beside, top)[0] }),
    make("path", { class: "value", d: line }),
    ...(cursor === null ? [] : [across("cursor", x, x, 0, HEIGHT)]),
  ]);
  const range = isLive ? "10 min" : "24 h";
  const ends = [`−${range}`, `0 – ${format(top)}`, "now"];
  renew(vital.ends, ends.map((end) => make("span", "", end)));
  const spread = held.length ? `lowest ${format(least)}, highest ${format(most)}` : "nothing yet";
  vital.svg.setAttribute("aria-label", `${name}, ${range}: ${spread}`);
};
const drawVitals = () => {
  for (const vital of VITALS) drawVital(vital, $("#live").checked);
};

// Figures that only need a name; "!" before it: more than none is a warning.
const FACTS = {
  http: {
    requests: "answered",
    rejected: "malformed",
    limited: "too many from one client",
    server_errors: "!errors of the server",
    bytes_in: "received",
    bytes_out: "sent",
  },
  latency_ms: { p50: "half within", p90: "90 % within", p99: "99 % within", max: "slowest" },
  cache: { entries: "kept", expired: "run out", invalidated: "outdated", evicted: "dropped" },
  slab: {
    evicted: "closed for others",
    deadline_closed: "too slow",
    refused: "!refused",
    accept_errors: "!failed to connect",
  },
  pipeline: {
    rendered: "answers made",
    warmed: "made ahead",
    joined: "joined another",
    refused: "!refused",
    failed: "!failed",
    parts_off: "!parts left out",
  },
  memory: { heap: "heap", heap_peak: "heap, at most", pss: "proportional set" },
  disk: { written: "written to disk", written_per_day: "written in a day" },
  database: { commits: "transactions", failed: "!transactions failed" },
  threads: { now: "threads" },
  descriptors: { open: "open files" },
};
const named = (section, parent = stats) => {
  const value = (key) => parent[section]?.[key];
  const format = (key) =>
    section === "latency_ms" ? millis : /bytes|heap|pss|written/.test(key) ? bytes : count;
  return Object.entries(FACTS[section]).map(([key, name]) => [
    name.replace("!", ""),
    format(key)(value(key)),
    name[0] === "!" && value(key) > 0 ? "warn" : "",
  ]);
};

const LEVELS = { critical: "critical", warning: "warn" };
const raised = (alerts = []) => alerts.filter((alert) => LEVELS[alert.level]);
const CARDS = {
  alerts_status: (card, alerts) =>
    rows(card, raised(alerts), ({ name, level, value, threshold, unit, since, done }) => [
      [words(name), done && small([done].flat().map(words).join(", "))],
      [tag(level, LEVELS[level]), small(ago(since))],
      [figure(value, unit), small(`bound ${figure(threshold, unit)}`)],
    ]),
  budget: (card, { bytes: whole, planned_bytes, terms = [] }) => {
    const { rss, rss_peak } = stats.memory ?? {};
    const text = `Resident ${bytes(rss)}, at most ${bytes(rss_peak)}; ` +
      `planned ${bytes(planned_bytes)} of ${bytes(whole)}`;
    level(card, rss, rss_peak, whole, text);
    const box = ({ name, share_bytes: share }) => {
      const part = make("span", { title: name }, share > whole / 16 && name);
      part.style.width = `${(100 * share) / whole}%`;
      return part;
    };
    renew($(".stack", card), terms.map(box));
    const marks = [0, 1, 2, 3, 4].map((quarter) => bytes((whole * quarter) / 4));
    renew($(".ends", card), marks.map((mark) => make("li", "", mark)));
    rows(card, terms, ({ name, share_bytes: share, used_bytes: used, peak_bytes: peak }) => [
      name,
      bytes(used),
      peak > share ? tag(bytes(peak), "critical") : bytes(peak),
      bytes(share),
      known(used) && gauge(used, peak, share),
    ]);
  },
  feeds_status: (card, feeds) => {
    const fresh = ({ last_success: at }) => (at ? tag("fresh", "good") : tag("not yet", "off"));
    rows(card, feeds, (feed) => [
      [foreign(feed.name), small(foreign(feed.label ?? ""))],
      [
        feed.stale ? tag("stale", "warn") : fresh(feed),
        feed.last_error && small(foreign(feed.last_error), "warn"),
        feed.skipped && small(`${count(feed.skipped)} could not be read`),
        feed.truncated_series && small(`${count(feed.truncated_series)} series cut short`),
      ],
      feed.last_success ? ago(feed.last_success) : "never",
      until(feed.next_due),
      count(feed.events),
    ]);
  },
  http: (card, http) => {
    facts(card, [...named("http"), ...named("latency_ms", http)]);
    const routes = [...(http.routes ?? [])].sort((a, b) => b.count - a.count);
    rows(card, routes.slice(0, ROUTES_MAX), ({ route, method, code, count: answers }) => [
      [route, method !== "GET" && small(method)],
      code >= 500 ? tag(code, "critical") : String(code),
      count(answers),
    ]);
  },
  cache: (card, cache) => {
    const room = stats.budget?.terms?.find(({ name }) => name === "cache")?.share_bytes;
    const text = `${bytes(cache.bytes)} of ${bytes(room)}, at most ${bytes(cache.bytes_peak)}`;
    level(card, cache.bytes, cache.bytes_peak, room, text);
    facts(card, named("cache"));
    const kinds = [["What’s next", "whats_next_"], ["Ranges", "ranges_"], ["Setup", "setup_"]];
    rows(card, [...kinds, ["All", ""]], ([name, kind]) => {
      const [hits, misses] = [cache[`${kind}hits`], cache[`${kind}misses`]];
      return [name, count(hits), count(misses), percent(ratio(hits, misses))];
    });
  },
  slab: (card, slab) => {
    const text = `${slab.used} connected of ${slab.slots}, at most ${slab.peak}`;
    level(card, slab.used, slab.peak, slab.slots, text);
    facts(card, named("slab"));
  },
  flags_status: (card, flags) => {
    const { percent: part, ...rollout } = stats.rollout ?? {};
    const whole = { ...rollout, name: "rollout", on: part === 100, state: `${part} %` };
    rows(card, known(part) ? [...flags, whole] : flags, ({ name, on, state, by, why, since }) => [
      words(name),
      on ? tag(state ?? "on", "good") : tag(state ?? "off", "warn"),
      [words(by ?? "–"), small([why, since && ago(since)].filter(Boolean).join(", "))],
    ]);
  },
  responses_status: (card, responses) =>
    rows(card, responses, ({ name, active, since, times }) => [
      words(name),
      active ? [tag("active", "warn"), small(ago(since))] : tag("at rest", "off"),
      count(times),
    ]),
  connections: (card, pools) => {
    const lines = {
      active: "in use", idle: "kept", opened: "opened", reused: "reused",
      reuse_percent: "reused, percent", expired: "run out", evicted: "closed for room",
      discarded: "dead", failed: "failed", leaked: "forgotten",
    };
    rows(card, Object.entries(lines), ([key, label]) =>
      [label, ...["outbound_", "database_"].map((pool) => count(pools[pool + key]))]);
  },
  pipeline: (card) => facts(card, named("pipeline")),
  rollback_status: (card, { off = [], ...figures }) => {
    const parts = off.map(({ name, why }) => [words(name), why, "warn"]);
    facts(card, [...parts, ...Object.entries(figures).map(([n, v]) => [words(n), figure(v)])]);
  },
  memory: (card) => {
    const sections = ["memory", "disk", "database", "threads", "descriptors"];
    const { source, version } = stats.time_zones ?? {};
    const zones = ["time zones", version && `${version} (${source})`];
    facts(card, [...sections.flatMap((section) => named(section)), zones]);
  },
};

// One sentence: the worst of what there is to say.
const POSTURES = { lean: "saving memory and work", shedding: "refusing large requests" };
const judge = (s) => {
  const feeds = s.feeds_status ?? [];
  const stale = feeds.filter((feed) => feed.stale).length;
  const said = raised(s.alerts_status).map((alert) => [LEVELS[alert.level], words(alert.name)]);
  const posture = POSTURES[s.posture];
  if (posture) said.push(["warn", posture]);
  if (s.database?.writable === 0) said.push(["critical", "the database cannot be written"]);
  if (stale) said.push(["warn", `${stale} of ${feeds.length} feeds out of date`]);
  if (s.pipeline?.parts_off) said.push(["warn", "a part of the pipeline is left out"]);
  const worst = said.find(([tone]) => tone === "critical") ?? said[0] ?? ["good"];
  return [worst[0], said.map(([, text]) => text).join(" · ")];
};
const say = (tone, verdict, reason) => {
  document.body.className = tone;
  document.title = `${tone === "good" ? "" : "(!) "}calendarbot`;
  setText($("#verdict"), verdict);
  setText($("#reason"), reason);
};
const drawAll = () => {
  const [tone, said] = judge(stats);
  say(tone, said ? "Needs attention" : "All is well", said);
  const { version, uptime_seconds } = stats.server ?? {};
  setText($("header p"), `${version ?? ""}, up ${span(uptime_seconds)}`);
  $("main").hidden = false;
  drawVitals();
  for (const [id, show] of Object.entries(CARDS)) {
    const card = $(`#${id}`);
    card.hidden = !stats[id];
    if (stats[id]) show(card, stats[id]);
  }
};

const get = async (path) => {
  const signal = AbortSignal.timeout(2 * POLL_MS);
  const response = await fetch(path, { signal });
  if (!response.ok) throw response.status;
  return [await response.json(), Date.parse(response.headers.get("Date"))];
};
let answered = 0;
let historyDue = 0;
const poll = async () => {
  const [fresh, date] = await get("stats");
  const here = performance.now();
  // Date is cut to the second: half of one is missing on average.
  ahead = date + 500 - here;
  if (stats && stats.server?.version !== fresh.server?.version) location.reload();
  elapsed = stats ? (here - answered) / 1000 : fresh.server?.uptime_seconds;
  [stats, before, answered] = [fresh, stats, here];
  for (const vital of VITALS) vital.live = [...vital.live, vital.now(stats)].slice(-LIVE_POINTS);
  if (here >= historyDue) {
    [history] = await get("api/v1/history").catch(() => [{}]);
    // A program that has just been started has no day to show.
    if (!before) $("#live").checked = !(history.rss_kib?.length > 2);
    // A little after the server has put down the next point.
    historyDue = here + HISTORY_MS - (now() % HISTORY_MS) + 3000;
  }
};
const fail = () => {
  const from = stats ? `What is shown is from ${clock(answered + ahead, "medium")}.` : "";
  say("gone", "The server does not answer", from);
};

// One question at a time, and none while nobody looks.
let timer = 0;
let isBusy = false;
const turn = async () => {
  clearTimeout(timer);
  if (isBusy || document.hidden) return;
  isBusy = true;
  const isAnswered = await poll().then(() => true, () => false);
  isBusy = false;
  timer = setTimeout(turn, POLL_MS);
  (isAnswered ? drawAll : fail)();
};
document.addEventListener("visibilitychange", turn);
$("#range").addEventListener("change", () => stats && drawVitals());
turn();
