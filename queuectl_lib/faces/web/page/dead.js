// The dead letter queue: the jobs that nobody tries again by themselves, why they died, and what to do about it.

import * as actions from "./actions.js";
import * as address from "./address.js";
import * as ages from "./ages.js";
import * as notices from "./notices.js";
import { h, keyed, set, write } from "./dom.js";
import { List } from "./list.js";
import { pager } from "./pager.js";
import { keepingFocus, nextFocus } from "./place.js";
import { Selection } from "./selection.js";
import { row, sheet } from "./sheet.js";
import { count, many } from "./text.js";
import { searchField } from "./toolbar.js";

const COLUMNS = [["Job"], ["Why"], ["Attempts", "number"], ["Queue", "c-queue"], ["Died", "number"], ["Command"], [""]];

const NONE = { name: "none dead", make: () => h("p", {}, "No job is dead. Those that failed in all of their attempts would wait here.") };

let shown = null;

export function mount(place) {
  const list = new List(render);
  const selection = new Selection(() => render(list.state));
  shown = { list, selection, parts: parts(list, selection) };
  place.append(...layout(shown.parts));
  address.follow((view) => list.turn(view.tab === "dead" ? { ...view, state: ["dead"] } : null));
}

function parts(list, selection) {
  const pick = h("input", { type: "checkbox", "aria-label": "Select all on this page" });
  pick.addEventListener("change", () => selection.set(list.state.jobs.map(({ id }) => id), pick.checked));
  return {
    pick,
    summary: h("p", { class: "soft", role: "status" }),
    all: actions.button("Retry all \u2026", () => act("retry", every()), { hidden: true }),
    groups: h("div", { class: "groups", role: "group", "aria-label": "Select by what went wrong", hidden: true }),
    bar: bar(selection),
    notices: h("div", { class: "notices" }),
    ...sheet("Dead jobs", COLUMNS, "dead", h("td", { role: "cell", class: "changes" }, h("label", { class: "tap" }, pick))),
    pages: pager(list),
  };
}

function layout({ summary, all, groups, bar: chosen, notices: said, element, pages }) {
  return [h("div", { class: "view-head" }, h("h2", {}, "Dead letter queue"), summary, searchField(), h("div", { class: "head-actions" }, all)),
    groups, said, element, pages.element, chosen.element];
}

// What can be done to those that are selected.
function bar(selection) {
  const told = h("span", { role: "status" });
  const chosen = () => ({ ids: [...selection.ids] });
  const element = h("div", { class: "bulk changes", role: "group", "aria-label": "Selected jobs", hidden: true }, told,
    actions.button("Retry selected", () => act("retry", chosen()), { class: "main" }),
    actions.button("Remove selected \u2026", () => act("remove", chosen()), { class: "danger" }),
    h("button", { type: "button", onclick: () => selection.clear() }, "Clear"));
  return { element, update: () => {
    keepingFocus(element, () => set(element, "hidden", !selection.size));
    write(told, count(selection.size) + " selected");
  } };
}

function every() {
  const { view, total } = shown.list.state;
  return { selection: { state: ["dead"], queue: view.queue, search: view.search }, total };
}

async function act(verb, target) {
  if (await actions.onJobs(verb, target)) {
    shown.selection.clear();
    shown.list.refresh();
  }
}

function render(state) {
  const { parts: { body, notices: said, element, pages, groups, bar: chosen, pick, all, summary }, selection } = shown;
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
  write(summary, state.told === null ? "Loading \u2026" : state.total === null ? "" : many(state.total, "job"));
  set(pages.element, "hidden", !state.next && !state.view.cursor);
  pages.update(state);
  chosen.update();
  pick.checked = jobs.length > 0 && jobs.every(({ id }) => selection.has(id));
  showGroups(groups, jobs, selection);
}

function create({ id }) {
  const pick = h("input", { type: "checkbox", class: "pick", "aria-label": "Select " + id });
  pick.addEventListener("click", (event) => shown.selection.toggle(id, shown.list.state.jobs.map((job) => job.id), event.shiftKey));
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
  set(id.firstChild, "href", address.link({ job: job.id }));
  write(why, job.note || "");
  write(attempts, job.attempts + "/" + (job.max_retries + 1));
  write(queue, job.queue);
  ages.show(died, job.finished_at || job.updated_at);
  write(command, job.command);
  command.className = "mono command";
}

// The jobs of this page by what went wrong: each selects those that died alike.
function showGroups(place, jobs, selection) {
  const found = new Map();
  for (const { id, note } of jobs) {
    found.set(note, [...(found.get(note) || []), id]);
  }
  const groups = [...found].map(([note, ids]) => ({ note, ids })).sort((one, other) => other.ids.length - one.ids.length).slice(0, 8);
  set(place, "hidden", found.size < 2 || jobs.length < 4);
  keyed(place, groups, ({ note }) => note, ({ note }) => {
    const button = h("button", { type: "button", class: "small changes" });
    button.addEventListener("click", () => {
      const ids = shown.list.state.jobs.filter((job) => job.note === note).map((job) => job.id);
      selection.set(ids, !ids.every((id) => selection.has(id)));
    });
    return button;
  }, (button, { note, ids }) => {
    write(button, (note || "no reason known") + " \u00d7 " + count(ids.length));
    set(button, "aria-pressed", String(ids.every((id) => selection.has(id))));
  });
}
