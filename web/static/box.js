// The dialog in which a box is drawn: by pointer on the picture, or by its four edges in per cent.

import { byId } from "./make.js";
import { isBox } from "./state.js";

const dialog = byId("box");
const canvas = byId("canvas");
const piece = byId("piece");
const edges = [...byId("edges").querySelectorAll("input")];
const WHOLE = [0, 0, 1, 1];
let box = WHOLE;
let from = null;
let choose = () => {};

/** Opens it over a picture; calls back with the box, or null for the whole. */
export function open(address, given, callback) {
  byId("whole").src = address;
  choose = callback;
  set(given ?? WHOLE);
  dialog.showModal();
}

function set(next) {
  box = next;
  const [left, top, right, bottom] = box.map((edge) => 100 * edge);
  piece.style.inset = `${top}% ${100 - right}% ${100 - bottom}% ${left}%`;
  edges.forEach((input, at) => {
    input.value = Math.round(100 * box[at]);
  });
  byId("use-piece").disabled = !isBox(box);
}

function at(event) {
  const area = canvas.getBoundingClientRect();
  const share = (value, start, length) => Math.min(1, Math.max(0, (value - start) / length));
  return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
}

canvas.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  from = at(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (!from) return;
  const [x, y] = at(event);
  set([Math.min(from[0], x), Math.min(from[1], y), Math.max(from[0], x), Math.max(from[1], y)]);
});
canvas.addEventListener("pointerup", () => {
  from = null;
});
for (const input of edges) {
  input.addEventListener("change", () => set(edges.map((edge) => Math.min(100, Math.max(0, Number(edge.value))) / 100)));
}
byId("use-piece").addEventListener("click", () => finish(box));
byId("use-whole").addEventListener("click", () => finish(null));

function finish(chosen) {
  dialog.close();
  choose(chosen);
}
