// The table of jobs.

import * as address from "./address.js";
import * as api from "./api.js";
import * as live from "./live.js";
import { h, keyed, write } from "./dom.js";

export function mount(place) {
  const body = h("tbody", {});
  place.append(h("div", { class: "sheet" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Job", "State", "Command"].map((title) => h("th", { scope: "col" }, title)))), body)));
  const load = async () => {
    const { state, queue, search, sort, cursor } = address.view();
    const page = await api.get("/api/jobs", { state, queue, search, sort, cursor });
    keyed(body, page.jobs, (job) => job.id, create, update);
  };
  address.follow(load);
  live.on("happened", load);
}

function create(job) {
  return h("tr", {}, h("td", {}, h("a", { "data-view": true, href: address.link({ job: job.id }) }, job.id)), h("td", {}), h("td", { class: "mono" }));
}

function update(row, job) {
  write(row.cells[1], job.state);
  write(row.cells[2], job.command);
}
