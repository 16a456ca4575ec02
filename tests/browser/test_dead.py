"""The dead letter queue in the browser: all of it, what is searched for in it, and by keys."""

import re

from tests.browser import shown
from tests.browser.test_changing import dead
from tests.support import wait_until


def show(page, dashboard, query=""):
    shown.open_live(page, dashboard.at("tab=dead%s&token=%s" % (query, dashboard.token)))


def test_all_dead_jobs_are_selected_from_one_page_of_them(page, dashboard):
    queue = dashboard.queue
    dead(queue, "one", "two", "three")
    show(page, dashboard, "&limit=2")
    page.click("checkbox", "Select all on this page")
    page.click("button", "Select all 3")
    page.screenshot("dead-all")
    assert not page.all("button", re.compile("^Remove selected"))
    page.click("button", "Retry selected")
    page.find("dialog", "Retry 3 jobs (dead)?")
    page.click("button", "Retry")
    page.wait_for_text("No job is dead")
    assert set(queue.states().values()) == {"pending"}


def test_all_that_a_search_finds_are_retried_and_the_question_says_which(page, dashboard):
    queue = dashboard.queue
    dead(queue, "mail-1", "mail-2", "other")
    show(page, dashboard)
    page.type("searchbox", "Search", "mail")
    wait_until(lambda: set(shown.ids(page)) == {"mail-1", "mail-2"}, "two are found")
    page.click("button", "Retry all 2 \u2026")
    page.find("dialog", "Retry 2 jobs (dead, with the text \u201cmail\u201d)?")
    page.screenshot("retry-found")
    page.click("button", "Retry")
    page.wait_gone("dialog")
    wait_until(lambda: queue.states() == {"mail-1": "pending", "mail-2": "pending", "other": "dead"}, "those alone are to run again")


def test_keys_do_in_the_dead_letter_queue_what_they_do_in_the_list(page, dashboard):
    queue = dashboard.queue
    dead(queue, "one", "two", "three")
    show(page, dashboard)
    wait_until(lambda: len(shown.ids(page)) == 3, "all three are shown")
    first, second, third = shown.ids(page)
    page.press("j", "j", "k")
    assert page.focused() == "link: " + first
    page.press("x", "j", "x", "r")
    shown.wait_for_ids(page, [third])
    page.press("j", "Enter")
    page.wait_for_text(third, "#detail h2")
    page.press("Escape", "r")
    page.wait_for_text("No job is dead")
    assert set(queue.states().values()) == {"pending"}
