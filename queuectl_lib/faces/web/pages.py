"""The page's files, out of the tree or out of the one file."""

import pkgutil

from queuectl_lib.faces.web.message import Answer, Refused

_KINDS = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml"}


def index(request, site):
    return _file("index.html")


def static(request, site, name):
    return _file(name)


def _file(name):
    ending = name.rpartition(".")[2]
    # A name with a slash in it would not have fitted the route; one that begins with a dot is none of ours.
    if ending not in _KINDS or "/" in name or name.startswith("."):
        raise Refused(404, "there is no such file")
    try:
        return Answer(200, _KINDS[ending], pkgutil.get_data(__package__, "page/" + name))
    except OSError:
        raise Refused(404, "there is no such file")
