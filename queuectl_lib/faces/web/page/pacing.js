// Work that is asked for more often than it should be done.

// Some events come together: the first of them waits for the others.
const TOGETHER = 60;
// What takes long is done less often, so that it never fills more than this share of the time.
const SHARE = 0.25;

// A function that has run() (a promise) done soon, at most once in `least` ms, and never twice at a time;
// however often it was asked for meanwhile, it is done once more. Nothing is done for a page that nobody sees.
export function paced(run, least) {
  let isWanted = false;
  let isPlanned = false;
  let notBefore = 0;

  function plan() {
    if (isWanted && !isPlanned && !document.hidden) {
      isPlanned = true;
      setTimeout(perform, Math.max(TOGETHER, notBefore - performance.now()));
    }
  }

  async function perform() {
    isWanted = false;
    const began = performance.now();
    try {
      await run();
    } finally {
      notBefore = began + Math.max(least, (performance.now() - began) / SHARE);
      isPlanned = false;
      plan();
    }
  }

  document.addEventListener("visibilitychange", plan);
  return () => {
    isWanted = true;
    plan();
  };
}
