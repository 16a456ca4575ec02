// The headings of the list: each is a button that sorts; and the same as a field, where there is no room for headings.

import * as address from "./address.js";
import { h, set } from "./dom.js";
import { COLUMNS } from "./rows.js";

export function headings(selectAll) {
  const row = h("tr", { role: "row" }, h("td", { role: "cell", class: "c-pick" }, h("label", { class: "tap" }, selectAll)),
    COLUMNS.map(heading));
  address.follow(({ sort }) => COLUMNS.forEach((column, place) => mark(row.cells[place + 1], column, sort)));
  return h("thead", { role: "rowgroup" }, row);
}

function heading(column) {
  const title = column.sort
    ? h("button", { type: "button", class: "sort", title: column.about, onclick: () => turn(column) }, column.title)
    : column.title;
  return h("th", { scope: "col", role: "columnheader", class: "c-" + column.name + (column.isNumber ? " number" : "") }, title);
}

// One way round, the other, and the usual order again.
function turn({ sort, first }) {
  const ways = [first + sort, (first ? "" : "-") + sort, ""];
  const place = ways.indexOf(address.view().sort);
  address.go({ sort: ways[(place + 1) % 3], cursor: "" });
}

function mark(cell, { sort, isTurned }, sorted) {
  const isHere = Boolean(sort) && sorted.replace(/^-/, "") === sort;
  const isFalling = sorted.startsWith("-") !== Boolean(isTurned);
  set(cell, "aria-sort", isHere && (isFalling ? "descending" : "ascending"));
}

const CHOICES = [["", "Usual order"], ["-created_at", "Newest first"], ["created_at", "Oldest first"], ["-updated_at", "Last changed first"],
  ["-duration", "Longest first"], ["-attempts", "Most attempts first"], ["priority", "Priority"], ["id", "Job id"], ["command", "Command"]];

export function sortField() {
  const field = h("select", { "aria-label": "Sort", class: "sort-field", onchange: () => address.go({ sort: field.value, cursor: "" }) });
  address.follow(({ sort }) => {
    const isOther = !CHOICES.some(([value]) => value === sort);
    const choices = isOther ? [...CHOICES, [sort, "By " + sort]] : CHOICES;
    field.replaceChildren(...choices.map(([value, title]) => h("option", { value }, title)));
    field.value = sort;
  });
  return field;
}
