// Makes elements. Text stays text: nothing here takes HTML.

/** @returns {HTMLElement} an element with these properties and children; `class`, `data-` and `aria-` are attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(class|role|data-|aria-)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** The folder that is typed into a field, without blanks and slashes at its ends. */
export const folderIn = (field) => field.value.trim().replace(/^\/+|\/+$/g, "");

const counts = new Intl.NumberFormat("en");
export const count = (number) => counts.format(number);
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Bytes as people read them, as the command line has them: 1.2 MB. */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(bytes || 1) / 3)));
  return `${at ? (bytes / 1000 ** at).toFixed(1) : bytes} ${units[at]}`;
}
