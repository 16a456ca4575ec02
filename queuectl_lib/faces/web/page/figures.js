// The figures above the chart: completed, dead, how many attempts a job takes, how many succeed, how fast.

import * as live from "./live.js";
import { h, keyed, write } from "./dom.js";
import { count, span } from "./text.js";

export function mount(list) {
  live.on("status", (status) => keyed(list, figures(status), ({ name }) => name, create, update));
}

function create({ name, title }) {
  return h("div", { class: "stat", title }, h("dt", {}, name), h("dd", {}));
}

function update(element, { value }) {
  write(element.lastChild, value);
}

function figures({ states, average_attempts: attempts, recent }) {
  const looked = "of the last " + count(recent.finished) + " finished jobs";
  return [
    { name: "completed", value: count(states.completed) },
    { name: "dead", value: count(states.dead) },
    { name: "attempts a job", value: known(attempts, (number) => String(Math.round(number * 100) / 100)), title: "on average, " + looked },
    { name: "succeeded", value: known(recent.success_rate, percent), title: looked },
    { name: "a minute", value: known(recent.per_minute, (number) => count(number)), title: "jobs that finished, in the last 10 minutes" },
    { name: "took", value: known(recent.average_duration, span), title: "on average, " + looked },
  ];
}

function known(value, shown) {
  return value === null || value === undefined ? "\u2013" : shown(value);
}

function percent(rate) {
  return Number((rate * 100).toPrecision(3)) + " %";
}
