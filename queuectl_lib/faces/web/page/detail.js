// Everything about one job, beside the table: what can be done to it, why it is not running, its fields, its
// history and what it wrote. Which one is told by the address.

import * as actions from "./actions.js";
import * as address from "./address.js";
import * as api from "./api.js";
import * as edit from "./edit.js";
import * as facts from "./facts.js";
import * as live from "./live.js";
import * as output from "./output.js";
import * as resume from "./resume.js";
import * as timeline from "./timeline.js";
import { h, keyed, set, write } from "./dom.js";
import { hasOtherCommand } from "./jobtext.js";
import { paced } from "./pacing.js";
import { whileRunning } from "./ticking.js";

const VERBS = ["retry", "cancel", "hold", "release", "edit", "remove"];
const NAMES = { retry: "Retry", cancel: "Cancel", hold: "Hold", release: "Release", edit: "Edit", remove: "Remove" };
// From this width on there is room for a table beside it (detail.css says the same).
const BESIDE = matchMedia("(min-width: 62rem)");

let panel = null;
const refresh = paced(load, 200);

export function mount(place) {
  panel = { place, id: "", job: null, parts: null, watched: null, before: null, asked: 0, status: null };
  address.follow(({ job }) => job !== panel.id && change(job));
  live.on("happened", learn);
  live.on("missed", refresh);
  live.on("status", (status) => {
    panel.status = status;
    showProgress(status);
    showResume();
  });
  whileRunning(() => panel.watched && panel.job.state === "processing" && !panel.job.lost, refresh);
  BESIDE.addEventListener("change", arrange);
}

function learn(events) {
  if (events.some(({ id, state }) => id === panel.id && state === "removed")) {
    gone();
  } else if (events.some(isOurs)) {
    refresh();
  }
}

function isOurs(event) {
  const { id, job } = panel;
  // A pause, or a job that it waits for, changes why it is not running.
  return id && (event.id === id || event.id === null || Boolean(job && job.waits_for && job.waits_for.includes(event.id)));
}

// --- opening and closing

function change(id) {
  const opens = !panel.id;
  if (opens) {
    panel.before = document.activeElement;
  }
  const hadFocus = panel.place.contains(document.activeElement);
  leave();
  panel.id = id;
  panel.job = null;
  arrange();
  if (!id) {
    giveFocusBack(hadFocus);
    return;
  }
  build(id);
  load();
  if (hadFocus || (opens && panel.before !== document.body)) {
    panel.parts.title.focus();
  }
}

function leave() {
  if (panel.watched) {
    panel.watched.stop();
    panel.watched = null;
  }
}

// Where there is no room beside it, what lies under it cannot be reached.
function arrange() {
  panel.place.hidden = !panel.id;
  document.body.classList.toggle("with-detail", Boolean(panel.id));
  for (const element of document.querySelectorAll("body > main, body > header")) {
    element.inert = Boolean(panel.id) && !BESIDE.matches;
  }
}

function giveFocusBack(hadFocus) {
  const { before } = panel;
  panel.before = null;
  if (!hadFocus && document.activeElement !== document.body) {
    return;
  }
  const target = before && before.isConnected && before !== document.body ? before : document.getElementById("view");
  target.focus({ preventScroll: true });
}

function close() {
  address.go({ job: "" });
}

// --- what is shown

function build(id) {
  const parts = {
    title: h("h2", { tabindex: "-1", class: "mono" }, id),
    copy: facts.copyButton("Copy the id"),
    state: h("span", { class: "state" }),
    actions: h("div", { class: "detail-actions", role: "group", "aria-label": "Actions" }),
    notice: h("p", { class: "notice", role: "status", hidden: true }),
    reason: h("span", {}),
    resume: h("span", { class: "why-actions" }),
    first: h("dl", { class: "facts" }),
    rest: h("dl", { class: "facts" }),
    history: h("ol", { class: "timeline", "aria-label": "History" }),
    output: h("section", { class: "output", "aria-label": "Output" }),
  };
  parts.why = h("div", { class: "why", hidden: true }, parts.reason, parts.resume);
  parts.copy.dataset.text = id;
  parts.body = h("div", { class: "detail-body", hidden: true }, parts.why, parts.actions, parts.first, parts.output,
    h("section", {}, h("h3", {}, "History"), parts.history), h("section", {}, h("h3", {}, "All the rest"), parts.rest));
  panel.parts = parts;
  panel.place.replaceChildren(
    h("div", { class: "detail-head" },
      h("div", { class: "detail-title" }, parts.title, parts.copy, parts.state),
      h("button", { type: "button", class: "close", "aria-label": "Close the job", title: "Close (Escape)", onclick: close }, "\u00d7")),
    parts.notice, parts.body);
  panel.place.scrollTop = 0;
  tell("Loading \u2026");
}

function tell(text) {
  set(panel.parts.notice, "hidden", !text);
  write(panel.parts.notice, text);
}

async function load() {
  const { id } = panel;
  if (!id) {
    return;
  }
  const asked = ++panel.asked;
  try {
    const job = await api.get(api.jobPath(id));
    if (asked === panel.asked && id === panel.id) {
      show(job);
    }
  } catch (error) {
    if (asked === panel.asked && id === panel.id) {
      fail(error);
    }
  }
}

function fail(error) {
  if (error.status === 404) {
    gone();
  } else {
    tell("This may be out of date: " + error.message + ".");
  }
}

function gone() {
  leave();
  showActions({ can: [] });
  tell(panel.job ? "This job is gone: it was removed. What is shown below is what was known of it last."
    : "There is no such job: it never was, or it was removed.");
}

function show(job) {
  const { parts } = panel;
  panel.job = job;
  tell("");
  parts.body.hidden = false;
  set(parts.state, "class", "state state-" + job.state);
  write(parts.state, job.lost ? "processing (worker lost)" : job.state);
  set(parts.why, "hidden", !job.why);
  set(parts.why, "class", "why why-" + job.state);
  write(parts.reason, job.why ? job.why[0].toUpperCase() + job.why.slice(1) + "." : "");
  showResume();
  showActions(job);
  facts.showFirst(parts.first, job);
  facts.showRest(parts.rest, job);
  timeline.show(parts.history, job.history);
  showOutput(job);
}

// No event tells how far a running job is: what all workers run comes with the status.
function showProgress({ workers }) {
  const { job, parts } = panel;
  const worker = job && job.state === "processing" && workers.find((each) => each.job === job.id);
  if (worker && worker.progress !== job.progress) {
    panel.job = { ...job, progress: worker.progress };
    facts.showFirst(parts.first, panel.job);
  }
}

function showResume() {
  const { job, status, parts } = panel;
  if (job && status) {
    keepingTitle(parts.resume, () => resume.show(parts.resume, job, status));
  }
}

function keepingTitle(element, change) {
  const focused = element.contains(document.activeElement);
  change();
  if (focused && !element.contains(document.activeElement)) {
    panel.parts.title.focus();
  }
}

function showActions(job) {
  const possible = VERBS.filter((verb) => job.can.includes(verb));
  keepingTitle(panel.parts.actions, () => keyed(panel.parts.actions, possible, (verb) => verb, createAction, () => {}));
}

function createAction(verb) {
  const dangerous = verb === "remove" || verb === "cancel";
  const act = verb === "edit" ? () => edit.open(panel.job, refresh) : () => perform(verb);
  return actions.button(NAMES[verb], act, { class: dangerous ? "danger" : null });
}

async function perform(verb) {
  const { job } = panel;
  const outcome = await actions.onJobs(verb, { ids: [job.id] }, job.state === "processing");
  if (!outcome || panel.id !== job.id) {
    return;
  }
  if (verb === "remove" && outcome.changed) {
    gone();
  } else {
    await load();
  }
}

function showOutput(job) {
  // Before its first attempt there is none.
  set(panel.parts.output, "hidden", job.started_at === null);
  if (job.started_at === null) {
    return;
  }
  if (panel.watched) {
    panel.watched.look();
  } else {
    panel.watched = output.watch(panel.parts.output, job.id);
  }
  write(panel.parts.output.querySelector("h3"), hasOtherCommand(job) ? "Output of the last attempt" : "Output");
}
