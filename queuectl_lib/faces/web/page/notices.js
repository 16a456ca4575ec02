// What is said in the list's place, or above it: nothing there, nothing found, what went wrong, what is still searched.

import * as address from "./address.js";
import { Offline } from "./api.js";
import { h, keyed } from "./dom.js";
import { tells } from "./head.js";
import { keepingFocus } from "./place.js";
import { count, many } from "./text.js";

// [{name, make()}…] of what there is to say about a List's state; empty: what is said where there are no jobs at all.
export function notices(state, list, empty) {
  const told = [failed(state, list), sortedPart(state), found(state), searching(state, list), outOfDate(state, list), nothing(state, empty)];
  return told.filter(Boolean);
}

export function show(place, told) {
  keepingFocus(place, () => keyed(place, told, ({ name }) => name, ({ make }) => h("div", { class: "notice" }, make()), () => {}));
}

function failed({ error, jobs }, list) {
  // That the server does not answer, or its store is in trouble, stands at the head of the page.
  const isTold = error instanceof Offline || (error && tells(error));
  if (!error || (isTold && jobs.length)) {
    return null;
  }
  const why = isTold ? "." : ": " + error.message;
  return { name: "failed" + why, make: () => [
    h("p", {}, h("strong", {}, "The jobs could not be fetched"), why),
    h("button", { type: "button", onclick: () => list.load() }, "Try again"),
    error.status === 400 && h("a", { "data-view": true, class: "button", href: address.link({ ...UNFILTERED, sort: "", limit: "" }) }, "All jobs")] };
}

function sortedPart({ view, sorted_of: looked, total, complete }) {
  if (looked === null || (complete && (total === null || looked >= total))) {
    return null;
  }
  const part = (complete ? "the first " : "those found within a second, ") + count(looked) + (total === null ? "" : " of " + count(total));
  const narrower = isFiltered(view) ? "A narrower filter" : "A filter by state, queue or text";
  return { name: "sorted" + part + narrower, make: () => h("p", {}, "Sorted are " + part + " jobs. " + narrower + " makes them fewer.") };
}

// The text that is searched for is the id of one of them.
function found({ view, jobs, exact }) {
  const id = view.search.trim();
  const job = exact && exact.id === id ? exact : jobs.length > 1 && jobs.find((each) => each.id === id);
  return job ? { name: "exact" + id + job.state, make: () => h("p", {}, "There is a job of this id: ",
    h("a", { "data-view": true, class: "mono", href: address.link({ job: id }) }, id), " ",
    h("span", { class: "state state-" + job.state }, job.state)) } : null;
}

function searching(state, list) {
  const { isSearching, complete, next, jobs, rounds } = state;
  if (isSearching) {
    return { name: "searching", make: () => [
      h("p", {}, h("span", { class: "turning", "aria-hidden": "true" }), "Searching on; what was found so far is shown."),
      h("button", { type: "button", onclick: () => list.stop() }, "Stop")] };
  }
  if (complete || !next || state.isBusy || jobs.length >= list.limit) {
    return null;
  }
  const soFar = jobs.length ? many(jobs.length, "job") : "none";
  return { name: "stopped" + rounds, make: () => [
    h("p", {}, "Not all jobs were searched yet; " + soFar + " found so far."),
    h("button", { type: "button", onclick: () => list.goOn() }, "Search on")] };
}

function outOfDate({ isPassed }, list) {
  return isPassed ? { name: "passed", make: () => [
    h("p", {}, "Jobs have changed since this search, which takes too long to be repeated each time."),
    h("button", { type: "button", onclick: () => list.load() }, "Search again")] } : null;
}

function nothing({ view, jobs, told, error, isFresh, next, complete }, empty) {
  if (jobs.length || told === null || error || isFresh || (next && !complete)) {
    return null;
  }
  if (view.cursor) {
    return { name: "past", make: () => [h("p", {}, "No jobs stand on this page any more."),
      h("a", { "data-view": true, class: "button", href: address.link({ cursor: "" }) }, "First page")] };
  }
  return isFiltered(view)
    ? { name: "none" + JSON.stringify([view.state, view.queue, view.search]), make: () => noMatch(view) }
    : empty;
}

export function isFiltered({ state, queue, search }) {
  return Boolean(state.length || queue.length || search);
}

export const UNFILTERED = { state: [], queue: [], search: "", cursor: "" };

function noMatch({ state, queue, search }) {
  const said = [
    state.length && "state " + state.join(" or "),
    queue.length && "queue " + queue.slice(0, 3).join(" or ") + (queue.length > 3 ? " \u2026" : ""),
    search && "the text \u201c" + search + "\u201d"].filter(Boolean);
  return [h("h2", {}, "No such jobs"), h("p", { class: "wide" }, "There are none with " + said.join(" and ") + "."),
    h("a", { "data-view": true, class: "button", href: address.link(UNFILTERED) }, "Clear the filter")];
}

export function emptyStore(isReadOnly) {
  return { name: "empty" + isReadOnly, make: () => {
    const enqueue = document.querySelector("#commands [aria-keyshortcuts~=n]");
    return [h("h2", {}, "No jobs yet"), h("p", {}, "A job is a command that a worker runs in the background. Give it the first one:"),
      h("pre", { class: "say" }, "python3 queuectl.py enqueue 'echo hello'"),
      !isReadOnly && enqueue && h("button", { type: "button", class: "main changes", onclick: () => enqueue.click() }, "Enqueue a job")];
  } };
}
