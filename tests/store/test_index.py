"""Looking up an id in a segment; the index is only ever a short cut."""

import os

import pytest

from queuectl_lib.store import index
from queuectl_lib.words.errors import DuplicateJob, UnknownJob
from tests.store.stores import job, many, read, write

MANY = 100000
LENGTH = 40


def is_stored(here, id):
    try:
        return here.find(id).id == id
    except UnknownJob:
        return False


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The index of 100,000 ids: its segment's path and size."""
    path = str(tmp_path_factory.mktemp("large") / "00000001.jsonl")
    write_index(path, [b"job-%d" % number for number in range(MANY)], MANY * LENGTH)
    return path, MANY * LENGTH


def write_index(path, ids, size):
    """The index of lines of LENGTH bytes with these ids."""
    builder = index.Builder(path + ".runs")
    for at in range(0, len(ids), 100):
        lines = [(b'{"id":"%s","state":' % id).ljust(LENGTH - 1) for id in ids[at:at + 100]]
        builder.add_lines(lines, at * LENGTH)
    builder.write(path, size)


def all_hashes(path, size):
    return [number for numbers in index.Index(path, size).hashes() for number in numbers]


def is_useless(path, size):
    try:
        all_hashes(path, size)
        return False
    except index.Useless:
        return True


def offsets(path, size, id):
    """Where the index says that an id may be, or None."""
    try:
        return index.Index(path, size).offsets(index.hash_of(id))
    except index.Useless:
        return None


def test_each_of_100000_ids_is_found_where_it_is(large):
    for number in list(range(0, MANY, 97)) + [MANY - 1]:
        assert offsets(large[0], large[1], b"job-%d" % number) == [number * LENGTH]


def test_an_absent_id_is_found_nowhere(large):
    for number in range(1000):
        assert offsets(large[0], large[1], b"no-%d" % number) == []


def test_an_offset_is_not_taken_for_a_hash(tmp_path):
    path = str(tmp_path / "00000001.jsonl")
    builder = index.Builder(path + ".runs")
    builder.add(b"one", index.hash_of(b"other"))
    builder.write(path, 1)
    assert offsets(path, 1, b"other") == [] and index.Index(path, 1).shared([index.hash_of(b"other")]) == []


def test_all_hashes_come_in_rising_order(large):
    found = all_hashes(*large)
    assert found == sorted(index.hash_of(b"job-%d" % number) for number in range(MANY))


@pytest.mark.parametrize("step", [1, 100, 30000])
def test_what_two_segments_share_is_found_however_few_it_is(large, step):
    known = [index.hash_of(b"job-%d" % number) for number in range(0, MANY, step)]
    absent = [index.hash_of(b"no-%d" % number) for number in range(0, MANY, step)]
    opened = index.Index(*large)
    assert opened.shared(sorted(known + absent)) == sorted(known)
    assert opened.shared([0, 2 ** 64 - 1]) == []
    assert opened.shared([]) == []


def test_what_stands_there_twice_is_told_also_across_pages(tmp_path):
    path = str(tmp_path / "00000001.jsonl")
    ids = sorted((b"%d" % number for number in range(1000)), key=index.hash_of)
    # 255 entries are a page: the copies of the last ones move those behind them.
    twice = [ids[0], ids[3], ids[253], ids[508], ids[999]]
    write_index(path, ids + twice + [ids[3]], 9999)
    opened = index.Index(path, 9999)
    assert list(opened.repeated()) == list(map(index.hash_of, twice))
    assert opened.offsets(index.hash_of(ids[3])) == [3 * LENGTH, 1001 * LENGTH, 1005 * LENGTH]


def test_no_two_of_100000_ids_share_a_hash(large):
    assert list(index.Index(*large).repeated()) == []


def test_an_index_of_another_segment_is_of_no_use(large):
    assert offsets(large[0], large[1] + 1, b"job-1") is None
    assert is_useless(large[0], large[1] + 1)


def test_an_index_that_is_not_there_is_of_no_use(tmp_path):
    assert offsets(str(tmp_path / "00000001.jsonl"), 0, b"a") is None
    assert is_useless(str(tmp_path / "00000001.jsonl"), 0)


@pytest.mark.parametrize("count", [0, 1, 254, 255, 256, 510, 511])
def test_pages_filled_to_the_brim_are_read_alike(tmp_path, count):
    path = str(tmp_path / "00000001.jsonl")
    write_index(path, [b"%d" % number for number in range(count)], 9999)
    assert [offsets(path, 9999, b"%d" % number) for number in range(count)] == [[number * LENGTH] for number in range(count)]
    assert offsets(path, 9999, b"absent") == []
    assert len(all_hashes(path, 9999)) == count


@pytest.mark.parametrize("size", [0, 10, 19, 20, 4000])
def test_an_index_that_lost_its_beginning_or_its_end_is_of_no_use(tmp_path, large, size):
    path = str(tmp_path / "00000001.jsonl")
    whole = read(large[0])
    for data in (whole[:size], whole[-size:] if size else b"", b"\0" * size):
        write(path, data)
        assert offsets(path, large[1], b"job-1") is None
        assert is_useless(path, large[1])


def test_no_flipped_bit_in_an_index_makes_a_wrong_answer(here):
    here.bulk(many(3))
    (path,) = here.indexes()
    (entry,) = here.segments()
    size = entry.size
    good = {id: offsets(path, size, id) for id in (b"job-000", b"job-002", b"absent")}
    hashes = all_hashes(path, size)
    whole = read(path)
    for place in range(len(whole)):
        for bit in range(8):
            here.flip(path, place, bit)
            for id, places in good.items():
                assert offsets(path, size, id) in (None, places), (place, bit, id)
            assert is_useless(path, size) or all_hashes(path, size) == hashes, (place, bit)
            write(path, whole)


DAMAGE = {
    "missing": os.unlink,
    "empty": lambda path: write(path, b""),
    "cut": lambda path: os.truncate(path, os.path.getsize(path) // 2),
    "zeros": lambda path: write(path, b"\0" * os.path.getsize(path)),
    "of another segment": lambda path: write(path, read(path)[:-20] + b"\0" * 20),
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_without_a_good_index_the_answers_are_the_same(here, damage):
    here.bulk(many(300, command="echo 'not an id: {\"id\":\"absent\",'"))
    here.add("done")
    here.store.change(["job-007"], lambda job: job._replace(priority=-1))
    here.run("job-007")
    here.roll()
    for path in here.indexes():
        DAMAGE[damage](path)
    assert all(is_stored(here, id) for id in ("job-000", "job-007", "job-255", "job-299", "done"))
    assert not any(is_stored(here, id) for id in ("absent", "job-300", "job", "JOB-000"))
    with pytest.raises(DuplicateJob):
        here.add("job-150")
    with pytest.raises(DuplicateJob):
        here.bulk([job("new"), job("job-150")])
    here.store.remove(["job-299"])
    assert not is_stored(here, "job-299")


@pytest.fixture
def one_hash_for_all(monkeypatch):
    monkeypatch.setattr(index, "hash_of", lambda id: 7)


def test_ids_of_the_same_hash_are_told_apart_by_their_lines(here, one_hash_for_all):
    here.bulk(many(260))
    for number in (0, 254, 255, 259):
        assert here.find("job-%03d" % number).id == "job-%03d" % number
    assert not is_stored(here, "absent")


def test_ids_of_the_same_hash_are_no_duplicates(here, one_hash_for_all):
    here.bulk(many(3, "old"))
    here.bulk(many(3, "new"))
    here.add("alone")
    with pytest.raises(DuplicateJob, match="old-001"):
        here.bulk([job("another"), job("old-001")])
    with pytest.raises(DuplicateJob, match="twice stands twice"):
        here.bulk([job("one"), job("twice"), job("two"), job("twice")])


def test_making_a_large_one_leaves_no_other_file(large):
    folder = os.path.dirname(large[0])
    assert os.listdir(folder) == [os.path.basename(large[0])]
