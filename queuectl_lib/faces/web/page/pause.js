// Pausing one queue or all of them, and resuming.

import * as api from "./api.js";
import * as dialog from "./dialog.js";
import * as toasts from "./toasts.js";
import { told } from "./actions.js";
import { DURATIONS, field, text } from "./fields.js";

// name: of the queue, null for all of them.
export function open(name) {
  const reason = text("reason", { spellcheck: "true" });
  const lasting = text("for");
  dialog.form({
    title: name === null ? "Pause all queues" : "Pause the queue " + name, verb: "Pause",
    fields: [
      field("Reason", reason, "Shown wherever somebody wonders why nothing runs."),
      field("For", lasting, DURATIONS + "; empty: until somebody resumes it. What runs goes on.")],
    send: async (close) => {
      await api.send("POST", path(name, "pause"), { reason: reason.value.trim() || undefined, for: lasting.value.trim() || undefined });
      close();
      toasts.say(called(name) + " paused");
    },
  });
  reason.focus();
}

export async function resume(name) {
  if (await told(() => api.send("POST", path(name, "resume")))) {
    toasts.say(called(name) + " resumed");
  }
}

function called(name) {
  return name === null ? "All queues are" : "The queue " + name + " is";
}

function path(name, verb) {
  return name === null ? "/api/" + verb : "/api/queues/" + encodeURIComponent(name) + "/" + verb;
}
