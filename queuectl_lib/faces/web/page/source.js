// The server's stream of events, kept open: asked for anew whenever it ends, is refused or falls silent.
// Used by a tab, or by the worker that all tabs share.

const KINDS = ["happened", "status", "missed", "trouble"];

// The server says something every 5 s.
const SILENT = 16000;
const PATIENCE = 4000;
const AGAIN = 2000;
// Nothing gets better by asking often with a token that is not right.
const REFUSED_AGAIN = 10000;

export class Source {
  // tell(kind, data): as of live.js.
  constructor(tell) {
    this.tell = tell;
    this.stream = null;
    this.timer = 0;
    this.turn = 0;
    // When it was asked for, and when something came; in ms.
    this.begun = this.heard = 0;
  }

  open() {
    this.close();
    this.stream = new EventSource("/api/events");
    for (const kind of KINDS) {
      this.stream.addEventListener(kind, (event) => this.#hear(kind, JSON.parse(event.data)));
    }
    this.stream.addEventListener("open", () => this.#opened());
    this.stream.addEventListener("error", () => this.#failed());
    this.heard = this.begun = Date.now();
    this.watch = setInterval(() => this.#listen(), SILENT / 4);
  }

  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    clearInterval(this.watch);
    if (this.stream) {
      this.stream.close();
    }
    this.stream = null;
  }

  #hear(kind, data) {
    this.heard = Date.now();
    this.tell(kind, data);
  }

  #opened() {
    this.heard = Date.now();
    this.tell("stream", "open");
    // What happened before it was open was told to nobody.
    this.tell("missed", {});
  }

  #failed() {
    if (this.stream.readyState === EventSource.CLOSED) {
      this.#ask();
    } else {
      this.tell("stream", "lost");
    }
  }

  // A half-open connection never fails by itself, and one that is not answered only after minutes.
  #listen() {
    const isOpening = this.stream !== null && this.stream.readyState === EventSource.CONNECTING;
    if (isOpening && Date.now() - this.begun > PATIENCE) {
      this.tell("stream", "lost");
    }
    if (Date.now() - this.heard > SILENT) {
      this.open();
    }
  }

  // The browser has given up, and does not say why.
  async #ask() {
    this.close();
    const { turn } = this;
    // Should nothing come of that either, it is tried anew all the same.
    this.timer = setTimeout(() => this.open(), SILENT);
    const answer = await fetch("/api/status", { cache: "no-store" }).catch(() => null);
    if (turn !== this.turn) {
      // It was opened, or is not wanted any more.
      return;
    }
    clearTimeout(this.timer);
    const isRefused = answer !== null && answer.status === 401;
    this.tell("stream", isRefused ? "refused" : "lost");
    this.timer = setTimeout(() => this.open(), isRefused ? REFUSED_AGAIN : AGAIN);
  }
}
