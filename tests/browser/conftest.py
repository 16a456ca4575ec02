"""A real browser, and the real dashboard of the test's queue."""

import os
import re

import pytest

from tests import support
from tests.browser import driver
from tests.browser.page import Page
from tests.support import wait_until

ADDRESS = re.compile(r"http://\S+")


@pytest.fixture(scope="session")
def browsers():
    """The browsers that were started, of which the last one is in use."""
    missing = driver.missing()
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    started = []
    yield started
    for browser in started:
        browser.close()


@pytest.fixture
def chromium(browsers, tmp_path_factory):
    """One for all tests, since it takes half a second to start; another one if that has died."""
    if not browsers or not browsers[-1].is_open():
        browsers.append(driver.Browser(str(tmp_path_factory.mktemp("chromium"))))
    return browsers[-1]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """How the page looked when a test failed is kept."""
    outcome = yield
    page = item.funcargs.get("page")
    if call.when == "call" and outcome.get_result().failed and page and page.browser.is_open():
        page.screenshot("failed-" + re.sub(r"\W+", "-", item.name))


@pytest.fixture
def page(chromium):
    """A fresh page without cookies; that it logged no error and broke no rule is part of every test."""
    one = Page(chromium)
    yield one
    one.leave()
    assert one.faults() == []


class Dashboard:
    """`queuectl dashboard` of one queue."""

    def __init__(self, queue, words):
        self.queue = queue
        self.words = words
        self.starts = []
        self.start(port=0)

    def start(self, port):
        self.started = self.queue.start("dashboard", "--port", port, *self.words)
        self.starts.append(self.started)
        self.address = wait_until(self._address, "the dashboard says where it is: %s" % self.started.errors()).group()
        self.place, _, self.token = self.address.partition("/?token=")

    def _address(self):
        assert self.started.poll() is None, self.started.errors()
        return ADDRESS.search(self.started.text() + self.started.errors())

    def kill(self):
        self.started.kill()

    def start_again(self):
        """On the same port, as somebody does who was cut off."""
        self.start(self.place.rpartition(":")[2])

    def at(self, query):
        """The address of this view, for one who has the cookie."""
        return "%s/?%s" % (self.place, query)

    def complaints(self):
        """What it wrote to standard error from its first start on: a traceback is a fault even where no one saw it."""
        return "".join(started.errors() for started in self.starts)

    def stop(self):
        if self.started.poll() is None:
            self.started.press_ctrl_c()
            self.started.wait()


@pytest.fixture
def dashboards(queue, page):
    """Start dashboards of the queue, with these options; the page is left before they end."""
    running = []

    def start(*words):
        running.append(Dashboard(queue, words))
        return running[-1]
    yield start
    page.leave()
    for one in running:
        one.stop()
        assert one.complaints() == ""


@pytest.fixture
def dashboard(dashboards):
    return dashboards()


@pytest.fixture(scope="module")
def lasting(bytecode, tmp_path_factory):
    """A dashboard for all tests of a module that leave its queue to the others as they found it."""
    queue = support.Queue(support.Program(support.PYTHON, support.LAUNCHER, bytecode), str(tmp_path_factory.mktemp("lasting")))
    one = Dashboard(queue, ())
    yield one
    one.stop()
    queue.close()
    assert one.complaints() == ""
