"""What can be read of damaged bytes."""

import random

import pytest

from queuectl_lib.store import header, line, salvage
from tests.store.stores import START, job

LINES = [
    line.encode(job("first", START, env={"id": "x", "crc": "01234567"})._replace(order=1), None),
    line.encode(job("second", START)._replace(order=2), None, more=True),
    line.encode_gone(("00000007", 1, 300)),
    line.encode_pauses({"mail": {"since": "2026-11-22T03:10:00.000Z"}}),
    line.encode(job("last", START)._replace(order=3), ("pending", "default")),
]
DATA = b"".join(LINES)
PLACES = [sum(map(len, LINES[:number])) for number in range(len(LINES))]


def test_whatever_bit_is_flipped_every_line_is_read_as_it_was():
    for place in range(len(DATA)):
        flipped = bytearray(DATA)
        flipped[place] ^= 1 << place % 8
        found = salvage.salvage(bytes(flipped), 5000)
        assert found.bad == b"", place
        assert found.whole == [(5000 + start, each[:-1]) for start, each in zip(PLACES, LINES)], place


@pytest.mark.parametrize("number", range(len(LINES)))
def test_what_no_single_bit_explains_is_kept_apart_and_the_others_are_read(number):
    lines = list(LINES)
    lines[number] = lines[number][:15] + b"~~~" + lines[number][18:]
    found = salvage.salvage(b"".join(lines))
    assert found.bad == lines[number]
    assert [each + b"\n" for _, each in found.whole] == LINES[:number] + LINES[number + 1:]


def test_lines_that_an_editor_ended_its_own_way_are_read():
    found = salvage.salvage(DATA.replace(b"\n", b"\r\n"))
    assert ([each + b"\n" for _, each in found.whole], found.bad) == (LINES, b"")


@pytest.mark.parametrize("data", [b"\n", b"hello\n", b'{"id":"a"}\n', b"\0" * 5000, DATA[:40], DATA[30:200]])
def test_what_is_no_line_is_taken_for_none(data):
    assert salvage.salvage(data).whole == []


def test_random_bytes_in_a_line_are_not_taken_for_a_flipped_bit():
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(LINES[1])
        for place in chance.sample(range(9, len(data) - 1), 3):
            data[place] ^= chance.randrange(1, 256)
        assert salvage.salvage(bytes(data)).whole == []


def test_ids_are_told_from_what_is_left_of_lines():
    assert salvage.ids_in(LINES[0][:30] + b"~~~\n" + b'{"id": "typed", "command"' + LINES[4][:20]) == ["first", "typed", "last"]


@pytest.mark.parametrize("place", [0, 3, 50, 4000, 4095])
def test_each_of_a_header_and_its_copy_stands_for_the_other(tmp_path, place):
    one = header.EMPTY._replace(generation=7, counts={"default": {"pending": 3}})
    for start in (0, header.PAGE):
        data = bytearray(header.encode(one) + DATA)
        data[start + place] ^= 4
        path = tmp_path / "jobs.jsonl"
        path.write_bytes(bytes(data))
        with open(str(path), "rb") as file:
            first, copy = salvage.headers(file.fileno())
        assert len(first) == len(copy) == header.PAGE
        assert one in (salvage.header_in(first), salvage.header_in(copy))
