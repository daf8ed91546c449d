// Tries the link of a calendar, says what is in it, and adds it when that is what was meant.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const POLL_MS = 1000;
  const POLLS_MAX = 45;
  let token = "";

  const say = (text, isBad) => {
    $("message").textContent = text;
    $("outcome").className = isBad ? "bad" : "";
    $("outcome").hidden = false;
  };

  // The problem's own words, which are for people.
  const ask = async (method, path, body) => {
    const headers = body ? { "Content-Type": "application/json" } : {};
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
    const said = await response.json().catch(() => ({}));
    if (response.ok) return said;
    const problem = new Error(said.detail || `The server answered ${response.status}.`);
    problem.status = response.status;
    throw problem;
  };

  const isClosed = (problem) => [401, 403, 429].includes(problem.status);
  const close = (problem) => {
    $("why").textContent = problem.message;
    $("unlock").hidden = problem.status === 403;
    $("closed").hidden = false;
    $("form").hidden = true;
  };
  const fail = (problem) => {
    if (isClosed(problem)) return close(problem);
    say(problem instanceof TypeError ? "This program does not answer." : problem.message, true);
  };

  const open = async () => {
    try {
      const { calendars } = await ask("GET", "api/v1/setup");
      $("closed").hidden = true;
      $("form").hidden = false;
      $("there").textContent = `There already: ${calendars.join(", ")}.`;
      $("there").hidden = !calendars.length;
    } catch (problem) {
      fail(problem);
    }
  };

  const during = async (button, word, work) => {
    const label = button.textContent;
    button.disabled = true;
    button.textContent = word;
    try {
      await work();
    } catch (problem) {
      fail(problem);
    } finally {
      button.disabled = false;
      button.textContent = label;
    }
  };

  const forget = () => {
    $("outcome").hidden = true;
    $("add").hidden = true;
  };
  const wanted = () => ({ link: $("link").value.trim(), name: $("name").value.trim() });
  const showSkipped = (reasons) => {
    const items = reasons.map((reason) => {
      const item = document.createElement("li");
      item.textContent = reason;
      return item;
    });
    $("reasons").replaceChildren(...items);
    $("skipped").hidden = !reasons.length;
  };

  const tryOut = async () => {
    forget();
    const asked = wanted();
    const found = await ask("POST", "api/v1/setup/try", asked);
    // Somebody may have gone on typing.
    if (JSON.stringify(asked) !== JSON.stringify(wanted())) return;
    say(found.message);
    showSkipped(found.skipped_reasons);
    $("add").hidden = false;
    $("add").focus();
  };

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const add = async () => {
    const { file, warnings } = await ask("POST", "api/v1/setup", wanted());
    $("form").reset();
    $("add").hidden = true;
    showSkipped([]);
    say([`Saved in ${file}. It is fetched now.`, ...warnings].join(" "));
    $("outcome").focus();
    for (let polls = 0; polls < POLLS_MAX; polls++) {
      await wait(POLL_MS);
      const ready = await fetch("readyz", { cache: "no-store" }).catch(() => ({}));
      if (ready.ok) return location.assign("./");
    }
    say("It is saved, and its first answer is late. The screen shows it as soon as it is there.");
  };

  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    during($("try"), "Looking …", tryOut);
  });
  $("form").addEventListener("input", forget);
  $("add").addEventListener("click", () => during($("add"), "Saving …", add));
  $("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    token = $("token").value;
    open();
  });

  open();
})();
