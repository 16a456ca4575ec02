// What happens in the store, as the server tells it: one stream of events for the whole page.
//
//   happened   [event…] of jobs that have changed
//   status     how the queue stands
//   missed     some changes were not seen: what is shown has to be fetched anew
//   connection "open", "lost"

const listeners = new Map();

export function on(kind, listener) {
  listeners.set(kind, [...(listeners.get(kind) || []), listener]);
}

export function emit(kind, data) {
  for (const listener of listeners.get(kind) || []) {
    listener(data);
  }
}

export function start() {
  const source = new EventSource("/api/events");
  for (const kind of ["happened", "status", "missed"]) {
    source.addEventListener(kind, (event) => emit(kind, JSON.parse(event.data)));
  }
  source.addEventListener("open", () => emit("connection", "open"));
  source.addEventListener("error", () => emit("connection", "lost"));
}
