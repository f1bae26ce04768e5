// What is searched by: a chip for each example, with its picture, its sign, and what can be done with it.

import { thumbnail } from "./api.js";
import { byId, make } from "./make.js";
import * as photos from "./photos.js";

const list = byId("examples");
let shown = [];

/** Where the picture of an example is shown from. */
export async function pictureOf(example, side) {
  if (example.kind === "path") return thumbnail(example.name, side);
  const photo = await photos.find(example.name);
  if (!photo) return "";
  const address = URL.createObjectURL(photo.blob);
  shown.push(address);
  return address;
}

/** Shows the examples; `actions` are called with one of them: remove, turn, cut. */
export async function show(examples, actions) {
  const old = shown;
  shown = [];
  const chips = await Promise.all(examples.map((example, at) => chip(example, at, actions)));
  list.replaceChildren(...chips);
  old.forEach((address) => URL.revokeObjectURL(address));
}

async function chip(example, at, actions) {
  const name = example.kind === "path" ? example.name : "your image";
  const sign = example.weight > 0 ? "like" : "unlike";
  const address = await pictureOf(example, 128);
  const picture = make("img", { alt: "" });
  picture.addEventListener("error", () => picture.replaceWith(make("span", { class: "no-picture" }, "no picture")));
  if (address) picture.src = address;
  const button = (label, text, action) => {
    const made = make("button", { type: "button", "aria-label": `${label} ${name}`, title: label }, text);
    made.addEventListener("click", () => action(example));
    return made;
  };
  return make(
    "li",
    { class: sign },
    address ? picture : make("span", { class: "no-picture" }, "no picture"),
    make("span", { class: "sign" }, sign),
    make("span", { class: "name", title: name }, name.split("/").at(-1), example.box ? " (a piece)" : ""),
    ...(at === 0 ? [button("Search by a piece of", "▣", actions.cut)] : [button("Turn around", "±", actions.turn)]),
    button("Remove", "×", actions.remove),
  );
}
