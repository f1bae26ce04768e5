// The grid of pictures. Each is a link to the search by it, so that it can also be opened in another tab.

import { original, thumbnail } from "./api.js";
import { byId, make, percent } from "./make.js";
import { addressOf, withExamples } from "./state.js";

const list = byId("results");
const MOST_FOLDERS = 200;

/** Shows pictures after those that are there. `neighbours` have a path, and of a search a similarity. */
export function append(neighbours, state) {
  list.append(...neighbours.map((neighbour) => card(neighbour, state)));
  offerFolders(neighbours.map(({ path }) => path));
}

/** The folders of what was found, for the filter. */
function offerFolders(paths) {
  const offered = byId("folders");
  const known = new Set([...offered.children].map((option) => option.value));
  for (const path of paths) {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const folder = parts.slice(0, depth).join("/");
      if (known.has(folder) || known.size >= MOST_FOLDERS) continue;
      known.add(folder);
      offered.append(make("option", { value: folder }));
    }
  }
}

export function clear() {
  list.replaceChildren();
}

export function busy(is) {
  list.setAttribute("aria-busy", is);
}

function card({ path, similarity, payload }, state) {
  const name = path.split("/").at(-1);
  const example = { kind: "path", name: path, weight: 1, box: null };
  const like = similarity === undefined ? "" : percent(similarity);
  const picture = make("img", {
    src: thumbnail(path, 256),
    alt: "",
    loading: "lazy",
    decoding: "async",
    width: payload?.width_px || 256,
    height: payload?.height_px || 256,
  });
  picture.addEventListener("error", () => picture.replaceWith(make("span", { class: "no-picture" }, "no picture")));
  const link = make(
    "a",
    {
      class: "picture",
      href: addressOf(withExamples(state, [example])),
      title: `${path}${payload?.taken_at ? `\n${payload.taken_at.replace("T", " ")}` : ""}`,
      "aria-label": `Search by ${path}${like && `, ${like} similar`}`,
      "data-search": "",
    },
    picture,
  );
  return make(
    "li",
    { "data-path": path },
    link,
    make(
      "div",
      { class: "caption" },
      make("span", { class: "similarity" }, like),
      mark("+", `More like ${path}`, 1),
      mark("−", `Less like ${path}`, -1),
      make("a", { href: original(path), target: "_blank", rel: "noopener", "aria-label": `Open ${path}`, title: "Original" }, "↗"),
      make("span", { class: "name" }, name),
    ),
  );
}

function mark(sign, label, weight) {
  return make("button", { type: "button", "aria-label": label, title: label, "data-weight": weight }, sign);
}

/** Calls back with a path and a weight when a mark is pressed, or + or - on a picture that has the focus. */
export function onMark(callback) {
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-weight]");
    if (button) callback(button.closest("li").dataset.path, Number(button.dataset.weight));
  });
  list.addEventListener("keydown", (event) => {
    const item = event.target.closest("li");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "-") callback(item.dataset.path, event.key === "+" ? 1 : -1);
    else if (event.key.startsWith("Arrow")) moveFocus(event, item);
  });
}

function moveFocus(event, item) {
  const items = [...list.children];
  const columns = items.filter((one) => one.offsetTop === items[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const next = items[items.indexOf(item) + step];
  if (next) {
    event.preventDefault();
    next.querySelector("a.picture").focus();
  }
}
