// What the list says of a job: pure functions of a row of GET /api/jobs and the moment.

import { span } from "./text.js";

const SIGNALS = { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
  11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ" };

const ENDED = ["completed", "dead", "cancelled"];

export function state(job) {
  return job.lost ? "worker lost" : job.state;
}

export function attempts(job) {
  return job.attempts + "/" + (job.max_retries + 1);
}

// How the last attempt ended: its code, its signal, or that there was another error.
export function exit(job) {
  if (job.state === "processing") {
    return "";
  }
  if (job.signal !== null) {
    return SIGNALS[job.signal] || "signal " + job.signal;
  }
  if (job.exit_code !== null) {
    return String(job.exit_code);
  }
  return job.error ? "error" : "";
}

export function isBadExit(job) {
  return Boolean(exit(job)) && job.exit_code !== 0;
}

// Seconds: of the attempt that runs, or of the last one; null where there was none.
export function duration(job, now) {
  if (job.state === "processing" && job.started_at) {
    return Math.max(0, now - Date.parse(job.started_at)) / 1000;
  }
  return job.duration;
}

// When it may run, in ms; 0 where no moment has to come first (record.due).
function due(job) {
  if (job.held || (job.waits_for && job.waits_for.length) || ENDED.includes(job.state) || job.state === "processing") {
    return 0;
  }
  const moments = [job.next_run_at, job.state === "pending" && job.run_at].filter(Boolean);
  return moments.length ? Math.max(...moments.map(Date.parse)) : 0;
}

// Why it waits, how far it is, what went wrong. told: the moment (ms) at which the server wrote job.note;
// a span of time in it has gone on since then.
export function note(job, now, told) {
  if (job.state === "processing") {
    return job.progress || "";
  }
  if (ENDED.includes(job.state)) {
    return job.error || "";
  }
  const error = job.state === "failed" && job.error ? "; " + job.error : "";
  return waits(job, now, told) + error;
}

function waits(job, now, told) {
  const moment = due(job);
  if (moment > now) {
    const words = job.state === "failed" ? "retry in " : job.next_run_at ? "again in " : "in ";
    return words + span(Math.max(1, Math.round((moment - now) / 1000)));
  }
  if (moment > told) {
    return job.state === "failed" ? "retry is due" : "due";
  }
  return job.note || "";
}

// The row as an event of the stream changes it; what the event does not tell stays.
export function patched(job, event) {
  const after = { ...job, state: event.state || job.state, updated_at: event.at };
  if (event.what === "held" || event.what === "released") {
    after.held = event.what === "held";
  }
  if (after.state === job.state) {
    return after;
  }
  after.note = after.error = null;
  if (event.what === "started") {
    return Object.assign(after, { started_at: event.at, attempts: event.attempt || job.attempts + 1, worker: event.worker,
      progress: null, lost: false, held: false });
  }
  if (event.was === "processing") {
    Object.assign(after, { exit_code: event.exit_code, signal: event.signal, error: event.error, duration: event.duration,
      finished_at: event.at, lost: false });
  }
  after.next_run_at = event.delay ? new Date(Date.parse(event.at) + event.delay * 1000).toISOString() : null;
  return after;
}
