"""The first line of the journal, and the counts it begins with."""

import pytest

from queuectl_lib.store import header, line, pieces
from queuectl_lib.words.errors import StoreDamaged, StoreError
from tests.store.stores import job

SEGMENT = header.Segment("00000007", "base", 2, 800, (header.Section("ready", "default", 0, 300),
                                                      header.Section("due", "mail", 300, 800)), None)
FULL = header.Header(7, 12, 81920, 512, {"default": {"pending": 3, "dead": 1}},
                     {"default": {"dead": 2}}, {"mail": {"since": "2026-11-22T03:10:00.000Z"}}, (SEGMENT, SEGMENT._replace(name="00000009")))


def first_line(one):
    return header.encode(one).splitlines(keepends=True)[0]


@pytest.mark.parametrize("one", [header.EMPTY, FULL])
def test_a_header_is_read_as_it_was_written(one):
    assert header.decode(first_line(one), "jobs.jsonl") == one


@pytest.mark.parametrize("segments, room, size", [(0, 0, 8192), (1, 8192, 8192), (1, 16384, 16384), (90, 8192, 24576)])
def test_a_header_is_twice_a_line_of_whole_pages(segments, room, size):
    data = header.encode(FULL._replace(segments=(SEGMENT,) * segments), room)
    one, other = data.splitlines(keepends=True)
    assert one == other
    assert one.endswith(b"\n") and len(one) == size // 2


def test_a_flip_of_any_single_bit_is_noticed():
    data = first_line(FULL)
    for place in list(range(len(data.rstrip()))) + [len(data) - 2, len(data) - 1]:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(StoreDamaged, match="jobs.jsonl: the header at byte 0 is damaged"):
                header.decode(bytes(flipped), "jobs.jsonl")


def test_an_empty_file_is_damaged():
    with pytest.raises(StoreDamaged):
        header.decode(b"", "jobs.jsonl")


def test_a_newer_format_says_which_program_to_use(monkeypatch):
    monkeypatch.setattr(header, "FORMAT", 2)
    data = first_line(header.EMPTY)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="use the newer queuectl"):
        header.decode(data, "jobs.jsonl")


def test_a_segment_that_joined_is_read_with_its_counts():
    joined = SEGMENT._replace(counts={"default": {"pending": 2}})
    assert header.segment_of(header.as_dict(joined)) == joined
    assert header.segment_of(header.as_dict(SEGMENT)) == SEGMENT


def counts_after(*lines):
    counts = {}
    for head, _, _ in pieces.scan(b"".join(lines), 0, "jobs.jsonl")[0]:
        header.count(counts, head)
    return header.tidied(counts)


NEW = line.encode(job("a", queue="mail")._replace(order=0), None)
STARTED = line.encode(job("a", queue="mail")._replace(order=0, state="processing"), ("pending", "mail"))
MOVED = line.encode(job("a", queue="slow")._replace(order=0), ("processing", "mail"))
REMOVED = line.encode_removed(job("a", queue="slow")._replace(order=0), None)
JOINED = line.encode_segment(header.as_dict(SEGMENT._replace(counts={"mail": {"pending": 5}})))


@pytest.mark.parametrize("lines, counts", [
    ([], {}),
    ([NEW], {"mail": {"pending": 1}}),
    ([NEW, STARTED], {"mail": {"processing": 1}}),
    ([NEW, STARTED, MOVED], {"slow": {"pending": 1}}),
    ([NEW, STARTED, MOVED, REMOVED], {}),
    ([JOINED, NEW, line.encode_gone(("00000007", 0, 9))], {"mail": {"pending": 6}}),
])
def test_counts_are_kept_by_adding_lines_up(lines, counts):
    assert counts_after(*lines) == counts


def test_what_was_counted_can_be_taken_back():
    counts = {"mail": {"pending": 1}}
    head = pieces.scan(STARTED, 0, "jobs.jsonl")[0][0][0]
    header.count(counts, head)
    header.count(counts, head, sign=-1)
    assert header.tidied(counts) == {"mail": {"pending": 1}}


def test_a_file_that_begins_with_a_job_is_damaged():
    """Its line is whole and has a crc, but it is no header."""
    with pytest.raises(StoreDamaged, match="the header at byte 0 is damaged"):
        header.glance(NEW, "jobs.jsonl")
