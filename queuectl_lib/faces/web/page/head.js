// The head of the page: which store this is, whether what is shown is up to date, and what stands in the way.

import * as connection from "./connection.js";
import { NOT_LET_IN } from "./api.js";
import * as live from "./live.js";
import { h, keyed, set, write } from "./dom.js";
import { everySecond } from "./ticking.js";
import { learnTime, local, many, span } from "./text.js";

let status = null;
let trouble = null;

export function mount() {
  live.on("status", learn);
  live.on("trouble", ({ error }) => {
    trouble = error;
    draw();
  });
  live.on("connection", draw);
  everySecond(drawConnection);
  draw();
}

// Whether the head of the page says this already.
export function tells(error) {
  return trouble === error.message;
}

function learn(found) {
  status = found;
  trouble = null;
  learnTime(found.now);
  const store = document.getElementById("store");
  write(store, found.store);
  store.title = found.store;
  document.body.classList.toggle("read-only", found.read_only);
  document.title = title(found.states);
  draw();
}

// What a tab in the background tells.
function title({ processing, pending, failed }) {
  const waiting = pending + failed;
  const said = [processing && many(processing, "job") + " running", waiting && many(waiting, "job") + " waiting"].filter(Boolean);
  return (said.length ? said.join(", ") + " \u2013 " : "") + "queuectl";
}

function draw() {
  drawConnection();
  const told = conditions();
  const place = document.getElementById("banner");
  keyed(place, told, ({ name }) => name, create, (line, { text }) => write(line.firstChild, text));
  set(place, "hidden", !told.length);
}

// href "": the view that is shown, which begins with the page that wants the token.
function create({ kind, link }) {
  return h("p", { class: "banner " + kind }, h("span", {}), link && [" ", h("a", { href: "" }, link)]);
}

function drawConnection() {
  const place = document.getElementById("connection");
  const now = connection.state();
  document.body.dataset.connection = now;
  place.className = "connection connection-" + now;
  const silent = Math.floor((Date.now() - connection.lastSeen()) / 1000);
  const text = { opening: "Connecting\u2026", open: "Live", refused: "Not let in", lost: "Reconnecting\u2026" }[now];
  write(place.firstElementChild, text);
  write(place.lastElementChild, now === "lost" && silent ? ", last seen " + span(silent) + " ago" : status && status.read_only ? ", read-only" : "");
}

// [{name, kind, text, link}…]: one is told only where none before it explains it.
function conditions() {
  const now = connection.state();
  if (now === "refused") {
    return [{ name: "refused", kind: "bad", text: sentence(NOT_LET_IN), link: "Give the token" }];
  }
  if (now === "lost") {
    return [{ name: "lost", kind: "bad", text: "The server does not answer. What is shown is of before; "
      + "it goes on by itself when the server is back." }];
  }
  if (trouble) {
    return [{ name: "trouble", kind: "bad", text: "The store is in trouble: " + trouble }];
  }
  return status ? [roomless(), paused(), unserved(), leaving()].filter(Boolean) : [];
}

function roomless() {
  return status.room ? { name: "room", kind: "bad", text: sentence(status.room) } : null;
}

function paused() {
  const pause = status.paused;
  if (!pause) {
    return null;
  }
  const until = pause.until ? ", until " + local(pause.until) : "";
  const reason = pause.reason ? ": " + pause.reason : "";
  return { name: "paused", kind: "note", text: "All queues are paused since " + local(pause.since) + until + reason + ". Nothing is started." };
}

function unserved() {
  if (status.workers.length || status.paused) {
    return null;
  }
  const ready = (queue) => (queue.ready === null ? queue.pending : queue.ready) + queue.failed;
  const waiting = Object.values(status.queues).reduce((sum, queue) => sum + ready(queue), 0);
  return waiting ? { name: "unserved", kind: "note", text: many(waiting, "job") + (waiting === 1 ? " waits" : " wait")
    + ", and no worker is running. Start one with: queuectl worker start" } : null;
}

function leaving() {
  const workers = status.workers;
  return workers.length && workers.every((worker) => worker.leaving) ? { name: "leaving", kind: "note",
    text: "The workers are leaving: they finish what they run, and start nothing more." } : null;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!]$/.test(text) ? "" : ".");
}
