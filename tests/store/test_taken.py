"""Of a whole group of ids those that jobs have are found, wherever those are; and nothing slips in before the write."""

import os

import pytest

from queuectl_lib.store import index, segment, store
from queuectl_lib.store.taken import look_for
from queuectl_lib.words.errors import DuplicateJob, StoreDamaged
from tests.store.stores import job, many


def names(*prefixes, count=100):
    return ["%s-%03d" % (prefix, number) for prefix in prefixes for number in range(count)]


@pytest.fixture
def filled(here):
    """Ids in a batch's segment, in one of a roll, finished ones, in the journal; and some that were removed."""
    here.bulk(many(100, "batch"))
    here.store.add(list(many(100, "rolled")))
    here.roll()
    here.run(*names("batch", count=10))
    here.roll()
    here.store.add(list(many(100, "new")))
    here.store.remove(["batch-050", "rolled-050", "new-050"])
    return here


@pytest.mark.parametrize("count", [1, 100])
def test_all_that_are_there_are_found_and_no_others(filled, count):
    there = names("batch", "rolled", "new", count=count)
    _, found = look_for(filled.store, names("absent", count=count) + there)
    assert found == set(there) - {"batch-050", "rolled-050", "new-050"}


def test_without_an_index_they_are_found_as_well(filled):
    for path in filled.indexes():
        os.unlink(path)
    _, found = look_for(filled.store, names("batch", "absent"))
    assert found == set(names("batch")) - {"batch-050"}


@pytest.mark.parametrize("count", [1, 100])
def test_damage_is_told_by_the_file_that_it_is_in(filled, count):
    path = next(path for path in filled.segment_files() if b'{"id":"batch-060"' in content(path))
    with open(path, "r+b") as file:
        file.seek(content(path).index(b'"command"', content(path).index(b'{"id":"batch-060"')))
        file.write(b'"COMMAND"')
    with pytest.raises(StoreDamaged, match=path):
        look_for(filled.store, ["batch-060"] + names("absent", count=count))


def content(path):
    with open(path, "rb") as file:
        return file.read()


def test_when_a_roll_removes_an_index_it_looks_once_more(filled, monkeypatch):
    looks = []
    look, holding = store.Store.look, segment.Reader.holding

    def overtaken(self, hashes):
        monkeypatch.setattr(segment.Reader, "holding", holding)
        filled.roll()
        raise index.Useless(self.path)
    monkeypatch.setattr(segment.Reader, "holding", overtaken)
    monkeypatch.setattr(store.Store, "look", lambda self: looks.append(1) or look(self))
    _, found = look_for(filled.store, names("batch", "rolled", "absent"))
    assert found == set(names("batch", "rolled")) - {"batch-050", "rolled-050"}
    assert len(looks) == 2


def add_between(here, ids, *steps):
    """Add these after a look, with something done in between."""
    look, found = look_for(here.store, ids)
    assert not found
    for step in steps:
        step()
    return [each.id for each in here.store.add([job(id) for id in ids], looked=look)]


def test_what_a_look_did_not_find_is_added(filled):
    ids = names("more", "batch2")
    assert add_between(filled, ids) == ids
    assert set(ids) <= set(filled.ids())


@pytest.mark.parametrize("come", [
    lambda here: here.add("more-003"), lambda here: here.bulk([job("more-003"), job("z")]),
    lambda here: (here.add("more-003"), here.roll()), lambda here: (here.add("x"), here.add("more-003"), here.add("y")),
], ids=["alone", "in a batch", "and a roll", "among others"])
def test_what_came_after_the_look_is_refused(filled, come):
    with pytest.raises(DuplicateJob, match="more-003 is already there"):
        add_between(filled, names("more"), lambda: come(filled))


@pytest.mark.parametrize("come", [lambda here: here.add("other"), lambda here: here.roll(), lambda here: here.bulk(many(5, "other"))],
                         ids=["another", "a roll", "a batch"])
def test_what_else_came_is_no_obstacle(filled, come):
    assert add_between(filled, names("more"), lambda: come(filled)) == names("more")
