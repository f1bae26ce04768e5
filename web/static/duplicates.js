// The page of near-duplicates: looks for them, shows a page of groups, and tells what a person says of a pair. The
// address holds the job, the page and what to keep.

import * as api from "./api.js";
import { groupOf, mark, verdictOfKey } from "./groups.js";
import { byId, folderIn } from "./make.js";
import * as standing from "./standing.js";

const LOOK_MS = 1000;
const LAST_JOB = "lookalike.duplicates";
const PAGE_GROUPS = 100;
const form = byId("asked");
const keeping = byId("keeping");
const list = byId("groups");
let state = stateOf(location.search);
// The groups that are shown, as text, by their centre: what has not changed keeps its element.
let shown = new Map();
let asking = 0;

function stateOf(query) {
  const fields = new URLSearchParams(query);
  return {
    job: fields.get("job") ?? "",
    page: Math.max(0, Math.floor(Number(fields.get("page")) || 0)),
    keep: fields.get("keep") ?? "best",
    protect: fields.getAll("protect"),
  };
}

function go(changed, { replace = false } = {}) {
  state = { ...state, ...changed };
  const fields = new URLSearchParams();
  if (state.job) fields.set("job", state.job);
  if (state.page) fields.set("page", state.page);
  if (state.keep !== "best") fields.set("keep", state.keep);
  for (const folder of state.protect) fields.append("protect", folder);
  history[replace ? "replaceState" : "pushState"](null, "", `?${fields}`);
  show();
}

/** The job that was shown last, in a browser that keeps such things. */
function lastJob(job) {
  try {
    if (job) localStorage.setItem(LAST_JOB, job);
    return localStorage.getItem(LAST_JOB) ?? "";
  } catch {
    return "";
  }
}

const note = (sentence) => {
  byId("note").textContent = sentence;
};

function fill() {
  const [rule, ...folder] = state.keep.split(":");
  keeping.elements.rule.value = rule;
  keeping.elements.within.value = folder.join(":");
  byId("within").hidden = rule !== "in";
  keeping.elements.protect.value = state.protect.join(", ");
  for (const kind of ["csv", "json", "sh"]) byId(`plan-${kind}`).href = api.planFile(state.job, state, kind);
}

async function show() {
  fill();
  const { job } = state;
  if (!job) {
    note("Look for duplicates to begin: the first time takes a while, later ones look at what is new.");
    return;
  }
  const end = await ended(job);
  if (job !== state.job) return;
  // What a job found is kept for longer than the job itself.
  if (end === "done" || end === null) await refresh({ first: true });
  else if (end === "failed") await api.answer(job).catch((error) => note(error.message));
  else note(`The job was ${end}: look again, and it goes on from there.`);
}

/** The state in which a job ended, null if it is not known; shows meanwhile how far it is. */
async function ended(job) {
  let info = await api.job(job).catch(() => null);
  while (info && ["queued", "started"].includes(info.state) && job === state.job) {
    showProgress(info);
    await visibleAfter(LOOK_MS);
    info = await api.job(job).catch(() => null);
  }
  if (job === state.job) showProgress(null);
  return info?.state ?? null;
}

function showProgress(info) {
  const progress = byId("progress");
  progress.hidden = byId("cancel").hidden = !info;
  byId("start").disabled = Boolean(info);
  if (!info) return;
  if (info.progress === null) progress.removeAttribute("value");
  else progress.value = info.progress;
  const left = info.eta_s === null ? "" : `, ${info.eta_s < 90 ? `${Math.ceil(info.eta_s)} s` : `${Math.ceil(info.eta_s / 60)} min`} left`;
  note(info.state === "queued" ? "Waiting for a worker …" : `Comparing: ${Math.floor(100 * (info.progress ?? 0))} %${left}`);
}

/** Waits so long, and until the page is looked at. */
function visibleAfter(ms) {
  return new Promise((resolve) => {
    const look = () => (document.hidden ? document.addEventListener("visibilitychange", look, { once: true }) : resolve());
    setTimeout(look, ms);
  });
}

/** Reads the page of groups again and shows what has changed. */
async function refresh({ first = false } = {}) {
  asking += 1;
  const asked = asking;
  list.setAttribute("aria-busy", true);
  try {
    const page = await api.plan(state.job, state.page, state);
    if (asked !== asking) return;
    render(page, first);
    lastJob(state.job);
  } catch (error) {
    if (asked === asking) note(error.message);
  }
  list.setAttribute("aria-busy", false);
}

function render({ groups, verdicts, next }, first) {
  const now = new Map(groups.map((group) => [group.centre, textOf(group, verdicts)]));
  if (first) list.replaceChildren(...groups.map((group) => groupOf(group, verdicts)));
  else {
    // What a job found stays the same: only the verdicts on it, and so what to keep, has changed.
    const focused = document.activeElement.closest(".pair");
    const group = focused?.closest(".group");
    const at = group && pairs(group).indexOf(focused);
    for (const element of [...list.children]) {
      const { centre } = element.dataset;
      if (now.get(centre) === shown.get(centre)) continue;
      const changed = groupOf(groups.find((one) => one.centre === centre), verdicts);
      element.replaceWith(changed);
      if (element === group) focusAgain(pairs(changed), focused.dataset, at);
    }
  }
  shown = now;
  const from = state.page * PAGE_GROUPS;
  note(groups.length ? `Groups ${from + 1} to ${from + groups.length}, those with most to save first` : "There are none.");
  byId("keys").hidden = byId("plan").hidden = !groups.length;
  byId("pages").hidden = !state.page && next === null;
  byId("previous").disabled = !state.page;
  byId("next").disabled = next === null;
}

/** The same pair, or the one in its place: another file may be kept now. */
function focusAgain(all, { a, b }, at) {
  const same = all.find(({ dataset }) => dataset.a === a && dataset.b === b);
  (same ?? all[Math.min(at, all.length - 1)])?.focus({ preventScroll: true });
}

/** A group and the verdicts on it. */
function textOf(group, verdicts) {
  const contents = new Set(group.files.map((file) => file.facts.sha256));
  return JSON.stringify([group, verdicts.filter(({ a, b }) => contents.has(a) && contents.has(b))]);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { folder, since, similar } = form.elements;
  const under = folderIn(folder);
  const labels = ["exact", "same", "near", ...(similar.checked ? ["similar"] : [])];
  try {
    const sent = await api.lookForDuplicates({ labels, since_last: since.checked, ...(under && { folder: under }) });
    list.replaceChildren();
    for (const id of ["keys", "plan", "pages"]) byId(id).hidden = true;
    go({ job: sent.id, page: 0 });
  } catch (error) {
    note(error.message);
  }
});
byId("cancel").addEventListener("click", () => api.cancel(state.job).catch((error) => note(error.message)));

keeping.addEventListener("submit", (event) => event.preventDefault());
keeping.addEventListener("change", () => {
  const { rule, within, protect } = keeping.elements;
  byId("within").hidden = rule.value !== "in";
  const folder = within.value.trim();
  if (rule.value === "in" && !folder) return within.focus();
  const folders = protect.value.split(",").map((one) => one.trim()).filter(Boolean);
  go({ keep: rule.value === "in" ? `in:${folder}` : rule.value, protect: folders }, { replace: true });
});
for (const [name, step] of [["previous", -1], ["next", 1]]) {
  byId(name).addEventListener("click", () => {
    go({ page: state.page + step });
    scrollTo({ top: 0 });
    byId("heading").focus({ preventScroll: true });
  });
}
addEventListener("popstate", () => {
  state = stateOf(location.search);
  show();
});

// Verdicts: shown at once, told one after another, and the groups are read again when all are told.

const pairs = (within = list) => [...within.querySelectorAll(".pair")];
let telling = Promise.resolve();
let untold = 0;

function judge(pair, verdict, better) {
  const { a, b } = pair.dataset;
  mark(pair, verdict, better);
  move(pair, 1);
  untold += 1;
  telling = telling.then(async () => {
    let failure = null;
    try {
      await api.judge({ a, b, verdict, ...(better !== null && { better: [a, b][better] }) });
    } catch (error) {
      failure = error;
    }
    untold -= 1;
    if (!untold) await refresh({ first: failure !== null });
    if (failure) note(failure.message);
  });
}

function move(pair, step) {
  const all = pairs();
  const next = all[all.indexOf(pair) + step];
  (next ?? pair).focus();
  next?.scrollIntoView({ block: "nearest" });
}

list.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-verdict]");
  if (button) judge(button.closest(".pair"), button.dataset.verdict, button.dataset.better === "" ? null : Number(button.dataset.better));
});
list.addEventListener("keydown", (event) => {
  const pair = event.target.closest(".pair");
  if (!pair || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const told = verdictOfKey(event.key);
  if (!step && !told) return;
  event.preventDefault();
  if (step) move(pair, step);
  else if (!pair.querySelector(`[aria-keyshortcuts="${told.key}"]`).disabled) judge(pair, told.verdict, told.better);
});
byId("groups").addEventListener("focus", () => pairs()[0]?.focus());

standing.follow(() => {});
state.job ||= lastJob();
show();
