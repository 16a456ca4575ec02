// Short messages of what was done, in the corner of the page; a screen reader tells them, too.

import { h } from "./dom.js";

const STAYS = 8000;
const SLOW = 400;
// More would hide the page; the oldest goes first.
const MOST = 5;

// Says it for a while: texts and elements, as h() takes them.
export function say(...children) {
  const toast = shown("toast", children);
  let timer = 0;
  const wait = () => clearTimeout(timer);
  const goOn = () => {
    wait();
    timer = setTimeout(() => close(toast), STAYS);
  };
  goOn();
  // Whoever reads it, or is about to follow its link, is not hurried.
  toast.addEventListener("pointerenter", wait);
  toast.addEventListener("pointerleave", goOn);
  toast.addEventListener("focusin", wait);
  toast.addEventListener("focusout", goOn);
}

// Says what went wrong: it stays until it is closed.
export function complain(...children) {
  shown("toast toast-error", children);
}

// Says what is under way, if that takes long enough to be wondered at; returns the function that ends it.
export function goOn(...children) {
  let toast = null;
  const timer = setTimeout(() => {
    toast = shown("toast", children);
  }, SLOW);
  return () => {
    clearTimeout(timer);
    if (toast) {
      close(toast);
    }
  };
}

function shown(kind, children) {
  const place = document.getElementById("toasts");
  const toast = h("div", { class: kind }, h("p", {}, children));
  toast.append(h("button", { type: "button", class: "close", "aria-label": "Dismiss", onclick: () => close(toast) }, "\u00d7"));
  place.append(toast);
  while (place.children.length > MOST) {
    place.firstElementChild.remove();
  }
  return toast;
}

function close(toast) {
  const next = toast.contains(document.activeElement) && (toast.nextElementSibling || toast.previousElementSibling);
  toast.remove();
  if (next) {
    next.querySelector("button").focus();
  }
}
