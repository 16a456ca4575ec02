// The form for one command line: the command, and what `enqueue` takes as options.

import { check, duration, field, number, text, whole } from "./fields.js";
import { h } from "./dom.js";
import { now } from "./text.js";

const QUEUES = "known-queues";

// Names of queues that are offered while one is typed.
export function learnQueues(names) {
  let list = document.getElementById(QUEUES);
  if (!list) {
    list = h("datalist", { id: QUEUES });
    document.body.append(list);
  }
  if (list.children.length !== names.length) {
    list.replaceChildren(...names.map((value) => h("option", { value })));
  }
}

// {element, command: where one types first, job(): the job that was typed, as the API wants it}.
// job() raises an Error where something cannot be told to the API at all.
export function build() {
  const fields = controls();
  const element = h("div", {}, field("Command", fields.command, "A shell command line."), h("div", { class: "field-grid" },
    field("Queue", fields.queue), field("Priority", fields.priority, "The lower runs first."),
    field("Retries", fields.max_retries, "How often it is tried again."), field("Timeout", fields.timeout, "90, 5m, 2h, none")),
  h("details", { class: "more" }, h("summary", {}, "More options"), more(fields)));
  const last = {};
  return { element, command: fields.command, job: () => {
    const typed = JSON.stringify(Object.values(fields).map(({ value, checked }) => [value, checked]));
    // A second try sends what the first one sent, though a delay would end at another moment now.
    if (typed !== last.typed) {
      Object.assign(last, { job: job(fields), typed });
    }
    return last.job;
  } };
}

function controls() {
  return {
    command: h("textarea", { name: "command", rows: "2", spellcheck: "false", autocapitalize: "none", class: "mono" }),
    queue: text("queue", { list: QUEUES, placeholder: "default" }),
    priority: number("priority", { placeholder: "0" }),
    max_retries: number("max_retries", { placeholder: "as configured" }),
    timeout: text("timeout", { placeholder: "as configured" }),
    id: text("id", { placeholder: "made up" }),
    delay: text("delay"),
    run_at: h("input", { type: "datetime-local", step: "1", name: "run_at" }),
    after: text("after"),
    held: h("input", { type: "checkbox", name: "held" }),
    cwd: text("cwd", { placeholder: "that of the dashboard" }),
    env: h("textarea", { name: "env", rows: "2", spellcheck: "false", autocapitalize: "none", class: "mono", placeholder: "LEVEL=3" }),
  };
}

function more(fields) {
  return [
    h("div", { class: "field-grid" },
      field("Id", fields.id), field("After", fields.after, "Ids that must complete first."),
      field("Delay", fields.delay, "10m, 2h: not before."), field("Run at", fields.run_at, "In your own time: not before.")),
    check("Hold: it waits until it is released", fields.held),
    field("Directory", fields.cwd),
    field("Variables", fields.env, "NAME=VALUE, one a line."),
  ];
}

function job(fields) {
  const found = { command: fields.command.value };
  for (const name of ["queue", "id", "timeout", "cwd"]) {
    put(found, name, fields[name].value.trim());
  }
  for (const name of ["priority", "max_retries"]) {
    put(found, name, fields[name].value.trim(), whole);
  }
  put(found, "after", fields.after.value.trim(), (typed) => typed.split(/[\s,]+/));
  put(found, "env", fields.env.value.trim() && fields.env.value, variables);
  put(found, "run_at", moment(fields.delay.value.trim(), fields.run_at.value));
  put(found, "held", fields.held.checked);
  return found;
}

function put(found, name, typed, convert) {
  if (typed) {
    found[name] = convert ? convert(typed) : typed;
  }
}

function moment(delay, runAt) {
  if (delay && runAt) {
    throw new Error("Give either a delay or a moment, not both.");
  }
  if (delay) {
    return new Date(now() + duration("Delay", delay) * 1000).toISOString();
  }
  return runAt && new Date(runAt).toISOString();
}

function variables(typed) {
  // fromEntries: a variable may be called __proto__.
  return Object.fromEntries(typed.split("\n").filter((each) => each.trim()).map((line) => {
    const place = line.indexOf("=");
    if (place < 1) {
      throw new Error("Variables: want NAME=VALUE in each line");
    }
    return [line.slice(0, place).trim(), line.slice(place + 1)];
  }));
}
