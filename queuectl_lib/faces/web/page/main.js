// Puts the page together: each part finds its place in index.html and keeps it up to date by itself.

import * as address from "./address.js";
import * as api from "./api.js";
import * as chart from "./chart.js";
import * as connection from "./connection.js";
import * as dead from "./dead.js";
import * as detail from "./detail.js";
import * as enqueue from "./enqueue.js";
import * as head from "./head.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as queues from "./queues.js";
import * as summary from "./summary.js";
import * as table from "./table.js";
import * as workers from "./workers.js";
import { h, keyed, set } from "./dom.js";
import { count } from "./text.js";

const TABS = [["jobs", "Jobs"], ["dead", "Dead letter queue"], ["workers", "Workers"], ["queues", "Queues"]];

// Each tab has a section of its own, which stays as it is while another is shown.
const VIEWS = { jobs: table, dead, workers, queues };

const ELSEWHERE = { state: [], queue: [], search: "", sort: "", cursor: "", job: "" };

function tabs() {
  const place = document.getElementById("tabs");
  address.follow((view) => {
    keyed(place, TABS, ([name]) => name, ([name, title]) => h("a", { "data-view": true, id: "tab-" + name }, title), (anchor, [name]) => {
      set(anchor, "href", address.link({ ...ELSEWHERE, tab: name }));
      set(anchor, "aria-current", view.tab === name && "page");
    });
  });
  live.on("status", ({ states }) => set(document.getElementById("tab-dead"), "data-count", states.dead ? count(states.dead) : null));
}

function places() {
  const view = document.getElementById("view");
  for (const [name, part] of Object.entries(VIEWS)) {
    const section = h("div", { id: "view-" + name });
    view.append(section);
    part.mount(section);
    address.follow((shown) => set(section, "hidden", shown.tab !== name));
  }
}

tabs();
connection.watch();
head.mount();
summary.mount(document.getElementById("summary"));
places();
chart.mount(document.getElementById("chart"));
enqueue.mount(document.getElementById("commands"));
detail.mount(document.getElementById("detail"));
keys.watch();
// The stream tells it again and again; this is for the first moment, and goes on without the stream.
api.get("/api/status").then((status) => live.emit("status", status), () => null);
live.start();
