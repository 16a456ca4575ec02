// Everything about one job, beside the table.

import * as address from "./address.js";
import * as api from "./api.js";
import { h } from "./dom.js";

export function mount(place) {
  address.follow(async ({ job }) => {
    place.hidden = !job;
    if (job) {
      const found = await api.get(api.jobPath(job));
      place.replaceChildren(h("h2", {}, found.id), h("p", {}, found.state), h("p", {}, found.why || ""));
    }
  });
}
