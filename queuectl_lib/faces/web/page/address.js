// The view that is shown is the page's address: a link shows the same to whoever follows it.
//
//   tab      jobs (usual), dead, workers, queues
//   state, queue, search, sort, limit, cursor     of the list of jobs
//   job      the id whose details are open
//
// Whoever shows a part of it subscribes, and reads it from there alone.

const TABS = ["jobs", "dead", "workers", "queues"];

const USUAL = { tab: "jobs", state: [], queue: [], search: "", sort: "", limit: "", cursor: "", job: "" };

// What makes a list another one; without the cursor: what makes another page of the same list.
const FILTERS = ["state", "queue", "search", "sort", "limit"];

const followers = [];

// The last that was read: every link asks for it.
let latest = { text: null, found: null };

export function view() {
  if (latest.text !== location.search) {
    latest = { text: location.search, found: read(location.search) };
  }
  return latest.found;
}

function read(text) {
  const query = new URLSearchParams(text);
  const found = {};
  for (const [name, usual] of Object.entries(USUAL)) {
    found[name] = Array.isArray(usual) ? several(query, name) : query.get(name) || usual;
  }
  found.tab = TABS.includes(found.tab) ? found.tab : USUAL.tab;
  return found;
}

function several(query, name) {
  return query.getAll(name).flatMap((text) => text.split(",")).filter(Boolean);
}

// The address of the view that is shown, but for these changes.
export function link(changes) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...view(), ...changes })) {
    for (const each of [value].flat()) {
      if (each && each !== USUAL[name]) {
        query.append(name, each);
      }
    }
  }
  const text = query.toString();
  return "/" + (text ? "?" + text : "");
}

// What tells two lists apart, as one text.
function listKey(shown) {
  return JSON.stringify(FILTERS.map((name) => shown[name]));
}

// The same, and which page of it.
export function pageKey(shown) {
  return JSON.stringify([listKey(shown), shown.cursor]);
}

// Show another view; the one before is where Back leads to.
// state: what the browser's history keeps with it; without it, what there is, as long as the page of the list is the same.
export function go(changes, state) {
  move(link(changes), "pushState", state);
}

// The same without a step back: for what is typed letter by letter.
export function become(changes, state) {
  move(link(changes), "replaceState", state);
}

function move(target, how, state) {
  const before = view();
  if (target === location.pathname + location.search) {
    return;
  }
  const same = pageKey(read(target.split("?")[1] || "")) === pageKey(before);
  history[how](state || (same ? history.state : null), "", target);
  tell();
}

// follower(view): called now and whenever the view has changed.
export function follow(follower) {
  followers.push(follower);
  follower(view());
}

function tell() {
  const shown = view();
  for (const follower of followers) {
    follower(shown);
  }
}

addEventListener("popstate", tell);

// Links within the page are followed without loading it anew; those with a modifier, by the browser.
document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[data-view]");
  if (anchor && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    move(anchor.getAttribute("href"), "pushState");
  }
});
