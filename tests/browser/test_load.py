"""Coming to the page: the token and its cookie, what is seen first, what is said to whoever may not come in."""

import os

import pytest

from tests.browser import looks, shown


@pytest.mark.short
def test_the_printed_address_opens_the_page_and_the_token_leaves_the_bar(page, dashboard):
    dashboard.queue.enqueue("--id", "first", "echo 1")
    page.open(dashboard.address)
    shown.wait_for_row(page, "first", State="pending", Command="echo 1")
    assert page.address() == dashboard.place + "/"
    assert dashboard.token not in page.script("return document.documentElement.outerHTML + document.cookie + document.referrer")
    page.open(dashboard.at("search=nothing"))
    page.wait_for_text("No such jobs")
    page.back()
    shown.wait_for_row(page, "first")


def test_whoever_has_no_token_is_told_where_it_is_and_can_give_it(page, dashboard):
    page.expect("401")
    for scheme, ground in (("dark", "rgb(20, 23, 28)"), ("light", "rgb(246, 247, 249)")):
        page.prefer(color_scheme=scheme)
        page.open(dashboard.at("search=nothing"))
        page.wait_for_text("queuectl dashboard")
        # Its style is let through, and none else is needed.
        assert page.script("return getComputedStyle(document.body).backgroundColor") == ground
        assert page.all("table") == [] and looks.nameless(page) == [] and looks.faults(page, "contrast") == []
        page.screenshot("no-token-" + scheme)
    page.type("textbox", None, "wrong" * 9 + "\ue007")
    page.wait_for("return document.readyState === 'complete' && document.body.innerText.includes('queuectl dashboard')")
    page.type("textbox", None, dashboard.token + "\ue007")
    page.wait_for_text("No such jobs")
    assert page.address() == dashboard.at("search=nothing")


def test_a_token_that_has_changed_is_said_and_what_is_shown_stays(page, dashboard):
    page.expect("401|ERR_")
    dashboard.queue.enqueue("--id", "first", "echo 1")
    shown.open_live(page, dashboard.address)
    dashboard.kill()
    os.unlink(os.path.join(dashboard.queue.store, "token"))
    dashboard.start_again()
    page.wait_for_text("the token has changed", "#banner")
    page.screenshot("token-changed")
    assert shown.ids(page) == ["first"]


def test_an_empty_store_says_how_to_begin(page, dashboard):
    shown.open_live(page, dashboard.address)
    page.wait_for_text("No jobs yet")
    page.screenshot("empty")
    page.click("button", "Enqueue a job")
    assert page.find("dialog", "Enqueue")


def test_a_store_that_cannot_be_read_is_said(page, dashboard):
    page.expect("50[0-9]")
    queue = dashboard.queue
    queue.enqueue("--id", "first", "echo 1")
    shown.open_live(page, dashboard.address)
    shown.wait_for_row(page, "first")
    queue.append_garbage(b'{"id": broken\n' * 3)
    page.reload()
    page.wait_for_text("damaged", "#banner")
    page.wait_for_text("The jobs could not be fetched", "#view")
    page.wait_for("return !document.querySelector('main').innerText.includes('damaged')")
    page.screenshot("damaged")


def test_what_comes_slowly_is_awaited_in_sight(page, dashboard):
    dashboard.queue.enqueue("--id", "first", "echo 1")
    page.open(dashboard.address)
    shown.wait_for_row(page, "first")
    page.network(True, delay=300)
    page.reload()
    page.wait_for("return [...document.querySelectorAll('[aria-busy=true]')].some(one => one.checkVisibility())")
    page.screenshot("loading")
    shown.wait_for_row(page, "first")
