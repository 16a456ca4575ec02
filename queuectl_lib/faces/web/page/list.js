// The page of jobs that the address asks for: fetched, searched on where one answer does not reach, patched
// by events, and fetched anew when something may have changed. It knows nothing of how it is shown.

import * as api from "./api.js";
import * as address from "./address.js";
import * as live from "./live.js";
import { patched } from "./jobtext.js";
import { paced } from "./pacing.js";
import { learnTime, now } from "./text.js";

export const USUAL_LIMIT = 50;
const MOST = 500;

// A search that finds little looks on by itself so many times; then whoever searches says whether to go on.
const ROUNDS = 30;
const LEAST = 500;

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const NOTHING = { jobs: [], total: null, next: null, complete: true, sorted_of: null };

export class List {
  // shown(state) is called whenever this has changed:
  //   view, jobs, total, next, complete, sorted_of     as of GET /api/jobs, several answers put together
  //   told       the server's moment of what is shown, in ms; null before the first answer
  //   isBusy     something is on its way; isFresh: it is the first of this view
  //   isSearching  looking on, after a first answer; rounds: how many answers the jobs are of
  //   isPassed   jobs have changed since, and it is not fetched anew by itself
  //   exact      the job whose id is the text that is searched for, as GET /api/jobs/ID gives it, or null
  //   error      why the last request was not answered, or null
  constructor(shown) {
    this.shown = shown;
    this.state = { ...NOTHING, view: null, told: null, isBusy: false, isFresh: false, isSearching: false, isPassed: false,
      rounds: 0, error: null, exact: null };
    this.aborter = new AbortController();
    this.pending = Promise.resolve();
    this.refresh = paced(() => this.#refreshed(), LEAST);
    this.isSeen = false;
    // Something happened while another view was shown.
    this.isStale = false;
    live.on("happened", (events) => events.some((event) => this.#concerns(event)) && this.#changed());
    live.on("missed", () => this.#changed());
    live.on("status", () => this.isSeen && this.#mayHeal && this.refresh());
  }

  // view: what the address asks for; null while another view is shown.
  turn(view) {
    this.isSeen = view !== null;
    if (!this.isSeen) {
      return;
    }
    if (!this.state.view || address.pageKey(view) !== address.pageKey(this.state.view)) {
      this.load(view);
    } else if (this.isStale) {
      this.#changed();
    }
    this.isStale = false;
  }

  load(view = this.state.view) {
    this.#change({ view, isFresh: true, exact: null, rounds: 0, error: null });
    return this.#fetched(view.cursor, []);
  }

  // Search on where it stopped.
  goOn() {
    return this.#fetched(this.state.next, this.state.jobs);
  }

  stop() {
    this.aborter.abort();
    this.#change({ isBusy: false, isSearching: false });
  }

  // Changes the rows that are shown as events tell, at once.
  patch(events) {
    const places = new Map(this.state.jobs.map((job, place) => [job.id, place]));
    const jobs = [...this.state.jobs];
    let isChanged = false;
    for (const event of events) {
      const place = places.get(event.id);
      if (place !== undefined && event.at >= jobs[place].updated_at) {
        jobs[place] = patched(jobs[place], event);
        isChanged = true;
      }
    }
    if (isChanged) {
      this.#change({ jobs });
    }
  }

  // Whether an event may change what this page shows.
  #concerns({ id, queue, state, was }) {
    const { view, jobs } = this.state;
    if (!view) {
      // Another view was opened: of this one nothing was asked for yet.
      return false;
    }
    const isOfQueue = !view.queue.length || !queue || view.queue.includes(queue);
    const isOfState = !view.state.length || !state || view.state.includes(state) || view.state.includes(was);
    return (isOfQueue && isOfState) || jobs.some((job) => job.id === id);
  }

  // Something may be otherwise than it is shown.
  #changed() {
    if (!this.isSeen) {
      this.isStale = true;
    } else if (this.#isKept) {
      this.refresh();
    } else if (!this.state.isPassed) {
      this.#change({ isPassed: true });
    }
  }

  // A search through much is not begun anew for every event.
  get #isKept() {
    return this.state.rounds < 2;
  }

  // What went wrong was nothing in the question: it may be asked again.
  get #mayHeal() {
    const { error } = this.state;
    return error !== null && !(error.status < 500);
  }

  async #refreshed() {
    // An answer that is on its way may be of a moment before what has happened now.
    await this.pending;
    if (this.state.view && this.#isKept) {
      await this.#fetched(this.state.view.cursor, []);
    }
  }

  #fetched(cursor, before) {
    this.aborter.abort();
    this.aborter = new AbortController();
    this.#change({ isBusy: true, isPassed: before.length > 0 && this.state.isPassed });
    this.pending = this.#searched(cursor, before, this.aborter.signal);
    return this.pending;
  }

  async #searched(cursor, before, signal) {
    try {
      let rounds = before.length ? this.state.rounds : 0;
      const last = rounds + ROUNDS;
      let jobs = before;
      let page;
      do {
        page = await this.#asked(cursor, jobs.length, signal);
        if (signal.aborted) {
          return;
        }
        if (!page.complete && rounds === 0) {
          this.#lookUp(signal);
        }
        jobs = jobs.concat(page.jobs);
        cursor = page.next;
        rounds += 1;
        const isSearching = !page.complete && Boolean(page.next) && jobs.length < this.limit && rounds < last;
        this.#change({ ...page, jobs, told: now(), rounds, isSearching, isBusy: isSearching, isFresh: false, error: null });
      } while (this.state.isSearching);
    } catch (error) {
      if (!signal.aborted) {
        this.#change({ error, isBusy: false, isSearching: false, isFresh: false });
      }
    }
  }

  // In a search that takes long, what is most likely meant is there at once.
  async #lookUp(signal) {
    const id = this.state.view.search.trim();
    if (ID.test(id)) {
      const exact = await api.get(api.jobPath(id), {}, signal).catch(() => null);
      if (exact && !signal.aborted) {
        this.#change({ exact });
      }
    }
  }

  get limit() {
    return Math.min(MOST, Math.max(1, Math.floor(Number(this.state.view.limit)) || USUAL_LIMIT));
  }

  async #asked(cursor, have, signal) {
    const { state, queue, search, sort } = this.state.view;
    const page = await api.get("/api/jobs", { state, queue, search, sort, limit: this.limit - have, cursor }, signal);
    learnTime(page.now);
    return page;
  }

  #change(changes) {
    this.state = { ...this.state, ...changes };
    this.shown(this.state);
  }
}
