// The list of jobs: puts its parts together, and keeps the place of whoever reads in it while it changes.

import * as address from "./address.js";
import * as api from "./api.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as notices from "./notices.js";
import * as rows from "./rows.js";
import { headings } from "./heads.js";
import { h, keyed, set } from "./dom.js";
import { List } from "./list.js";
import { pager } from "./pager.js";
import { anchored, nextFocus } from "./place.js";
import { bar, Selection } from "./selection.js";
import { everySecond, whileRunning } from "./ticking.js";
import { many } from "./text.js";
import { toolbar } from "./toolbar.js";

// Before this nobody sees that anything is awaited.
const SLOW = 200;
const ANNOUNCE_EVERY = 10000;
const SKELETONS = 8;
// More that come at once are not marked as new: all the list would flash.
const FEW = 8;

export function mount(place) {
  const list = new List((state) => table.show(state));
  const table = new Table(place, list);
  address.follow((view) => list.turn(view.tab === "jobs" ? view : null));
  live.on("happened", (events) => list.patch(events));
  live.on("status", (status) => table.learn(status));
  live.on("trouble", () => table.show(list.state));
  everySecond(() => [...table.body.rows].forEach(rows.tick));
  whileRunning(() => address.view().tab === "jobs" && list.state.jobs.some(({ state, lost }) => state === "processing" && !lost), list.refresh);
}

class Table {
  constructor(place, list) {
    this.list = list;
    this.isReadOnly = false;
    this.isSlow = false;
    // How many jobs were made since this page was opened, and not announced yet.
    this.fresh = 0;
    this.opened = null;
    this.selection = new Selection(() => this.show(list.state));
    this.selectAll = h("input", { type: "checkbox", "aria-label": "Select all on this page" });
    this.selectAll.addEventListener("change", () => this.selection.set(this.shownIds(), this.selectAll.checked));
    this.body = h("tbody", { role: "rowgroup" });
    this.waiting = skeletons();
    this.notices = h("div", { class: "notices" });
    this.news = h("p", { class: "away", role: "status" });
    this.pager = pager(list);
    this.bar = bar(this.selection, list);
    this.table = h("table", { role: "table", class: "jobs", "aria-label": "Jobs" }, headings(this.selectAll), this.waiting, this.body);
    this.sheet = h("div", { class: "sheet jobs-sheet" }, this.table);
    place.append(toolbar(), this.notices, this.sheet, this.pager.element, this.bar.element, this.news);
    this.body.addEventListener("click", (event) => this.#clicked(event));
    this.body.addEventListener("pointerover", explain);
    setInterval(() => this.#announce(), ANNOUNCE_EVERY);
    keys.rows({ body: this.body, select: (row, isRange) => this.#toggle(row, isRange), act: (verb, row) => this.#act(verb, row) });
    this.#followDetail();
  }

  learn(status) {
    if (this.isReadOnly !== status.read_only) {
      this.isReadOnly = status.read_only;
      this.show(this.list.state);
    }
  }

  shownIds() {
    return this.list.state.jobs.map((job) => job.id);
  }

  show(state) {
    // Before the first view is opened there is nothing to be shown.
    if (!this.table || !state.view) {
      return;
    }
    this.#await(state);
    if (state.told !== null) {
      this.#rows(state);
    }
    notices.show(this.notices, notices.notices(state, this.list, notices.emptyStore(this.isReadOnly)));
    this.#frame(state);
    this.pager.update(state);
    set(this.pager.element, "hidden", !state.jobs.length && !state.view.cursor);
    this.bar.update();
    const ids = this.shownIds();
    const chosen = ids.filter((id) => this.selection.has(id)).length;
    this.selectAll.checked = chosen > 0 && chosen === ids.length;
    this.selectAll.indeterminate = chosen > 0 && chosen < ids.length;
  }

  #rows(state) {
    const known = new Set(Array.from(this.body.rows, (row) => row.dataset.key));
    const isSame = this.key === address.pageKey(state.view);
    if (!isSame) {
      // Nothing of another page is new.
      this.fresh = 0;
      this.opened = state.told;
      this.news.textContent = "";
    }
    const focus = nextFocus(this.body);
    anchored(this.body, isSame, () => keyed(this.body, state.jobs, (job) => job.id, rows.create,
      (row, job) => rows.update(row, job, state.told, this.selection.has(job.id))));
    if (isSame && state.rounds < 2) {
      const fresh = Array.from(this.body.rows).filter((row) => !known.has(row.dataset.key));
      fresh.forEach((row) => row.classList.toggle("fresh", fresh.length <= FEW));
      this.fresh += fresh.filter((row) => Date.parse(rows.jobOf(row).created_at) > this.opened).length;
    }
    focus();
    this.#mark(address.view().job);
    this.key = state.isFresh || state.error ? this.key : address.pageKey(state.view);
  }

  // What is awaited for long is shown as such: grey rows where there are none yet, pale ones otherwise.
  #await({ isFresh }) {
    clearTimeout(this.timer);
    if (!isFresh) {
      this.isSlow = false;
    } else if (!this.isSlow) {
      this.timer = setTimeout(() => {
        this.isSlow = true;
        this.#frame(this.list.state);
      }, SLOW);
    }
  }

  #frame({ jobs, told, error }) {
    set(this.table, "aria-busy", this.isSlow && "true");
    set(this.waiting, "hidden", !this.isSlow || jobs.length > 0);
    set(this.sheet, "hidden", !jobs.length && !this.isSlow && (told !== null || error !== null));
  }

  #announce() {
    if (this.fresh) {
      this.news.textContent = many(this.fresh, "new job") + " in the list";
      this.fresh = 0;
    }
  }

  #clicked(event) {
    const row = event.target.closest("tr");
    if (event.target.closest(".c-pick")) {
      if (event.target.matches(".pick")) {
        this.#toggle(row, event.shiftKey);
      }
    } else if (!event.target.closest("a") && String(getSelection()) === "") {
      row.querySelector(".job-link").click();
    }
  }

  #toggle(row, isRange) {
    this.selection.toggle(row.dataset.key, this.shownIds(), isRange);
  }

  // A verb by its key: for what is selected, or else for this row.
  #act(verb, row) {
    if (this.selection.size || this.selection.isAll) {
      this.bar.act(verb);
    } else if (row) {
      this.bar.act(verb, rows.jobOf(row));
    }
  }

  // The row whose details are shown is marked; when they are closed the focus goes back to it.
  #followDetail() {
    let before = "";
    address.follow(({ job }) => {
      if (before && !job && !this.body.contains(document.activeElement)) {
        const row = this.#row(before);
        setTimeout(() => row && row.isConnected && row.querySelector(".job-link").focus());
      }
      before = job;
      this.#mark(job);
    });
  }

  #mark(id) {
    for (const row of this.body.rows) {
      set(row, "aria-current", row.dataset.key === id && "true");
    }
  }

  #row(id) {
    return Array.from(this.body.rows).find((row) => row.dataset.key === id);
  }
}

function skeletons() {
  const row = () => h("tr", { class: "skeleton" }, h("td", { colspan: rows.COLUMNS.length + 1 }, h("span", {})));
  return h("tbody", { class: "skeletons", hidden: true, "aria-hidden": "true" }, Array.from({ length: SKELETONS }, row));
}

// What does not fit into its cell can be read whole under the pointer.
function explain(event) {
  const cell = event.target.closest("td, th");
  const part = cell && (cell.querySelector(".job-link") || cell);
  if (part && part.scrollWidth > part.clientWidth) {
    part.title = part.textContent;
  }
}
