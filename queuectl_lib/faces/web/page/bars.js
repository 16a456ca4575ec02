// The chart's drawing: bars over an axis with round numbers, in the pixels that there are.

import { svg } from "./dom.js";
import { count } from "./text.js";

const HEIGHT = 116;
const TOP = 10;
const BOTTOM = 18;
const LEFT = 36;
const RIGHT = 4;
// A number that is not 0 is to be seen, however small it is beside the others.
const LEAST = 2;
const CLOCK = new Intl.DateTimeFormat("sv-SE", { timeStyle: "short" });
const QUARTER = 15;
// So wide a label of the time is, at least.
const LABEL = 60;

// Draws the minutes into `place`, instead of what is there. The svg tells in its dataset where its first
// column begins and how wide each is. chosen: the place of the minute that is read, or null.
export function draw(place, minutes, chosen) {
  const width = place.clientWidth;
  const step = (width - LEFT - RIGHT) / minutes.length;
  const scale = scaled(minutes);
  const picture = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true", "data-left": LEFT, "data-step": step },
    hatching(), grid(scale, width), unknown(minutes).map((run) => hatched(run, step, scale)),
    chosen === null ? null : svg("rect", { class: "reading", x: LEFT + chosen * step, y: TOP, width: step, height: HEIGHT - TOP - BOTTOM }),
    minutes.map((minute, at) => bars(minute, LEFT + at * step, step, scale)),
    svg("line", { class: "zero", x1: LEFT, x2: width - RIGHT, y1: scale.zero, y2: scale.zero }),
    times(minutes, step));
  place.replaceChildren(picture);
}

// {y(n): how many pixels n is high, zero: where 0 is, ticks: the numbers at the axis; below 0: failed ones}.
function scaled(minutes) {
  const most = Math.max(1, ...minutes.map(({ completed }) => completed));
  const worst = Math.max(0, ...minutes.map(({ failed }) => failed));
  const size = roundStep(Math.max(most, worst));
  const above = Math.ceil(most / size) * size;
  const below = worst;
  const room = HEIGHT - TOP - BOTTOM;
  const ticks = [];
  for (let number = -Math.floor(below / size) * size; number <= above; number += size) {
    ticks.push(number);
  }
  return { y: (number) => (number * room) / (above + below), zero: TOP + (room * above) / (above + below), ticks };
}

// A round distance of the axis' numbers: 1, 2, 5, 10, 20, …, two or three up to `most`.
function roundStep(most) {
  const rough = most / 2;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) || 1;
}

function hatching() {
  return svg("defs", {}, svg("pattern", { id: "unknown", width: "6", height: "6", patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { class: "hatch", x1: "0", y1: "0", x2: "0", y2: "6" })));
}

function grid({ ticks, y, zero }, width) {
  return ticks.map((number) => {
    const at = zero - y(number);
    return [
      svg("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }),
      svg("text", { class: "axis", x: LEFT - 6, y: at + 3.5, "text-anchor": "end" }, short(Math.abs(number)))];
  });
}

function short(number) {
  return number >= 10000 ? Number((number / 1000).toPrecision(3)) + "k" : count(number);
}

// The runs of minutes that are not known: [{from, length}…].
function unknown(minutes) {
  const runs = [];
  minutes.forEach(({ completed }, at) => {
    const last = runs[runs.length - 1];
    if (completed === null && last && last.from + last.length === at) {
      last.length += 1;
    } else if (completed === null) {
      runs.push({ from: at, length: 1 });
    }
  });
  return runs;
}

function hatched({ from, length }, step, { zero }) {
  const x = LEFT + from * step;
  const width = length * step;
  const area = svg("rect", { class: "unknown", x, y: TOP, width, height: HEIGHT - TOP - BOTTOM });
  const label = { class: "axis not-known", x: x + width / 2, y: (TOP + zero) / 2 + 4, "text-anchor": "middle" };
  return width < 2 * LABEL ? area : [area, svg("text", label, "not known")];
}

function bars({ completed, failed }, left, step, { y, zero }) {
  const width = Math.max(1, step - (step > 5 ? 2 : 1));
  const up = completed && Math.max(LEAST, y(completed));
  const down = failed && Math.max(LEAST, y(failed));
  return [
    up ? svg("rect", { class: "bar-completed", x: left, y: zero - up, width, height: up }) : null,
    down ? svg("rect", { class: "bar-failed", x: left, y: zero, width, height: down }) : null];
}

// The quarters of an hour as the reader's clock shows them.
function times(minutes, step) {
  const room = minutes.length * step;
  const every = room / 4 > LABEL ? QUARTER : 2 * QUARTER;
  return minutes.map(({ at }, place) => {
    const moment = new Date(at);
    const middle = LEFT + place * step;
    if (moment.getMinutes() % every || middle < LEFT + LABEL / 3 || middle > LEFT + room - LABEL / 3) {
      return null;
    }
    return svg("text", { class: "axis", x: middle, y: HEIGHT - 4, "text-anchor": "middle" }, CLOCK.format(moment));
  });
}
