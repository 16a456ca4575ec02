"""What the page keeps while it changes: the focus, what is said in a list's place, views that are not shown; and what it does without."""

import re

import pytest

from tests.browser import shown
from tests.support import wait_until

FORGET = "delete window.SharedWorker; delete Element.prototype.moveBefore; delete HTMLFormElement.prototype.requestSubmit;"

FOCUSED = "const one = document.activeElement; return (one.getAttribute('aria-label') || one.textContent) === args[0]"

LISTEN = """
    const Real = SharedWorker;
    window.told = [];
    window.SharedWorker = class extends Real {
        constructor(...words) {
            super(...words);
            this.port.addEventListener("message", (message) => told.push(JSON.stringify(message.data)));
        }
    };
"""

SOURCE = """
    const real = [window.EventSource, window.fetch, window.setTimeout, window.clearTimeout];
    const opened = [], timers = new Map();
    window.EventSource = class {
        static CLOSED = 2;
        readyState = 2;
        constructor() { opened.push(this); }
        addEventListener(kind, listener) { this[kind] = listener; }
        close() {}
    };
    window.fetch = async () => ({ status: 200 });
    window.setTimeout = (act) => { timers.set(timers.size + 1, act); return timers.size; };
    window.clearTimeout = (number) => timers.delete(number);
    try {
        const { Source } = await import("/static/source.js");
        const source = new Source(() => {});
        source.open();
        opened[0].error();
        source.close();
        for (let n = 0; n < 9; n++) await null;
        timers.forEach((act) => act());
        source.close();
        return opened.length;
    } finally {
        [window.EventSource, window.fetch, window.setTimeout, window.clearTimeout] = real;
    }
"""

DRAWN = """
    const { draw } = await import("/static/bars.js");
    const place = document.body.appendChild(document.createElement("div"));
    const minutes = args[0].map((number, at) => ({ at: new Date(at * 60000).toISOString(), completed: number, failed: number }));
    draw(place, minutes, null);
    const found = [place.querySelectorAll(".unknown").length, place.querySelectorAll(".bar-completed").length];
    place.remove();
    return found;
"""

CUT = """
    const real = window.fetch;
    window.fetch = async () => new Response(new ReadableStream({ start: (body) => body.error(new TypeError("cut off")) }));
    try {
        return await (await import("/static/api.js")).get("/api/workers").then(JSON.stringify, (error) => error.message);
    } finally {
        window.fetch = real;
    }
"""

VARIABLES = """
    const form = (await import("/static/options.js")).build();
    form.element.querySelector("[name=command]").value = "true";
    form.element.querySelector("[name=env]").value = args[0];
    return JSON.stringify(form.job().env);
"""


def test_what_died_while_another_view_was_shown_is_there_on_coming_back(page, queue, dashboard):
    shown.open_live(page, dashboard.address)
    page.click("link", "Dead letter queue")
    page.wait_for_text("No job is dead")
    page.click("link", "Jobs")
    queue.enqueue("--id", "lost", "--max-retries", "0", "false")
    queue.run("worker", "start", "--drain")
    shown.wait_for_row(page, "lost", State="dead")
    page.click("link", "Dead letter queue")
    shown.wait_for_ids(page, ["lost"])


def test_that_nothing_is_found_is_said_without_a_break(page, queue, dashboard):
    shown.open_live(page, dashboard.address)
    page.open(dashboard.at("search=nothing-of-the-kind"))
    shown.wait_live(page)
    page.wait_for_text("No such jobs")
    page.script("window.notice = [...document.querySelectorAll('h2')].find((each) => each.textContent === 'No such jobs')")
    page.script("""
        const real = window.fetch;
        window.asked = 0;
        window.fetch = (...words) => { window.asked += words[0].startsWith("/api/jobs?"); return real(...words); };
    """)
    for n in range(3):
        before = page.script("return window.asked")
        queue.enqueue("true")
        wait_until(lambda: page.script("return window.asked") > before, "the list is fetched anew")
    assert page.script("return window.notice.isConnected")


def test_a_view_that_is_not_known_is_the_list(page, queue, dashboard):
    queue.enqueue("--id", "one", "true")
    shown.open_live(page, dashboard.address)
    page.open(dashboard.at("tab=__proto__"))
    shown.wait_for_ids(page, ["one"])


@pytest.mark.parametrize("query, steps, focused", [
    ("tab=dead", ["Retry dead-1"], "dead-2"),
    ("tab=queues", ["Pause the queue default", "Pause"], "Resume the queue default"),
    ("job=dead-1", ["Remove", "Remove the job"], "dead-1"),
])
def test_what_goes_when_it_is_pressed_does_not_take_the_focus_along(page, queue, dashboard, query, steps, focused):
    for name in ("dead-2", "dead-1"):
        queue.enqueue("--id", name, "--max-retries", "0", "false")
        queue.run("worker", "start", "--drain")
    shown.open_live(page, dashboard.address)
    page.open(dashboard.at(query))
    shown.wait_live(page)
    for step in steps:
        page.click("button", step)
    page.wait_for(FOCUSED, focused)


def test_a_filter_that_is_cleared_leaves_the_focus_in_the_view(page, queue, dashboard):
    queue.enqueue("true")
    shown.open_live(page, dashboard.address)
    page.open(dashboard.at("search=nothing-of-the-kind"))
    page.click("link", "Clear the filter")
    page.wait_for(FOCUSED, "Jobs and more")


def test_a_browser_that_lacks_what_is_new_is_served_as_well(page, queue, dashboard):
    page.browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=FORGET)
    shown.open_live(page, dashboard.address)
    assert page.script("return typeof SharedWorker") == "undefined"
    queue.enqueue("--id", "low", "--priority", "5", "true")
    shown.wait_for_ids(page, ["low"])
    page.find("link", "low").focus()
    queue.enqueue("--id", "high", "true")
    shown.wait_for_ids(page, ["high", "low"])
    assert page.focused() == "link: low"
    page.click("button", "Enqueue \u2026")
    page.type("textbox", "Command", "echo sent by keys")
    page.press("Control+Enter")
    shown.wait_said(page, "Enqueued")


def test_a_stream_that_is_not_wanted_any_more_is_not_opened_again(page, dashboard):
    shown.open_live(page, dashboard.address)
    assert page.script(SOURCE) == 1


def test_minutes_that_are_not_known_are_hatched_wherever_they_are(page, dashboard):
    shown.open_live(page, dashboard.address)
    assert page.script(DRAWN, [None, None, 3, None, 0, 4]) == [2, 2]


def test_a_variable_may_have_any_name(page, dashboard):
    shown.open_live(page, dashboard.address)
    assert page.script(VARIABLES, "__proto__=x\nconstructor=y") == '{"__proto__":"x","constructor":"y"}'


def test_how_many_a_minute_is_said_once(page, queue, dashboards):
    queue.enqueue("true")
    queue.run("worker", "start", "--drain")
    shown.open_live(page, dashboards().address)
    page.wait_for_text("Succeeded", "#summary")
    page.wait_for_text("a minute lately", "#chart")
    assert len(re.findall("(?i)(?:per|a) minute", page.text())) == 1


def test_an_answer_that_is_cut_off_is_none(page, dashboard):
    shown.open_live(page, dashboard.address)
    assert page.script(CUT) == "the server does not answer"


def test_a_tile_leads_to_all_jobs_that_it_counts(page, queue, dashboard):
    queue.enqueue("--id", "gone", "--max-retries", "0", "false")
    queue.run("worker", "start", "--drain")
    shown.open_live(page, dashboard.address)
    page.open(dashboard.at("search=nothing-of-the-kind"))
    page.click("link", re.compile("dead$"))
    shown.wait_for_ids(page, ["gone"])
    assert page.address() == dashboard.at("state=dead")


def test_nothing_is_kept_for_a_tab_that_is_frozen(page, queue, dashboard):
    page.browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
    shown.open_live(page, dashboard.address)
    queue.enqueue("--id", "before", "true")
    page.wait_for("return told.some((each) => each.includes('happened'))")
    frozen = page.browser.windows()[0]
    page.script("told.length = 0")
    # The browser's own way to freeze a tab lets it go again as soon as another one is opened.
    page.script("document.dispatchEvent(new Event('freeze'))")
    page.browser.new_window()
    page.browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
    shown.open_live(page, dashboard.at(""))
    queue.enqueue("--id", "meanwhile", "true")
    # Its row may be there before the event is, and a stream may begin with the event before.
    page.wait_for("return told.some((each) => each.includes('happened') && each.includes('meanwhile'))")
    page.browser.show(frozen)
    assert page.script("return told") == []
    page.script("document.dispatchEvent(new Event('resume'))")
    shown.wait_for_row(page, "meanwhile")
    assert "happened" not in "".join(page.script("return told"))
