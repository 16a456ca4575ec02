// Tables of the views beside the jobs: with headings where there is room, a card for each row where there is
// none. The roles are told, for a table that CSS lays out otherwise is none to some screen readers.

import { h } from "./dom.js";

// columns: [title, class]…, a title of "" for actions; kind: the table's class; first: a heading before the others.
// Returns {element, body}.
export function sheet(name, columns, kind, first) {
  const body = h("tbody", { role: "rowgroup" });
  const headings = columns.map(([title, look]) => h("th", { scope: "col", role: "columnheader", class: look }, title || h("span", { class: "away" }, "Actions")));
  const table = h("table", { class: "cards " + kind, role: "table", "aria-label": name },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, first, headings)), body);
  return { element: h("div", { class: "sheet card-sheet", hidden: true }, table), body };
}

// A row with an empty cell for each column, the first of which names it.
export function row(columns, first) {
  return h("tr", { role: "row" }, first, columns.map(([title, look], place) => place
    ? h("td", { role: "cell", "data-label": title, class: look })
    : h("th", { scope: "row", role: "rowheader", "data-label": title, class: look })));
}
