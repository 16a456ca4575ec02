"""A small WebDriver client: Chromium, driven by chromedriver's plain HTTP protocol with the standard library alone.

A shell holds both of them in one process group and kills it when its input ends, so
that they die with whoever started them, whatever that one died of.
What WebDriver has no word for (accessibility, a phone's screen, a dead network) is said by
the DevTools protocol, which chromedriver passes on.
"""

import http.client
import json
import os
import re
import shutil
import subprocess

from tests.support import DEADLINE, wait_until

GUARDED = 'chromedriver --port=0 & read -r _; kill -9 0'
STARTED = re.compile(rb"started successfully on port (\d+)")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900",
             "--disable-breakpad", "--disable-background-networking", "--no-first-run"]


class DriverError(Exception):
    """What chromedriver refused; `kind` is WebDriver's word for it, as "stale element reference"."""

    def __init__(self, kind, message):
        super().__init__("%s: %s" % (kind, message.split("\n")[0]))
        self.kind = kind


def missing():
    """What of the two programs is not on the PATH, as a sentence; None where both are."""
    names = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return "no %s here: apt-get install chromium chromium-driver" % " and no ".join(names) if names else None


class Browser:
    """One Chromium; its windows share their cookies."""

    def __init__(self, folder):
        """`folder`: where its profile and its log go."""
        self.path = ""
        self.log = os.path.join(folder, "chromedriver.log")
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", GUARDED], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                env=dict(os.environ, TMPDIR=folder, HOME=folder), start_new_session=True)
        try:
            port = wait_until(self._port, "chromedriver says on which port it listens")
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
            self._open_session()
        except BaseException:
            self.close()
            raise

    def _port(self):
        with open(self.log, "rb") as file:
            found = STARTED.search(file.read())
        return found and int(found.group(1))

    def _open_session(self):
        wanted = {"goog:chromeOptions": {"binary": shutil.which("chromium"), "args": ARGUMENTS},
                  "goog:loggingPrefs": {"browser": "ALL"}, "timeouts": {"script": DEADLINE * 1000}}
        opened = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.path = "/session/" + opened["sessionId"]
        self._fresh = None

    def call(self, method, path, body=None):
        """One command of the session; its value."""
        data = json.dumps(body or {}) if method == "POST" else None
        try:
            self.connection.request(method, self.path + path, data, {"Content-Type": "application/json"})
            value = json.loads(self.connection.getresponse().read().decode())["value"]
        except (OSError, http.client.HTTPException):
            # It hangs, or has died: the test that saw it fails, and the next one has another browser.
            self.close()
            raise
        if isinstance(value, dict) and "error" in value and "stacktrace" in value:
            raise DriverError(value["error"], value["message"])
        return value

    def cdp(self, command, **parameters):
        """One command of the DevTools protocol, to the window that is shown."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    # --- windows

    def windows(self):
        return self.call("GET", "/window/handles")

    def show(self, window):
        self.call("POST", "/window", {"handle": window})

    def new_window(self):
        """A new tab, shown; its handle."""
        handle = self.call("POST", "/window/new", {"type": "tab"})["handle"]
        self.show(handle)
        return handle

    def start_afresh(self):
        """One empty window, without what the others were emulating; no cookies, nothing in the log."""
        if self.windows() == [self._fresh] and self.call("GET", "/url") == "about:blank":
            return
        fresh = self.new_window()
        for window in self.windows():
            if window != fresh:
                self.show(window)
                self.call("DELETE", "/window")
        self.show(fresh)
        self.cdp("Network.clearBrowserCookies")
        self.messages()
        self._fresh = fresh

    def messages(self):
        """The console's messages since the last call, those of the browser itself (CSP, network) among them."""
        return self.call("POST", "/se/log", {"type": "browser"})

    def is_open(self):
        return self.process.poll() is None

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
