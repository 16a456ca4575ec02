// The dialog that changes what a waiting or ended job was told.

import * as api from "./api.js";
import * as dialog from "./dialog.js";
import * as toasts from "./toasts.js";
import { field, localInput, number, text, whole } from "./fields.js";
import { jobLink } from "./actions.js";
import { h } from "./dom.js";
import { now } from "./text.js";

// done(): called when something was changed.
export function open(job, done) {
  const fields = controls(job);
  const before = values(fields);
  dialog.form({
    title: "Edit " + job.id, verb: "Save", fields: layout(fields),
    send: (close) => send(job, changes(before, values(fields)), close, done),
  });
  fields.priority.focus();
}

function controls(job) {
  const command = h("textarea", { name: "command", rows: "3", spellcheck: "false", class: "mono" });
  command.value = job.command;
  return {
    command,
    priority: number("priority", { value: job.priority }),
    queue: text("queue", { value: job.queue }),
    timeout: text("timeout", { value: job.timeout === null ? "none" : job.timeout }),
    max_retries: number("max_retries", { value: job.max_retries }),
    run_at: h("input", { type: "datetime-local", step: "1", name: "run_at", value: job.run_at ? localInput(job.run_at) : "" }),
  };
}

function layout(fields) {
  return [
    field("Command", fields.command),
    h("div", { class: "field-grid" },
      field("Priority", fields.priority, "The lower runs first."),
      field("Queue", fields.queue),
      field("Timeout", fields.timeout, "90, 5m, 2h, none"),
      field("Retries", fields.max_retries),
      field("Not before", fields.run_at, "In your own time; empty: now.")),
  ];
}

function values(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, control]) => [name, control.value]));
}

// What was changed, as the API wants it.
function changes(before, after) {
  const found = {};
  for (const [name, value] of Object.entries(after)) {
    if (value !== before[name]) {
      found[name] = converted(name, value.trim());
    }
  }
  return found;
}

function converted(name, value) {
  if (name === "priority" || name === "max_retries") {
    return whole(value);
  }
  // No moment is one that is over by the server's clock.
  return name === "run_at" ? new Date(value || now()).toISOString() : value;
}

async function send(job, changed, close, done) {
  if (!Object.keys(changed).length) {
    close();
    return;
  }
  await api.send("PATCH", api.jobPath(job.id), changed);
  close();
  toasts.say(jobLink(job.id), ": changed");
  done();
}
