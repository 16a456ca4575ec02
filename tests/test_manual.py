"""queuectl(1): all of the program is in it, and every reader of manual pages takes it as it is."""

import os
import re
import shutil
import subprocess
import sys

import pytest

import support
from queuectl_lib.faces import manual
from queuectl_lib.faces.cli import main, registry
from queuectl_lib.job import record
from queuectl_lib.store import config


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page as `make man` leaves it, in a copy of what it needs."""
    top = tmp_path_factory.mktemp("tree")
    for name in ("Makefile", "queuectl.py", "queuectl_lib"):
        os.symlink(os.path.join(support.ROOT, name), str(top / name))
    subprocess.run(["make", "-s", "man", "PYTHON=%s -S" % sys.executable], cwd=str(top), check=True)
    assert os.listdir(str(top / "dist")) == ["queuectl.1"]
    return str(top / "dist" / "queuectl.1")


def printed(path):
    """What a reader sees of it, on a line as long as it needs."""
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    done = subprocess.run(["groff", "-ww", "-man", "-Tascii", "-P-cbou", "-rLL=400n", path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def terms(text):
    return {line.strip() for line in text.splitlines()}


def test_every_command_and_every_option_is_in_it(page):
    text = printed(page)
    for name in registry.names():
        assert re.search(r"^ +queuectl %s\b" % name, text, re.MULTILINE)
        for action in main.parser_of(name)._actions:
            assert not action.help or action.dest in ("help", "store") or " ".join(action.help.split()) in text
    assert [line.strip() for line in text.splitlines() if re.match(r"   \w", line)] == [group for group, _ in registry.groups()]


def test_examples_can_be_copied_out_of_it(page):
    text = terms(printed(page))
    for name in registry.names():
        for line in main.parser_of(name).epilog.splitlines()[1:]:
            assert line.strip() in text


def test_every_field_state_and_setting_is_in_it(page):
    named = [name.lstrip("*") for names, _ in manual.FIELDS for name in names.split()]
    assert sorted(named) == sorted(record.PUBLIC)
    assert {name[1:] for names, _ in manual.FIELDS for name in names.split() if name[0] == "*"} == set(record.GIVEN)
    assert tuple(state for state, _ in manual.STATES) == record.STATES
    text = printed(page)
    for name, key in config.KEYS.items():
        assert name + " (" in text and key.meaning in text


def test_every_variable_and_every_file_that_somebody_meets_is_in_it(queue, page):
    queue.enqueue("--id", "x", "env")
    queue.start_workers("--detach")
    queue.wait_for_state("x", "completed")
    text = printed(page)
    given = set(re.findall("^QUEUECTL_[A-Z]+", queue.job("x")["stdout"], re.MULTILINE))
    assert "QUEUECTL_PROGRESS" in given
    # By the one left out the processes of an attempt are known again: nobody's business.
    assert [name for name in given - {"QUEUECTL_CLAIM"} if name not in text] == []
    # Locks and FIFOs are of no use to anybody else.
    assert [name for name in os.listdir(queue.store) if name not in text and name not in ("lock", "roll.lock", "wake")] == []


def test_it_has_the_sections_of_a_manual_page(page):
    with open(page) as file:
        assert re.findall("^[.]SH (.*)", file.read(), re.MULTILINE) == [
            "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "JOB FIELDS", "STATES", "CONFIGURATION", "FILES",
            "ENVIRONMENT", "EXIT STATUS"]


def test_man_shows_it_without_a_warning(page):
    if shutil.which("man") is None:
        pytest.skip("no man here")
    done = subprocess.run(["man", "--warnings", "-l", page], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C.UTF-8"))
    assert (done.returncode, done.stderr) == (0, b"") and b"background job queue" in done.stdout


def test_mandoc_finds_no_fault_in_it(page):
    if shutil.which("mandoc") is None:
        pytest.skip("no mandoc here")
    said = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], stdout=subprocess.PIPE, universal_newlines=True).stdout
    # It has none, on purpose: it would change from build to build.
    assert [line for line in said.splitlines() if "missing date" not in line] == []


def test_it_is_the_same_from_whatever_program_and_day(page, one_file):
    with open(page, "rb") as file:
        expected = file.read()
    for place in (support.LAUNCHER, one_file):
        made = subprocess.run([support.PYTHON, "-S", place, "manual"], stdout=subprocess.PIPE, check=True,
                              env=dict(os.environ, TZ="Asia/Tokyo", PYTHONHASHSEED="7", COLUMNS="50")).stdout
        assert made == expected
    assert expected.isascii()


@pytest.mark.parametrize("text, roff", [
    (".profile", "\\&.profile"), ("'x'", "\\(aqx\\(aq"), ("  .x", "  \\&.x"), ("a.b", "a.b"),
    ("a\\nb", "a\\enb"), ("--no-op", "\\-\\-no\\-op"), ("`~^", "\\(ga\\(ti\\(ha"), ("a\tb", "a\\etb")])
def test_nothing_in_a_text_is_a_request_to_roff(text, roff, tmp_path):
    assert manual.escaped(text) == roff
    (tmp_path / "page").write_text(".nf\n" + manual.escaped(text) + "\n")
    assert printed(str(tmp_path / "page")).strip() == text.replace("\t", "\\t").strip()
