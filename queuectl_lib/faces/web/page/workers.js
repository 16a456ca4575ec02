// The workers: who is alive, since when, and what each of them runs.

import * as address from "./address.js";
import * as api from "./api.js";
import * as live from "./live.js";
import * as ages from "./ages.js";
import { h, keyed, set, write } from "./dom.js";
import { row, sheet } from "./sheet.js";
import { count, now } from "./text.js";
import { whileRunning } from "./ticking.js";

const COLUMNS = [["Worker"], ["PID", "number"], ["Up"], ["Heartbeat"], ["Done", "number"], ["Queues"], ["Runs"], ["For"], ["Progress"]];

export function mount(place) {
  const { element, body } = sheet("Workers", COLUMNS, "workers");
  const empty = h("div", { class: "empty", hidden: true },
    h("p", {}, "No worker is running: nothing is started."),
    h("p", {}, "Start one on the machine of this store: ", h("code", {}, "python3 queuectl.py worker start"), ", or four: ", h("code", {}, "python3 queuectl.py worker start --count 4")));
  const summary = h("p", { class: "soft", role: "status" }, "Loading \u2026");
  place.append(h("div", { class: "view-head" }, h("h2", {}, "Workers"), summary), element, empty);
  let shown = [];
  const show = (workers) => {
    shown = workers;
    keyed(body, workers, ({ worker }) => worker, () => row(COLUMNS), update);
    write(summary, told(workers));
    element.hidden = !workers.length;
    empty.hidden = Boolean(workers.length);
  };
  live.on("status", ({ workers }) => show(workers));
  whileRunning(() => address.view().tab === "workers" && shown.some(({ job }) => job), () => api.get("/api/workers").then(show, () => null));
}

function told(workers) {
  const busy = workers.filter(({ job }) => job).length;
  const leaving = workers.filter((worker) => worker.leaving).length;
  return workers.length ? count(workers.length) + " alive, " + count(busy) + " at work" + (leaving ? ", " + count(leaving) + " leaving" : "") : "none alive";
}

function update(line, worker) {
  const [slot, pid, up, beat, done, queues, runs, runsFor, progress] = line.cells;
  write(slot, worker.worker);
  write(pid, worker.pid);
  ages.show(up, worker.since);
  ages.show(beat, worker.heartbeat, " ago");
  write(done, count(worker.done));
  write(queues, worker.queues ? worker.queues.join(", ") : "all");
  showJob(runs, worker);
  ages.show(runsFor, worker.running_for === null ? null : new Date(now() - worker.running_for * 1000).toISOString());
  write(progress, worker.progress || "");
  set(line, "class", worker.job ? null : "idle");
}

function showJob(cell, { job, command, leaving }) {
  if (!job) {
    write(cell, leaving ? "leaving" : "idle");
    return;
  }
  if (cell.dataset.job !== job || !cell.firstElementChild) {
    cell.dataset.job = job;
    cell.replaceChildren(h("div", {}, h("a", { "data-view": true, class: "mono" }, job), h("div", { class: "mono soft clipped" }, command)));
  }
  set(cell.querySelector("a"), "href", address.link({ job }));
}
