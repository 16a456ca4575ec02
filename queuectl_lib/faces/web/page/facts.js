// Every field of a job, as names and values: what one looks for first, and all the rest.

import * as address from "./address.js";
import { become, longAge } from "./ages.js";
import { h, keyed, set, write } from "./dom.js";
import { hasOtherCommand } from "./jobtext.js";
import { local, now, span, visibleLines } from "./text.js";

// What is to be seen at once.
export function showFirst(list, job) {
  show(list, first(job));
}

export function showRest(list, job) {
  show(list, rest(job));
}

function show(list, facts) {
  keyed(list, facts.filter(isTold), (fact) => fact.name + (fact.links ? " links" : fact.moment ? " moment" : ""), create, update);
}

function create(fact) {
  const value = h("dd", {});
  if (fact.moment) {
    value.append(h("time", {}), " ", h("span", { class: "soft" }));
  }
  const row = h("div", { class: "fact" + (fact.wide ? " wide" : "") }, h("dt", {}, fact.name), value);
  if (fact.copy) {
    row.append(copyButton("Copy the " + fact.name.toLowerCase()));
  }
  return row;
}

function update(row, fact) {
  const value = row.children[1];
  if (fact.copy) {
    row.lastChild.dataset.text = fact.text;
  }
  if (fact.links) {
    keyed(value, fact.links, (id) => id, (id) => h("a", { "data-view": true, class: "mono" }, id),
      (link, id) => set(link, "href", address.link({ job: id })));
  } else if (fact.moment) {
    showMoment(value, fact.moment);
  } else if (fact.since) {
    showAge(value, fact.since);
  } else {
    showText(value, fact);
  }
}

function showText(value, fact) {
  value.classList.toggle("mono", Boolean(fact.mono));
  if (!fact.lines) {
    write(value, fact.text);
    return;
  }
  // A command of several lines is shown as it was written.
  const shown = visibleLines(fact.text);
  if (value.textContent !== shown) {
    value.textContent = shown;
  }
}

function showMoment(value, moment) {
  const [time, , distance] = value.childNodes;
  time.dateTime = moment;
  time.title = moment;
  write(time, local(moment));
  if (isPast({ moment })) {
    const ago = distance.querySelector("time");
    if (ago) {
      become(ago, moment, " ago");
    } else {
      distance.replaceChildren(longAge(moment, " ago"));
    }
  } else {
    distance.textContent = "in " + span((Date.parse(moment) - now()) / 1000);
  }
}

function showAge(value, moment) {
  if (value.firstChild) {
    become(value.firstChild, moment);
  } else {
    value.append(longAge(moment));
  }
}

function isPast({ moment }) {
  return Date.parse(moment) <= now();
}

// A button that puts its data-text on the clipboard.
export function copyButton(label) {
  const button = h("button", { type: "button", class: "small copy", "aria-label": label }, "Copy");
  button.addEventListener("click", async () => {
    const copied = await copy(button.dataset.text);
    write(button, copied ? "Copied" : "Not copied");
    setTimeout(() => write(button, "Copy"), 1500);
  });
  return button;
}

async function copy(text) {
  try {
    // There is no clipboard where the page came neither by https nor from this machine.
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    return copyOldWay(text);
  }
}

function copyOldWay(text) {
  const before = document.activeElement;
  const field = h("textarea", { class: "away", readonly: true });
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before) {
    before.focus();
  }
  return copied;
}

function first(job) {
  const whose = job.attempts && hasOtherCommand(job) ? " of the last attempt" : "";
  return [
    { name: "Command", text: job.command, mono: true, lines: true, wide: true, copy: true },
    { name: "Progress", text: job.progress, wide: true },
    { name: "Error" + whose, text: job.error, wide: true },
    { name: "Waits for", links: job.waits_for, wide: true },
    { name: "Attempts", text: job.attempts + " of at most " + (job.max_retries + 1) },
    { name: "Exit code" + whose, text: job.state === "processing" ? null : job.exit_code },
    { name: "Signal" + whose, text: job.state === "processing" ? null : job.signal },
    { name: "Running for", since: job.state === "processing" ? job.started_at : null },
    { name: "Took", text: job.duration === null || job.state === "processing" ? null : span(job.duration) },
    { name: "Next try", moment: job.next_run_at },
    { name: "Run at", moment: job.run_at },
    { name: "Queue", text: job.queue },
  ];
}

function rest(job) {
  return [
    { name: "After", links: job.after, wide: true },
    { name: "Priority", text: job.priority },
    { name: "Timeout", text: job.timeout === null ? "none" : span(job.timeout) },
    { name: "Held", text: job.held ? "until it is released" : null },
    { name: "Put back", text: job.put_backs ? job.put_backs + " times since its last attempt" : null },
    { name: "Slots", text: job.slots },
    { name: "Nice", text: job.nice },
    { name: "Worker", text: job.worker },
    { name: "Created", moment: job.created_at },
    { name: "Started", moment: job.started_at },
    { name: "Finished", moment: job.finished_at },
    { name: "Updated", moment: job.updated_at },
    { name: "Expires", moment: job.expires_at },
    { name: "Directory", text: job.cwd, mono: true, wide: true },
    ...Object.entries(job.env || {}).map(([name, value]) => ({ name: "env " + name, text: value, mono: true, wide: true })),
    { name: "Output kept in", text: [job.stdout_file, job.stderr_file].filter(Boolean).join(", ") || null, mono: true, wide: true },
  ];
}

function isTold({ text, moment, since, links }) {
  return [text, moment, since].some((value) => value !== null && value !== undefined) || (links && links.length > 0);
}
