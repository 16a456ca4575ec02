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
// also: {verb, send} of a second button.
export function form({ title, verb, fields, send, also }) {
  const error = h("p", { class: "form-error", role: "alert", hidden: true, id: "form-error-" + ++made });
  const submit = h("button", { type: "submit", class: "main changes" }, verb);
  const cancel = h("button", { type: "button", onclick: () => leave() }, "Cancel");
  const element = h("form", { class: "form", novalidate: true, autocomplete: "off" }, fields,
    h("div", { class: "form-foot" }, error, h("div", { class: "dialog-foot" }, cancel, also && second(also), submit)));
  const begun = contents(element);
  function second({ verb: name, send: sendToo }) {
    const button = h("button", { type: "button", class: "changes" }, name);
    button.addEventListener("click", () => sent(element, button, error, () => sendToo(() => dialog.close())));
    return button;
  }
  const leave = async () => {
    if (contents(element) === begun || await ask(DISCARD)) {
      dialog.close();
    }
  };
  const dialog = open(title, element, leave);
  const submitted = (event) => {
    event.preventDefault();
    sent(element, submit, error, () => send(() => dialog.close()));
  };
  element.addEventListener("submit", submitted);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      submitted(event);
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
  for (const control of element.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
  try {
    await send();
  } catch (problem) {
    refuse(element, error, problem.message);
  }
  element.removeAttribute("aria-busy");
  submit.removeAttribute("aria-disabled");
}

function refuse(element, error, text) {
  error.hidden = false;
  error.replaceChildren(text);
  const control = Array.from(element.elements).find((each) => !each.closest("[hidden]") && isNamed(each, text));
  if (control) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-errormessage", error.id);
    const folded = control.closest("details");
    if (folded) {
      folded.open = true;
    }
    control.focus();
  }
}

// Whether a message begins with a control's name or label, as "priority: want a whole number" does.
function isNamed(control, text) {
  const words = [control.name, ...Array.from(control.labels || [], (label) => label.textContent)].filter(Boolean);
  return words.some((word) => text.toLowerCase().startsWith(word.toLowerCase()) && !/^\w/.test(text.slice(word.length)));
}

function contents(element) {
  return Array.from(element.elements, (each) => (each.type === "checkbox" || each.type === "radio" ? each.checked : each.value)).join("\u0000");
}
