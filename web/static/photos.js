// The visitor's own images, kept in this browser, so that the address of a search goes on to work.

const KEPT = 50;
const STORE = "photos";

let opened;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("lookalike", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Keeps a file; returns its id, a UUID. The oldest go. */
export async function keep(file) {
  const bytes = await file.arrayBuffer();
  const id = newId();
  const store = (await database()).transaction(STORE, "readwrite").objectStore(STORE);
  await done(store.put({ id, blob: new Blob([bytes], { type: file.type }), name: file.name, at: Date.now() }));
  const all = await done(store.getAll());
  for (const old of all.sort((one, other) => other.at - one.at).slice(KEPT)) store.delete(old.id);
  return id;
}

/** Not crypto.randomUUID(), which a page that came by http from another machine does not have. */
function newId() {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The image with this id, with its `blob` and `name`; undefined if this browser does not have it. */
export async function find(id) {
  const store = (await database()).transaction(STORE).objectStore(STORE);
  return done(store.get(id));
}
