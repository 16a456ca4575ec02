"""The page's files, out of the tree or out of the one file."""

import gzip
import hashlib
import pkgutil
import re

from queuectl_lib.faces.web.message import HTML, Answer, Refused

_NAME = re.compile(r"[0-9A-Za-z_-]+\.([a-z]+)\Z")
_KINDS = {
    "html": HTML, "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def load_all():
    """Read now whatever the page names, and what that names."""
    seen = set()
    wanted = ["index.html"]
    while wanted:
        name = wanted.pop()
        found = None if name in seen else _read(name)
        seen.add(name)
        if found is not None:
            wanted += re.findall("[0-9A-Za-z_-]+[.][a-z]+", found[0].decode("utf-8"))


def index(request, site):
    return _file(request, "index.html")


def static(request, site, name):
    return _file(request, name)


def _file(request, name):
    match = _NAME.match(name)
    kind = _KINDS.get(match.group(1)) if match else None
    found = _read(name) if kind else None
    if found is None:
        raise Refused(404, "there is no such file")
    data, packed, tag = found
    # Asked for anew each time: after an update of queuectl no page is made of old and new parts.
    headers = {"Cache-Control": "no-cache", "ETag": tag, "Vary": "Accept-Encoding"}
    if tag in request.headers.get("If-None-Match", ""):
        return Answer(304, kind, b"", headers)
    if _takes_gzip(request.headers.get("Accept-Encoding", "")):
        return Answer(200, kind, packed, dict(headers, **{"Content-Encoding": "gzip"}))
    return Answer(200, kind, data, headers)


def _takes_gzip(text):
    # With a weight behind it, which might be 0, it is not meant.
    return "gzip" in [part.strip().lower() for part in text.split(",")]


# Kept: the one file may be replaced while its dashboard runs.
_read_files = {}


def _read(name):
    """(the bytes of a file of the page, the same as gzip, their ETag), or None."""
    if name not in _read_files:
        try:
            data = pkgutil.get_data(__package__, "page/" + name)
        except OSError:
            return None
        # Weak: it stands for both forms.
        _read_files[name] = data, gzip.compress(data, mtime=0), 'W/"%s"' % hashlib.sha256(data).hexdigest()[:16]
    return _read_files[name]
