// Once a second, for texts that say how long ago something was; not while nobody sees the page.

const called = [];

export function everySecond(listener) {
  called.push(listener);
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
