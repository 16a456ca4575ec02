"""What a person does with a page: look for things by their role and name, click, type, press keys, look.

Finding waits until the thing is there, and what is done to it is done anew when the page has
meanwhile put another element in its place. Roles and names are those that a screen reader gets.
"""

import base64
import os
import re

from tests.browser.driver import DriverError
from tests.support import ROOT, wait_until

SCREENSHOTS = os.path.join(ROOT, ".screenshots")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Backspace": "\ue003", "Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Control": "\ue009", "Alt": "\ue00a",
        "Escape": "\ue00c", "Space": " ", "End": "\ue010", "Home": "\ue011", "ArrowLeft": "\ue012", "ArrowUp": "\ue013",
        "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Delete": "\ue017"}
# The element was replaced, or something lies over it or has not come up: a moment later it may be another matter.
PASSING = ("stale element reference", "element click intercepted", "element not interactable", "no such element",
           "detached shadow root", "invalid argument")


class Page:
    """The window of a browser that is shown."""

    def __init__(self, browser):
        self.browser = browser
        self._expected = []
        self._faults = []

    def open(self, address):
        self.browser.call("POST", "/url", {"url": address})

    def address(self):
        return self.browser.call("GET", "/url")

    def reload(self):
        self.browser.call("POST", "/refresh")

    def back(self):
        self.browser.call("POST", "/back")

    def script(self, code, *arguments):
        """What this JavaScript returns; a promise is waited for."""
        code = "const args = arguments; return (async () => { %s })()" % code
        return self.browser.call("POST", "/execute/sync", {"script": code, "args": list(arguments)})

    # --- looking

    def all(self, role, name=None, inside=None):
        """Every element of this role and name (a text or a compiled pattern) that is there for a screen reader.

        inside: (role, name) of another one that holds it.
        """
        outer = self.find(*inside).number if inside else self.browser.cdp("DOM.getDocument", depth=0)["root"]["backendNodeId"]
        nodes = self.browser.cdp("Accessibility.queryAXTree", backendNodeId=outer, role=role)["nodes"]
        found = [(node["backendDOMNodeId"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
        return [Element(self, number, label) for number, label in found if _fits(name, label)]

    def find(self, role, name=None, inside=None):
        """The first one, waited for."""
        try:
            return wait_until(lambda: self._try(lambda: self.all(role, name, inside)), "the page has a %s %s" % (role, _said(name)))[0]
        except AssertionError as error:
            raise AssertionError("%s; of this role there are %s" % (error, self.names(role)))

    def names(self, role):
        return [element.name for element in self.all(role)]

    def wait_gone(self, role, name=None):
        wait_until(lambda: not self.all(role, name), "the page has no %s %s" % (role, _said(name)))

    def text(self, selector="body"):
        """What is to be read there (nothing of what is hidden); "" where there is nothing of the kind."""
        return self.script("return document.querySelector(args[0])?.innerText ?? ''", selector)

    def wait_for_text(self, text, selector="body"):
        wait_until(lambda: text in self.text(selector), "%r is to be read in %s" % (text, selector))

    def wait_for(self, code, *arguments):
        """The first true value of this JavaScript."""
        return wait_until(lambda: self._try(lambda: self.script(code, *arguments)), "%s holds in the page" % code)

    def focused(self):
        """The element that has the focus, as "role: name"."""
        reference = self.browser.call("GET", "/element/active")[ELEMENT]
        path = "/element/%s/computed" % reference
        return "%s: %s" % (self.browser.call("GET", path + "role"), self.browser.call("GET", path + "label"))

    # --- doing

    def click(self, role, name=None, inside=None):
        self.do(lambda: self.find(role, name, inside).click(), "click %s %s" % (role, _said(name)))

    def type(self, role, name, text):
        """Type into a field behind what it holds."""
        self.do(lambda: self.find(role, name).type(text), "type into %s %s" % (role, _said(name)))

    def fill(self, role, name, text):
        """Make a field hold this, as somebody who selects all in it and types."""
        self.do(lambda: self.find(role, name).focus(), "focus %s %s" % (role, _said(name)))
        self.press("Control+a", "Delete")
        self.keys(text)

    def press(self, *keys):
        """Press one key after the other: "Enter", "Shift+Tab", "j"."""
        acts = []
        for key in keys:
            words = key.split("+") if len(key) > 1 else [key]
            values = [KEYS.get(word, word) for word in words]
            acts += [{"type": "keyDown", "value": value} for value in values]
            acts += [{"type": "keyUp", "value": value} for value in reversed(values)]
        self._act(acts)

    def keys(self, text):
        """Type a text into what has the focus."""
        self._act([{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")])

    def _act(self, acts):
        if acts:
            self.browser.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": acts}]})

    def do(self, act, what):
        wait_until(lambda: self._try(lambda: act() or True), what)

    def _try(self, act):
        try:
            return act()
        except DriverError as error:
            if error.kind not in PASSING:
                raise
            return None

    # --- what it is shown on

    def resize(self, width, height, phone=False):
        self.browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
                         mobile=phone)

    def prefer(self, **features):
        """Media features of the person: color_scheme="dark", reduced_motion="reduce"."""
        wanted = [{"name": "prefers-" + name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.browser.cdp("Emulation.setEmulatedMedia", features=wanted)

    def network(self, there, delay=0):
        """Cut the network off, or bring it back; what is answered comes so many ms later."""
        self.browser.cdp("Network.enable")
        self.browser.cdp("Network.emulateNetworkConditions", offline=not there, latency=delay, downloadThroughput=-1,
                         uploadThroughput=-1)

    def screenshot(self, name):
        """Keep a picture in .screenshots/."""
        os.makedirs(SCREENSHOTS, exist_ok=True)
        with open(os.path.join(SCREENSHOTS, name + ".png"), "wb") as file:
            file.write(base64.b64decode(self.browser.call("GET", "/screenshot")))

    # --- its faults

    def expect(self, pattern):
        """A message of the console that is no fault in this test."""
        self._expected.append(re.compile(pattern))

    def faults(self):
        """Errors and broken rules that the console told of and no one expected."""
        told = self.browser.messages() if self.browser.is_open() else []
        self._faults += [message["message"] for message in told if _is_fault(message)]
        return [text for text in self._faults if not any(pattern.search(text) for pattern in self._expected)]

    def leave(self):
        """Close it and all other windows, so that a server that ends now is missed by nobody."""
        if self.browser.is_open():
            self.faults()
            self.browser.start_afresh()


def _is_fault(message):
    return message["level"] == "SEVERE" or message["source"] in ("security", "violation", "intervention")


class Element:
    """One element of the page, as it was when it was found."""

    def __init__(self, page, number, name):
        self.name = name
        self.number = number
        self._browser = page.browser
        # chromedriver's name of an element ends with the number that the DevTools protocol has for it.
        root = self._browser.call("POST", "/element", {"using": "css selector", "value": "html"})[ELEMENT]
        self.reference = "%s.%d" % (root.rpartition(".")[0], number)

    def __repr__(self):
        return "<element %r>" % self.name

    def click(self):
        self._call("POST", "/click")

    def type(self, text):
        self._call("POST", "/value", {"text": text})

    def focus(self):
        self.script("element.focus()")

    def text(self):
        return self._call("GET", "/text")

    def property(self, name):
        return self._call("GET", "/property/" + name)

    def attribute(self, name):
        return self._call("GET", "/attribute/" + name)

    def script(self, code, *arguments):
        """What this JavaScript returns; `element` is this one."""
        code = "const element = arguments[0], args = [...arguments].slice(1); %s" % code
        return self._browser.call("POST", "/execute/sync", {"script": code, "args": [{ELEMENT: self.reference}] + list(arguments)})

    def _call(self, method, path, body=None):
        return self._browser.call(method, "/element/%s%s" % (self.reference, path), body)


def _fits(wanted, name):
    if wanted is None:
        return True
    return name == wanted if isinstance(wanted, str) else bool(wanted.search(name))


def _said(name):
    return "" if name is None else repr(getattr(name, "pattern", name))
