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
// same key, and is moved only if it has to be: focus, selection and scrolling stay where they are.
// create(item) -> element; update(element, item).
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    const element = known.get(key) || create(item);
    element.dataset.key = key;
    known.delete(key);
    update(element, item);
    return element;
  });
  const focused = document.activeElement;
  for (const left of known.values()) {
    left.remove();
  }
  arrange(parent, wanted);
  // Moved elements lose it, where the browser has no moveBefore.
  if (focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

function arrange(parent, wanted) {
  let place = parent.firstElementChild;
  for (const element of wanted) {
    if (element === place) {
      place = element.nextElementSibling;
    } else if (place && element === place.nextElementSibling) {
      // One that stands further down now was passed: it is moved when its turn comes, instead of all behind it.
      place = element.nextElementSibling;
    } else {
      put(parent, element, place);
    }
  }
}

function put(parent, element, place) {
  if (parent.moveBefore && element.parentNode === parent) {
    parent.moveBefore(element, place);
  } else {
    parent.insertBefore(element, place);
  }
}
