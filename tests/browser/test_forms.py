"""The form for new jobs in the browser: all that can be given, and what it says of what is wrong."""

from tests.browser import shown
from tests.support import wait_until


def test_jobs_are_given_as_json_lines_and_no_job_is_said(page, dashboard):
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.click("radio", "JSON")
    page.type("textbox", "Jobs", "[]")
    page.click("button", "Enqueue")
    wait_until(lambda: any("no job in it" in alert.text() for alert in page.all("alert")), "it is said")
    page.fill("textbox", "Jobs", '{"id": "one", "command": "true"}\n{"id": "two"')
    page.click("button", "Enqueue")
    wait_until(lambda: any("line 2 is not JSON" in alert.text() for alert in page.all("alert")), "the line is named")
    assert page.focused() == "textbox: Jobs"
    page.press("Control+End")
    page.keys(', "command": "true"}\n')
    page.click("button", "Enqueue")
    shown.wait_said(page, "Enqueued 2 jobs")
    assert set(dashboard.queue.states()) == {"one", "two"}


def test_all_that_enqueue_takes_can_be_given_and_a_field_that_is_wrong_is_marked(page, dashboard):
    page.expect("400")
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.type("textbox", "Command", "true")
    page.click("DisclosureTriangle", "More options")
    for name, text in [("Id", "one"), ("Expires in", "soon"), ("Slots", "2"), ("Nice", "99")]:
        page.type("textbox", name, text)
    for name, mended in [("Expires in", "1d12h"), ("Nice", "5")]:
        page.click("DisclosureTriangle", "More options")
        page.click("button", "Enqueue")
        wait_until(lambda: page.focused() == "textbox: " + name, "%s has the focus" % name)
        assert page.find("textbox", name).attribute("aria-invalid") == "true"
        page.screenshot("enqueue-marked")
        page.fill("textbox", name, mended)
    page.click("button", "Enqueue")
    shown.wait_said(page, "Enqueued one")
    job = dashboard.queue.job("one")
    assert (job["slots"], job["nice"]) == (2, 5) and job["expires_at"][:4] >= "2026"


def test_a_job_that_is_dead_from_its_beginning_is_said_to_be(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "lost", "true")
    queue.run("cancel", "lost")
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.click("radio", "JSON")
    page.type("textbox", "Jobs", '{"id": "late", "command": "true", "after": ["lost"]}')
    page.click("button", "Enqueue")
    shown.wait_said(page, "late is dead already: it comes after lost, which was cancelled")
