// The fields of forms: a label, what is typed into, and a hint below it.

import { h } from "./dom.js";

let made = 0;

// control: an <input>, <textarea> or <select>; hint: a few words, or nothing.
export function field(label, control, hint) {
  const id = "field-" + ++made;
  control.id = id;
  const parts = [h("label", { for: id }, label), control];
  if (hint) {
    control.setAttribute("aria-describedby", id + "-hint");
    parts.push(h("small", { id: id + "-hint" }, hint));
  }
  return h("div", { class: "field" }, parts);
}

export function check(label, control) {
  return h("div", { class: "field" }, h("label", { class: "check" }, control, " ", label));
}

export function text(name, more) {
  return h("input", { type: "text", name, spellcheck: "false", autocapitalize: "none", ...more });
}

export function number(name, more) {
  return text(name, { inputmode: "numeric", ...more });
}

// What was typed as a whole number; anything else as it is, for the server to say what is wrong with it.
export function whole(typed) {
  return /^[+-]?\d{1,15}$/.test(typed) ? Number(typed) : typed;
}

// Examples of one, the same everywhere (words/clock.py has them, too).
export const DURATIONS = "90, 90s, 5m, 1h30m, 7d";

const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
// 1h30m: whole numbers, each unit smaller than the one before it.
const COMPOUND = new RegExp("^" + ["w", "d", "h", "m", "s"].map((unit) => "(?:(\\d+) *" + unit + ")?").join(" *") + "$");
const LONGEST = 3153600000;

// Seconds of 90, 90s, 5m, 1h30m, as the command line takes them (words/clock.py).
export function duration(label, typed) {
  const seconds = secondsOf(typed.trim());
  if (seconds === null) {
    throw new Error(label + ": not a duration: " + typed + " (want " + DURATIONS + ")");
  }
  if (seconds > LONGEST) {
    throw new Error(label + ": not a duration: " + typed + " (want at most 100 years)");
  }
  return seconds;
}

function secondsOf(typed) {
  const simple = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?$/.exec(typed);
  if (simple) {
    return Number(simple[1]) * UNITS[simple[2] || "s"];
  }
  const [, ...numbers] = (typed && COMPOUND.exec(typed)) || [];
  const sizes = [UNITS.w, UNITS.d, UNITS.h, UNITS.m, UNITS.s];
  return numbers.length ? numbers.reduce((sum, number, place) => sum + Number(number || 0) * sizes[place], 0) : null;
}

// A moment as <input type="datetime-local"> holds it: in the reader's own time.
export function localInput(moment) {
  const at = new Date(moment);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}
