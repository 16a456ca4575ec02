"""A short run of tests/torture, each time with another plan: its seed is printed, and repeats it."""

import os
import subprocess

import pytest

from support import PYTHON, ROOT


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="there is no /proc here")
def test_whatever_is_killed_when_nothing_is_lost_or_runs_twice_or_stays_behind(tmp_path):
    done = subprocess.run([PYTHON, os.path.join(ROOT, "tests", "torture"), "--seconds", "16"],
                          env=dict(os.environ, TMPDIR=str(tmp_path)), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    assert os.listdir(str(tmp_path)) == []


def test_the_same_seed_makes_the_same_plan():
    def plan(seed):
        words = "import sys; sys.path.insert(0, %r); from plan import Plan; from itertools import islice\n" \
                "for act in islice(Plan(%d).acts(), 300): print(act)" % (os.path.join(ROOT, "tests", "torture"), seed)
        return subprocess.run([PYTHON, "-c", words], stdout=subprocess.PIPE, check=True).stdout
    assert plan(7) == plan(7) != plan(8)
