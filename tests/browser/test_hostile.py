"""Jobs that hold markup, scripts, entities, control characters and direction marks: all of it is text, nothing of it runs."""

import json
from urllib.parse import quote

import pytest

from tests.browser import shown
from tests.support import wait_until

HOSTILE = """<img src=x onerror="window.hurt=1"></script><script>window.hurt=1</script>&lt;b&amp;"'><svg onload=window.hurt=1>"""
UNSEEN = "\x1b[31mred\u202egnp.exe\x07\u200b"
COMMAND = 'for to in /dev/stdout /dev/stderr "$QUEUECTL_PROGRESS"; do printf %s "$X" >$to; done; # '


def poison(queue):
    """Whatever may hold any text holds the hostile one."""
    job = {"id": "hostile", "command": COMMAND + HOSTILE + UNSEEN + "\nexit 3", "env": {"X": HOSTILE + UNSEEN}, "max_retries": 0}
    queue.run("enqueue", "--file", "-", input=json.dumps(job))
    queue.work(count=1)
    queue.run("enqueue", "--file", "-", input=json.dumps({"command": "echo " + HOSTILE, "id": "next", "queue": "quiet"}))
    queue.run("pause", "quiet", "--reason", HOSTILE + UNSEEN)


@pytest.fixture(scope="module")
def hostile(lasting):
    poison(lasting.queue)
    return lasting


def assert_harmless(page):
    assert page.script("return window.hurt") is None
    assert page.script("return document.querySelectorAll('[src=x], [onerror], [onload], body script:not([src])').length") == 0


@pytest.mark.short
def test_what_a_job_holds_shows_as_text(page, dashboard):
    poison(dashboard.queue)
    page.open(dashboard.address)
    row = shown.wait_for_row(page, "hostile", State="dead")
    assert HOSTILE in row["Command"] and "\\x1b[31mred\\u202egnp.exe\\x07\\u200b\\n" in row["Command"]
    page.open(dashboard.at("job=hostile"))
    page.wait_for("return document.querySelector('#detail').innerText.split(args[0]).length > 4", HOSTILE)
    page.screenshot("hostile")
    text = page.text("#detail")
    assert "\u202e" not in text and "\x1b" not in text and "\\u202e" in text
    assert_harmless(page)


def test_it_is_text_in_the_other_views_too(page, hostile):
    page.open(hostile.address)
    for tab in ("dead", "queues"):
        page.open(hostile.at("tab=" + tab))
        page.wait_for_text(HOSTILE, "#view")
        assert_harmless(page)


def test_what_somebody_types_and_what_is_said_of_it_is_text(page, hostile):
    page.expect("400")
    page.open(hostile.address)
    shown.wait_for_row(page, "next")
    page.type("searchbox", "Search", HOSTILE)
    shown.wait_for_ids(page, ["next", "hostile"])
    page.type("searchbox", "Search", "nowhere")
    page.wait_for_text(HOSTILE + "nowhere", "#view")
    page.click("button", "Enqueue \u2026")
    page.click("radio", "JSON")
    page.type("textbox", "Jobs", json.dumps({"command": "true", "queue": HOSTILE}))
    page.click("button", "Enqueue")
    wait_until(lambda: any("<img src=x" in alert.text() for alert in page.all("alert")), "the error shows what was typed")
    assert_harmless(page)


def test_what_is_said_of_a_pause_and_of_an_action_is_text(page, dashboard):
    poison(dashboard.queue)
    dashboard.queue.run("pause", "--reason", HOSTILE)
    shown.open_live(page, dashboard.address)
    page.wait_for_text(HOSTILE, "#banner")
    page.click("link", "hostile")
    page.wait_for("return document.querySelector('#detail h2')")
    page.click("button", "Edit")
    assert HOSTILE in page.find("textbox", "Command").property("value")
    page.press("Escape")
    page.click("button", "Retry")
    shown.wait_said(page, "hostile")
    assert_harmless(page)


def test_an_address_that_holds_it_is_harmless(page, hostile):
    page.expect("40[04]")
    page.open(hostile.address)
    for field in ("search", "queue", "state", "job", "sort", "cursor", "tab", "limit"):
        shown.open_live(page, hostile.at(field + "=" + quote(HOSTILE)))
        assert_harmless(page)
