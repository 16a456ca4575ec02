"""Changing things in the browser: enqueue, retry from the DLQ, cancel, hold, release, pause, resume; and a page that may not."""

import json
import re

import pytest

from tests.browser import shown
from tests.support import wait_until

# What the page sends to change something leaves it only when window.go() is called.
HOLD_UP = """
    const send = window.fetch;
    window.fetch = async (path, options) => {
        if (options.method === 'POST') await new Promise(go => { window.go = go; });
        return send(path, options);
    };
"""


def dead(queue, *ids):
    """Jobs in the DLQ: their command works once the file `mended` is there."""
    jobs = [{"id": id, "command": "test -e mended", "max_retries": 0} for id in ids]
    queue.run("enqueue", "--file", "-", input=json.dumps(jobs))
    queue.work(count=1)


# --- new jobs

@pytest.mark.short
def test_somebody_enqueues_a_job_sees_it_die_reads_why_and_retries_it(page, dashboard):
    queue = dashboard.queue
    workers = queue.start_workers(count=1)
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.type("textbox", "Command", "test -e mended || { echo no such luck >&2; exit 3; }")
    page.type("combobox", "Queue", "mail")
    page.fill("textbox", "Retries", "0")
    page.screenshot("enqueue")
    page.click("button", "Enqueue")
    shown.wait_said(page, "Enqueued")
    id, = [job["id"] for job in queue.jobs()]
    shown.wait_for_row(page, id, State="dead", Queue="mail")
    page.click("link", id)
    page.wait_for_text("no such luck", "section[aria-label=stderr]")
    page.wait_for_text("exit 3", "#detail .why")
    queue.write("mended", "")
    page.click("button", "Retry")
    shown.wait_for_row(page, id, State="completed")
    page.wait_for_text("completed", "#detail .detail-head")
    workers.press_ctrl_c()
    workers.wait()


def test_after_enqueueing_by_a_key_the_focus_is_where_it_was_or_in_the_view(page, dashboard):
    queue = dashboard.queue
    shown.many(queue, 2)
    shown.open_live(page, dashboard.at("state=pending&token=" + dashboard.token))
    shown.wait_for_row(page, "job-00001")
    page.press("j", "j")
    enqueue_by_keys(page, "echo one")
    assert page.focused() == "link: job-00001"
    page.press("n")
    queue.run("cancel", "job-00001")
    wait_until(lambda: "job-00001" not in shown.ids(page), "it is gone from the list")
    page.press("Escape")
    page.wait_gone("dialog")
    wait_until(lambda: page.focused() == "region: Jobs and more", "the view has the focus")


def enqueue_by_keys(page, command):
    page.press("n")
    page.find("dialog", "Enqueue")
    page.keys(command)
    page.press("Control+Enter")
    page.wait_gone("dialog")


def test_jobs_are_given_as_json_too(page, dashboard):
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.click("radio", "JSON")
    page.type("textbox", "Jobs", '[{"id": "one", "command": "true"}, {"id": "two", "command": "true", "after": ["one"]}]')
    page.click("button", "Enqueue")
    shown.wait_said(page, "Enqueued 2 jobs")
    shown.wait_for_row(page, "two")
    assert set(dashboard.queue.states()) == {"one", "two"}


@pytest.mark.parametrize("typed, said", [
    ("{", "not JSON"), ('{"id": "taken", "command": "false"}', "taken"), ('{"id": "x"}', "command"),
    ('{"command": "true", "color": 1}', "color")])
def test_what_is_wrong_with_a_job_is_said_beside_it_and_stays_to_be_mended(page, dashboard, typed, said):
    page.expect("4(00|09)")
    dashboard.queue.enqueue("--id", "taken", "true")
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.click("radio", "JSON")
    page.type("textbox", "Jobs", typed)
    page.click("button", "Enqueue")
    wait_until(lambda: any(said in alert.text() for alert in page.all("alert")), "an alert says %r" % said)
    page.screenshot("enqueue-error")
    assert page.find("textbox", "Jobs").property("value") == typed and len(dashboard.queue.jobs()) == 1


def test_an_id_that_is_there_is_said_though_the_job_is_the_same_one(page, dashboard):
    page.expect("409")
    dashboard.queue.enqueue("--id", "taken", "true")
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.type("textbox", "Command", "true")
    page.click("DisclosureTriangle", "More options")
    page.type("textbox", "Id", "taken")
    page.click("button", "Enqueue")
    wait_until(lambda: any("taken is already there" in alert.text() for alert in page.all("alert")), "the alert says it")
    assert page.text("#toasts") == "" and page.all("dialog", "Enqueue")


# --- the dead letter queue

@pytest.mark.short
def test_one_the_selected_and_all_dead_jobs_are_retried(page, dashboard):
    queue = dashboard.queue
    dead(queue, *["dead-%d" % n for n in range(7)])
    shown.open_live(page, dashboard.address)
    page.click("link", "Dead letter queue")
    wait_until(lambda: len(shown.ids(page)) == 7, "all seven are shown")
    page.screenshot("dead")
    page.click("button", "Retry dead-0")
    wait_until(lambda: len(shown.ids(page)) == 6 and queue.job("dead-0")["state"] == "pending", "one is to run again")
    page.click("checkbox", "Select dead-5")
    page.click("checkbox", "Select dead-6")
    page.click("button", "Retry selected")
    wait_until(lambda: set(shown.ids(page)) == {"dead-1", "dead-2", "dead-3", "dead-4"}, "two more are to run again")
    page.click("button", re.compile("^Retry all"))
    page.find("dialog")
    page.screenshot("retry-all")
    page.click("button", "Retry")
    page.wait_for_text("No job is dead")
    assert set(queue.states().values()) == {"pending"}
    queue.write("mended", "")
    queue.work(count=1)
    assert set(queue.states().values()) == {"completed"}


def test_a_dead_job_is_removed_once_that_is_confirmed(page, dashboard):
    queue = dashboard.queue
    dead(queue, "gone", "stays")
    shown.open_live(page, dashboard.at("tab=dead&token=" + dashboard.token))
    page.click("button", "Remove gone")
    page.click("button", "Keep as it is")
    page.wait_gone("dialog")
    assert set(queue.states()) == {"gone", "stays"}
    page.click("button", "Remove gone")
    page.click("button", re.compile("^Remove the job"))
    shown.wait_for_ids(page, ["stays"])
    assert set(queue.states()) == {"stays"}


# --- one job

def test_a_job_is_held_released_changed_and_cancelled(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "one", "true")
    shown.open_live(page, dashboard.address)
    page.click("link", "one")
    page.click("button", "Hold")
    wait_until(lambda: queue.job("one")["held"], "it is held")
    page.click("button", "Release")
    wait_until(lambda: not queue.job("one")["held"], "it is released")
    page.click("button", "Edit")
    page.fill("textbox", "Priority", "-3")
    page.screenshot("edit")
    page.click("button", "Save")
    shown.wait_for_row(page, "one", Prio="-3")
    page.click("button", "Cancel")
    shown.wait_for_row(page, "one", State="cancelled")
    page.find("button", "Retry")


def test_a_dead_job_is_mended_and_retried_in_one_step(page, dashboard):
    queue = dashboard.queue
    dead(queue, "one")
    shown.open_live(page, dashboard.at("job=one&token=" + dashboard.token))
    page.click("button", "Edit")
    assert page.focused() == "textbox: Command"
    page.fill("textbox", "Command", "true # mended")
    page.screenshot("edit-dead")
    page.click("button", "Save")
    page.wait_for_text("Output of the last attempt", "#detail")
    page.wait_for_text("Exit code of the last attempt", "#detail")
    page.screenshot("edited-dead")
    page.click("button", "Edit")
    page.fill("textbox", "Priority", "3")
    page.click("button", "Save and retry")
    shown.wait_said(page, "one: changed and set to run again")
    job = queue.job("one")
    assert (job["state"], job["priority"], job["command"]) == ("pending", 3, "true # mended")


def test_a_running_job_is_cancelled_once_that_is_confirmed(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "long", "sleep 600")
    workers = queue.start_workers("--drain", count=1)
    shown.open_live(page, dashboard.address)
    shown.wait_for_row(page, "long", State="processing")
    page.click("link", "long")
    page.click("button", "Cancel")
    page.click("button", re.compile("^Cancel the job"))
    shown.wait_for_row(page, "long", State="cancelled")
    assert workers.wait() == 0


def test_what_has_changed_meanwhile_is_told_and_nothing_else_happens(page, dashboard):
    page.expect("409")
    queue = dashboard.queue
    dead(queue, "one")
    shown.open_live(page, dashboard.address)
    page.click("link", "one")
    page.find("button", "Retry")
    page.script(HOLD_UP)
    page.click("button", "Retry")
    page.wait_for("return Boolean(window.go)")
    queue.run("retry", "one")
    page.script("window.go()")
    shown.wait_said(page, "one")
    assert queue.job("one")["state"] == "pending"


# --- many, and whole queues

def test_the_selected_jobs_are_held_and_cancelled_together(page, dashboard):
    queue = dashboard.queue
    shown.many(queue, 4)
    shown.open_live(page, dashboard.address)
    page.click("checkbox", "Select job-00000")
    page.click("checkbox", "Select job-00003")
    page.screenshot("selected")
    page.click("button", "Hold")
    shown.wait_said(page, "2 jobs held")
    assert [job["held"] for job in queue.jobs()].count(True) == 2
    page.click("checkbox", "Select all on this page")
    page.click("button", "Cancel")
    page.find("dialog", re.compile("4 jobs"))
    page.press("Escape")
    page.wait_gone("dialog")
    assert set(queue.states().values()) == {"pending"}


def test_what_takes_long_is_told_and_so_is_which_jobs_it_is_for(page, dashboard):
    queue = dashboard.queue
    queue.run("enqueue", "--file", "-", input=json.dumps([{"command": "true", "queue": "mail"}] * 3))
    shown.open_live(page, dashboard.at("queue=mail&state=pending&limit=2&token=" + dashboard.token))
    page.click("checkbox", "Select all on this page")
    page.click("button", "Select all 3")
    page.click("button", "Cancel")
    page.find("dialog", "Cancel 3 jobs (queue mail, pending)?")
    page.find("button", "Keep them")
    page.screenshot("cancel-many")
    page.script(HOLD_UP)
    page.click("button", "Cancel the jobs")
    shown.wait_said(page, "Cancelling 3 jobs (queue mail, pending) \u2026")
    page.screenshot("cancelling")
    page.script("window.go()")
    shown.wait_said(page, "3 jobs cancelled")
    assert "Cancelling" not in page.text("#toasts")
    assert set(queue.states().values()) == {"cancelled"}


# What is clicked in rows and lies under what is said.
COVERED = """
    const wanted = [...document.querySelectorAll('#view tbody :is(.pick, .job-link, button)')].filter(one => one.checkVisibility());
    const at = wanted.map(one => one.getBoundingClientRect());
    return wanted.filter((one, place) => {
        const {left, top, width, height} = at[place];
        const [x, y] = [Math.min(left + width / 2, left + 20), top + height / 2];
        const found = document.elementFromPoint(x, y);
        return found && found.closest('#toasts');
    }).map(one => one.getAttribute('aria-label') ?? one.textContent);
"""


@pytest.mark.parametrize("width", [320, 1280])
def test_what_is_said_covers_nothing_that_is_clicked(page, dashboard, width):
    queue = dashboard.queue
    page.resize(width, 700, phone=width == 320)
    queue.run("enqueue", "--file", "-", input=json.dumps([{"id": "%d-of-many" % n, "command": "true", "held": True} for n in range(30)]))
    shown.open_live(page, dashboard.address)
    wait_until(lambda: len(shown.ids(page)) == 30, "all are shown")
    page.script("scrollTo(0, 600)")
    for _ in range(2):
        page.press("n")
        page.find("dialog", "Enqueue")
        page.keys("true")
        page.press("Control+Enter")
        page.wait_gone("dialog")
    shown.wait_said(page, "Enqueued")
    wait_until(lambda: page.script("return document.querySelectorAll('.toast').length") == 2, "both are said")
    page.screenshot("toasts-%d" % width)
    covered = page.script(COVERED)
    assert [label for label in covered if width != 320 or label.startswith("Select")] == []
    page.script("scrollTo(0, document.body.scrollHeight)")
    page.screenshot("toasts-end-%d" % width)
    assert page.script(COVERED) == []


def test_queues_are_paused_with_a_reason_and_resumed(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "one", "--queue", "mail", "true")
    shown.open_live(page, dashboard.address)
    page.click("link", "Queues")
    page.click("button", "Pause the queue mail")
    page.type("textbox", "Reason", "server moves")
    page.type("textbox", "For", "2h")
    page.click("button", "Pause")
    page.wait_for_text("server moves\u201d (since ", "#view")
    page.screenshot("queues")
    assert "server moves" in queue.run("status").out
    queue.run("pause")
    page.wait_for_text("All queues are paused", "#view")
    assert "server moves" in page.text("#view")
    page.screenshot("queues-all-paused")
    page.find("button", "Resume the queue mail")
    queue.run("resume")
    page.wait_for("return !document.querySelector('#banner').innerText.includes('paused')")
    page.click("button", "Resume the queue mail")
    page.wait_gone("button", "Resume the queue mail")
    page.click("button", re.compile("^Pause all"))
    page.click("button", "Pause")
    page.wait_for_text("All queues are paused", "#banner")
    page.click("button", "Resume all")
    page.wait_for("return !document.querySelector('#banner').innerText.includes('paused')")


def test_workers_are_shown_with_what_they_run(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "long", "echo 1 of 3 > $QUEUECTL_PROGRESS; until [ -e end ]; do sleep 0.02; done")
    shown.open_live(page, dashboard.at("tab=workers&token=" + dashboard.token))
    page.wait_for_text("No worker is running")
    workers = queue.start_workers("--drain", count=2)
    wait_until(lambda: any("long" in row["Runs"] and row["Progress"] == "1 of 3" for row in shown.rows(page)), "a worker runs the job")
    page.screenshot("workers")
    assert queue.job("long")["worker"] in [row["Worker"] for row in shown.rows(page)]
    queue.write("end", "")
    assert workers.wait() == 0
    page.wait_for_text("No worker is running")


# --- a page that may only look

def test_a_read_only_page_offers_nothing_that_changes_anything(page, dashboards, queue):
    dead(queue, "one")
    queue.enqueue("--id", "two", "true")
    dashboard = dashboards("--read-only")
    for view in ("", "tab=dead", "tab=queues", "tab=workers", "job=one", "job=two"):
        shown.open_live(page, dashboard.at(view + "&token=" + dashboard.token))
        page.wait_for_text("read-only", "#connection")
        page.wait_for("return document.querySelector('#view').innerText.length > 20")
        offered = "^(Retry|Cancel|Hold|Release|Edit|Remove|Pause|Resume|Enqueue|New job|Select )"
        assert page.all("button", re.compile(offered)) + page.all("checkbox", re.compile(offered)) == []
        page.press("n")
    assert page.all("dialog") == []
    page.press("?")
    page.wait_for_text("Next job", "dialog")
    assert not re.search("Retry|Cancel|Enqueue|Select", page.text("dialog"))
    page.screenshot("read-only")
