// One row of the list of jobs: made once for a job, and touched afterwards only where something is another text.

import * as address from "./address.js";
import * as jobtext from "./jobtext.js";
import { h, set, write } from "./dom.js";
import { count, growing, local, now, short, since, span } from "./text.js";

// The cells in their order. sort: the field of the API's that its heading sorts by; first: which way round at
// first ("-": the greatest first); isTurned: what is shown grows as the field's value falls.
export const COLUMNS = [
  { name: "id", title: "Job", sort: "id", first: "" },
  { name: "state", title: "State", sort: "state", first: "" },
  { name: "attempts", title: "Tries", about: "Attempts made, of those it may make", sort: "attempts", first: "-", isNumber: true },
  { name: "priority", title: "Prio", about: "Priority: the lower runs first", sort: "priority", first: "", isNumber: true },
  { name: "queue", title: "Queue", sort: "queue", first: "" },
  { name: "command", title: "Command", sort: "command", first: "" },
  { name: "note", title: "Note" },
  { name: "age", title: "Age", sort: "created_at", first: "-", isTurned: true, isNumber: true },
  { name: "duration", title: "Took", about: "Duration of the last attempt", sort: "duration", first: "-", isNumber: true },
  { name: "exit", title: "Exit", about: "Exit code or signal of the last attempt", sort: "exit_code", first: "-" },
];

// What a row shows, beside the element: the job, and the moment of which it was told.
const shown = new WeakMap();

export function create(job) {
  const pick = h("input", { type: "checkbox", class: "pick", "aria-label": "Select " + job.id });
  const cells = COLUMNS.map(({ name, title, isNumber }) => name === "id"
    ? h("th", { scope: "row", role: "rowheader", class: "c-id" }, h("a", { "data-view": true, class: "mono job-link" }, job.id))
    : h("td", { role: "cell", class: "c-" + name + (isNumber ? " number" : ""), "data-label": title }));
  const row = h("tr", { role: "row" }, h("td", { role: "cell", class: "c-pick" }, h("label", { class: "tap" }, pick)), cells);
  cell(row, "state").append(h("span", { class: "state" }));
  cell(row, "age").append(h("time", { datetime: job.created_at, title: "Created " + local(job.created_at) }));
  return row;
}

export function update(row, job, told, isChosen) {
  shown.set(row, { job, told });
  set(row.querySelector(".job-link"), "href", address.link({ job: job.id }));
  const pick = row.querySelector(".pick");
  pick.checked = isChosen;
  row.classList.toggle("chosen", isChosen);
  const mark = cell(row, "state").firstChild;
  mark.className = "state state-" + (job.lost ? "lost" : job.state);
  write(mark, jobtext.state(job));
  write(cell(row, "attempts"), jobtext.attempts(job));
  write(cell(row, "priority"), count(job.priority));
  write(cell(row, "queue"), job.queue);
  write(cell(row, "command"), job.command);
  write(cell(row, "exit"), jobtext.exit(job));
  cell(row, "exit").classList.toggle("bad", jobtext.isBadExit(job));
  set(cell(row, "note"), "data-exit", jobtext.isBadExit(job) && !job.error && (job.signal === null ? "exit " : "") + jobtext.exit(job));
  tick(row);
}

// What changes with the time alone.
export function tick(row) {
  const { job, told } = shown.get(row);
  const moment = now();
  const took = jobtext.duration(job, moment);
  write(cell(row, "note"), jobtext.note(job, moment, told));
  write(cell(row, "age").firstChild, short(since(job.created_at)));
  write(cell(row, "duration"), took === null ? "" : job.state === "processing" ? growing(took) : span(took));
}

export function jobOf(row) {
  return shown.get(row).job;
}

function cell(row, name) {
  return row.cells[1 + COLUMNS.findIndex((column) => column.name === name)];
}
