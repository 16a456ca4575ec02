"""Coming in with a token, a wrong one first; and workers that leave."""

from tests.browser import shown
from tests.support import wait_until


def test_a_wrong_token_is_told_and_the_right_one_leads_to_what_was_asked_for(page, dashboard):
    page.expect("401")
    page.open(dashboard.at("tab=queues&token=not-this-one"))
    page.wait_for_text("That is not the token of this dashboard.")
    assert "not-this-one" not in page.address()
    page.screenshot("wrong-token")
    page.type("textbox", "Token", " %s " % dashboard.token)
    page.click("button", "Open")
    page.wait_for_text("Live", "#connection")
    assert page.address() == dashboard.at("tab=queues")


def test_workers_that_leave_are_shown_to(page, dashboard):
    queue = dashboard.queue
    workers = queue.start_workers(count=1)
    queue.enqueue("--id", "long", "until [ -e go ]; do sleep 0.1; done")
    shown.open_live(page, dashboard.at("tab=workers&token=" + dashboard.token))
    wait_until(lambda: any("long" in row["Runs"] for row in shown.rows(page)), "a worker runs the job")
    workers.press_ctrl_c()
    page.wait_for_text("The workers are leaving")
    page.wait_for_text("1 alive, 1 at work, 1 leaving")
    page.screenshot("leaving")
    queue.write("go", "x")
    workers.wait()
    page.wait_for_text("No worker is running")
