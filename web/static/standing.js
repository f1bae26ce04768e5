// How the system stands: the line that adds up, pause and resume, and what was rejected. Told by the gallery as it
// happens; a page that is hidden asks for nothing.

import * as api from "./api.js";
import { byId, count, make } from "./make.js";

const line = byId("line");
const trouble = byId("trouble");
const pauseButton = byId("pause");
const rejectedButton = byId("show-rejected");
const dialog = byId("rejected");
let source = null;
let latest = null;
let onChange = () => {};
if (location.pathname === byId("duplicates").pathname) byId("duplicates").setAttribute("aria-current", "page");

/** Follows the system while the page is seen; calls back with each status and the one before. */
export function follow(callback) {
  onChange = callback;
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  if (!document.hidden) listen();
}

export function say(sentence) {
  trouble.textContent = sentence;
  trouble.hidden = !sentence;
}

function listen() {
  if (source) return;
  source = api.events();
  source.addEventListener("status", (event) => show(JSON.parse(event.data)));
  source.addEventListener("trouble", (event) => say(JSON.parse(event.data).detail));
  source.addEventListener("error", () => {
    line.textContent = "The gallery does not answer; trying again.";
  });
}

function leave() {
  source?.close();
  source = null;
}

function show(status) {
  const before = latest;
  latest = status;
  line.textContent = inWords(status);
  say(status.warning ?? "");
  pauseButton.hidden = false;
  pauseButton.textContent = status.paused ? "Resume" : "Pause";
  pauseButton.title = status.paused ? "Goes on to embed what changed" : "Embeds nothing until you resume; searches go on";
  rejectedButton.hidden = !status.rejected;
  rejectedButton.textContent = `${count(status.rejected ?? 0)} rejected`;
  const flower = byId("flower");
  flower.hidden = !status.flower_url;
  if (status.flower_url) flower.href = status.flower_url;
  onChange(status, before);
}

/** Both sums, and how fast: seen = discovered + ignored, discovered = indexed + rejected + still to do. */
export function inWords(status) {
  const { discovered, ignored, indexed, rejected } = status;
  const seen = `${count(discovered + ignored)} seen = ${count(discovered)} discovered + ${count(ignored)} ignored`;
  if (indexed === null) return `${seen}; the index does not answer`;
  const left = discovered - indexed - rejected;
  const rest = left < 0 ? `− ${count(-left)} to be removed` : `+ ${count(left)} to do`;
  const sum = `${count(discovered)} = ${count(indexed)} indexed + ${count(rejected)} rejected ${rest}`;
  const pace = status.paused ?? (left > 0 && status.rate_per_s > 0 ? `${status.rate_per_s.toFixed(1)}/s, ${span(status.eta_s)} left` : "");
  return [seen, sum, pace].filter(Boolean).join("; ");
}

function span(seconds) {
  if (seconds === null) return "some time";
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

for (const button of document.querySelectorAll("dialog .close")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

pauseButton.addEventListener("click", async () => {
  pauseButton.disabled = true;
  try {
    show(await (latest?.paused ? api.resume() : api.pause()));
  } catch (error) {
    say(error.message);
  }
  pauseButton.disabled = false;
});

let after = null;

rejectedButton.addEventListener("click", () => {
  byId("rejected-list").replaceChildren();
  after = null;
  dialog.showModal();
  showRejected();
});
byId("rejected-more").addEventListener("click", showRejected);

async function showRejected() {
  try {
    const page = await api.rejected(after);
    after = page.next;
    byId("rejected-list").append(...page.files.map(row));
    byId("rejected-more").hidden = !after;
  } catch (error) {
    byId("rejected-list").append(make("li", {}, error.message));
  }
}

function row(file) {
  const again = make("button", { type: "button", "aria-label": `Try ${file.path} again` }, "Try again");
  again.addEventListener("click", () => retry(again, [file.path]));
  return make("li", {}, make("span", { class: "name" }, file.path), make("span", { class: "reason" }, file.reason), again);
}

byId("retry").addEventListener("click", (event) => retry(event.target, null));

async function retry(button, paths) {
  button.disabled = true;
  try {
    const { sent } = await api.retry(paths);
    button.textContent = `${count(sent)} sent`;
  } catch (error) {
    button.textContent = error.message;
  }
}
