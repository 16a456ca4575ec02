"""What `logs` prints: what was kept of an attempt, and what a running one writes meanwhile."""

import os

import pytest

from queuectl_lib.faces import outputs
from queuectl_lib.job import record
from queuectl_lib.store import paths


@pytest.fixture
def place(tmp_path):
    for name in ("output", "workers"):
        (tmp_path / name).mkdir()
    return paths.Paths(str(tmp_path))


def job(**fields):
    made = record.create({"id": "j", "command": "true"}, 0, record.Defaults())
    return made._replace(worker="1.abc", **fields)


def kept_in_file(place, data, total):
    with open(place.inside("output/j.1.out"), "wb") as file:
        file.write(data)
    return job(stdout=data[-3:].decode(), stdout_size=total, stdout_file="output/j.1.out")


@pytest.mark.parametrize("data, count, expected", [
    (b"a\nb\nc\n", 2, b"b\nc\n"), (b"a\nb\nc", 2, b"b\nc"), (b"a\n", 5, b"a\n"), (b"a\nb", 0, b""), (b"", 3, b""),
    (b"a\n\n", 1, b"\n")])
def test_the_last_lines(data, count, expected):
    assert outputs.last_lines(data, count) == expected


def test_small_output_is_in_the_jobs_line(place):
    assert outputs.kept(job(stdout="a\udcff"), "stdout", place) == b"a\xff"
    assert outputs.kept(job(), "stderr", place) == b""


def test_a_big_output_is_in_its_file(place):
    assert outputs.kept(kept_in_file(place, b"whole", 5), "stdout", place) == b"whole"


def test_when_the_file_was_removed_there_is_still_the_tail(place):
    one = kept_in_file(place, b"whole", 5)
    os.unlink(place.inside("output/j.1.out"))
    assert outputs.kept(one, "stdout", place) == b"ole"


@pytest.mark.parametrize("left, expected", [(b"who", b"who"), (b"wh\0\0\0", b"wh"), (b"", b"")])
def test_what_a_power_cut_left_of_the_file_and_the_tail_are_told_apart(place, left, expected):
    one = kept_in_file(place, b"whole", 5)
    kept_in_file(place, left, 5)
    assert outputs.kept(one, "stdout", place) == expected + (
        b"\n[queuectl: something is missing here: the file was cut off, as by a power cut]\nole")


def test_what_was_seen_while_it_ran_is_not_printed_again(place):
    assert outputs.rest(kept_in_file(place, b"0123456789", 10), "stdout", place, 4) == b"456789"


@pytest.mark.parametrize("seen, expected", [
    (2, b"2\n[queuectl: 94 bytes left out]\nxyz"),
    (50, b"\n[queuectl: 94 bytes left out]\nxyz"),
    (98, b"yz"),
    (100, b""),
])
def test_of_an_output_cut_in_its_middle_the_rest_is_found(place, seen, expected):
    # 100 bytes were written: 3 kept of the head, 3 of the tail.
    one = kept_in_file(place, b"012\n[queuectl: 94 bytes left out]\nxyz", 100)
    assert outputs.rest(one, "stdout", place, seen) == expected


def test_a_spool_is_read_on_and_taken_only_when_told(place):
    spool = outputs.Spool(job(), "stdout", place)
    assert spool.read() == (b"", 0)
    with open(place.slot_out(1), "wb", buffering=0) as file:
        spool = outputs.Spool(job(), "stdout", place)
        file.write(b"one")
        assert spool.read() == (b"one", 3) == spool.read()
        spool.advance(3)
        file.write(b"two")
        assert spool.read() == (b"two", 6)
        spool.advance(6)
        assert spool.read()[0] == b""
    spool.close()
