"""Names that are allowed, and ids that are made up."""

import itertools
import os
import subprocess
import sys

import pytest

from queuectl_lib.job import identifiers
from queuectl_lib.words.errors import BadInput
from tests.support import ROOT

PRINT_IDS = "from itertools import islice; from queuectl_lib.job import identifiers; print(*islice(identifiers.new_ids(), 1000))"

BAD = ["", ".", "-a", "_a", ".hidden", "../x", "a/b", "a b", "a\n", "\na", "a\0", "a\x1b[2J", "é", "a\u202e", "a" * 129, "{", None, 7,
       True, ["a"]]


def made_up(count):
    return list(itertools.islice(identifiers.new_ids(), count))


@pytest.mark.parametrize("name", ["a", "7", "nightly", "A.b_c-9", "a..b", "a" * 128])
def test_good_names_are_given_back(name):
    assert identifiers.check_id(name) == name
    assert identifiers.check_queue(name) == name


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_refused_and_the_field_is_named(name):
    with pytest.raises(BadInput, match="^id: "):
        identifiers.check_id(name)
    with pytest.raises(BadInput, match="^queue: "):
        identifiers.check_queue(name)


def test_a_very_long_name_is_not_repeated_in_full():
    with pytest.raises(BadInput) as error:
        identifiers.check_id("!" * 10000)
    assert len(str(error.value)) < 300


def test_made_up_ids_are_allowed_names_of_sixteen_characters():
    for one in made_up(100):
        assert len(identifiers.check_id(one)) == 16


def test_made_up_ids_sort_by_time(monkeypatch):
    moments = iter([1000, 1000.001, 1795317000, 1795317000.5, 4000000000])
    monkeypatch.setattr(identifiers.time, "time", lambda: next(moments))
    ids = [made_up(1)[0] for _ in range(5)]
    assert ids == sorted(ids)


def test_ids_of_one_batch_sort_in_the_order_they_were_made():
    ids = made_up(100000)
    assert ids == sorted(set(ids))


def test_ids_made_in_the_same_millisecond_by_many_processes_differ(monkeypatch):
    monkeypatch.setattr(identifiers.time, "time", lambda: 1795317000)
    ids = [one for _ in range(50) for one in made_up(100)]
    assert len(set(ids)) == len(ids)


def test_processes_do_not_make_the_same_ids():
    running = [subprocess.Popen([sys.executable, "-S", "-c", PRINT_IDS], stdout=subprocess.PIPE,
                                env=dict(os.environ, PYTHONPATH=ROOT)) for _ in range(4)]
    ids = [one for process in running for one in process.communicate()[0].split()]
    assert len(set(ids)) == 4000
