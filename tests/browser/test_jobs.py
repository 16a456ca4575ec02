"""Finding jobs: search, filters, sorting, pages, and all of it in the address."""

import re

import pytest

from tests.browser import shown
from tests.support import wait_until

TOOLBAR = ("search", "Find jobs")

ADVICE = """
    const { notices } = await import("/static/notices.js");
    return notices({ view: args[0], jobs: [{}], total: 20000, sorted_of: 10000, complete: true, error: null })[0].make().textContent;
"""

# What is said every ten seconds is said when the test asks for it.
ANNOUNCE_ON_DEMAND = "const real = setInterval; setInterval = (act, every) => (every === 10000 ? window.announce = act : real(act, every))"

ANNOUNCED = "announce(); return document.querySelector('#view-jobs > .away').textContent"


def mix(queue):
    """Jobs of several states and queues."""
    queue.enqueue("--id", "good", "--queue", "mail", "true")
    queue.enqueue("--id", "bad", "--max-retries", "0", "exit 3")
    queue.work(count=1)
    queue.enqueue("--id", "held", "--hold", "--priority", "-5", "echo held")
    queue.enqueue("--id", "waiting", "--queue", "mail", "echo needle")


@pytest.fixture(scope="module")
def mixed(lasting):
    mix(lasting.queue)
    return lasting


def wait_for_count(page, count):
    wait_until(lambda: len(shown.ids(page)) == count, "%d jobs are shown" % count)


def test_a_search_stands_in_the_address_and_back_undoes_it(page, mixed):
    page.open(mixed.address)
    wait_for_count(page, 4)
    page.type("searchbox", "Search", "needle")
    shown.wait_for_ids(page, ["waiting"])
    assert "search=needle" in page.address()
    page.reload()
    shown.wait_for_ids(page, ["waiting"])
    assert page.find("searchbox", "Search").property("value") == "needle"
    page.back()
    wait_for_count(page, 4)
    assert page.find("searchbox", "Search").property("value") == ""


def test_escape_ends_the_search_and_stays_in_its_field(page, mixed):
    page.open(mixed.at("search=needle&token=" + mixed.token))
    shown.wait_for_ids(page, ["waiting"])
    page.press("/", "Escape")
    wait_for_count(page, 4)
    assert "search" not in page.address()
    assert page.focused() == "searchbox: Search"
    assert page.find("searchbox", "Search").property("value") == ""


def test_filters_by_state_and_queue_stand_in_the_address(page, dashboard):
    mix(dashboard.queue)
    page.open(dashboard.address)
    wait_for_count(page, 4)
    page.click("button", "Queue", inside=TOOLBAR)
    page.click("checkbox", re.compile("^mail"))
    wait_until(lambda: set(shown.ids(page)) == {"good", "waiting"}, "those of the queue mail are shown")
    page.press("Escape")
    page.click("button", "State", inside=TOOLBAR)
    page.click("checkbox", re.compile("^completed"))
    shown.wait_for_ids(page, ["good"])
    page.screenshot("filters")
    page.reload()
    shown.wait_for_ids(page, ["good"])
    assert "state=completed" in page.address() and "queue=mail" in page.address()
    page.click("link", "Clear")
    wait_for_count(page, 4)


def test_a_number_by_state_leads_to_its_jobs(page, mixed):
    page.open(mixed.address)
    page.click("link", "1 dead")
    shown.wait_for_ids(page, ["bad"])


def test_a_filter_that_finds_nothing_says_so_and_can_be_left(page, mixed):
    page.open(mixed.address)
    page.open(mixed.at("search=nowhere&state=dead"))
    page.wait_for_text("No such jobs")
    page.screenshot("nothing-found")
    page.click("link", "Clear the filter")
    wait_for_count(page, 4)


def test_a_job_that_stops_fitting_the_filter_leaves_the_list(page, dashboard):
    queue = dashboard.queue
    shown.many(queue, 2)
    shown.open_live(page, dashboard.at("state=pending&token=" + dashboard.token))
    shown.wait_for_ids(page, ["job-00000", "job-00001"])
    queue.run("cancel", "job-00000")
    shown.wait_for_ids(page, ["job-00001"])


def test_sorting_by_each_heading_goes_both_ways_and_stands_in_the_address(page, mixed):
    page.open(mixed.address)
    wait_for_count(page, 4)
    usual = shown.ids(page)
    page.click("button", "Job")
    shown.wait_for_ids(page, ["bad", "good", "held", "waiting"])
    assert page.find("columnheader", "Job").attribute("aria-sort") == "ascending"
    page.click("button", "Job")
    shown.wait_for_ids(page, ["waiting", "held", "good", "bad"])
    page.reload()
    shown.wait_for_ids(page, ["waiting", "held", "good", "bad"])
    assert page.find("columnheader", "Job").attribute("aria-sort") == "descending"
    page.click("button", "Job")
    shown.wait_for_ids(page, usual)
    page.click("button", "Prio")
    wait_until(lambda: shown.ids(page)[0] == "held", "the job of the lowest priority stands first")


def test_where_a_filter_is_set_a_narrower_one_is_advised(page, mixed):
    page.open(mixed.address)
    wait_for_count(page, 4)
    assert page.script(ADVICE, {"state": [], "queue": [], "search": ""}).endswith("A filter by state, queue or text makes them fewer.")
    assert page.script(ADVICE, {"state": ["pending"], "queue": [], "search": ""}).endswith("A narrower filter makes them fewer.")


def test_a_screen_reader_is_told_of_jobs_that_are_new_and_of_no_others(page, dashboard):
    page.browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=ANNOUNCE_ON_DEMAND)
    queue = dashboard.queue
    shown.many(queue, 2)
    shown.open_live(page, dashboard.at("limit=1&token=" + dashboard.token))
    shown.wait_for_ids(page, ["job-00000"])
    queue.run("cancel", "job-00000")
    shown.wait_for_ids(page, ["job-00001"])
    assert page.script(ANNOUNCED) == ""
    queue.enqueue("--id", "urgent", "--priority", "-1", "true")
    shown.wait_for_ids(page, ["urgent"])
    assert page.script(ANNOUNCED) == "1 new job in the list"
    page.type("searchbox", "Search", "job")
    shown.wait_for_ids(page, ["job-00001"])
    assert page.script(ANNOUNCED) == ""


def test_ten_thousand_jobs_are_leafed_through(page, dashboard):
    shown.many(dashboard.queue, 10000)
    page.open(dashboard.address)
    wait_for_count(page, 50)
    pages = [shown.ids(page)]
    for _ in range(3):
        page.click("button", "Next page")
        wait_until(lambda: shown.ids(page)[:1] != pages[-1][:1] and len(shown.ids(page)) == 50, "the next page is shown")
        assert page.script("return document.querySelector('#view').getBoundingClientRect().top") > -1
        assert page.focused() == "button: Next page"
        pages.append(shown.ids(page))
    assert len({id for page in pages for id in page}) == 200
    page.wait_for_text("151\u2013200 of 10,000")
    page.reload()
    shown.wait_for_ids(page, pages[3])
    page.click("button", "Previous page")
    shown.wait_for_ids(page, pages[2])
    page.back()
    shown.wait_for_ids(page, pages[3])
    page.click("button", "First page")
    shown.wait_for_ids(page, pages[0])


@pytest.mark.short
def test_one_job_among_a_hundred_thousand_is_found(page, dashboard):
    shown.many(dashboard.queue, 100000)
    page.open(dashboard.address)
    wait_for_count(page, 50)
    page.type("searchbox", "Search", "job-77777")
    shown.wait_for_ids(page, ["job-77777"])
    page.screenshot("hundred-thousand")
    page.fill("searchbox", "Search", "echo 66666")
    shown.wait_for_ids(page, ["job-66666"])
    page.click("link", "job-66666")
    page.wait_for_text("echo 66666", "#detail")
