// What the list is narrowed by: a text, states, queues; and how to be rid of it again.

import * as address from "./address.js";
import * as live from "./live.js";
import { Chooser } from "./chooser.js";
import { h, set } from "./dom.js";
import { sortField } from "./heads.js";
import { isFiltered, UNFILTERED } from "./notices.js";
import { keepingFocus } from "./place.js";
import { STATES } from "./summary.js";

// Nobody wants an answer to half a word.
const PAUSE = 300;

export function toolbar() {
  const states = new Chooser("State", (state) => address.go({ state, cursor: "" }));
  const queues = new Chooser("Queue", (queue) => address.go({ queue, cursor: "" }));
  const clear = h("a", { "data-view": true, class: "button plain" }, "Clear");
  let status = { states: {}, queues: {} };
  const draw = (view) => {
    states.update(STATES.map((state) => [state, status.states[state] || 0]), view.state);
    queues.update(Object.entries(status.queues).map(([name, numbers]) => [name, total(numbers)]), view.queue);
    set(clear, "href", address.link(UNFILTERED));
    keepingFocus(clear, () => set(clear, "hidden", !isFiltered(view)));
  };
  live.on("status", (found) => {
    status = found;
    draw(address.view());
  });
  address.follow(draw);
  return h("form", { class: "toolbar", role: "search", "aria-label": "Find jobs", onsubmit: (event) => event.preventDefault() },
    searchField(), states.element, queues.element, clear, sortField());
}

function total(numbers) {
  return STATES.reduce((sum, state) => sum + (numbers[state] || 0), 0);
}

export function searchField() {
  const field = h("input", { type: "search", class: "search", "aria-label": "Search", "aria-keyshortcuts": "/", maxlength: 500,
    placeholder: "Search id, command, queue, error", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  let timer = 0;
  let isPushed = false;
  const search = () => {
    clearTimeout(timer);
    timer = 0;
    if (field.value.trim() === address.view().search) {
      return;
    }
    // One step of Back for all that is typed at a time.
    (isPushed ? address.become : address.go)({ search: field.value.trim(), cursor: "" });
    isPushed = true;
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      search();
    } else if (event.key === "Escape" && field.value && !event.isComposing) {
      // Left alone, browsers empty the field and tell nobody. A second Escape leaves it.
      event.preventDefault();
      field.value = "";
      search();
    }
  });
  field.addEventListener("blur", () => {
    isPushed = false;
  });
  address.follow((view) => {
    if (!timer && field.value.trim() !== view.search) {
      field.value = view.search;
    }
  });
  return field;
}
