"""Without a reload: what happens in the store shows, the page stays as it was, and so after a time without a server."""

import pytest

from tests.browser import shown
from tests.support import wait_until

# The moment, in ms, at which a text is first to be read, noted by the page itself.
WATCH = """
    window.seen = null;
    const look = () => { if (!window.seen && document.querySelector('#view').innerText.includes(args[0])) window.seen = Date.now(); };
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
"""
PLACE = "return [scrollY, String(getSelection()), document.activeElement.getAttribute('aria-label')]"
CUT_OFF = "ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INTERNET_DISCONNECTED"


def delay(page, queue, id):
    """How many ms after it was made a job is seen."""
    page.script(WATCH, id)
    queue.enqueue("--id", id, "true")
    seen = page.wait_for("return window.seen")
    return seen - page.script("return Date.parse(args[0])", queue.job(id)["created_at"])


@pytest.mark.short
def test_a_new_job_shows_within_a_second_and_so_does_what_becomes_of_it(page, dashboard):
    queue = dashboard.queue
    shown.open_live(page, dashboard.address)
    page.script("window.mark = 'not loaded anew'")
    # Of three, since this machine may be busy with something else.
    assert min(delay(page, queue, "job-%d" % n) for n in range(3)) < 1000
    queue.run("cancel", "--all", "--yes")
    queue.enqueue("--id", "brand-new", "--max-retries", "0", "exit 3")
    queue.work(count=1)
    shown.wait_for_row(page, "brand-new", State="dead", Exit="3", Tries="1/1")
    page.wait_for_text("1\ndead", "#summary")
    assert page.script("return window.mark") == "not loaded anew"


def test_how_far_a_running_job_is_goes_on_in_the_list_and_beside_it(page, queue, dashboard):
    further = "for n in 1 2 3; do echo $n of 3 > $QUEUECTL_PROGRESS; until [ -e seen-$n ]; do sleep 0.02; done; done"
    queue.enqueue("--id", "long", further)
    workers = queue.start_workers("--drain", count=1)
    shown.open_live(page, dashboard.address)
    page.click("link", "long")
    for n in range(1, 4):
        shown.wait_for_row(page, "long", Note="%d of 3" % n)
        page.wait_for_text("%d of 3" % n, "#detail")
        queue.write("seen-%d" % n, "")
    shown.wait_for_row(page, "long", State="completed")
    assert workers.wait() == 0


def test_scrolling_selection_and_typed_text_stay(page, dashboard):
    queue = dashboard.queue
    shown.many(queue, 45)
    shown.open_live(page, dashboard.address)
    shown.wait_for_row(page, "job-00044")
    page.type("searchbox", "Search", "job")
    wait_until(lambda: "search=job" in page.address(), "the search is in the address")
    page.click("checkbox", "Select job-00030")
    page.type("searchbox", "Search", " ")
    page.script("""scrollTo(0, 300); window.cell = [...document.querySelectorAll('td')].find(one => one.innerText.trim() === 'echo 21');
                   getSelection().selectAllChildren(window.cell)""")
    before = page.script(PLACE)
    assert before[:2] == [300, "echo 21"]
    queue.enqueue("--id", "job-new", "true")
    queue.run("cancel", "job-00020")
    shown.wait_for_row(page, "job-00020", State="cancelled")
    shown.wait_for_row(page, "job-new")
    assert len(shown.ids(page)) == len(set(shown.ids(page))) == 46
    after = page.script(PLACE)
    assert after[1:] == before[1:] and page.script("return window.cell.isConnected")
    assert page.find("searchbox", "Search").property("value") == "job "
    assert page.find("checkbox", "Select job-00030").property("checked")


def test_a_server_that_went_and_came_back_is_told_and_what_happened_meanwhile_shows(page, dashboard):
    page.expect(CUT_OFF)
    dashboard.queue.enqueue("--id", "before", "true")
    shown.open_live(page, dashboard.address)
    shown.wait_for_row(page, "before")
    page.script("window.mark = 1")
    dashboard.kill()
    page.wait_for_text("does not answer", "#banner")
    page.screenshot("offline")
    assert shown.ids(page) == ["before"]
    dashboard.queue.enqueue("--id", "meanwhile", "true")
    dashboard.start_again()
    shown.wait_live(page)
    shown.wait_for_row(page, "meanwhile")
    assert page.script("return window.mark") == 1 and page.text("#banner").find("does not answer") < 0


def test_a_network_that_was_cut_and_mended_is_told(page, dashboard):
    page.expect(CUT_OFF)
    shown.open_live(page, dashboard.address)
    page.network(False)
    page.wait_for_text("does not answer", "#banner")
    dashboard.queue.enqueue("--id", "meanwhile", "true")
    page.network(True)
    shown.wait_live(page)
    shown.wait_for_row(page, "meanwhile")


def test_what_was_typed_before_the_server_went_can_be_sent_when_it_is_back(page, dashboard):
    page.expect(CUT_OFF)
    shown.open_live(page, dashboard.address)
    page.click("button", "Enqueue \u2026")
    page.type("textbox", "Command", "echo kept")
    dashboard.kill()
    page.wait_for_text("does not answer", "#banner")
    page.press("Control+Enter")
    page.wait_for_text("does not answer", "dialog")
    page.screenshot("offline-form")
    dashboard.start_again()
    shown.wait_live(page)
    page.press("Control+Enter")
    shown.wait_said(page, "Enqueued")
    assert [job["command"] for job in dashboard.queue.jobs()] == ["echo kept"]


def test_twenty_pages_of_one_browser_all_load_and_are_all_live(page, dashboard):
    dashboard.queue.enqueue("--id", "before", "true")
    windows = []
    for _ in range(20):
        windows.append(page.browser.new_window())
        page.open(dashboard.address)
    dashboard.queue.enqueue("--id", "after", "true")
    for window in windows:
        page.browser.show(window)
        wait_until(lambda: set(shown.ids(page)) == {"before", "after"}, "page %s shows both jobs" % window)
