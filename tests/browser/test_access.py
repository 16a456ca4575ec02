"""For everybody: the keyboard alone, a phone, dark, little movement, contrast, and what a screen reader is told."""

import re

import pytest

from tests.browser import looks, shown
from tests.support import wait_until

VIEWS = {"jobs": "", "one-job": "job=running", "dead-job": "job=dead-1", "dead": "tab=dead", "workers": "tab=workers",
         "queues": "tab=queues"}


@pytest.fixture(scope="module")
def busy(lasting):
    """A store with something of everything, and a job that runs."""
    queue = lasting.queue
    for n in range(4):
        queue.enqueue("--id", "dead-%d" % n, "--max-retries", "0", "echo 'no route to host' >&2; exit %d" % (n + 1))
    queue.enqueue("--id", "good", "echo done")
    queue.work(count=2)
    queue.enqueue("--id", "a-rather-long-id-that-somebody-made-of-a-path-2026-11-25.nightly-export", "--priority", "-5",
                  "/usr/local/bin/export --all --target=/srv/exports/2026/11/25/everything.tar.gz --verbose")
    queue.enqueue("--id", "held", "--hold", "--queue", "mail", "true")
    queue.run("pause", "mail", "--reason", "the mail server moves")
    queue.run("cancel", "held")
    queue.enqueue("--id", "running", "--queue", "slow", "--priority", "-9", "echo working; echo 3 of 10 > $QUEUECTL_PROGRESS; sleep 600")
    queue.start_workers("--queue", "slow", count=1)
    queue.wait_for_state("running", "processing")
    return lasting


# Of each number how many lines it fills, and whether it is in its tile.
MILLIONS = """
    return [...document.querySelectorAll('.tile b')].map((number) => {
        number.textContent = '1,000,000';
        const range = document.createRange();
        range.selectNodeContents(number);
        return [range.getClientRects().length, number.scrollWidth <= number.clientWidth];
    });
"""


def visit(page, dashboard, view):
    """Show a view, until what it fetched is there."""
    shown.open_live(page, dashboard.at(VIEWS[view] + "&token=" + dashboard.token))
    page.wait_for("return !document.querySelector('[aria-busy=true]') && document.querySelector('#view').innerText.length > 100")
    if "job=" in VIEWS[view]:
        page.wait_for("return [...document.querySelectorAll('#detail pre')].some(one => one.innerText)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_and_all_controls_have_names_and_room(page, busy, scheme):
    page.prefer(color_scheme=scheme)
    for view in VIEWS:
        visit(page, busy, view)
        page.screenshot("%s-%s" % (view, scheme))
        assert (view, looks.faults(page, "contrast")) == (view, [])
        assert (view, looks.nameless(page)) == (view, [])
        assert (view, looks.faults(page, "targets")) == (view, [])
        assert (view, looks.faults(page, "width")) == (view, [])
    page.click("button", "Enqueue \u2026")
    page.find("dialog")
    assert looks.faults(page, "contrast") + looks.nameless(page) == []
    page.screenshot("enqueue-" + scheme)


def test_nothing_is_wider_than_a_phone(page, busy):
    page.resize(320, 640, phone=True)
    for view in VIEWS:
        visit(page, busy, view)
        page.screenshot("phone-" + view)
        assert (view, looks.faults(page, "width")) == (view, [])
        assert (view, looks.faults(page, "targets")) == (view, [])
    visit(page, busy, "jobs")
    page.click("button", "Enqueue \u2026")
    page.find("dialog")
    page.screenshot("phone-enqueue")
    assert looks.faults(page, "width") == []


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_millions_stand_whole_in_their_tiles(page, busy, width):
    page.resize(width, 640, phone=width < 400)
    visit(page, busy, "jobs")
    assert page.script(MILLIONS) == [[1, True]] * 6


def test_on_a_phone_the_view_is_named_once_for_the_eye(page, busy):
    page.resize(320, 640, phone=True)
    visit(page, busy, "dead")
    assert page.all("heading", "Dead letter queue")
    assert page.script("return document.querySelector('#view-dead h2').offsetWidth") == 1


def test_the_table_of_the_last_hour_leaves_no_hole_beside_it(page, busy):
    visit(page, busy, "jobs")
    for pressed, is_alone in (("Show table", True), ("Hide chart", False), ("Show chart", True), ("Hide table", False)):
        page.click("button", pressed)
        page.screenshot("chart-" + pressed.replace(" ", "-"))
        assert page.script("return document.querySelector('#chart').offsetLeft === document.querySelector('#summary').offsetLeft") == is_alone


def test_little_movement_is_none(page, busy):
    page.prefer(reduced_motion="reduce")
    visit(page, busy, "one-job")
    busy.queue.enqueue("--id", "brand-new", "true")
    shown.wait_for_row(page, "brand-new")
    assert looks.faults(page, "moving") == []


def test_the_keyboard_alone_reaches_everything_and_shows_where_it_is(page, busy):
    visit(page, busy, "jobs")
    reached = []
    for _ in range(80):
        page.press("Tab")
        if page.script("return document.activeElement === document.body") and reached:
            break
        assert looks.faults(page, "focus") == []
        reached.append(page.focused())
    assert reached[0].startswith("link: Skip")
    said = " ".join(reached)
    for control in ("button: Enqueue", "searchbox: Search", "link: Dead letter queue", "link: Workers", "link: Queues", "button: Job",
                    "link: running", "checkbox: Select running", "button: Next page", "button: State"):
        assert control in said


def test_a_job_is_found_opened_closed_and_enqueued_by_keys(page, dashboard):
    queue = dashboard.queue
    queue.run("enqueue", "--file", "-", input='[{"id": "dead-1", "command": "true"}, {"id": "dead-2", "command": "echo hello"}]')
    shown.open_live(page, dashboard.address)
    shown.wait_for_row(page, "dead-2")
    page.press("/")
    assert page.focused() == "searchbox: Search"
    page.keys("dead-2")
    shown.wait_for_ids(page, ["dead-2"])
    page.press("Escape", "Escape", "j", "j")
    assert page.focused() == "link: dead-2"
    page.press("Enter")
    page.wait_for_text("echo hello", "#detail")
    page.press("Escape")
    page.wait_gone("button", "Close the job")
    wait_until(lambda: page.focused() == "link: dead-2", "the focus is where it was")
    page.press("n")
    page.find("dialog", "Enqueue")
    page.keys("echo by keys")
    page.press("Control+Enter")
    shown.wait_said(page, "Enqueued")
    page.wait_gone("dialog")
    assert "echo by keys" in [job["command"] for job in queue.jobs()]


def test_a_dialog_keeps_the_focus_and_gives_it_back(page, busy):
    visit(page, busy, "jobs")
    page.do(lambda: page.find("button", "Enqueue \u2026").focus(), "focus")
    page.press("Enter")
    page.find("dialog", "Enqueue")
    for _ in range(25):
        page.press("Tab")
        assert page.script("return document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
    page.press("Escape")
    page.wait_gone("dialog")
    assert page.focused().startswith("button: Enqueue")


def test_a_screen_reader_is_told_what_is_where_and_what_was_done(page, busy):
    visit(page, busy, "jobs")
    assert page.all("table", "Jobs") and page.all("search") and page.all("main") and page.all("banner")
    assert page.all("navigation", "Views") and page.all("navigation", "Pages") and page.all("log")
    assert page.script("return document.documentElement.lang") == "en"
    assert "1 job running" in page.script("return document.title")
    headings = [element.name for element in page.all("heading")]
    assert headings[0] == "queuectl"
    page.find("link", "running").click()
    assert page.find("complementary", "Job")
    live = page.script("return [...document.querySelectorAll('[role=log], [role=status], [aria-live]')].length")
    assert live >= 3


def test_the_chart_can_be_read_without_seeing_it(page, busy):
    visit(page, busy, "jobs")
    slider = page.find("slider", re.compile("Minute"))
    slider.focus()
    page.press("End")
    assert re.search("completed", page.find("slider").attribute("aria-valuetext"))
    page.click("button", "Show table")
    page.wait_for_text("Completed", "#chart table")
