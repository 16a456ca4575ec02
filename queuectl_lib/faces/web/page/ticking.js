// Once a second, for texts that say how long ago something was; and more seldom, for how far running jobs are,
// of which no event tells. Neither while nobody sees the page.

import * as connection from "./connection.js";

const PROGRESS = 2000;

const called = [];

export function everySecond(listener) {
  called.push(listener);
}

// Calls look() every two seconds in which isRunning() holds and the server answers.
export function whileRunning(isRunning, look) {
  setInterval(() => !document.hidden && connection.state() === "open" && isRunning() && look(), PROGRESS);
}

function tick() {
  if (!document.hidden) {
    for (const listener of called) {
      listener();
    }
  }
}

setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
