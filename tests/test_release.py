"""What a release says of itself: version, changelog, manual page and the file's head name the same one."""

import json
import re
import subprocess
import sys

import queuectl_lib
from queuectl_lib.faces import bundle
from queuectl_lib.store import header
from support import LAUNCHER, PYTHON
from tests import readme


def newest():
    """(version, format of the store) of the first heading of the changelog."""
    [section] = re.findall(r"^## Changelog\n(.*?)^## ", readme.text(), re.MULTILINE | re.DOTALL)
    version, form = re.findall(r"^\*\*(\S+)\*\* \(store format (\d+)\)", section, re.MULTILINE)[0]
    return version, int(form)


def said(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout.decode()


def test_the_newest_version_of_the_changelog_is_this_one():
    assert newest() == (queuectl_lib.__version__, header.FORMAT)


def test_a_bug_report_can_be_begun_with_what_version_tells(one_file):
    for option in ("--version", "-V"):
        lines = said(PYTHON, "-S", one_file, option).splitlines()
        assert lines[0] == "queuectl %s" % newest()[0]
        assert [line.split()[0] for line in lines[1:]] == ["sources", "python", "store"]
        assert one_file in lines[1] and lines[3] == "  store     format %d" % newest()[1]
        assert said(PYTHON, "-c", "import platform; print(platform.python_version())").strip() in lines[2]


def test_the_tree_and_what_is_built_of_it_name_the_same_sources(one_file, tmp_path):
    def sources(path):
        return re.findall(r"sources   (\w{12}), ", said(sys.executable, "-S", str(path), "--version"))
    changed = tmp_path / "queuectl.py"
    # As long as it was.
    files = [(name, data.replace(b"# Of a link", b"# On a link")) for name, data in bundle.sources()]
    changed.write_bytes(bundle.build(files))
    assert sources(one_file) == sources(LAUNCHER) != sources(changed)


def test_a_file_that_is_damaged_says_so(one_file, tmp_path):
    damaged = tmp_path / "queuectl.py"
    with open(one_file, "rb") as file:
        damaged.write_bytes(file.read().replace(b"# Of a link the target counts", b"# Of a link the target c0unts"))
    done = subprocess.run([sys.executable, "-S", str(damaged), "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1 and done.stderr.startswith(b"queuectl: %s is damaged" % str(damaged).encode())
    assert done.stderr.count(b"\n") == 1


def test_the_manual_page_and_the_head_of_the_file_name_it_too(one_file):
    assert "queuectl %s" % newest()[0] in said(sys.executable, "-S", LAUNCHER, "manual").splitlines()[0]
    with open(one_file, "rb") as file:
        assert file.read(300).splitlines()[1].startswith(b"# queuectl %s: " % newest()[0].encode())


def test_a_store_names_its_format_and_so_does_what_looks_at_it(queue):
    queue.enqueue("true")
    assert json.loads(queue.text(".queuectl", "jobs.jsonl").splitlines()[0])["queuectl"] == newest()[1]
    assert "format %d" % newest()[1] in queue.run("doctor").out
