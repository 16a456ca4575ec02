// The queues: what waits, runs and is dead in each, and whether it is paused; pausing and resuming.

import * as actions from "./actions.js";
import * as address from "./address.js";
import * as live from "./live.js";
import * as pause from "./pause.js";
import { age, become } from "./ages.js";
import { h, keyed, set, write } from "./dom.js";
import { row, sheet } from "./sheet.js";
import { count, local } from "./text.js";

// More rows than these nobody reads, and they would have to be drawn anew each second.
const MOST = 200;

const COLUMNS = [["Queue"], ["Ready", "number"], ["Delayed", "number"], ["Retry", "number"], ["Blocked", "number"], ["Running", "number"],
  ["Dead", "number"], ["Oldest waiting", "number"], ["Paused"], [""]];
// How many jobs of this kind a queue has, in which column, and the state in which they are found.
const NUMBERS = [["ready", 1, "pending"], ["delayed", 2, "pending"], ["failed", 3, "failed"], ["blocked", 4, "pending"], ["dead", 6, "dead"]];

export function mount(place) {
  const { element, body } = sheet("Queues", COLUMNS, "queues");
  const empty = h("p", { class: "empty", hidden: true }, "No queue has a job yet.");
  const rest = h("p", { class: "soft" });
  const summary = h("p", { class: "soft", role: "status" }, "Loading \u2026");
  const all = [
    actions.button("Pause all \u2026", () => pause.open(null), { hidden: true }),
    actions.button("Resume all", () => pause.resume(null), { hidden: true, class: "main" })];
  place.append(h("div", { class: "view-head" }, h("h2", {}, "Queues"), summary, h("div", { class: "head-actions" }, all)), element, rest, empty);
  let status = null;
  const draw = () => {
    // Of thousands of queues nothing is drawn that nobody sees.
    if (!status || address.view().tab !== "queues") {
      return;
    }
    const queues = Object.entries(status.queues).map(([name, queue]) => ({ ...queue, name, all: status.paused }));
    keyed(body, busiest(queues), ({ name }) => name, create, update);
    write(rest, queues.length > MOST ? "These " + count(MOST) + " have most to do. Of each of the others the list of jobs tells, with the filter by queue." : "");
    write(summary, status.paused ? "All queues are paused: " + told(status.paused) : count(queues.length) + (queues.length === 1 ? " queue" : " queues"));
    element.hidden = !queues.length;
    empty.hidden = Boolean(queues.length);
    either(all, Boolean(status.paused));
  };
  live.on("status", (found) => {
    status = found;
    draw();
  });
  address.follow(draw);
}

// By name; of very many those with most to do.
function busiest(queues) {
  if (queues.length <= MOST) {
    return queues;
  }
  const work = ({ processing, pending, failed, dead, paused }) => processing + pending + failed + dead + (paused ? 1 : 0);
  const found = new Set([...queues].sort((one, other) => work(other) - work(one)).slice(0, MOST));
  return queues.filter((queue) => found.has(queue));
}

function create({ name }) {
  const line = row(COLUMNS);
  line.cells[0].append(h("a", { "data-view": true }, name));
  for (const [, place] of NUMBERS) {
    line.cells[place].append(h("a", { "data-view": true }));
  }
  line.cells[9].append(
    actions.button("Pause \u2026", () => pause.open(name), { class: "small", "aria-label": "Pause the queue " + name }),
    actions.button("Resume", () => pause.resume(name), { class: "small", "aria-label": "Resume the queue " + name }));
  return line;
}

function update(line, queue) {
  const { cells } = line;
  link(cells[0].firstChild, { queue: [queue.name], state: [] });
  for (const [kind, place, state] of NUMBERS) {
    showNumber(cells[place], queue[kind]);
    link(cells[place].firstChild, { queue: [queue.name], state: [state] });
  }
  write(cells[5], count(queue.processing) + (queue.limit === null ? "" : " of " + limited(queue)));
  showOldest(cells[7], queue.oldest_waiting);
  // A queue's own pause is told rather than that of all queues, which is told above the table.
  const own = queue.paused && !(queue.all && queue.all.since === queue.paused.since);
  write(cells[8], own ? told(queue.paused) : queue.all ? "with all queues" : queue.pause_on_failure ? "when a job dies" : "");
  set(cells[8], "class", queue.paused ? "paused" : "soft");
  either(cells[9].children, Boolean(own));
}

// One of two buttons is there; if it comes in the place of the one that had the focus, it has it.
function either([first, second], isSecond) {
  const [here, gone] = isSecond ? [second, first] : [first, second];
  const hadFocus = document.activeElement === gone;
  here.hidden = false;
  gone.hidden = true;
  if (hadFocus) {
    here.focus();
  }
}

// A queue's limit is one of slots, of which a job may take several.
function limited({ limit, processing, slots_in_use: taken }) {
  return count(limit) + (taken === processing ? "" : " (" + count(taken) + " slots)");
}

function showNumber(cell, number) {
  // Where only the first ones were looked at it is not known exactly.
  write(cell.firstChild, number === null ? "many" : count(number));
  set(cell, "class", "number" + (number === 0 ? " none" : ""));
}

function showOldest(cell, oldest) {
  if (!oldest) {
    cell.replaceChildren();
    return;
  }
  if (!cell.firstChild) {
    cell.append(h("a", { "data-view": true }, age(oldest.since)));
  }
  become(cell.firstChild.firstChild, oldest.since);
  set(cell.firstChild, "href", address.link({ job: oldest.id }));
}

function link(anchor, changes) {
  set(anchor, "href", address.link({ tab: "jobs", search: "", sort: "", cursor: "", job: "", ...changes }));
}

function told({ since, until, reason }) {
  return [reason, "since " + local(since), until && "until " + local(until)].filter(Boolean).join(", ");
}
