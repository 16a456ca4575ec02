// The view that is shown is the page's address: a link shows the same to whoever follows it.
//
//   tab      jobs (usual), dead, workers, queues
//   state, queue, search, sort, cursor     of the list of jobs
//   job      the id whose details are open
//
// Whoever shows a part of it subscribes, and reads it from there alone.

const USUAL = { tab: "jobs", state: [], queue: [], search: "", sort: "", cursor: "", job: "" };

const followers = [];

export function view() {
  const query = new URLSearchParams(location.search);
  const found = {};
  for (const [name, usual] of Object.entries(USUAL)) {
    found[name] = Array.isArray(usual) ? query.getAll(name) : query.get(name) || usual;
  }
  return found;
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

// Show another view; the one before is where Back leads to.
export function go(changes) {
  move(changes, "pushState");
}

// The same without a step back: for what is typed letter by letter.
export function become(changes) {
  move(changes, "replaceState");
}

function move(changes, how) {
  const target = link(changes);
  if (target !== location.pathname + location.search) {
    history[how](null, "", target);
    tell();
  }
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
    history.pushState(null, "", anchor.href);
    tell();
  }
});
