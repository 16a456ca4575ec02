// The last hour: how many attempts completed and failed in each minute, as bars, as numbers and as a table.
// On a phone it is folded away at first. Completed ones stand above the line and failed ones hang below it, so that
// no colour is needed to tell them apart. Of a minute that is not known both numbers are null.

import * as api from "./api.js";
import * as live from "./live.js";
import { draw } from "./bars.js";
import { h, keyed, set, write } from "./dom.js";
import { paced } from "./pacing.js";
import { count, many, since } from "./text.js";

const LEAST = 3000;
const CLOCK = new Intl.DateTimeFormat("sv-SE", { timeStyle: "short" });
// Of so many of the last minutes it is said what "lately" is.
const LATELY = 10;
const PHONE = "(max-width: 40rem)";

let chart = null;

export function mount(place) {
  const parts = {
    summary: h("p", { class: "chart-summary" }, "Loading the last hour \u2026"),
    readout: h("p", { class: "readout" }),
    plot: h("div", { class: "plot", tabindex: "0", role: "slider", "aria-label": "Minute of the last hour", "aria-valuemin": "0", "aria-valuemax": "59" }),
    table: h("tbody", {}),
  };
  const table = asTable(parts.table);
  const body = h("div", { class: "chart-body", id: "chart-body" }, parts.plot,
    h("div", { class: "chart-line" }, legend(), parts.readout, folding(table, "table", false)), table);
  place.append(h("div", { class: "chart-head" }, h("h2", {}, "Last hour"), parts.summary,
    folding(body, "chart", !matchMedia(PHONE).matches)), body);
  chart = { parts, minutes: [], chosen: null };
  listen(parts.plot);
  const refresh = paced(load, LEAST);
  live.on("status", refresh);
  live.on("missed", refresh);
  live.on("happened", (events) => events.some(({ was }) => was === "processing") && refresh());
  refresh();
  new ResizeObserver(render).observe(parts.plot);
}

function legend() {
  return h("p", { class: "legend" }, h("span", { class: "key key-completed" }, "completed"), " ", h("span", { class: "key key-failed" }, "failed"));
}

function asTable(body) {
  const heading = (title, kind) => h("th", { scope: "col", class: kind }, title);
  return h("div", { class: "sheet scrolled", tabindex: "0", role: "region", "aria-label": "The last hour as a table", id: "chart-table" },
    h("table", {}, h("caption", { class: "away" }, "Attempts that ended in each minute of the last hour"),
      h("thead", {}, h("tr", {}, heading("Minute"), heading("Completed", "number"), heading("Failed", "number"))), body));
}

// A button that shows and hides a part. name: what it is called.
function folding(part, name, isOpen) {
  const button = h("button", { type: "button", class: "small fold", "aria-controls": part.id });
  const turn = (open) => {
    part.hidden = !open;
    set(button, "aria-expanded", String(open));
    write(button, (open ? "Hide " : "Show ") + name);
  };
  button.addEventListener("click", () => turn(part.hidden));
  turn(isOpen);
  return button;
}

async function load() {
  try {
    chart.minutes = (await api.get("/api/throughput")).minutes;
    render();
    tell();
  } catch (error) {
    if (!chart.minutes.length) {
      write(chart.parts.summary, "Not known: " + error.message + ".");
    }
  }
}

function render() {
  if (!chart.minutes.length || !chart.parts.plot.clientWidth) {
    return;
  }
  draw(chart.parts.plot, chart.minutes, chart.chosen);
  describe();
}

// --- reading a minute

function listen(plot) {
  const under = (event) => choose(Math.floor((event.clientX - plot.firstChild.dataset.left - plot.getBoundingClientRect().left) / plot.firstChild.dataset.step));
  plot.addEventListener("pointermove", (event) => plot.firstChild && under(event));
  plot.addEventListener("pointerdown", (event) => plot.firstChild && under(event));
  plot.addEventListener("pointerleave", () => document.activeElement === plot || choose(null));
  plot.addEventListener("blur", () => choose(null));
  plot.addEventListener("focus", () => chart.chosen === null && choose(chart.minutes.length - 1));
  plot.addEventListener("keydown", byKey);
}

function byKey(event) {
  const last = chart.minutes.length - 1;
  const at = chart.chosen === null ? last : chart.chosen;
  const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: last }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    event.stopPropagation();
    choose(Math.min(last, Math.max(0, to)));
  }
}

function choose(place) {
  const chosen = place === null || place < 0 || place >= chart.minutes.length ? null : place;
  if (chosen !== chart.chosen) {
    chart.chosen = chosen;
    render();
  }
}

function describe() {
  const { parts, chosen, minutes } = chart;
  const shown = chosen === null ? minutes.length - 1 : chosen;
  const text = told(shown);
  write(parts.readout, chosen === null ? "" : text);
  set(parts.plot, "aria-valuenow", shown);
  set(parts.plot, "aria-valuetext", text);
}

function told(place) {
  const { at, completed, failed } = chart.minutes[place];
  const clock = CLOCK.format(new Date(at));
  if (completed === null) {
    return clock + ": not known";
  }
  return clock + ": " + count(completed) + " completed, " + count(failed) + " failed" + (place === chart.minutes.length - 1 ? " so far" : "");
}

// --- the same in words

function tell() {
  const { minutes, parts } = chart;
  const seen = minutes.filter(isKnown);
  const completed = sum(seen, "completed");
  const failed = sum(seen, "failed");
  const when = seen.length < minutes.length ? "in the " + many(seen.length, "minute") + " that are known" : "in the last hour";
  const rate = perMinute(minutes.slice(-LATELY).filter(isKnown));
  write(parts.summary, count(completed) + " completed, " + count(failed) + " failed " + when
    + (completed ? "; " + rounded(rate) + " a minute lately" : ""));
  keyed(parts.table, [...minutes].reverse(), ({ at }) => at, createRow, updateRow);
}

function isKnown({ completed }) {
  return completed !== null;
}

function perMinute(minutes) {
  // The last one is not over yet.
  const lasted = minutes.reduce((total, { at }) => total + Math.min(1, since(at) / 60), 0);
  return sum(minutes, "completed") / Math.max(1, lasted);
}

function sum(minutes, name) {
  return minutes.reduce((total, minute) => total + minute[name], 0);
}

function rounded(rate) {
  return rate >= 10 ? count(Math.round(rate)) : String(Math.round(rate * 10) / 10);
}

function createRow({ at }) {
  return h("tr", {}, h("th", { scope: "row" }, CLOCK.format(new Date(at))), h("td", { class: "number" }), h("td", { class: "number" }));
}

function updateRow(row, { completed, failed }) {
  write(row.cells[1], completed === null ? "not known" : count(completed));
  write(row.cells[2], failed === null ? "not known" : count(failed));
}
