// Dialogs: <dialog> elements, which keep the focus inside and give it back when they are closed.

import { h } from "./dom.js";

const DISCARD = { title: "Discard what you typed?", text: "It has not been sent.", verb: "Discard", lossy: true };

let made = 0;

// A dialog with a heading, shown at once. `content`: elements; `leave()`: called when somebody wants to be
// gone without having done anything (Escape, the cross); it decides whether the dialog closes.
export function open(title, content, leave) {
  const id = "dialog-" + ++made;
  const dialog = h("dialog", { "aria-labelledby": id, class: "dialog" },
    h("div", { class: "dialog-head" },
      h("h2", { id }, title),
      h("button", { type: "button", class: "close", "aria-label": "Close", onclick: leave }, "\u00d7")),
    content);
  // The key is taken as well as the event: browsers let the event be refused once only.
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) {
      event.preventDefault();
      event.stopPropagation();
      leave();
    }
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    giveFocusBack(before);
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// Browsers do it by themselves, but for what has left the page meanwhile.
function giveFocusBack(before) {
  if (document.activeElement === document.body && !before.isConnected) {
    document.getElementById("view").focus({ preventScroll: true });
  }
}

// Whether somebody agrees to what cannot be undone: a promise of true or false.
// verb: what the button says that does it; keep: what the other one says, if not the usual; lossy: it is shown as
// dangerous, and Enter does not do it.
export function ask({ title, text, verb, keep, lossy }) {
  return new Promise((answer) => {
    const done = (agreed) => {
      dialog.close();
      answer(agreed);
    };
    const yes = h("button", { type: "button", class: lossy ? "danger" : "main", onclick: () => done(true) }, verb);
    const no = h("button", { type: "button", onclick: () => done(false) }, keep || "Keep as it is");
    const dialog = open(title, [h("p", {}, text), h("div", { class: "dialog-foot" }, no, yes)], () => done(false));
    (lossy ? no : yes).focus();
  });
}

// A form in a dialog: its fields, an error beside its buttons, and what sends it. send(close) returns a promise;
// while it is under way nothing can be sent twice, and when it fails all that was typed stays. Returns the dialog.
export function form({ title, verb, fields, send }) {
  const error = h("p", { class: "form-error", role: "alert", hidden: true });
  const submit = h("button", { type: "submit", class: "main changes" }, verb);
  const cancel = h("button", { type: "button", onclick: () => leave() }, "Cancel");
  const element = h("form", { class: "form", novalidate: true, autocomplete: "off" }, fields,
    h("div", { class: "form-foot" }, error, h("div", { class: "dialog-foot" }, cancel, submit)));
  const begun = contents(element);
  const leave = async () => {
    if (contents(element) === begun || await ask(DISCARD)) {
      dialog.close();
    }
  };
  const dialog = open(title, element, leave);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    sent(element, submit, error, () => send(() => dialog.close()));
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      element.requestSubmit();
    }
  });
  return dialog;
}

async function sent(element, submit, error, send) {
  if (element.getAttribute("aria-busy") === "true") {
    return;
  }
  element.setAttribute("aria-busy", "true");
  submit.setAttribute("aria-disabled", "true");
  error.hidden = true;
  try {
    await send();
  } catch (problem) {
    refuse(error, problem.message);
  }
  element.removeAttribute("aria-busy");
  submit.removeAttribute("aria-disabled");
}

function refuse(error, text) {
  error.replaceChildren(text);
  error.hidden = false;
}

function contents(element) {
  return Array.from(element.elements, (each) => (each.type === "checkbox" || each.type === "radio" ? each.checked : each.value)).join("\u0000");
}
