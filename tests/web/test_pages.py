"""The page's files: their kinds, their tags, and no others than these."""

import gzip
import re
from email.message import Message

import pytest

from queuectl_lib.faces.web import handler, message, pages
from queuectl_lib.faces.web.message import Refused


@pytest.fixture
def files(monkeypatch):
    """The files that there are, by name; every other one is missing."""
    there = {"page/index.html": b"<p>", "page/page.css": b"p {}", "page/main.js": b"1", "page/icon.svg": b"<svg/>"}

    def get_data(package, name):
        assert package == "queuectl_lib.faces.web"
        # Whatever is asked for, the file system is asked for a plain name alone.
        assert re.fullmatch(r"page/[a-z]+\.[a-z]+", name)
        if name not in there:
            raise FileNotFoundError(name)
        return there[name]
    monkeypatch.setattr(pages.pkgutil, "get_data", get_data)
    monkeypatch.setattr(pages, "_read_files", {})
    return there


def asked(name, tag=None, encodings=None):
    headers = Message()
    if tag is not None:
        headers["If-None-Match"] = tag
    if encodings is not None:
        headers["Accept-Encoding"] = encodings
    request = message.request("GET", "/static/" + name, headers, b"")
    return pages.index(request, None) if name == "index.html" else pages.static(request, None, name)


@pytest.mark.parametrize("name, kind", [
    ("index.html", "text/html; charset=utf-8"), ("page.css", "text/css; charset=utf-8"),
    ("main.js", "text/javascript; charset=utf-8"), ("icon.svg", "image/svg+xml")])
def test_each_file_comes_as_what_it_is(files, name, kind):
    answer = asked(name)
    assert (answer.status, answer.kind, answer.body) == (200, kind, files["page/" + name])


def test_what_the_browser_has_is_not_sent_again(files):
    first = asked("main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    for tag in (first.headers["ETag"], '"x", %s' % first.headers["ETag"]):
        again = asked("main.js", tag)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    top, = handler.encoded(again, None, False)
    assert top.startswith(b"HTTP/1.1 304 ") and b"Content-Length" not in top and top.endswith(b"\r\n\r\n")
    assert asked("main.js", '"another"').status == 200
    assert asked("page.css").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("encodings, is_packed", [
    ("gzip, deflate, br, zstd", True), ("br,GZIP", True), ("identity", False), ("br, gzip;q=0", False), ("", False), (None, False)])
def test_a_file_is_packed_for_who_takes_that(files, encodings, is_packed):
    answer = asked("main.js", encodings=encodings)
    assert answer.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
    assert (gzip.decompress(answer.body) if is_packed else answer.body) == b"1"
    assert answer.headers["Vary"] == "Accept-Encoding" and answer.headers["ETag"] == asked("main.js").headers["ETag"]


def test_a_file_is_read_once(files):
    asked("main.js")
    # An update takes the one file away under a running dashboard.
    del files["page/main.js"]
    assert asked("main.js").body == b"1"


@pytest.mark.parametrize("name", [
    "none.js", "page.py", "../pages.py", "..", ".", "", "page.css/", "/page.css", "..\\page.css", "page.css\n", ".js", "index.html.js", "page"])
def test_nothing_else_is_given(files, name):
    with pytest.raises(Refused) as refused:
        pages.static(message.request("GET", "/static/x", Message(), b""), None, name)
    assert refused.value.status == 404


@pytest.mark.short
def test_the_real_page_is_there_with_all_that_it_names(server):
    page = server.gets("/?state=dead")
    assert page.status == 200 and page.header("content-type") == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.body.decode())
    assert len(named) > 1
    for path in named:
        answer = server.gets(path)
        assert answer.status == 200 and answer.body and answer.header("cache-control") == "no-cache", path
        again = server.gets(path, If_None_Match=answer.header("etag"))
        assert (again.status, again.body) == (304, b""), path
