// A search as the address bar holds it. Pure: no document, no network.
//
//   ?like=PATH&unlike=PATH&photo=ID&box=0.1,0.2,0.6,0.8&folder=trips&from=2023-05-01&to=2024-01-31&min=60&copy=1
//
// A photo is an image of the visitor's own, kept in this browser (photos.js) under its id. The box is that of the
// first example.

/** @typedef {{kind: "path" | "photo", name: string, weight: number, box: number[] | null}} Example */
/** @typedef {{examples: Example[], folder: string, from: string, to: string, min: number, copy: boolean}} State */

const NAMES = { like: ["path", 1], unlike: ["path", -1], photo: ["photo", 1], unphoto: ["photo", -1] };

/** @returns {State} */
export function stateOf(query) {
  const fields = new URLSearchParams(query);
  const examples = [];
  for (const [name, value] of fields) {
    const known = NAMES[name];
    if (known && value) examples.push({ kind: known[0], name: value, weight: known[1], box: null });
  }
  const box = (fields.get("box") ?? "").split(",").map(Number);
  if (examples.length && isBox(box)) examples[0].box = box;
  const min = Number(fields.get("min") ?? 0);
  return {
    examples,
    folder: fields.get("folder") ?? "",
    from: day(fields.get("from")),
    to: day(fields.get("to")),
    min: min >= 0 && min <= 100 ? Math.round(min) : 0,
    copy: fields.get("copy") === "1",
  };
}

/** The address of a search, relative to the page. */
export function addressOf(state) {
  const fields = new URLSearchParams();
  for (const example of state.examples) {
    const name = Object.keys(NAMES).find((key) => NAMES[key][0] === example.kind && NAMES[key][1] === example.weight);
    fields.append(name, example.name);
  }
  const box = state.examples[0]?.box;
  if (box) fields.set("box", box.map((edge) => Number(edge.toFixed(4))).join(","));
  for (const name of ["folder", "from", "to"]) if (state[name]) fields.set(name, state[name]);
  if (state.min) fields.set("min", state.min);
  if (state.copy) fields.set("copy", "1");
  const query = fields.toString();
  return query ? `/?${query}` : "/";
}

/** The same filters with these examples. */
export function withExamples(state, examples) {
  return { ...state, examples };
}

/** One more example like or unlike, or the same with another sign; the first is one that is like. */
export function marked(state, example) {
  const others = state.examples.filter((one) => one.kind !== example.kind || one.name !== example.name);
  return withExamples(state, example.weight > 0 && !others.some((one) => one.weight > 0) ? [example, ...others] : [...others, example]);
}

/** The state without an example; none is left that is only unlike. */
export function without(state, example) {
  const left = state.examples.filter((one) => one !== example);
  return withExamples(state, left.some((one) => one.weight > 0) ? left : []);
}

/** The query as the API takes it (POST /api/v1/search), without its images. */
export function queryOf(state, limit, offset) {
  const filter = {};
  if (state.folder) filter.folder = state.folder;
  if (state.from || state.to) {
    filter.taken_at = { ...(state.from && { gte: state.from }), ...(state.to && { lte: state.to }) };
  }
  return {
    limit,
    offset,
    exclude_self: true,
    by: state.copy ? "copy" : "embedding",
    ...(state.min && { min_similarity: state.min / 100 }),
    ...(Object.keys(filter).length && { filter }),
  };
}

export function isBox(box) {
  return box.length === 4 && box.every((edge) => edge >= 0 && edge <= 1) && box[0] < box[2] && box[1] < box[3];
}

function day(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text ?? "") ? text : "";
}
