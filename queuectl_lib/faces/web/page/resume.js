// Buttons that take a pause away, beside the reason why a job is not running.

import * as pause from "./pause.js";
import { button } from "./actions.js";
import { keyed } from "./dom.js";

export function show(place, job, status) {
  const names = ["pending", "failed"].includes(job.state) ? paused(status, job.queue) : [];
  keyed(place, names, String, create, () => {});
}

// What has to be resumed before a job of this queue is started: null for all queues, the queue's name.
function paused({ paused: all, queues }, name) {
  const own = queues[name] && queues[name].paused;
  const isOwn = Boolean(own) && !(all && all.since === own.since);
  return [...(all ? [null] : []), ...(isOwn ? [name] : [])];
}

function create(name) {
  return button(name === null ? "Resume all queues" : "Resume the queue " + name, () => pause.resume(name), { class: "small" });
}
