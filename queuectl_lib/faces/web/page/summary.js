// How the queue stands: jobs by state, each a link to the jobs it counts, and the figures of those that ended lately
// (but for how many a minute: the chart's own count of the last hour tells that).

import * as address from "./address.js";
import * as live from "./live.js";
import { h, keyed, set, write } from "./dom.js";
import { UNFILTERED } from "./notices.js";
import { count, span } from "./text.js";

// What runs, what waits, what needs a look, what is over.
export const STATES = ["processing", "pending", "failed", "dead", "completed", "cancelled"];

const TITLES = { processing: "running", failed: "to be retried" };

export function mount(place) {
  const tiles = h("ul", { class: "tiles" });
  const figures = h("dl", { class: "figures" });
  place.append(tiles, figures);
  let states = {};
  const draw = () => keyed(tiles, STATES, (state) => state, tile, (item, state) => update(item, state, states[state]));
  live.on("status", (status) => {
    states = status.states;
    draw();
    keyed(figures, figuresOf(status), ([title]) => title, figure, (item, [, text]) => write(item.lastChild, text));
  });
  address.follow(draw);
}

function tile(state) {
  return h("li", {}, h("a", { "data-view": true, class: "tile tile-" + state }, h("b", { class: "number" }),
    h("span", { class: "state state-" + state, title: TITLES[state] }, state)));
}

// The tile of what is shown leads back to all jobs.
function update(item, state, number) {
  const view = address.view();
  const isShown = view.tab === "jobs" && view.state.join() === state && !view.queue.length && !view.search;
  const link = item.firstChild;
  set(link, "href", address.link({ ...UNFILTERED, tab: "jobs", state: isShown ? [] : [state] }));
  set(link, "aria-current", isShown && "true");
  write(link.firstChild, number === undefined ? "\u2013" : count(number));
  link.classList.toggle("is-none", !number);
}

function figuresOf({ recent, average_attempts: attempts, workers }) {
  const busy = workers.filter((worker) => worker.job !== null).length;
  return [
    ["Workers", workers.length ? busy + " of " + workers.length + " busy" : "none"],
    ["Succeeded", recent.success_rate === null ? "\u2013" : percent(recent.success_rate)],
    ["Took on average", recent.average_duration === null ? "\u2013" : span(recent.average_duration)],
    ["Attempts on average", attempts === null || attempts === undefined ? "\u2013" : attempts.toFixed(2)],
  ];
}

function percent(share) {
  // 99.96 % is not all of them.
  const shown = share < 1 ? Math.min(99.9, share * 100) : 100;
  return (shown % 1 ? shown.toFixed(1) : shown) + " %";
}

function figure([title]) {
  return h("div", {}, h("dt", {}, title), h("dd", {}));
}
