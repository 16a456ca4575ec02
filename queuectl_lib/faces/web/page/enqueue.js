// The dialog that makes new jobs: a command line and the usual options, or JSON.

import * as api from "./api.js";
import * as dialog from "./dialog.js";
import * as live from "./live.js";
import * as options from "./options.js";
import * as toasts from "./toasts.js";
import { button, jobLink } from "./actions.js";
import { field } from "./fields.js";
import { h, set } from "./dom.js";
import { count } from "./text.js";

let isOpen = false;
let isReadOnly = false;

export function mount(place) {
  place.append(button("Enqueue \u2026", async () => open(), { class: "main", id: "enqueue", title: "New jobs (n)", "aria-keyshortcuts": "n" }));
  live.on("status", (status) => {
    isReadOnly = Boolean(status.read_only);
    options.learnQueues(Object.keys(status.queues));
  });
}

export function open() {
  if (isOpen || isReadOnly) {
    return;
  }
  isOpen = true;
  const plain = options.build();
  const json = h("textarea", { name: "json", rows: "10", spellcheck: "false", class: "mono", placeholder: '{"command": "echo hello", "queue": "mail"}' });
  const asJson = h("div", { hidden: true }, field("Jobs", json, "One job as an object, or several as an array: all of them or none."));
  const ways = { plain: plain.element, json: asJson };
  const chosen = { way: "plain" };
  const sent = { key: newKey(), isUnanswered: false };
  const shown = dialog.form({
    title: "Enqueue", verb: "Enqueue", fields: [switcher(ways, chosen, plain.command, json), plain.element, asJson],
    send: (close) => send(() => (chosen.way === "json" ? parsed(json.value) : plain.job()), sent, close),
  });
  shown.addEventListener("close", () => {
    isOpen = false;
  });
  plain.command.focus();
}

// Which of the two ways; what was typed in the other one stays.
function switcher(ways, chosen, command, json) {
  const turn = (way) => {
    chosen.way = way;
    for (const [name, element] of Object.entries(ways)) {
      set(element, "hidden", name !== way);
    }
    (way === "json" ? json : command).focus();
  };
  const choices = [["plain", "Command line"], ["json", "JSON"]].map(([way, title]) => {
    const choice = h("input", { type: "radio", name: "way", value: way, checked: way === "plain" });
    choice.addEventListener("change", () => turn(way));
    return h("label", { class: "check" }, choice, " ", title);
  });
  return h("fieldset", { class: "ways" }, h("legend", { class: "away" }, "How the jobs are given"), choices);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error("This is not JSON: " + error.message);
  }
}

// One key for all that is sent from one form: a double click, or a second try after an answer that was lost,
// makes no second job.
async function send(jobs, sent, close) {
  let answer;
  try {
    answer = await api.send("POST", "/api/jobs", jobs(), { "Idempotency-Key": sent.key });
  } catch (error) {
    if (error.status === 422) {
      // An earlier try did arrive, though its answer did not, and something was changed since.
      sent.key = newKey();
      throw new Error("An earlier try has made its job already; sending once more makes another one. (" + error.message + ")");
    }
    if (error.status === 409 && sent.isUnanswered) {
      throw new Error("Perhaps by an earlier try, whose answer did not arrive: " + error.message);
    }
    sent.isUnanswered = sent.isUnanswered || error instanceof api.Offline;
    throw error;
  }
  close();
  const { ids } = answer;
  if (ids.length === 1) {
    toasts.say("Enqueued ", jobLink(ids[0]));
  } else {
    toasts.say("Enqueued " + count(ids.length) + " jobs", ids.length ? [", the first is ", jobLink(ids[0])] : "");
  }
}

// crypto.randomUUID() is only there where the page came by https or from this machine.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
