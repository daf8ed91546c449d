// Tries the link of a calendar, says what is in it, and adds it when that is what was meant.
import { $, ask, count, guard, make, put, time, words } from "./forms.js";

const POLL_MS = 1000;
const POLLS_MAX = 45;

const say = (text, isBad) => {
  $("message").textContent = text;
  $("outcome").className = isBad ? "bad" : "";
  $("outcome").hidden = false;
};

const open = async () => {
  try {
    const { calendars } = await ask("GET", "api/v1/setup");
    $("closed").hidden = true;
    $("form").hidden = false;
    $("there").textContent = put(words.there, calendars.join(", "));
    $("there").hidden = !calendars.length;
  } catch (problem) {
    fail(problem);
  }
};
const fail = guard("form", say, open);

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
  $("reasons").replaceChildren(...reasons.map((reason) => make("li", reason)));
  $("skipped").hidden = !reasons.length;
};
const sentence = ({ events, next, skipped }) => {
  const said = [events ? put(words.found, count(events)) : words.none];
  if (next) said.push(put(words.next, next.title, time(next.start, next.all_day)));
  else if (events) said.push(words.over);
  if (skipped) said.push(`${put(words.unreadable, skipped)}.`);
  return said.join(" ");
};

const tryOut = async () => {
  forget();
  const asked = wanted();
  const found = await ask("POST", "api/v1/setup/try", asked);
  // Somebody may have gone on typing.
  if (JSON.stringify(asked) !== JSON.stringify(wanted())) return;
  say(sentence(found));
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
  say([put(words.stored, file), ...warnings].join(" "));
  $("outcome").focus();
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    await wait(POLL_MS);
    const ready = await fetch("readyz", { cache: "no-store" }).catch(() => ({}));
    if (ready.ok) return location.assign("./");
  }
  say(words.late);
};

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  during($("try"), words.looking, tryOut);
});
$("form").addEventListener("input", forget);
$("add").addEventListener("click", () => during($("add"), words.saving, add));

open();
