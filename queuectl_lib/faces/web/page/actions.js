// What can be done to jobs: asked where it loses something, sent, and the outcome told.

import * as address from "./address.js";
import * as api from "./api.js";
import * as live from "./live.js";
import * as toasts from "./toasts.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { count, many } from "./text.js";

const VERBS = {
  retry: { name: "Retry", doing: "Retrying", done: "set to run again" },
  cancel: { name: "Cancel", doing: "Cancelling", done: "cancelled", lossy: true },
  hold: { name: "Hold", doing: "Holding", done: "held" },
  release: { name: "Release", doing: "Releasing", done: "released" },
  remove: { name: "Remove", doing: "Removing", done: "removed", lossy: true, asked: true },
};

let offline = false;

// A button that changes something: not there in a read-only dashboard, disabled while the server does not
// answer, busy while act() is under way (a promise).
export function button(title, act, attributes) {
  const { class: more, ...others } = attributes || {};
  const element = h("button", { type: "button", class: "changes" + (more ? " " + more : ""), disabled: offline, ...others }, title);
  element.addEventListener("click", () => busily(element, act));
  return element;
}

async function busily(element, act) {
  if (element.getAttribute("aria-busy") === "true") {
    return;
  }
  // Not `disabled`: that would take the focus away.
  element.setAttribute("aria-busy", "true");
  try {
    await act();
  } finally {
    element.removeAttribute("aria-busy");
  }
}

// One verb for many jobs. target: {ids: […]} or {selection: {state, queue, search}, total: n or null};
// running: whether one of them runs. A promise of the API's answer; null where nothing was done.
export async function onJobs(verb, target, running) {
  const about = VERBS[verb];
  const which = named(target);
  if (needsAsking(about, target, running, verb) && !await ask(question(verb, about, target, which))) {
    return null;
  }
  const end = toasts.goOn(about.doing + " " + which + " \u2026");
  const outcome = await told(() => asked(verb, target));
  end();
  if (outcome) {
    tell(about, outcome);
  }
  return outcome;
}

// Calls it; what goes wrong is said in a toast, and null is what there is then.
export async function told(call) {
  try {
    return await call();
  } catch (error) {
    toasts.complain(error.message);
    return null;
  }
}

export function jobLink(id) {
  return h("a", { "data-view": true, class: "mono", href: address.link({ job: id }) }, id);
}

function needsAsking(about, target, running, verb) {
  return about.asked || !target.ids || (verb === "cancel" && running) || (about.lossy && target.ids.length > 1);
}

// Which jobs are meant: "a1b2", "3 jobs", "25,000 jobs (queue mail, pending)", "all jobs (dead, with the text \u201csmtp\u201d)".
function named({ ids, selection, total }) {
  if (ids) {
    return ids.length === 1 ? ids[0] : many(ids.length, "job");
  }
  const { queue, state, search } = selection;
  const told = [queue.length && "queue " + queue.join(" or "), state.join(" or "), search && "with the text \u201c" + search + "\u201d"].filter(Boolean);
  return (total === null ? "all jobs" : many(total, "job")) + (told.length ? " (" + told.join(", ") + ")" : "");
}

function question(verb, about, target, which) {
  const one = target.ids && target.ids.length === 1;
  const losing = {
    cancel: one ? "It is running: its processes are ended." : "Those that are running are ended with their processes.",
    remove: (one ? "The job, its history and its output are" : "The jobs, their history and their output are") + " deleted for good.",
    retry: "Each gets its full number of attempts again.",
    hold: "None of them is started until it is released.",
    release: "Those that are held may be started.",
  };
  const what = one ? " the job" : about.lossy ? " the jobs" : "";
  return { title: about.name + " " + which + "?", text: losing[verb], verb: about.name + what, keep: about.lossy && !one ? "Keep them" : null, lossy: about.lossy };
}

async function asked(verb, { ids, selection }) {
  if (verb === "remove") {
    return removed(ids);
  }
  if (ids && ids.length === 1) {
    await api.send("POST", api.jobPath(ids[0], verb));
    return { changed: 1, ids, refused: [] };
  }
  const given = selection && Object.values(selection).some((value) => value && value.length) ? selection : { all: true };
  return api.send("POST", "/api/jobs/" + verb, ids ? { ids } : given);
}

// One by one: so the API has it. What is gone already is as wished.
async function removed(ids) {
  const outcome = { changed: 0, ids: [], refused: [] };
  for (const id of ids) {
    try {
      await api.send("DELETE", api.jobPath(id));
      outcome.changed += 1;
      outcome.ids.push(id);
    } catch (error) {
      if (!(error instanceof api.ApiError)) {
        throw error;
      }
      outcome.refused.push({ id, error: error.message });
    }
  }
  return outcome;
}

function tell(about, { changed, ids, refused, followers }) {
  if (changed === 1 && ids.length) {
    toasts.say(about.name === "Remove" ? h("span", { class: "mono" }, ids[0]) : jobLink(ids[0]), ": " + about.done);
  } else if (changed || !refused.length) {
    toasts.say(count(changed) + (changed === 1 ? " job " : " jobs ") + about.done,
      followers ? "; and " + count(followers) + " that come after them" : "");
  }
  if (refused.length) {
    const shown = refused.slice(0, 3);
    toasts.complain("Not " + about.done + ": ", shown.map(({ id, error }, place) => [place ? "; " : "", jobLink(id), " (" + error + ")"]),
      refused.length > shown.length ? " and " + count(refused.length - shown.length) + " more" : "");
  }
}

live.on("connection", (state) => {
  offline = state === "lost" || state === "refused";
  for (const element of document.querySelectorAll("button.changes")) {
    element.disabled = offline;
  }
});

