// What happens in the store, as the server tells it: one stream of events for the whole page, and if the
// browser can do it one for all its tabs.
//
//   happened    [event…] of jobs that have changed
//   status      how the queue stands
//   missed      some changes may not have been seen: what is shown has to be fetched anew
//   trouble     the store cannot be read: {error}; the next status says that it can again
//   connection  "open", "lost" (no answer) or "refused" (the token is not right), as connection.js sees it;
//               it reckons it from "stream" (the same of the stream alone) and "answer" (of each request)

import { Source } from "./source.js";

const listeners = new Map();

export function on(kind, listener) {
  listeners.set(kind, [...(listeners.get(kind) || []), listener]);
}

export function emit(kind, data) {
  for (const listener of listeners.get(kind) || []) {
    listener(data);
  }
}

export function start() {
  if (typeof SharedWorker === "undefined") {
    startAlone();
  } else {
    startShared();
  }
}

function startShared() {
  const worker = new SharedWorker("/static/stream.js", { type: "module", name: "queuectl" });
  worker.port.addEventListener("message", (message) => emit(message.data.kind, message.data.data));
  worker.port.start();
  worker.addEventListener("error", startAlone, { once: true });
  worker.port.postMessage("enter");
  const leave = () => worker.port.postMessage("leave");
  const comeBack = () => {
    worker.port.postMessage("enter");
    emit("missed", {});
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && comeBack());
  // All that is told to a tab which the browser has frozen would be kept for it, for days perhaps.
  document.addEventListener("freeze", leave);
  document.addEventListener("resume", comeBack);
}

// A stream of one's own; a hidden tab leaves its connection to others.
function startAlone() {
  const source = new Source(emit);
  const turn = () => (document.hidden ? source.close() : source.open());
  document.addEventListener("visibilitychange", turn);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && turn());
  turn();
}
