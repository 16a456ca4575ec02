"""What can be measured of a page's looks: contrast, width, size of controls, movement, visible focus, names for screen readers."""

import os

CONTROLS = ("button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "switch", "tab", "slider",
            "spinbutton", "menuitem", "dialog", "table", "grid", "tablist", "img", "image")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "looks.js"), encoding="utf-8") as file:
    SCRIPT = file.read()


def faults(page, measure):
    """What one measure of looks.js finds: "contrast", "width", "targets", "moving", "focus"."""
    return page.script(SCRIPT + "return looks[args[0]]()", measure)


def nameless(page):
    """The roles of all that a screen reader would tell without saying what it is."""
    nodes = page.browser.cdp("Accessibility.getFullAXTree")["nodes"]
    return [node["role"]["value"] for node in nodes
            if not node["ignored"] and node["role"]["value"] in CONTROLS and not node.get("name", {}).get("value", "").strip()]
