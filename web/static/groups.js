// Groups of duplicates: each file next to the one that it is a copy of, with their difference, and what a person can call both.

import { original, thumbnail } from "./api.js";
import { whenSeen } from "./difference.js";
import { count, make, size } from "./make.js";

// Of a group, until more are asked for.
const PAIRS = 20;
const SIDE_PX = 256;
const VERDICTS = [
  { verdict: "not-duplicates", better: null, key: "n", text: "Not duplicates" },
  { verdict: "keep-both", better: null, key: "b", text: "Keep both" },
  { verdict: "same", better: 0, key: "1", text: "First is better" },
  { verdict: "same", better: 1, key: "2", text: "Second is better" },
  { verdict: "none", better: null, key: "u", text: "Withdraw" },
];
/** The verdict that a key gives on the pair that has the focus. */
export const verdictOfKey = (key) => VERDICTS.find((one) => one.key === key);

/** The element of a group; `verdicts` are those of the page. */
export function groupOf(group, verdicts) {
  const files = new Map(group.files.map((file) => [file.path, file]));
  const others = group.files.filter((file) => file.path !== group.keep);
  const moved = group.files.filter((file) => file.action === "move");
  const saved = moved.reduce((sum, file) => sum + file.facts.size_bytes, 0);
  const list = make("ol", { class: "pairs" });
  const more = make("button", { type: "button" });
  const grow = () => {
    const shown = list.children.length;
    list.append(...others.slice(shown, shown + PAIRS).map((file) => pairOf(referenceOf(file, group, files, verdicts), file, verdicts)));
    more.hidden = list.children.length === others.length;
    more.textContent = `More of ${count(others.length)}`;
  };
  more.addEventListener("click", grow);
  grow();
  return make(
    "li",
    { class: "group", "data-centre": group.centre },
    make("h3", {}, `${count(group.files.length)} files, ${group.label}; ${size(saved)} to save`),
    make("p", { class: "hint" }, `Keep ${group.keep}: ${group.why}`),
    list,
    more,
  );
}

/**
 * The file that a file is shown next to: the kept one that it is a copy of; of those that are kept as well, the one
 * that the rule chose if there is a verdict on both, else the centre, which each is a copy of.
 */
function referenceOf(file, group, files, verdicts) {
  const chosen = files.get(group.keep);
  if (file.copy_of) return files.get(file.copy_of);
  return file.path === group.centre || verdictOf(chosen, file, verdicts) ? chosen : files.get(group.centre);
}

/** The verdict on the contents of two files. */
function verdictOf(first, second, verdicts) {
  const contents = [first.facts.sha256, second.facts.sha256].sort().join();
  return verdicts.find(({ a, b }) => `${a},${b}` === contents);
}

function pairOf(first, second, verdicts) {
  const [left, right] = [pictureOf(first), pictureOf(second)];
  const canvas = make("canvas", { role: "img", "aria-label": `Difference of ${first.path} and ${second.path}` });
  const words = make("span", {}, "…");
  whenSeen(canvas, left.image, right.image, (sentence) => {
    words.textContent = sentence;
    canvas.setAttribute("aria-label", `Difference of ${first.path} and ${second.path}: ${sentence}`);
  });
  const middle = make("figure", { class: "difference" }, make("div", { class: "frame" }, canvas), make("figcaption", {}, words));
  const pair = make(
    "div",
    {
      class: "pair",
      role: "group",
      tabIndex: 0,
      "data-a": first.path,
      "data-b": second.path,
      "aria-label": `${first.path} and ${second.path}`,
    },
    left.figure,
    middle,
    right.figure,
    make("div", { class: "actions" }, ...VERDICTS.map((one) => buttonOf(one, first, second))),
  );
  const found = verdictOf(first, second, verdicts);
  const better = found?.better == null ? null : [first, second].findIndex(({ facts }) => facts.sha256 === found.better);
  mark(pair, found?.verdict ?? "none", better);
  return make("li", {}, pair);
}

function pictureOf({ path, action, reason, facts }) {
  const image = make("img", { src: thumbnail(path, SIDE_PX), alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(make("span", { class: "no-picture" }, "no picture")));
  const link = { class: "frame", href: original(path), target: "_blank", rel: "noopener", "aria-label": `Open ${path}` };
  const figure = make(
    "figure",
    { class: action },
    make("a", link, image),
    make(
      "figcaption",
      {},
      make("span", { class: "action" }, action),
      make("span", { class: "name" }, path),
      make("span", {}, `${facts.width_px} × ${facts.height_px}, ${size(facts.size_bytes)}, ${facts.format}`),
      make("span", { class: "reason" }, reason),
    ),
  );
  return { image, figure };
}

function buttonOf({ verdict, better, key, text }, first, second) {
  // Of two files with the same bytes none is better than the other.
  const disabled = first.facts.sha256 === second.facts.sha256 && !["keep-both", "none"].includes(verdict);
  return make(
    "button",
    { type: "button", disabled, title: `Key ${key}`, "data-verdict": verdict, "data-better": better ?? "", "aria-keyshortcuts": key },
    text,
  );
}

/** Shows the verdict on a pair. */
export function mark(pair, verdict, better) {
  for (const button of pair.querySelectorAll("button[data-verdict]")) {
    const is = button.dataset.verdict === verdict && button.dataset.better === String(better ?? "") && verdict !== "none";
    button.setAttribute("aria-pressed", is);
  }
  pair.classList.toggle("judged", verdict !== "none");
}
