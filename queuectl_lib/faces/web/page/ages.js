// How long ago something was: texts that grow older by themselves.

import { h } from "./dom.js";
import { growing, local, short, since } from "./text.js";
import { everySecond } from "./ticking.js";

// A <time> that says "3m ago" and, to who points at it, the moment. after: words behind it, as " ago".
export function age(moment, after) {
  return become(h("time", { class: "age" }), moment, after);
}

// The same in full words: "3 min 20 s ago".
export function longAge(moment, after) {
  return become(h("time", { class: "age age-long" }), moment, after);
}

// The same element for another moment.
export function become(element, moment, after) {
  if (element.dateTime !== moment) {
    element.dateTime = moment;
    element.title = local(moment);
  }
  element.dataset.after = after || "";
  tick(element);
  return element;
}

// What a cell or the like shows of a moment; nothing for none.
export function show(place, moment, after) {
  const element = place.querySelector("time");
  if (!moment) {
    place.replaceChildren();
  } else if (element) {
    become(element, moment, after);
  } else {
    place.replaceChildren(age(moment, after));
  }
}

function tick(element) {
  const seconds = since(element.dateTime);
  const shown = (element.classList.contains("age-long") ? growing(seconds) : short(seconds)) + element.dataset.after;
  if (element.textContent !== shown) {
    element.textContent = shown;
  }
}

everySecond(() => document.querySelectorAll("time.age").forEach(tick));
