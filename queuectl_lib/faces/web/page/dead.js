// The dead letter queue: the jobs that nobody tries again by themselves, why they died, and what to do about it.

import * as actions from "./actions.js";
import * as address from "./address.js";
import * as ages from "./ages.js";
import * as keys from "./keys.js";
import * as notices from "./notices.js";
import { h, keyed, set, write } from "./dom.js";
import { List } from "./list.js";
import { pager } from "./pager.js";
import { nextFocus } from "./place.js";
import { bar, Selection } from "./selection.js";
import { row, sheet } from "./sheet.js";
import { count, many } from "./text.js";
import { searchField } from "./toolbar.js";

const COLUMNS = [["Job"], ["Why"], ["Attempts", "number"], ["Queue", "c-queue"], ["Died", "number"], ["Command"], [""]];

const VERBS = [["retry", "Retry selected", "main"], ["remove", "Remove selected \u2026", "danger"]];

const NONE = { name: "none dead", make: () => h("p", {}, "No job is dead. Those that failed in all of their attempts would wait here.") };

let shown = null;

export function mount(place) {
  const list = new List(render);
  const selection = new Selection(() => render(list.state));
  shown = { list, selection, parts: parts(list, selection) };
  place.append(...layout(shown.parts));
  keys.rows({ body: shown.parts.body, select: (line, isRange) => toggle(line.dataset.key, isRange), act: byKey });
  address.follow(() => [...shown.parts.body.rows].forEach(mark));
  address.follow((view) => list.turn(view.tab === "dead" ? { ...view, state: ["dead"] } : null));
}

function parts(list, selection) {
  const pick = h("input", { type: "checkbox", "aria-label": "Select all on this page" });
  pick.addEventListener("change", () => selection.set(list.state.jobs.map(({ id }) => id), pick.checked));
  return {
    pick,
    summary: h("p", { class: "soft", role: "status" }),
    all: actions.button("Retry all \u2026", () => act("retry", every()), { hidden: true }),
    bar: bar(selection, list, VERBS),
    notices: h("div", { class: "notices" }),
    ...sheet("Dead jobs", COLUMNS, "dead", h("td", { role: "cell", class: "changes" }, h("label", { class: "tap" }, pick))),
    pages: pager(list),
  };
}

function layout({ summary, all, bar: chosen, notices: said, element, pages }) {
  return [h("div", { class: "view-head" }, h("h2", {}, "Dead letter queue"), summary, searchField(), h("div", { class: "head-actions" }, all)),
    said, element, pages.element, chosen.element];
}

function every() {
  const { view, total, jobs, next, complete } = shown.list.state;
  const isWhole = complete && !view.cursor && !next;
  return { selection: { state: ["dead"], queue: view.queue, search: view.search }, total: isWhole ? jobs.length : total };
}

async function act(verb, target) {
  if (await actions.onJobs(verb, target)) {
    shown.selection.clear();
    shown.list.refresh();
  }
}

// A verb by its key: for what is selected, or else for this row. No other can happen to a dead job.
function byKey(verb, line) {
  const { list, selection, parts } = shown;
  if (verb !== "retry") {
    return;
  }
  if (selection.size || selection.isAll) {
    parts.bar.act(verb);
  } else if (line) {
    parts.bar.act(verb, list.state.jobs.find(({ id }) => id === line.dataset.key));
  }
}

function toggle(id, isRange) {
  shown.selection.toggle(id, shown.list.state.jobs.map((job) => job.id), isRange);
}

function render(state) {
  const { parts: { body, notices: said, element, pages, bar: chosen, pick, all, summary }, selection } = shown;
  if (!state.view) {
    return;
  }
  const { jobs } = state;
  const focus = nextFocus(body);
  keyed(body, jobs, ({ id }) => id, create, (line, job) => update(line, job, selection.has(job.id)));
  focus();
  // That they are dead is no filter here.
  notices.show(said, notices.notices({ ...state, view: { ...state.view, state: [] } }, shown.list, NONE));
  set(element, "hidden", !jobs.length);
  set(element, "aria-busy", state.isBusy && "true");
  set(all, "hidden", !jobs.length);
  write(all, "Retry all " + (every().total === null ? "found" : count(every().total)) + " \u2026");
  write(summary, state.told === null ? "Loading \u2026" : state.total === null ? "" : many(state.total, "job"));
  set(pages.element, "hidden", !state.next && !state.view.cursor);
  pages.update(state);
  chosen.update();
  pick.checked = jobs.length > 0 && jobs.every(({ id }) => selection.has(id));
}

function create({ id }) {
  const pick = h("input", { type: "checkbox", class: "pick", "aria-label": "Select " + id });
  pick.addEventListener("click", (event) => toggle(id, event.shiftKey));
  const line = row(COLUMNS, h("td", { role: "cell", class: "changes c-pick" }, h("label", { class: "tap" }, pick)));
  line.cells[1].append(h("a", { "data-view": true, class: "mono job-link", title: id }, id));
  line.cells[7].className = "row-actions";
  line.cells[7].append(
    actions.button("Retry", () => act("retry", { ids: [id] }), { class: "small", "aria-label": "Retry " + id }),
    actions.button("Remove", () => act("remove", { ids: [id] }), { class: "small", "aria-label": "Remove " + id }));
  return line;
}

function update(line, job, isChosen) {
  const [pick, id, why, attempts, queue, died, command] = line.cells;
  pick.querySelector("input").checked = isChosen;
  line.classList.toggle("chosen", isChosen);
  mark(line);
  set(id.firstChild, "href", address.link({ job: job.id }));
  write(why, job.note || "");
  write(attempts, job.attempts + "/" + (job.max_retries + 1));
  write(queue, job.queue);
  ages.show(died, job.finished_at || job.updated_at);
  write(command, job.command);
  command.className = "mono command";
}

// The row whose details are shown.
function mark(line) {
  set(line, "aria-current", line.dataset.key === address.view().job && "true");
}
