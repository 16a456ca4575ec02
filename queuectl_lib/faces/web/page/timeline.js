// The history of a job as a timeline: each change of its state, how long after the one before, and how it came.

import { h, keyed, set, write } from "./dom.js";
import { local, span } from "./text.js";

export function show(list, history) {
  const entries = history.map((entry, place) => ({ ...entry, place, before: history[place - 1] }));
  keyed(list, entries, (entry) => entry.at + " " + entry.state + " " + entry.place, create, update);
}

function create(entry) {
  return h("li", { class: "event" },
    h("span", { class: "state state-" + entry.state }, entry.state),
    h("time", { datetime: entry.at, title: entry.at }, local(entry.at)),
    h("span", { class: "passed" }),
    h("span", { class: "told" }));
}

function update(item, entry) {
  write(item.querySelector(".passed"), entry.before ? later(entry.before.at, entry.at) : "");
  const told = tell(entry);
  write(item.querySelector(".told"), told);
  set(item, "class", "event" + (told ? "" : " event-plain"));
}

function later(before, at) {
  const passed = Date.parse(at) - Date.parse(before);
  // No time passes backwards.
  return passed < 0 ? "clock set back" : "+" + span(passed / 1000);
}

// What is known of an entry beside its moment and state (story.py tells the same on the command line).
export function tell(entry) {
  const parts = [];
  if (entry.worker) {
    parts.push("by worker " + entry.worker);
  }
  if (entry.exit_code !== null && entry.exit_code !== undefined && entry.state !== "completed") {
    parts.push("exit " + entry.exit_code);
  }
  if (entry.signal !== null && entry.signal !== undefined) {
    parts.push("signal " + entry.signal);
  }
  parts.push(...[entry.error, entry.note].filter(Boolean));
  if (entry.delay !== null && entry.delay !== undefined) {
    parts.push("again in " + span(entry.delay));
  }
  return parts.join(", ");
}
