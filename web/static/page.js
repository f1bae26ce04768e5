// The page: reads the search from the address, asks, and shows the answer. Every change of the search goes through go().

import * as api from "./api.js";
import * as box from "./box.js";
import * as examples from "./examples.js";
import { byId, count, folderIn } from "./make.js";
import * as photos from "./photos.js";
import * as results from "./results.js";
import * as standing from "./standing.js";
import { addressOf, marked, queryOf, stateOf, withExamples, without } from "./state.js";

const PAGE = 60;
const form = byId("query");
let state = stateOf(location.search);
let asking = null;
let isEmpty = false;

/** Changes the search, and with it the address. */
function go(next, { replace = false } = {}) {
  const address = addressOf(next);
  if (address !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", address);
  state = stateOf(location.search);
  show();
}

async function show(offset = 0) {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const asked = state;
  if (!offset) fill(asked);
  results.busy(true);
  byId("more").hidden = true;
  try {
    const { neighbours, note } = await (asked.examples.length ? searched(asked, offset, signal) : sampled(asked, signal));
    if (signal.aborted) return;
    if (!offset) results.clear();
    results.append(neighbours, asked);
    byId("note").textContent = note;
    byId("more").hidden = !asked.examples.length || neighbours.length < PAGE;
    byId("more").onclick = () => show(offset + PAGE);
    isEmpty = !offset && !neighbours.length;
  } catch (error) {
    if (signal.aborted) return;
    if (!offset) results.clear();
    byId("note").textContent = error.message;
  }
  results.busy(false);
}

async function searched(asked, offset, signal) {
  const sent = new Map();
  const given = await Promise.all(asked.examples.map((example) => exampleOf(example, sent)));
  const began = performance.now();
  const found = await api.search(queryOf(asked, PAGE, offset), given, sent, signal);
  const took = `${count(offset + found.neighbours.length)} in ${Math.round(performance.now() - began)} ms`;
  return { neighbours: found.neighbours, note: found.note ?? took };
}

async function exampleOf({ kind, name, weight, box: cut }, sent) {
  const rest = { weight, ...(cut && { box: cut }) };
  if (kind === "path") return { image: { path: name }, ...rest };
  const photo = await photos.find(name);
  if (!photo) throw new Error("The image of this search is not in this browser: drop it here again.");
  sent.set(name, photo.blob);
  return { image: { key: name }, ...rest };
}

async function sampled(asked, signal) {
  const { paths, among } = await api.sample(PAGE, asked.folder, signal);
  const note = paths.length ? `A varied ${count(paths.length)} of ${count(among)}` : "Nothing is indexed here yet.";
  return { neighbours: paths.map((path) => ({ path })), note };
}

/** Shows the search itself: its examples and filters. */
function fill(shown) {
  for (const name of ["folder", "from", "to", "min"]) form.elements[name].value = shown[name];
  form.elements.copy.checked = shown.copy;
  byId("least").textContent = `${shown.min} %`;
  const own = shown.examples.length === 1 && shown.examples[0].kind === "photo";
  byId("adding").hidden = !own;
  byId("target").value = shown.folder;
  byId("heading").textContent = shown.examples.length ? "Most similar" : "A varied sample";
  examples.show(shown.examples, {
    remove: (example) => go(without(shown, example)),
    turn: (example) => go(marked(shown, { ...example, weight: -example.weight })),
    cut: async (example) => {
      const picture = await examples.pictureOf(example, 1024);
      box.open(picture, example.box, (chosen) => {
        const [first, ...others] = shown.examples;
        go(withExamples(shown, [{ ...first, box: chosen }, ...others]));
      });
    },
  });
}

async function searchBy(files) {
  const images = [...files].slice(0, 16);
  if (!images.length) return;
  try {
    const ids = await Promise.all(images.map((file) => photos.keep(file)));
    go(withExamples(state, ids.map((name) => ({ kind: "photo", name, weight: 1, box: null }))));
  } catch (error) {
    byId("note").textContent = `The image cannot be kept in this browser (${error.message}).`;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-search], #home");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(stateOf(new URL(link.href).search));
  scrollTo({ top: 0 });
  byId("heading").focus({ preventScroll: true });
});
addEventListener("popstate", () => {
  state = stateOf(location.search);
  show();
});
results.onMark((path, weight) => go(marked(state, { kind: "path", name: path, weight, box: null })));

byId("file").addEventListener("change", (event) => searchBy(event.target.files));
addEventListener("paste", (event) => searchBy(event.clipboardData.files));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  searchBy(event.dataTransfer.files);
});

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  if (event.target.name === "min") byId("least").textContent = `${event.target.value} %`;
});
form.addEventListener("change", (event) => {
  const { name } = event.target;
  if (["folder", "from", "to"].includes(name)) go({ ...state, [name]: folderIn(event.target) });
  else if (name === "min") go({ ...state, min: Number(event.target.value) }, { replace: true });
  else if (name === "copy") go({ ...state, copy: event.target.checked });
});
byId("sample").addEventListener("click", () => go(withExamples(state, [])));
byId("add").addEventListener("click", async () => {
  const photo = await photos.find(state.examples[0].name);
  byId("note").textContent = "Adding …";
  try {
    const { files } = await api.upload(photo.blob, photo.name, folderIn(byId("target")));
    byId("note").textContent = `${files[0].path} is in the library and will be indexed.`;
    byId("adding").hidden = true;
  } catch (error) {
    byId("note").textContent = error.message;
  }
});
if (matchMedia("(max-width: 48rem)").matches) {
  byId("filters").open = Boolean(state.folder || state.from || state.to || state.min || state.copy);
}
standing.follow((status, before) => {
  byId("copy-choice").hidden = !status.has_copies;
  // What was empty may have pictures now.
  if (isEmpty && before && (status.indexed ?? 0) > (before.indexed ?? 0)) show();
});
show();
