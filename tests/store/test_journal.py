"""The end of the journal after a crash, and damage that is no crash."""

import os

import pytest

from queuectl_lib.store import header, journal, line
from queuectl_lib.words.errors import StoreDamaged
from tests.store.stores import job, lines_of, read, write


def batch(*ids):
    """The lines of one batch."""
    return [line.encode(job(id)._replace(order=0), None, more=id != ids[-1]) for id in ids]


def reopened(here, writable=True):
    live = journal.Journal(here.journal, writable)
    live.refresh()
    return live


def ids_in(entries):
    return [head[0].decode() for head, _, _ in entries]


@pytest.fixture
def two(here):
    """A store with the jobs a and b in its journal."""
    here.add("a")
    here.add("b")
    return here


TORN = {
    "half a line": b"".join(batch("torn"))[:-40],
    "one byte": b"{",
    "nothing but zeros": b"\0" * 5000,
    "a line that is whole but for its crc": b"".join(batch("torn"))[:-9],
    "half a batch": b"".join(batch("x", "y", "z")[:2]),
    "half a batch and half a line": b"".join(batch("x", "y", "z"))[:-40],
    "a whole line of a batch without its newline": b"".join(batch("x", "y")[:1])[:-1],
}


@pytest.mark.parametrize("torn", sorted(TORN))
def test_who_writes_next_cuts_what_a_crash_left(two, torn):
    before = read(two.journal)
    two.append(TORN[torn])
    two.add("c")
    assert read(two.journal).startswith(before)
    assert sorted(two.ids()) == ["a", "b", "c"]
    assert len(lines_of(two.journal)) == 3


@pytest.mark.parametrize("torn", sorted(TORN))
def test_a_worker_cuts_what_a_crash_left(two, torn):
    worker = two.worker()
    before = read(two.journal)
    two.append(TORN[torn])
    assert two.claim(worker).id == "a"
    assert read(two.journal).startswith(before)
    assert len(lines_of(two.journal)) == 3


@pytest.mark.parametrize("torn", sorted(TORN))
def test_who_only_reads_ignores_what_a_crash_left_and_leaves_it(two, torn):
    two.append(TORN[torn])
    before = read(two.journal)
    assert two.ids() == ["a", "b"]
    assert two.store.counts() == {"default": {"pending": 2}}
    assert two.find("b").id == "b"
    assert read(two.journal) == before


@pytest.mark.parametrize("torn", sorted(TORN))
def test_a_lookup_does_not_find_what_never_was_stored(two, torn):
    two.append(TORN[torn])
    assert two.states() == {"a": "pending", "b": "pending"}
    for id in ("torn", "x", "y", "z"):
        assert two.store._read(lambda snapshot: snapshot.find(id)) is None


@pytest.mark.parametrize("last", [["c"], ["c", "d", "e"]])
def test_a_line_that_lacks_only_its_newline_gets_it(two, last):
    two.append(b"".join(batch(*last))[:-1])
    two.add("z")
    assert sorted(two.ids()) == ["a", "b"] + last + ["z"]


def test_a_journal_cut_anywhere_loses_only_what_was_cut(here):
    here.store.add([job(id) for id in ("a", "b", "c")])
    whole = read(here.journal)
    here.add("d")
    data = read(here.journal)
    for end in range(2 * header.PAGE, len(data), 7):
        write(here.journal, data[:end])
        entries, _ = reopened(here).news(2 * header.PAGE, locked=True)
        assert ids_in(entries) == (["a", "b", "c"] if end >= len(whole) - 1 else []), end


@pytest.mark.parametrize("garbage", [b"garbage\n", b"\0" * 100 + b"\n", b"{}\n", b"\n", b'{"id":"a"}\n'])
def test_a_bad_line_that_ends_in_a_newline_is_damage_and_nothing_is_touched(two, garbage):
    place = os.path.getsize(two.journal)
    two.append(garbage)
    before = read(two.journal)
    actions = [lambda: two.add("c"), lambda: two.claim(two.worker()), lambda: two.store.remove(["a"]), two.ids, two.roll,
               two.store.counts, lambda: two.bulk([job("d"), job("e")])]
    for action in actions:
        with pytest.raises(StoreDamaged, match="jobs.jsonl: the line at byte %d " % place):
            action()
    assert read(two.journal) == before


def test_a_flipped_bit_in_the_middle_is_damage_and_nothing_is_touched(two):
    two.flip(two.journal, 2 * header.PAGE + 30)
    before = read(two.journal)
    for action in (two.ids, two.roll, two.store.counts, lambda: two.claim(two.worker())):
        with pytest.raises(StoreDamaged, match="byte %d " % (2 * header.PAGE)):
            action()
    assert read(two.journal) == before


@pytest.mark.parametrize("place", [0, 20, 4000])
def test_a_flipped_bit_in_the_header_is_damage(two, place):
    two.flip(two.journal, place)
    with pytest.raises(StoreDamaged, match="jobs.jsonl: the header at byte 0 is damaged"):
        two.add("c")


def test_an_empty_journal_file_is_damage_and_not_an_empty_store(two):
    write(two.journal, b"")
    with pytest.raises(StoreDamaged):
        two.ids()


def test_a_replaced_file_is_noticed(two):
    live = reopened(two)
    assert not live.refresh()
    two.roll()
    assert live.refresh()
    assert live.header.generation == 2


def test_growth_is_noticed_and_read_once(two):
    live = reopened(two)
    entries, end = live.news(live.body, locked=False)
    assert ids_in(entries) == ["a", "b"]
    two.add("c")
    live.refresh()
    assert ids_in(live.news(end, locked=False)[0]) == ["c"]


def test_a_long_last_line_is_checked_whole(two):
    two.add("long", command="x" * 100000)
    two.flip(two.journal, -90000)
    with pytest.raises(StoreDamaged):
        two.add("c")


def test_a_place_of_arrival_is_never_given_twice(here):
    orders = []
    for round in range(3):
        orders += [each.order for each in here.add("a%d" % round, "b%d" % round)]
        here.bulk([job("c%d" % round), job("d%d" % round), job("e%d" % round)])
        orders += [here.find("%s%d" % (letter, round)).order for letter in "cde"]
        here.roll()
    assert orders == sorted(set(orders))


def test_a_batch_arrives_when_it_began_and_keeps_its_order(here):
    """Others may store while it is written: they do not come between its jobs."""
    def slowly():
        yield job("b0")
        here.add("x")
        yield job("b1")
        yield job("b2")
    here.add("a")
    here.bulk(slowly())
    here.add("z")
    orders = {name: here.find(name).order for name in ("a", "b0", "b1", "b2", "x", "z")}
    assert orders["a"] < orders["b0"] < orders["b1"] < orders["b2"] < orders["z"]
    assert orders["x"] <= orders["b0"] and orders["a"] < orders["x"]


def test_only_news_ask_for_a_roll(here, rollers, monkeypatch):
    monkeypatch.setattr(journal, "BOUND", 2000)
    here.add("a")
    assert rollers == []
    here.add(*"bcdefgh")
    assert rollers == [here.root]
    here.roll()
    here.add("i")
    assert rollers == [here.root]


def test_what_a_roll_carried_over_is_not_news(here, rollers, monkeypatch):
    monkeypatch.setattr(journal, "BOUND", 2000)
    here.add(*"abcdefgh")
    worker = here.worker()
    for _ in range(8):
        here.claim(worker)
    here.roll()
    assert os.path.getsize(here.journal) > 2 * header.PAGE + 2000
    del rollers[:]
    here.add("i")
    assert rollers == []


@pytest.mark.parametrize("torn", sorted(TORN))
def test_places_of_arrival_rise_after_a_repair_too(two, torn):
    two.append(TORN[torn])
    stored = [two.store.add([job()])[0] for _ in range(3)]
    assert [each.order for each in stored] == sorted(each.order for each in stored)
    assert two.ids() == ["a", "b"] + [each.id for each in stored]
