// Where somebody reads in a list stays where it is while rows come and go.

// Does change(), and scrolls so that the row that was looked at stays where it was on the screen: the one that
// has the focus, or the first that is to be seen. At the top of the list new rows are to be seen instead.
export function anchored(body, isOn, change) {
  const seen = isOn ? inSight(body) : [];
  const places = new Map(seen.map((row) => [row, row.getBoundingClientRect().top]));
  change();
  const anchor = seen.find((row) => row.isConnected);
  const moved = anchor ? anchor.getBoundingClientRect().top - places.get(anchor) : 0;
  if (Math.abs(moved) > 0.5) {
    scrollBy({ top: moved, behavior: "instant" });
  }
}

function inSight(body) {
  if (body.getBoundingClientRect().top >= 0) {
    return [];
  }
  const rows = Array.from(body.rows);
  const seen = rows.filter((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  const focused = seen.find((row) => row.contains(document.activeElement));
  return focused ? [focused, ...seen] : seen;
}

// To be called before a change; what it returns, after it: when the row that had the focus is gone, the one
// that stands in its place has it.
export function nextFocus(body) {
  const rows = Array.from(body.rows);
  const place = rows.findIndex((row) => row.contains(document.activeElement));
  const kind = place >= 0 && document.activeElement.matches(".pick") ? ".pick" : ".job-link";
  return () => {
    if (place < 0 || rows[place].isConnected) {
      return;
    }
    const row = body.rows[Math.min(place, body.rows.length - 1)];
    const target = row ? row.querySelector(kind) : document.getElementById("view");
    target.focus({ preventScroll: true });
  };
}

// Does change(), and gives the focus to the view if what had it in `element` is not there any more.
export function keepingFocus(element, change) {
  const hadFocus = element.contains(document.activeElement);
  change();
  if (hadFocus && (element.hidden || !element.contains(document.activeElement))) {
    document.getElementById("view").focus({ preventScroll: true });
  }
}
