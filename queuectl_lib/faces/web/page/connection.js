// Whether the server answers: by its stream of events, and by what becomes of requests.

import * as api from "./api.js";
import * as live from "./live.js";

const AGAIN = 2000;

let stream = "opening";
let answers = "open";
let told = "opening";
let probing = 0;

// When the server was last heard, in ms of this browser's clock.
let seen = Date.now();

// "opening", "open", "lost" or "refused".
export function state() {
  return told;
}

export function lastSeen() {
  return seen;
}

function consider() {
  const now = [stream, answers].includes("refused") ? "refused" : [stream, answers].includes("lost") ? "lost" : stream;
  if (now !== told) {
    told = now;
    live.emit("connection", now);
  }
}

function hear() {
  seen = Date.now();
}

function onStream(now) {
  stream = now;
  if (now === "open") {
    hear();
    // Whatever was refused or lost before: this server knows us.
    answers = "open";
  }
  consider();
}

// status: of an HTTP answer, 0 if there was none.
function onAnswer(status) {
  if (status) {
    hear();
  }
  const before = answers;
  answers = status === 0 ? "lost" : status === 401 ? "refused" : "open";
  consider();
  if (answers === "lost") {
    probe();
  } else if (answers === "open" && before !== "open") {
    live.emit("missed", {});
  }
}

function probe() {
  clearTimeout(probing);
  probing = setTimeout(() => api.get("/api/status").catch(() => null), AGAIN);
}

export function watch() {
  live.on("stream", onStream);
  live.on("answer", onAnswer);
  live.on("happened", hear);
  live.on("status", hear);
  // The browser says that it is cut off: perhaps from this server, too.
  addEventListener("offline", () => api.get("/api/status").catch(() => null));
}
