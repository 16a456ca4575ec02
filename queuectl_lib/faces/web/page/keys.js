// The keyboard: what each key does, and the dialog that tells it. Nothing while somebody types in a field.

import * as address from "./address.js";
import * as dialog from "./dialog.js";
import { h } from "./dom.js";

const KEYS = [
  ["/", "Search"],
  ["j  \u2193", "Next job"],
  ["k  \u2191", "Job before"],
  ["Enter", "Open the job"],
  ["Escape", "Close what is open"],
  ["x", "Select the job; Shift+x: all up to it"],
  ["r", "Retry the selected jobs, or this one"],
  ["c", "Cancel them"],
  ["n", "Enqueue a job"],
  ["?", "These keys"],
];
const CHANGING = ["r", "c", "n", "x"];
const VERBS = { r: "retry", c: "cancel" };

const lists = [];

// {body, select(row, isRange), act(verb, row)}: a list that the keys are for while it is shown.
export function rows(handlers) {
  lists.push(handlers);
}

export function watch() {
  document.addEventListener("keydown", pressed);
  const button = h("button", { type: "button", class: "plain help-button", "aria-label": "Keys", "aria-keyshortcuts": "?", onclick: help }, "?");
  document.getElementById("commands").append(button);
}

function pressed(event) {
  const isTaken = event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  if (isTaken || document.querySelector("dialog[open]")) {
    return;
  }
  if (event.key === "Escape") {
    escape(event);
  } else if (!isTyping(event.target)) {
    const act = chosen(event);
    if (act) {
      event.preventDefault();
      act();
    }
  }
}

function isTyping(element) {
  return element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox])");
}

function escape(event) {
  if (event.target.matches(".search")) {
    event.target.blur();
  } else if (!isTyping(event.target) && address.view().job) {
    address.go({ job: "" });
  }
}

// The function that a key stands for, or nothing.
function chosen({ key, shiftKey, target }) {
  const list = shownList();
  const row = current();
  const isInList = target === document.body || (list && list.body.contains(target)) || target.id === "view";
  if (!works(key.toLowerCase())) {
    return null;
  }
  if (key === "j" || (key === "ArrowDown" && isInList)) {
    return () => step(row, 1);
  }
  if (key === "k" || (key === "ArrowUp" && isInList)) {
    return () => step(row, -1);
  }
  if (key === "Enter" && target.matches(".pick")) {
    return () => row.querySelector(".job-link").click();
  }
  if (key.toLowerCase() === "x" && row) {
    return () => list.select(row, shiftKey);
  }
  if (key in VERBS && shownRows().length) {
    return () => list.act(VERBS[key], row);
  }
  const button = visible('[aria-keyshortcuts~="' + CSS.escape(key) + '"]');
  return button && (() => (button.matches("input") ? button.select() : button.click()));
}

function works(key) {
  return !(CHANGING.includes(key) && document.body.classList.contains("read-only"));
}

function visible(selector) {
  return [...document.querySelectorAll(selector)].find((element) => element.offsetParent !== null && !element.disabled);
}

// The row that has the focus, or the one whose details are shown.
function current() {
  const rows = shownRows();
  return rows.find((row) => row.contains(document.activeElement)) || rows.find((row) => row.getAttribute("aria-current") === "true");
}

function shownList() {
  return lists.find(({ body }) => body.offsetParent !== null);
}

// None in a view that has no list of jobs.
function shownRows() {
  const list = shownList();
  return list ? [...list.body.rows] : [];
}

function step(row, by) {
  const rows = shownRows();
  const target = row ? rows[rows.indexOf(row) + by] : by > 0 ? firstInSight(rows) : rows[rows.length - 1];
  if (target) {
    target.querySelector(".job-link").focus();
    target.scrollIntoView({ block: "nearest" });
  }
}

function firstInSight(rows) {
  return rows.find((row) => row.getBoundingClientRect().top >= 0) || rows[0];
}

function help() {
  const told = KEYS.filter(([key]) => works(key)).map(([key, what]) => h("div", {}, h("dt", {}, key.split("  ").map((each) => h("kbd", {}, each))), h("dd", {}, what)));
  const shown = dialog.open("Keys", h("dl", { class: "help" }, told), () => shown.close());
}
