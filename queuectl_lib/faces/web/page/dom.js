// Elements, made without a word of HTML: nothing that a job contains can become markup.

import { visible } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

// h("a", {href: "/", class: "x", onclick: f}, "text", element, [more]): false and null are left out,
// true is an attribute without a value, a function is a listener.
export function h(tag, attributes, ...children) {
  return made(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    set(element, name, value);
  }
  element.append(...children.flat(Infinity).filter(isThere).map(asNode));
  return element;
}

export function set(element, name, value) {
  if (typeof value === "function") {
    element.addEventListener(name.slice(2), value);
  } else if (isThere(value)) {
    element.setAttribute(name, value === true ? "" : value);
  } else {
    element.removeAttribute(name);
  }
}

function isThere(value) {
  return value !== null && value !== undefined && value !== false;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(visible(child));
}

// A text that changes: the node is touched only if it does, so that a selection in it stays.
export function write(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) {
    element.textContent = shown;
  }
}

// Makes the children of `parent` those of `items`, in their order. An element stays the same for the
// same key, so that focus, selection and scrolling stay where they are.
// create(item) -> element; update(element, item).
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = known.get(key);
    if (element) {
      known.delete(key);
    } else {
      element = create(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(element, place);
    }
  }
  for (const left of known.values()) {
    left.remove();
  }
}
