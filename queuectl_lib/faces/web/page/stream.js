// The worker that all tabs of one dashboard share: one stream of events for them all, since a browser opens
// no more than six connections to a server, and each stream would take one of them.

import { Source } from "./source.js";

const ports = new Set();
// The last of each that tells how things are: a tab that comes later wants to know it, too.
const standing = { stream: null, status: null, trouble: null };

const source = new Source((kind, data) => {
  if (kind in standing) {
    standing[kind] = data;
  }
  if (kind === "status") {
    standing.trouble = null;
  }
  for (const port of ports) {
    port.postMessage({ kind, data });
  }
});

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = (message) => (message.data === "leave" ? leave(port) : enter(port));
};

function enter(port) {
  ports.add(port);
  if (ports.size === 1 && !source.stream) {
    source.open();
  }
  for (const [kind, data] of Object.entries(standing)) {
    if (data !== null) {
      port.postMessage({ kind, data });
    }
  }
}

function leave(port) {
  ports.delete(port);
  if (!ports.size) {
    source.close();
    standing.stream = standing.trouble = standing.status = null;
  }
}
