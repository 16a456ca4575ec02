// What is shown of values: text that hides nothing, numbers, moments, spans of time.

// Control characters, direction marks, what takes no room: it could hide, or make two names look alike
// (words/text.py has the same list). A line end and a tab are left to those who show whole texts.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

// Marks above or below a letter: no tongue heaps up more than four, and more would cover the lines beside theirs.
const MARK = "[\\u0300-\\u036f\\u0483-\\u0489\\u0591-\\u05bd\\u0610-\\u061a\\u064b-\\u065f\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e"
  + "\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f]";
const HEAP = new RegExp("(" + MARK + "{4})(" + MARK + "+)", "gu");

export function visible(value) {
  return String(value).replace(UNSAFE, escaped).replace(HEAP, (_, marks, more) => marks + Array.from(more, escaped).join(""));
}

// The same of an output: its lines stay lines.
export function visibleLines(text) {
  return text.replace(/\r\n/g, "\n").split("\n").map((line) => line.split("\t").map(visible).join("\t")).join("\n");
}

const SHORT = { 9: "\\t", 10: "\\n", 13: "\\r" };

function escaped(character) {
  const code = character.codePointAt(0);
  if (code in SHORT) {
    return SHORT[code];
  }
  const digits = code.toString(16);
  if (code < 0x100) {
    return "\\x" + digits.padStart(2, "0");
  }
  return code < 0x10000 ? "\\u" + digits.padStart(4, "0") : "\\U" + digits.padStart(8, "0");
}

// Made once: toLocaleString() makes one each time, which costs more than a row of a table.
const COUNT = new Intl.NumberFormat("en-US");

export function count(number) {
  return COUNT.format(number);
}

// Seconds as a person says them, as words/clock.py does: 1.2 s, 3 min 20 s, 2 h 5 min.
export function span(seconds) {
  if (seconds < 0.0995) {
    return Math.round(seconds * 1000) + " ms";
  }
  if (seconds < 9.95) {
    return seconds.toFixed(1).replace(/\.0$/, "") + " s";
  }
  const whole = Math.round(seconds);
  for (const [size, name, smaller, smallerName] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / smaller);
      return Math.floor(whole / size) + " " + name + (rest ? " " + rest + " " + smallerName : "");
    }
  }
  return whole + " s";
}

// A span that grows as one looks at it: whole seconds.
export function growing(seconds) {
  const whole = Math.floor(seconds);
  return whole ? span(whole) : "0 s";
}

// As short as can be, as listing.age does it: 12s, 3m, 2h, 5d.
export function short(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "m"]]) {
    if (seconds >= size) {
      return Math.floor(seconds / size) + unit;
    }
  }
  return Math.floor(seconds) + "s";
}

// "1 job", "1,200 jobs".
export function many(number, word) {
  return count(number) + " " + word + (number === 1 ? "" : "s");
}

// The server's clock counts: how much it is ahead of the browser's, in ms.
let ahead = 0;

export function learnTime(moment) {
  ahead = Date.parse(moment) - Date.now();
}

export function now() {
  return Date.now() + ahead;
}

// How long ago a moment was, in seconds.
export function since(moment) {
  return Math.max(0, (now() - Date.parse(moment)) / 1000);
}

const LOCAL = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

// A moment in the reader's own time: 2026-11-25 01:22:30.
export function local(moment) {
  return LOCAL.format(new Date(moment));
}
