"""Segments are read from any place, in both directions, whatever the length of their lines."""

import os

import pytest

from queuectl_lib.store import disk, header, line, new_segment, queues, segment
from queuectl_lib.words.errors import DiskFull, StoreDamaged
from tests.store.stores import job, read, write

READY = ("ready", "default")
CHUNK = segment._CHUNK


def line_of_length(id, length):
    """A job's line that is exactly so long, newline counted."""
    one = job(id)._replace(order=0, stdout="")
    return line.encode(one._replace(stdout="x" * (length - len(line.encode(one, None)))), None)


def written(here, lengths):
    """A segment of jobs 0, 1, 2 … whose lines have these lengths: (reader, entry)."""
    writer = new_segment.Writer(here.store.paths.segment_places("00000001")[0], "base")
    for number, length in enumerate(lengths):
        writer.add(READY, line_of_length(str(number), length))
    entry = writer.finish("00000001")
    assert entry.size == sum(lengths)
    return segment.Reader(here.store.paths, entry.name, entry.size), entry


LENGTHS = {
    "one": [500],
    "short ones": [500] * 1000,
    "longer than a chunk": [CHUNK + 1, 500, 3 * CHUNK + 7, 2 * CHUNK, 500],
    "exactly a chunk": [CHUNK] * 4,
    "a border right behind a newline": [CHUNK - 500, 500, 500, CHUNK - 500, 500],
    "a border right before a newline": [CHUNK + 1, CHUNK, CHUNK - 1, 500],
    "half chunks": [CHUNK // 2] * 9,
    "of every kind": [500, CHUNK - 1, CHUNK, CHUNK + 1, 400, 2 * CHUNK - 1, 600, 2 * CHUNK + 1, 1000, line.LONGEST, 450],
}


@pytest.mark.parametrize("lengths", sorted(LENGTHS))
def test_backward_is_forward_turned_round(here, lengths):
    reader, entry = written(here, LENGTHS[lengths])
    forward = list(reader.forward(0, entry.size))
    assert [int(head[0]) for head, _, _ in forward] == list(range(entry.jobs))
    assert [length - 1 for length in LENGTHS[lengths]] == [len(data) for _, _, data in forward]
    assert list(reader.backward(0, entry.size)) == forward[::-1]


@pytest.mark.parametrize("lengths", sorted(LENGTHS))
def test_every_line_is_found_by_its_place_and_by_its_id(here, lengths):
    reader, entry = written(here, LENGTHS[lengths])
    for head, start, data in reader.forward(0, entry.size):
        assert reader.line_at(start, start + len(data)) == data
        assert list(reader.find(head[0])) == [(head, start, data)]
    assert list(reader.find(b"absent")) == []


@pytest.mark.parametrize("lengths", sorted(LENGTHS))
def test_without_its_index_every_line_is_found_all_the_same(here, lengths):
    reader, entry = written(here, LENGTHS[lengths])
    os.unlink(here.indexes()[0])
    for head, start, data in list(reader.forward(0, entry.size))[::100]:
        assert list(reader.find(head[0])) == [(head, start, data)]
    assert list(reader.find(b"absent")) == []


@pytest.mark.parametrize("first, last", [(0, 3), (1, 5), (2, 3), (3, 3), (4, 9)])
def test_a_section_is_read_from_its_start_to_its_end(here, first, last):
    lengths = LENGTHS["of every kind"]
    reader, _ = written(here, lengths)
    start, end = sum(lengths[:first]), sum(lengths[:last])
    expected = [b"%d" % number for number in range(first, last)]
    assert [head[0] for head, _, _ in reader.forward(start, end)] == expected
    assert [head[0] for head, _, _ in reader.backward(start, end)] == expected[::-1]


def test_sections_are_told_in_the_order_they_were_written(here):
    writer = new_segment.Writer(here.store.paths.segment_places("00000001")[0], "base")
    pieces = [(READY, 500), (READY, 600), (("due", "mail"), 700), (("dead", "default"), 800)]
    for number, (section, length) in enumerate(pieces):
        writer.add(section, line_of_length(str(number), length))
    assert writer.finish("00000001", {"x": {}}) == header.Segment(
        "00000001", "base", 4, 2600, (header.Section("ready", "default", 0, 1100), header.Section("due", "mail", 1100, 1800),
                                      header.Section("dead", "default", 1800, 2600)), {"x": {}})


def test_reading_the_first_lines_reads_one_chunk_and_the_last_ones_a_page(here, monkeypatch):
    reader, entry = written(here, [500] * 1000)
    asked = []
    pread = disk.pread
    monkeypatch.setattr(disk, "pread", lambda fd, count, offset: asked.append(count) or pread(fd, count, offset))
    next(reader.forward(0, entry.size))
    next(reader.backward(0, entry.size))
    assert asked == [CHUNK, segment._LAST]


def test_a_segment_that_a_roll_removed_is_told_apart_from_damage(here):
    with pytest.raises(FileNotFoundError):
        segment.Reader(here.store.paths, "00000009", 500)


def test_a_segment_opened_before_it_was_removed_can_be_read_to_its_end(here):
    reader, entry = written(here, [500] * 300)
    os.unlink(here.store.paths.segment("00000001"))
    assert len(list(reader.forward(0, entry.size))) == 300


def test_a_segment_is_found_where_it_was_moved_to(here):
    _, entry = written(here, [500])
    base, archive = here.store.paths.segment_places("00000001")
    os.rename(base, archive)
    assert segment.Reader(here.store.paths, "00000001", entry.size).path == archive


def test_a_segment_that_lost_its_end_is_damaged(here):
    here.bulk([job("a"), job("b")])
    os.truncate(here.segment_files()[0], 100)
    with pytest.raises(StoreDamaged, match="00000001.jsonl is shorter than"):
        here.ids()


@pytest.mark.parametrize("look", ["list", "find", "claim", "roll", "duplicate"])
def test_a_flipped_bit_in_a_segment_is_noticed_by_who_touches_the_line(here, look):
    here.bulk([job("a"), job("b")])
    (path,) = here.segment_files()
    actions = {
        "list": here.ids,
        "find": lambda: here.find("a"),
        "claim": lambda: here.claim(here.worker()),
        "duplicate": lambda: here.add("a"),
        "roll": lambda: here.find("a"),
    }
    whole = read(path)
    for place in range(0, whole.index(b"\n"), 3):
        here.flip(path, place)
        if look == "roll":
            here.roll()
        with pytest.raises(StoreDamaged, match="00000001.jsonl: the line at byte 0 is damaged"):
            actions[look]()
        write(path, whole)


@pytest.mark.parametrize("passed", [0, 100])
@pytest.mark.parametrize("look", ["list", "count", "claim", "roll"])
def test_a_line_without_a_moment_where_jobs_wait_for_one_is_damaged(here, look, passed):
    here.bulk([job(id, run_at=(here.now + 50000) / 1000) for id in ("a", "b")])
    (path,) = here.segment_files()
    whole = read(path)
    moment = b'"due":%d' % (here.now + 50000)
    spoilt = whole.replace(moment, b'"due":null', 1).replace(b"/srv", b"/srv" + b"x" * (len(moment) - len(b'"due":null')), 1)
    assert len(spoilt) == len(whole) and spoilt != whole
    write(path, spoilt)
    here.pass_time(passed)
    actions = {
        "list": here.ids,
        "count": lambda: queues.depths(here.opened().look(), here.now),
        "claim": lambda: here.claim(here.worker()),
        "roll": lambda: here.roll() or here.ids(),
    }
    with pytest.raises(StoreDamaged, match="00000001.jsonl: the line at byte 0 is damaged"):
        actions[look]()


def test_a_full_disk_is_named(here):
    writer = new_segment.Writer(here.store.paths.segment_places("00000001")[0], "base")
    writer.add(READY, line_of_length("0", 500))
    os.close(writer.fd)
    writer.fd = os.open("/dev/full", os.O_WRONLY) if os.path.exists("/dev/full") else pytest.skip("no /dev/full")
    with pytest.raises(DiskFull, match="00000001.jsonl: no room"):
        writer.finish("00000001")


def test_a_segment_begins_anew_where_a_killed_writer_left_a_file(here):
    path = here.store.paths.segment_places("00000001")[0]
    write(path, line_of_length("left", 700))
    reader, entry = written(here, [500, 600])
    assert [head[0] for head, _, _ in reader.forward(0, entry.size)] == [b"0", b"1"]
    assert os.path.getsize(path) == 1100


@pytest.mark.parametrize("look", ["list", "find", "claim", "change", "batch"])
def test_a_segment_that_somebody_removed_is_named_and_nobody_waits_for_it(here, look):
    here.bulk([job("a"), job("b")])
    os.unlink(here.segment_files()[0])
    actions = {
        "list": here.ids,
        "find": lambda: here.find("a"),
        "claim": lambda: here.claim(here.worker()),
        "change": lambda: here.store.change(["a"], lambda old: old),
        "batch": lambda: here.bulk([job("c"), job("d")]),
    }
    with pytest.raises(StoreDamaged, match="00000001.jsonl is missing"):
        actions[look]()
