// The REST API as the page uses it. Every failure is an Error whose message is the API's sentence.

const API = "/api/v1";

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(API + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The gallery does not answer: is lookalike still running?");
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? `The gallery answers ${response.status}.`);
}

const asJson = (value) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

/** The path of a file in the library, as a part of an address. */
const inAddress = (path) => path.split("/").map(encodeURIComponent).join("/");

export const thumbnail = (path, side) => `${API}/thumbnails/${inAddress(path)}?side_px=${side}`;
export const original = (path) => `${API}/files/${inAddress(path)}`;
export const events = () => new EventSource(`${API}/events`);

/** Searches; `examples` as the API has them, `photos` by the key that an example names. */
export function search(query, examples, photos, signal) {
  const whole = { ...query, examples };
  if (!photos.size) return ask("/search", { ...asJson(whole), signal });
  const form = new FormData();
  form.set("query", JSON.stringify(whole));
  for (const [key, blob] of photos) form.set(key, blob, "photo");
  return ask("/search", { method: "POST", body: form, signal });
}

export function sample(count, folder, signal) {
  const fields = new URLSearchParams({ count, ...(folder && { folder }) });
  return ask(`/sample?${fields}`, { signal });
}

export function rejected(after) {
  return ask(`/rejected?${new URLSearchParams({ limit: 100, ...(after && { after }) })}`);
}

export const status = () => ask("/status");
export const pause = () => ask("/pause", { method: "POST" });
export const resume = () => ask("/resume", { method: "POST" });
export const retry = (paths) => ask("/retry", asJson(paths ? { paths } : {}));

export const lookForDuplicates = (asked) => ask("/duplicates", asJson(asked));
export const job = (id) => ask(`/jobs/${encodeURIComponent(id)}`);
export const answer = (id) => ask(`/jobs/${encodeURIComponent(id)}/result`);
export const cancel = (id) => ask(`/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
export const judge = (verdict) => ask("/verdicts", asJson(verdict));

/** What to keep of the groups of a job; `keeping` has the rule and the protected folders. */
export const plan = (id, page, keeping) => ask(`/duplicates/plan?${planFields(id, keeping, { page })}`);
/** Where the whole plan is fetched from, as csv, json or sh. */
export const planFile = (id, keeping, form) => `${API}/duplicates/plan.${form}?${planFields(id, keeping)}`;

function planFields(id, { keep, protect }, more = {}) {
  return new URLSearchParams([["job", id], ["keep", keep], ...protect.map((folder) => ["protect", folder]), ...Object.entries(more)]);
}

export function upload(blob, name, folder) {
  const form = new FormData();
  form.set("image", blob, name);
  if (folder) form.set("folder", folder);
  return ask("/images", { method: "POST", body: form });
}
