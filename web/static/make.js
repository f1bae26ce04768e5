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

const counts = new Intl.NumberFormat("en");
export const count = (number) => counts.format(number);
export const percent = (share) => `${(100 * share).toFixed(1)} %`;
