// A button that opens a list of things to tick: a filter by several values. With many of them a field to find one.

import { h, keyed, set, write } from "./dom.js";
import { count } from "./text.js";

// More than these are not shown at once: whoever looks for one types a part of its name.
const MOST = 100;
const FINDABLE = 8;

export class Chooser {
  // changed(values): what is ticked now.
  constructor(title, changed) {
    this.title = title;
    this.changed = changed;
    this.options = [];
    this.values = [];
    this.button = h("button", { type: "button", "aria-haspopup": "true", "aria-expanded": "false", class: "chooser-button" });
    this.button.addEventListener("click", () => this.turn(this.box.hidden));
    this.find = h("input", { type: "search", "aria-label": "Find a " + title.toLowerCase(), placeholder: "Find", oninput: () => this.#draw() });
    this.ticks = h("div", { class: "ticks" });
    this.rest = h("p", { class: "soft" });
    this.none = h("button", { type: "button", class: "plain", onclick: () => this.#choose([]) }, "Any " + title.toLowerCase());
    this.box = h("div", { class: "chooser-box", role: "group", "aria-label": title, hidden: true }, this.find, this.ticks, this.rest, this.none);
    this.element = h("div", { class: "chooser" }, this.button, this.box);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusout", (event) => this.#left(event));
    document.addEventListener("pointerdown", (event) => !this.element.contains(event.target) && this.turn(false));
  }

  // options: [[value, how many jobs]…]; values: those ticked.
  update(options, values) {
    this.options = options;
    this.values = values;
    const first = values.length ? ": " + values[0] + (values.length > 1 ? " +" + (values.length - 1) : "") : "";
    write(this.button, this.title + first);
    this.button.classList.toggle("is-on", values.length > 0);
    if (!this.box.hidden) {
      this.#draw();
    }
  }

  turn(isOpen) {
    if (isOpen === !this.box.hidden) {
      return;
    }
    set(this.box, "hidden", !isOpen);
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) {
      this.find.value = "";
      this.#draw();
      (this.find.hidden ? this.ticks.querySelector("input") || this.none : this.find).focus();
    }
  }

  #draw() {
    const text = this.find.value.trim().toLowerCase();
    const known = new Map([...this.values.map((value) => [value, null]), ...this.options]);
    const fitting = [...known].filter(([value]) => value.toLowerCase().includes(text));
    set(this.find, "hidden", known.size <= FINDABLE);
    set(this.none, "hidden", !this.values.length);
    keyed(this.ticks, fitting.slice(0, MOST), ([value]) => value, ([value]) => this.#tick(value), (label, [value, number]) => {
      label.firstChild.checked = this.values.includes(value);
      write(label.lastChild, number === null ? "" : count(number));
    });
    const more = fitting.length - MOST;
    write(this.rest, more > 0 ? "and " + count(more) + " more: type a part of the name" : fitting.length ? "" : "There is none like that.");
    set(this.rest, "hidden", !this.rest.textContent);
  }

  #tick(value) {
    const box = h("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      const others = this.values.filter((each) => each !== value);
      this.#choose(box.checked ? [...others, value] : others);
    });
    return h("label", { class: "tick" }, box, h("span", { class: "tick-name" }, value), h("span", { class: "number soft" }));
  }

  #choose(values) {
    this.changed(values);
    if (!values.length && document.activeElement === document.body) {
      this.button.focus();
    }
  }

  #key(event) {
    if (event.key === "Escape" && !this.box.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.turn(false);
      this.button.focus();
    }
  }

  #left(event) {
    if (event.relatedTarget && !this.element.contains(event.relatedTarget)) {
      this.turn(false);
    }
  }
}
