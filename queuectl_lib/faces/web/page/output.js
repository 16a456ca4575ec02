// What a job wrote: both streams, live while it runs. Text is only ever added behind what is there, so that a
// selection and the place one has scrolled to stay; of a long output the page keeps the end.

import * as api from "./api.js";
import * as colours from "./colours.js";
import { h, set, write } from "./dom.js";
import { count, local, visibleLines } from "./text.js";

const STREAMS = ["stdout", "stderr"];
const POLL = 500;
const POLL_OFFLINE = 3000;
// So many characters of a stream the page holds; a selection in them may keep it from dropping, to twice as many.
const MOST = 1 << 20;
// A text node grows to about this; whole ones are dropped.
const NODE = 1 << 14;
// A node counts as so many characters more: an output in which each letter has its own colour does not fill the memory.
const NODE_COST = 64;
// Who writes faster than the page reads is not run after: it goes on from the end.
const BEHIND = 1 << 18;
// Of so little that was kept the page shows all, not its end alone.
const LITTLE = 1 << 16;

// Shows the output of one job in `place`; returns {look(): look now, stop()}.
export function watch(place, id) {
  const streams = STREAMS.map((name) => stream(name, id));
  place.replaceChildren(head(streams), ...streams.map((each) => each.section));
  const watched = { id, streams, attempt: undefined, timer: 0, asking: false, stopped: false };
  const seen = () => document.hidden || look(watched);
  document.addEventListener("visibilitychange", seen);
  look(watched);
  return {
    look: () => look(watched),
    stop: () => {
      watched.stopped = true;
      clearTimeout(watched.timer);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

function head(streams) {
  const wrap = h("input", { type: "checkbox", checked: true });
  wrap.addEventListener("change", () => streams.forEach(({ box }) => box.classList.toggle("unwrapped", !wrap.checked)));
  return h("div", { class: "output-head" }, h("h3", {}, "Output"), h("label", { class: "check" }, wrap, " Wrap lines"));
}

function stream(name, id) {
  const text = h("pre", {});
  const box = h("div", { class: "output-box", tabindex: "0", role: "region", "aria-label": name + " of the job" }, text);
  const size = h("span", { class: "soft" });
  const whole = h("a", { href: api.jobPath(id, name), target: "_blank", rel: "noopener" });
  const end = h("button", { type: "button", class: "small to-end", hidden: true }, "To the end");
  const section = h("section", { class: "stream", "aria-label": name },
    h("div", { class: "stream-head" }, h("h4", {}, name), size, whole), box, end);
  end.addEventListener("click", () => {
    box.scrollTop = box.scrollHeight;
  });
  box.addEventListener("scroll", () => set(end, "hidden", isAtEnd(box)), { passive: true });
  return { name, section, box, text, size, whole, end, at: null, held: "", shown: 0, style: colours.PLAIN };
}

async function look(watched) {
  clearTimeout(watched.timer);
  if (watched.asking || watched.stopped || document.hidden) {
    return;
  }
  watched.asking = true;
  let again = POLL_OFFLINE;
  try {
    again = take(watched, await api.get(api.jobPath(watched.id, "output"), offsets(watched)));
  } catch (error) {
    // Gone, and so is its output; anything else may pass.
    again = error.status === 404 ? null : again;
  }
  watched.asking = false;
  if (again !== null && !watched.stopped) {
    watched.timer = setTimeout(() => look(watched), again);
  }
}

function offsets({ streams }) {
  return Object.fromEntries(streams.filter(({ at }) => at !== null).map(({ name, at }) => [name, at]));
}

// Takes an answer in; returns in how many ms to ask again, null for not at all.
function take(watched, answer) {
  if (watched.stopped) {
    return null;
  }
  if (watched.attempt !== undefined && watched.attempt !== answer.started_at) {
    // Its offsets were those of the attempt before: what came with them is of no use.
    const old = watched.attempt;
    watched.attempt = answer.started_at;
    if (old !== null) {
      watched.streams.forEach((each) => startAnew(each, answer));
      return 0;
    }
  }
  watched.attempt = answer.started_at;
  const more = watched.streams.map((each) => append(each, answer[each.name], answer)).some(Boolean);
  return more ? 0 : answer.running ? POLL : null;
}

function startAnew(each, answer) {
  each.text.replaceChildren(mark("Attempt " + answer.attempt + " began at " + local(answer.started_at) + "; what the one before wrote is gone from here."));
  each.at = null;
  each.held = "";
  each.shown = 0;
  each.style = colours.PLAIN;
}

// Adds what is new of a stream; whether there is more to be had at once.
function append(each, { text, from, to, size, kept, left_out: leftOut }, { running }) {
  if (each.at === null && from > 0 && kept !== null && kept <= LITTLE && !each.text.hasChildNodes()) {
    each.at = 0;
    return true;
  }
  const follows = isAtEnd(each.box);
  if (each.at === null ? from > 0 : from > each.at || leftOut) {
    each.text.append(mark(missing(each, from)));
    each.style = colours.PLAIN;
  }
  each.at = size - to > BEHIND ? null : to;
  addText(each, text, running);
  trim(each);
  showSize(each, size, kept, running);
  set(each.box, "hidden", each.text.childNodes.length === 0);
  if (follows) {
    each.box.scrollTop = each.box.scrollHeight;
  }
  set(each.end, "hidden", isAtEnd(each.box));
  return to < size && text !== "";
}

function missing({ at, text }, from) {
  if (at !== null) {
    return bytes(from - at) + " are left out here.";
  }
  return text.hasChildNodes() ? "Something is left out here." : "The first " + bytes(from) + " are not shown here.";
}

// kept: how many bytes there are of it, null while it runs.
function showSize(each, size, kept, running) {
  const isWhole = kept === null || kept >= size;
  write(each.size, !size ? (running ? "nothing yet" : "nothing")
    : isWhole ? bytes(size) : bytes(kept) + " of " + bytes(size) + " was kept: the middle is left out");
  write(each.whole, isWhole ? "Open whole " + each.name : "Open what was kept of " + each.name);
  set(each.whole, "hidden", size === 0);
}

function addText(each, text, running) {
  // The characters of a line's end, or of a sequence, may come in two answers.
  const whole = each.held + text;
  each.held = running ? (colours.BEGUN.exec(whole) || [""])[0] : "";
  const { runs, style } = colours.runs(whole.slice(0, whole.length - each.held.length), each.style);
  runs.forEach((run) => addRun(each, visibleLines(run.text), colours.names(run.style)));
  each.style = style;
}

function addRun(each, shown, names) {
  const last = each.text.lastChild;
  if (names !== colours.names(colours.PLAIN)) {
    const coloured = h("span", { class: names });
    coloured.textContent = shown;
    each.text.append(coloured);
  } else if (last && last.nodeType === Node.TEXT_NODE && last.length < NODE) {
    last.appendData(shown);
    each.shown += shown.length;
    return;
  } else {
    each.text.append(document.createTextNode(shown));
  }
  each.shown += shown.length + NODE_COST;
}

function trim(each) {
  const most = isSelected(each.text) ? 2 * MOST : MOST;
  let dropped = false;
  while (each.shown > most && each.text.childNodes.length > 1) {
    const first = each.text.firstChild;
    each.shown -= first.className === "mark" ? 0 : first.textContent.length + NODE_COST;
    first.remove();
    dropped = true;
  }
  if (dropped) {
    each.text.prepend(mark("What came before is not shown here."));
  }
}

function mark(text) {
  return h("span", { class: "mark" }, text);
}

function isSelected(element) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(element, true);
}

// A few pixels may be missing where the page is zoomed.
function isAtEnd(box) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < 8;
}

function bytes(size) {
  for (const [unit, least] of [["GB", 2 ** 30], ["MB", 2 ** 20], ["KB", 2 ** 10]]) {
    if (size >= least) {
      return Number((size / least).toPrecision(3)) + " " + unit;
    }
  }
  return count(size) + (size === 1 ? " byte" : " bytes");
}
