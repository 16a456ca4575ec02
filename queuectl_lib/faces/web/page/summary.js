// Jobs by state: each number is a link to the jobs it counts.

import * as address from "./address.js";
import * as live from "./live.js";
import { h, keyed, set, write } from "./dom.js";
import { count } from "./text.js";

const STATES = ["processing", "pending", "failed", "dead", "completed", "cancelled"];

export function mount(place) {
  live.on("status", (status) => keyed(place, STATES, (state) => state, create, (link, state) => {
    set(link, "href", address.link({ tab: "jobs", state: [state], cursor: "" }));
    write(link.firstChild, count(status.states[state]));
  }));
}

function create(state) {
  return h("a", { "data-view": true }, h("b", {}), " ", h("span", { class: "state state-" + state }, state));
}
