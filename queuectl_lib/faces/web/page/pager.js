// From page to page of the list. The API's cursors lead forward only: the way back is kept with the entry
// of the browser's history, so it is there after a reload, too.

import * as address from "./address.js";
import { h, write } from "./dom.js";
import { count } from "./text.js";
import { USUAL_LIMIT } from "./list.js";

const SIZES = [20, 50, 100, 200, 500];

export function pager(list) {
  const size = h("select", { "aria-label": "Jobs on a page", onchange: () => address.go({ limit: usual(size.value), cursor: "" }) });
  const first = step("First", "First page", () => address.go({ cursor: "" }));
  const previous = step("\u2039 Previous", null, back);
  const next = step("Next \u203a", null, () => forward(list.state));
  const range = h("span", { class: "range" });
  const element = h("nav", { class: "pager", "aria-label": "Pages" }, range,
    h("label", { class: "size" }, size, h("span", {}, " on a page")), first, previous, next);
  address.follow(({ limit }) => {
    const sizes = [...new Set([...SIZES, Number(limit) || USUAL_LIMIT])].sort((a, b) => a - b);
    size.replaceChildren(...sizes.map((number) => h("option", { value: number }, String(number))));
    size.value = limit || USUAL_LIMIT;
  });
  return { element, update: (state) => {
    disable(first, !state.view.cursor);
    disable(previous, !trail().length);
    // Rows of another page still, or of one that is searched on: its end leads nowhere from here. One that is sorted is as long as it will be.
    disable(next, !state.next || state.isFresh || (!state.complete && state.sorted_of === null));
    if (!state.isFresh) {
      write(range, told(state));
    }
  } };
}

function usual(value) {
  return Number(value) === USUAL_LIMIT ? "" : value;
}

// aria-disabled: who has just pressed it keeps the focus.
function step(title, about, act) {
  const button = h("button", { type: "button", "aria-label": about || title.replace(/[^A-Za-z]/g, "") + " page" }, title);
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") {
      act();
      toTheTop();
    }
  });
  return button;
}

// Another page is read from its first row on; the button keeps the focus, for the page after it.
function toTheTop() {
  const view = document.getElementById("view");
  if (view.getBoundingClientRect().top < 0) {
    view.scrollIntoView({ block: "start", behavior: "instant" });
  }
}

function disable(button, isOff) {
  button.setAttribute("aria-disabled", String(isOff));
}

// [{cursor, from}] of the pages before this one, oldest first; nothing where somebody came by a link.
function trail() {
  return (history.state && history.state.trail) || [];
}

// How many jobs stand before this page; null where nobody knows.
function before() {
  return history.state && "from" in history.state ? history.state.from : address.view().cursor ? null : 0;
}

function forward({ next, jobs }) {
  const from = before();
  const here = { cursor: address.view().cursor, from };
  address.go({ cursor: next }, { trail: [...trail(), here], from: from === null ? null : from + jobs.length });
}

function back() {
  const way = trail();
  const { cursor, from } = way[way.length - 1];
  address.go({ cursor }, { trail: way.slice(0, -1), from });
}

// "1-50 of 1,000,000", as far as it is known.
function told({ jobs, total, told: moment, next }) {
  if (moment === null || !jobs.length) {
    return "";
  }
  const from = before();
  const here = from === null ? count(jobs.length) + " jobs" : count(from + 1) + "\u2013" + count(from + jobs.length);
  if (total !== null) {
    return here + " of " + count(total);
  }
  // The last page tells how many there are, if it is known how many stand before it.
  return next || from === null ? here : here + " of " + count(from + jobs.length);
}
