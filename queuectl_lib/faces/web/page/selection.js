// The jobs that are selected, and the bar of what can be done to them. They stay selected though rows come,
// change and go, and on other pages of the same list.

import * as actions from "./actions.js";
import * as address from "./address.js";
import { h, set, write } from "./dom.js";
import { keepingFocus } from "./place.js";
import { count } from "./text.js";

const VERBS = [["retry", "Retry"], ["cancel", "Cancel"], ["hold", "Hold"], ["release", "Release"]];

export class Selection {
  // changed(): called when it is another one.
  constructor(changed) {
    this.ids = new Set();
    // All jobs that the filter finds, those of other pages too.
    this.isAll = false;
    this.last = null;
    this.key = null;
    this.changed = changed;
    address.follow((view) => this.#follow(view));
  }

  #follow(view) {
    const { state, queue, search } = view;
    const key = JSON.stringify([state, queue, search]);
    if (this.key !== null && key !== this.key) {
      this.clear();
    }
    this.key = key;
  }

  has(id) {
    return this.isAll || this.ids.has(id);
  }

  get size() {
    return this.ids.size;
  }

  // isRange: all rows between this one and the one before are as this one is now.
  toggle(id, shown, isRange) {
    const isOn = !this.has(id);
    if (this.isAll) {
      this.isAll = false;
      shown.forEach((each) => this.ids.add(each));
    }
    for (const each of isRange ? between(shown, this.last, id) : [id]) {
      if (isOn) {
        this.ids.add(each);
      } else {
        this.ids.delete(each);
      }
    }
    this.last = id;
    this.changed();
  }

  set(ids, isOn) {
    this.isAll = false;
    ids.forEach((id) => (isOn ? this.ids.add(id) : this.ids.delete(id)));
    this.changed();
  }

  all() {
    this.isAll = true;
    this.changed();
  }

  clear() {
    this.isAll = false;
    this.ids.clear();
    this.changed();
  }
}

function between(shown, one, other) {
  const [from, to] = [shown.indexOf(one), shown.indexOf(other)].sort((a, b) => a - b);
  return from < 0 ? [other] : shown.slice(from, to + 1);
}

// The bar: how many are selected, and the verbs, each as [verb, title, class]. list: List.
export function bar(selection, list, offered = VERBS) {
  const told = h("span", { class: "bulk-told", role: "status" });
  const all = h("button", { type: "button", class: "plain", onclick: () => selection.all() });
  const verbs = offered.map(([verb, title, look]) => actions.button(title, () => act(verb, selection, list), { class: look }));
  const clear = h("button", { type: "button", class: "plain", "aria-label": "Clear the selection", onclick: () => selection.clear() }, "Clear");
  const element = h("div", { class: "bulk changes", role: "group", "aria-label": "Selected jobs" },
    told, all, h("span", { class: "bulk-verbs" }, verbs), clear);
  return { element, act: (verb, job) => act(verb, selection, list, job), update: () => {
    const { total, jobs, view } = list.state;
    const isPage = jobs.length > 0 && jobs.every((job) => selection.ids.has(job.id));
    const isMore = total === null ? view && view.search !== "" && list.state.next : total > jobs.length;
    keepingFocus(element, () => set(element, "hidden", !selection.size && !selection.isAll));
    set(all, "hidden", selection.isAll || !isPage || !isMore);
    // The API removes jobs by their ids alone.
    verbs.forEach((button, place) => set(button, "hidden", selection.isAll && offered[place][0] === "remove"));
    write(all, total === null ? "Select all that the search finds" : "Select all " + count(total));
    const allOf = total === null ? "All that is found" : "All " + count(total);
    write(told, (selection.isAll ? allOf : count(selection.size)) + " selected");
  } };
}

// job: the one it is for, instead of those selected.
async function act(verb, selection, list, job) {
  const { view, total, jobs } = list.state;
  if (job) {
    await actions.onJobs(verb, { ids: [job.id] }, job.state === "processing");
    list.refresh();
    return;
  }
  const target = selection.isAll
    ? { selection: { state: view.state, queue: view.queue, search: view.search }, total }
    : { ids: [...selection.ids] };
  const isRunning = jobs.some((job) => job.state === "processing" && selection.has(job.id));
  if (await actions.onJobs(verb, target, isRunning)) {
    selection.clear();
    list.refresh();
  }
}
