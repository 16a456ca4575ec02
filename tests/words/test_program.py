"""The program can say how to run it again."""

import subprocess
import sys

import pytest

from queuectl_lib.words import program
from tests.support import ROOT


def test_the_words_it_names_start_the_same_program():
    done = subprocess.run(program.command() + ["--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert done.stdout.startswith(b"queuectl")


def test_it_is_run_again_by_the_same_python():
    assert program.command()[0] == sys.executable


def test_a_source_tree_is_told_from_the_one_file(monkeypatch, tmp_path):
    assert not program.is_one_file()
    archive = tmp_path / "queuectl.py"
    archive.write_bytes(b"PK")
    monkeypatch.setattr(program, "home", lambda: str(archive))
    assert program.is_one_file()
    assert program.path() == str(archive)


@pytest.mark.parametrize("flags", [[], ["-S"], ["-E"], ["-E", "-S"], ["-I"]])
def test_it_is_run_again_as_isolated_as_it_is(flags):
    code = "import sys; sys.path.insert(0, %r); from queuectl_lib.words import program; print(program.command()[1:-1])" % ROOT
    done = subprocess.run([sys.executable] + flags + ["-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().strip() == repr(flags)
