// Keeps the page live: counts down, keeps the clock, swaps in a fresh page when the server says that
// something has changed, and each minute or so; skips and hides. When the server does not answer,
// what is shown stays and says since when.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const FETCH_MS_MAX = 10000;
  const RETRY_MS = 15000;
  const SPREAD_MS = 3000;
  // Without events from the server the pages of some days, which count no minutes, ask seldom.
  const DAYS_MS = 300000;
  const SAID_MS = 10000;
  const words = document.body.dataset;
  // Electronic paper cannot follow a second hand.
  const slow =
    matchMedia("(update: slow)").matches || document.documentElement.dataset.theme === "eink";
  const spread = Math.random() * SPREAD_MS;

  // The server's time, whatever the clock of this machine says: one pair of readings, and a clock
  // that never jumps from there on.
  let anchor = { server: 0, here: 0 };
  const now = () => anchor.server + performance.now() - anchor.here;

  // A page may have waited in a cache, so the Date of the answer says better what time it is. It
  // does not when the server's calendar is set to another time for a test.
  const CACHED_MS_MAX = 330000;
  const setClock = (view, answered) => {
    const stated = Date.parse(view.dataset.now);
    const age = answered - stated;
    const server = age >= 0 && age < CACHED_MS_MAX ? answered : stated;
    anchor = { server, here: performance.now() };
  };
  // Date is cut to the second: half of one is missing on average.
  const answeredAt = (response) => Date.parse(response.headers.get("Date")) + 500;

  const two = (n) => String(n).padStart(2, "0");
  const ticking = (seconds) => {
    const h = Math.floor(seconds / 3600);
    const m = Math.floor((seconds % 3600) / 60);
    const s = two(seconds % 60);
    return h ? `${h}:${two(m)}:${s}` : `${m}:${s}`;
  };
  const inWords = (seconds) => {
    const minutes = Math.ceil(seconds / 60);
    const [h, m] = [Math.floor(minutes / 60), minutes % 60];
    return [h && `${h} ${words.hours}`, (m || !h) && `${m} ${words.minutes}`].filter(Boolean).join(" ");
  };
  const setText = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };

  const countDown = (view) => {
    for (const node of view.querySelectorAll(".countdown")) {
      const seconds = Math.ceil((Date.parse(node.dateTime) - now()) / 1000);
      if (seconds <= 0) setText(node, words.now);
      else if (seconds < 86400) setText(node, slow ? inWords(seconds) : ticking(seconds));
      node.classList.toggle("words", node.textContent.includes(" "));
      node.classList.toggle("long", node.textContent.length > 5);
    }
    const bar = view.querySelector("progress");
    if (bar) bar.value = now() / 1000 - Number(bar.dataset.start);
  };

  const zoned = (view) => new Date(now() + Number(view.dataset.offset) * 1000);
  const wallTime = (view) => {
    const at = zoned(view);
    const [h, m] = [at.getUTCHours(), two(at.getUTCMinutes())];
    if (!view.dataset.hour12) return `${two(h)}:${m}`;
    return `${h % 12 || 12}:${m} ${h < 12 ? "am" : "pm"}`;
  };
  // The server has written the date; it is only ours to write when it does not come back at midnight.
  const showClock = (view) => {
    setText(view.querySelector(".clock time"), wallTime(view));
    const node = view.querySelector(".date");
    const day = zoned(view).toISOString().slice(0, 10);
    view.dataset.day ||= day;
    if (!node || view.dataset.day === day) return;
    view.dataset.day = day;
    const options = { timeZone: "UTC", weekday: "long", day: "numeric", month: "long" };
    setText(node, zoned(view).toLocaleDateString(document.documentElement.lang, options));
  };

  // Said aloud once each, not every second.
  const SPOKEN_MINUTES = [15, 5, 1];
  let spoken = "";
  const announce = (view) => {
    const hero = view.querySelector(".hero:not(.now, .rest)");
    const until = hero && hero.querySelector(".countdown");
    if (!until) return;
    const minutes = Math.ceil((Date.parse(until.dateTime) - now()) / 60000);
    const title = hero.querySelector("h1 bdi").textContent;
    hero.classList.toggle("critical", minutes <= 2);
    hero.classList.toggle("soon", minutes > 2 && minutes <= 15);
    const step = SPOKEN_MINUTES.filter((m) => minutes <= m).pop();
    const key = step ? until.dateTime + step : "";
    if (key && key !== spoken) {
      const text = minutes > 0 ? words.soon : words.starts;
      $("announce").textContent = [title, minutes].reduce((t, part) => t.replace("{}", () => part), text);
    }
    spoken = key;
  };

  let offline = false;
  const setOffline = (is) => {
    if (is && !offline) {
      $("offline").textContent = words.offline.replace("{}", wallTime($("view")));
    }
    offline = is;
    $("offline").hidden = !is;
  };

  const get = async (method) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), FETCH_MS_MAX);
    try {
      const response = await fetch(location.href, {
        method,
        cache: "no-cache",
        signal: abort.signal,
      });
      return [response, await response.text()];
    } finally {
      clearTimeout(timer);
    }
  };

  const swap = (fresh, response) => {
    const view = $("view");
    const focused = view.contains(document.activeElement) && document.activeElement.href;
    document.title = fresh.ownerDocument.title;
    view.replaceWith(document.adoptNode(fresh));
    dress(fresh);
    setClock(fresh, answeredAt(response));
    if (focused) {
      const again = [...fresh.querySelectorAll("a")].find((link) => link.href === focused);
      if (again) again.focus({ preventScroll: true });
    }
  };

  let busy = null;
  const refresh = () => (busy ||= ask().finally(() => (busy = null)));
  const ask = async () => {
    try {
      const [response, text] = await get("GET");
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("view");
      if (!response.ok || !fresh) throw new Error(`status ${response.status}`);
      // The server has just answered, so a reload cannot end on an error page.
      if (fresh.dataset.build !== $("view").dataset.build) return location.reload();
      swap(fresh, response);
      setOffline(false);
      plan();
    } catch {
      setOffline(true);
      due = performance.now() + RETRY_MS;
    }
    tick();
  };

  // A little after the next minute or the next change, whichever comes first; not every display
  // at the same moment.
  let due = Infinity;
  const plan = () => {
    const { className, dataset } = $("view");
    const every = className === "whats-next" ? 60000 : DAYS_MS;
    const usual = every - (now() % every) + spread;
    const change = Date.parse(dataset.changes) - now() + 500;
    due = performance.now() + (change > 0 ? Math.min(usual, change) : usual);
  };

  // The server names each state of its data. Where it has no place for another listener, the page
  // asks as often as it would without.
  const listen = () => {
    let known = null;
    const source = new EventSource("events");
    source.addEventListener("data", (event) => {
      const { generation } = JSON.parse(event.data);
      if (known !== null && known !== generation) due = Math.min(due, performance.now() + spread / 3);
      known = generation;
      if (offline) refresh();
    });
    source.addEventListener("error", () => {
      // It comes back by itself, unless it was refused.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS * 4);
    });
  };

  // A person's change, with the way back.
  let said = 0;
  const say = (text, undo) => {
    const node = $("done");
    node.textContent = text;
    // What is hidden cannot have the focus.
    node.hidden = false;
    if (undo) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words.undo;
      button.addEventListener("click", undo);
      node.append(" ", button);
      button.focus({ preventScroll: true });
    }
    clearTimeout(said);
    const leave = () => {
      if (node.contains(document.activeElement)) said = setTimeout(leave, SAID_MS);
      else node.hidden = true;
    };
    said = setTimeout(leave, SAID_MS);
  };
  const change = async (method, what, id) => {
    try {
      // In a path an id with `..` in it would lead elsewhere.
      const response = await fetch(`api/v1/${what}?id=${encodeURIComponent(id)}`, { method });
      if (!response.ok) throw new Error(`status ${response.status}`);
      // What is on its way may be older than the change.
      await busy;
      await refresh();
      if (method === "POST") say(words[what === "skips" ? "skipped" : "hidden"], () => change("DELETE", what, id));
      else $("done").hidden = true;
    } catch {
      say(words.failed);
    }
  };
  const dress = (view) => {
    for (const place of view.querySelectorAll(".acts")) {
      for (const [what, text] of [["skips", words.skip], ["hidden", words.hide]]) {
        const button = place.appendChild(document.createElement("button"));
        button.type = "button";
        button.textContent = text;
        button.addEventListener("click", () => change("POST", what, place.dataset.id));
      }
    }
  };

  const tick = () => {
    const view = $("view");
    countDown(view);
    showClock(view);
    announce(view);
    if (performance.now() >= due) refresh();
  };

  // The watchdog of a kiosk starts a browser anew that has not been heard of for two minutes.
  const HEARTBEAT_MS = 30000;
  const signOfLife = () => {
    fetch("api/browser-heartbeat", { method: "POST" }).catch(() => {});
    setTimeout(signOfLife, HEARTBEAT_MS);
  };

  const start = async () => {
    dress($("view"));
    setClock($("view"), NaN);
    plan();
    tick();
    const beat = () => {
      tick();
      setTimeout(beat, 1000 - (now() % 1000));
    };
    beat();
    document.addEventListener("visibilitychange", () => document.hidden || refresh());
    if (window.EventSource) listen();
    signOfLife();
    addEventListener("online", refresh);
    addEventListener("offline", () => setOffline(true));
    try {
      const [response] = await get("HEAD");
      setClock($("view"), answeredAt(response));
      plan();
    } catch {
      setOffline(true);
      due = performance.now() + RETRY_MS;
    }
  };
  start();
})();
