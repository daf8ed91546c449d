// What pages with something to fill in share: how they ask, what they say, and how they are let in.
export const $ = (id) => document.getElementById(id);

// The page's own words; `{}` is a blank in them.
export const words = document.body.dataset;
export const put = (text, ...parts) => text.split("{}").map((bit, index) => bit + (parts[index] ?? "")).join("");
export const count = (n) => (n === 1 ? words.one : put(words.events, n));

// A time of the server's day, in the language of the page.
const { lang } = document.documentElement;
const languages = [...navigator.languages.filter((tag) => tag.startsWith(lang)), lang];
export const time = (text, isWhole) => {
  const at = new Date(text.endsWith("Z") ? text : text.slice(0, 19));
  const style = isWhole ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  return Number.isNaN(at.getTime()) ? text : at.toLocaleString(languages, style);
};

export const make = (name, text, className) => {
  const node = document.createElement(name);
  node.textContent = text || "";
  if (className) node.className = className;
  return node;
};

let token = "";

// The answer; what is thrown has the problem's own words, which are for people.
export const ask = async (method, path, body) => {
  const headers = body ? { "Content-Type": "application/json" } : {};
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  const faults = said.validation_errors || [];
  const why = [said.detail || said.error || put(words.answered, response.status), ...faults];
  const problem = new Error(why.join(" "));
  problem.status = response.status;
  throw problem;
};

// What to do about a problem: whoever is not let in sees why in place of `part`, and opens the page
// with a token; everybody else is told.
export const guard = (part, say, open) => {
  $("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    token = $("token").value;
    $("closed").hidden = true;
    open();
  });
  return (problem) => {
    const isClosed = [401, 403, 429].includes(problem.status);
    if (!isClosed) return say(problem instanceof TypeError ? words.silent : problem.message, true);
    $("why").textContent = problem.message;
    $("unlock").hidden = problem.status === 403;
    $("closed").hidden = false;
    $(part).hidden = true;
  };
};
