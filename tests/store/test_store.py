"""The verbs of a store: what they promise, and what they refuse."""

import os
import shutil

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import changing, disk, header, store
from queuectl_lib.words.errors import (DiskFull, DuplicateJob, NewerFormat, NotDone, QueuectlError, StoreError,
                                       StoreUnwritable, UnknownJob)
from tests.store.stores import FAILURE, Here, in_child, job, kill_myself, many, read, write


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "store")


def tree(root):
    """Every file below a directory with its bytes and the time it was changed."""
    return {os.path.join(folder, name): (read(os.path.join(folder, name)), os.stat(os.path.join(folder, name)).st_mtime_ns)
            for folder, _, names in os.walk(root) for name in names}


def test_the_first_command_that_writes_makes_the_store_private(here):
    assert os.stat(here.root).st_mode & 0o777 == 0o700
    for folder, _, names in os.walk(here.root):
        assert [name for name in names if os.stat(os.path.join(folder, name)).st_mode & 0o777 != 0o600] == []


def test_a_store_that_is_not_there_is_read_as_an_empty_one(root):
    absent = store.open_store(root)
    assert not absent.exists
    assert absent.counts() == {}
    assert list(absent.jobs()) == []
    with pytest.raises(UnknownJob):
        absent.find("a")
    assert not os.path.exists(root)


def test_what_writes_needs_a_store(root):
    absent = store.open_store(root, write=True)
    with pytest.raises(StoreError, match="there is no store at .*: enqueue a job"):
        absent.add([job("a")])
    assert not os.path.exists(root)


@pytest.mark.parametrize("create", [False, True])
def test_a_file_is_no_store(root, create):
    write(root, b"not a directory")
    with pytest.raises(StoreError, match="is (there and is )?not a directory"):
        store.open_store(root, create=create)


def test_a_directory_without_a_journal_becomes_a_store(root):
    os.mkdir(root, 0o700)
    Here(root).add("a")
    assert store.open_store(root).find("a").id == "a"


@pytest.mark.parametrize("create", [False, True])
def test_a_store_that_others_may_write_is_refused_for_writing_and_can_be_read(here, create):
    here.add("a")
    os.chmod(here.root, 0o777)
    with pytest.raises(StoreUnwritable, match="may be written by others"):
        store.open_store(here.root, create=create, write=True)
    assert store.open_store(here.root).find("a").id == "a"
    os.chmod(here.root, 0o700)


def test_an_empty_directory_that_others_may_write_is_not_made_a_store(root):
    os.mkdir(root)
    os.chmod(root, 0o777)
    with pytest.raises(StoreUnwritable):
        store.open_store(root, create=True, write=True)
    assert not os.path.exists(os.path.join(root, "jobs.jsonl"))


def test_a_store_of_another_user_is_refused_for_writing_and_can_be_read(here, monkeypatch):
    here.add("a")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(StoreUnwritable, match="belongs to user"):
        store.open_store(here.root, write=True)
    assert store.open_store(here.root).find("a").id == "a"


def test_two_first_commands_at_once_make_one_store(root):
    def add(id):
        Here(root).add(id)
    children = []
    for number in range(6):
        pid = os.fork()
        if pid == 0:
            os._exit(in_child(lambda: add("job-%d" % number)))
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
    assert {each.id for each in store.open_store(root).jobs()} == {"job-%d" % number for number in range(6)}


def test_reading_writes_nothing_and_takes_no_lock(here):
    here.bulk(many(5))
    here.add("a")
    here.run("job-000")
    here.roll()
    here.append(b'{"id":"torn')
    before = tree(here.root)
    with here.opened().lock():
        reader = store.open_store(here.root)
        assert len(list(reader.jobs())) == 6
        assert reader.counts() == {"default": {"pending": 5, "completed": 1}}
        assert reader.find("job-003").state == "pending"
        assert reader.config.max_retries == 3
    assert tree(here.root) == before


def test_added_jobs_come_back_as_they_were_stored(here):
    stored = here.store.add([job("a"), job(), job("c", priority=-1)])
    assert [each.id for each in stored][::2] == ["a", "c"]
    assert len(stored[1].id) == 16
    for each in stored:
        assert here.find(each.id) == each


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("ids", [["twin"], ["new", "twin"], ["new", "new"], ["new", "other", "twin", "more"]])
def test_a_duplicate_stores_none_of_its_batch(here, rolled, ids):
    here.add("twin")
    here.run("twin")
    if rolled:
        here.roll()
    before = read(here.journal)
    with pytest.raises(DuplicateJob, match="twin|new"):
        here.add(*ids)
    assert read(here.journal) == before


def test_an_id_is_not_taken_for_another_that_begins_or_ends_alike(here):
    here.add("job", "job-1", "a.job")
    here.roll()
    here.add("job-", "jo", "b", command='echo \'"id":"job-2"\' \'{"id":"job-2",\'')
    for id in ("job-2", "j", "ob", "a", "JOB"):
        with pytest.raises(UnknownJob, match="no job has the id %s" % id):
            here.find(id)


def test_what_was_acknowledged_was_synced_before(here, monkeypatch):
    told = []
    append, sync = disk.append, disk.sync
    monkeypatch.setattr(disk, "append", lambda *args: (told.append("append"), append(*args))[1])
    monkeypatch.setattr(disk, "sync", lambda fd, path: (told.append("sync"), sync(fd, path))[1])
    here.add("a", "b")
    here.store.change(["a"], lambda old: old._replace(priority=1))
    assert told == ["append", "sync"] * 2
    here.store._config = here.store.config._replace(durability="fast")
    here.add("c")
    assert told[4:] == ["append"]


def test_nobody_waits_for_a_sync(here, monkeypatch):
    """The store lock is free by then."""
    sync = disk.sync

    def sync_while_others_write(fd, path):
        monkeypatch.setattr(disk, "sync", sync)
        Here(here.root).add("other")
        sync(fd, path)
    monkeypatch.setattr(disk, "sync", sync_while_others_write)
    here.add("a")
    assert sorted(here.ids()) == ["a", "other"]


@pytest.mark.parametrize("step", ["append", "sync"])
def test_killed_while_adding_all_or_none_are_stored(here, monkeypatch, step):
    here.add("old")
    with monkeypatch.context() as patch:
        patch.setattr(disk, step, kill_myself)
        assert in_child(lambda: Here(here.root).add("a", "b", "c")) == -9
    assert here.ids() == {"append": ["old"], "sync": ["old", "a", "b", "c"]}[step]


def test_a_batch_torn_anywhere_stores_none_of_it(here):
    here.add("old")
    before = os.path.getsize(here.journal)
    here.add(*"abcdef")
    whole = read(here.journal)
    for end in range(before, len(whole) - 1, 97):
        write(here.journal, whole[:end])
        assert here.ids() == ["old"]
    write(here.journal, whole[:-1])
    here.add("new")
    assert here.ids() == ["old"] + list("abcdef") + ["new"]


def test_a_full_disk_changes_nothing(here, monkeypatch):
    here.add("a")
    before = read(here.journal)
    monkeypatch.setattr(disk, "write_all", write_some)
    for action in (lambda: here.add("b"), lambda: here.store.change(["a"], lambda old: old), lambda: here.store.remove(["a"])):
        with pytest.raises(DiskFull, match="jobs.jsonl: no room"):
            action()
    assert read(here.journal) == before


def write_some(fd, data):
    """What a full disk does: some of it is written."""
    os.write(fd, data[:50])
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("rolled", [False, True])
def test_a_change_is_all_or_nothing(here, rolled):
    here.add("dead", "alive", max_retries=0, priority=-1)
    here.run("dead", outcome=FAILURE)
    if rolled:
        here.roll()
    before = here.states()
    with pytest.raises(NotDone, match="alive"):
        here.store.change(["dead", "alive"], lambda old: lifecycle.retry(old, here.now))
    with pytest.raises(UnknownJob, match="absent"):
        here.store.change(["dead", "absent"], lambda old: lifecycle.retry(old, here.now))
    assert here.states() == before
    assert [each.state for each in here.store.change(["dead"], lambda old: lifecycle.retry(old, here.now)).jobs] == ["pending"]


def test_an_id_named_twice_is_changed_once(here):
    here.add("a")
    assert len(here.store.change(["a", "a"], lambda old: old._replace(priority=old.priority + 1)).jobs) == 1
    assert here.find("a").priority == 1


def test_thousands_are_changed_and_removed_in_groups(here, monkeypatch):
    monkeypatch.setattr(changing, "GROUP", 50)
    ids = here.bulk(many(220))
    here.store.change(ids, lambda old: old._replace(state="dead"))
    assert here.store.counts() == {"default": {"dead": 220}}
    here.roll()
    here.store.remove(ids)
    assert here.store.counts() == {}
    here.roll()
    assert here.ids() == []


@pytest.mark.parametrize("rolled", [False, True])
def test_a_removed_job_is_gone_with_its_output(here, rolled):
    here.add("a", "b", max_retries=0)
    paths = here.store.paths
    for id in "ab":
        write(paths.output_file(id, 1, "out"), b"much")
    here.store.change(["a", "b"], lambda old: old._replace(state="dead", stdout_file="output/%s.1.out" % old.id))
    if rolled:
        here.roll()
    assert [each.id for each in here.store.remove(["a"]).jobs] == ["a"]
    with pytest.raises(UnknownJob):
        here.find("a")
    assert here.files("output") == ["b.1.out"]
    assert here.store.counts() == {"default": {"dead": 1}}
    here.add("a")
    assert here.find("a").state == "pending"


def test_removing_can_be_refused(here):
    def refuse(old):
        raise NotDone("job %s is not dead" % old.id)
    here.add("a")
    with pytest.raises(NotDone):
        here.store.remove(["a"], refuse)
    assert here.ids() == ["a"]


def test_a_flipped_bit_in_the_format_is_no_newer_store(here):
    """It is damage: of such a store everything is still to be had that does not need its first line, and the repair first of all."""
    here.add("a")
    here.flip(here.journal, len('{"queuectl":'), bit=1)
    with here.opened().lock():
        pass


def test_a_store_of_a_newer_format_is_neither_opened_nor_locked(here, monkeypatch):
    here.add("a")
    monkeypatch.setattr(header, "FORMAT", header.FORMAT - 1)
    with pytest.raises(NewerFormat):
        here.opened()
    with pytest.raises(NewerFormat):
        here.store.lock()


def test_a_store_that_was_removed_meanwhile_is_an_error_and_not_made_anew(here):
    opened = here.opened()
    shutil.rmtree(here.root)
    for action in (lambda: opened.add([job("a")]), lambda: opened.change(["a"], lambda old: old)):
        with pytest.raises(StoreError, match="not there any more"):
            action()
    assert not os.path.exists(here.root)


def test_counts_cost_the_same_whatever_they_count(here, monkeypatch):
    here.bulk(many(3000))
    here.roll()
    asked = []
    pread = disk.pread
    monkeypatch.setattr(disk, "pread", lambda fd, count, offset: asked.append(count) or pread(fd, count, offset))
    assert here.store.counts() == {"default": {"pending": 3000}}
    assert here.find("job-2999").id == "job-2999"
    assert sum(asked) < 50000


def test_line_breaks_and_odd_bytes_do_not_break_lines(here):
    odd = "echo '\n\r\u2028\x85\x0b' \udcff"
    here.add("a", "b", command=odd)
    assert here.find("a").command == odd
    here.roll()
    assert here.find("b").command == odd
    assert here.ids() == ["a", "b"]


def open_files():
    return sorted(os.readlink("/proc/self/fd/" + number) for number in os.listdir("/proc/self/fd")
                  if os.path.exists("/proc/self/fd/" + number))


def quietly(action):
    try:
        action()
    except QueuectlError:
        pass


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only /proc tells what is open")
@pytest.mark.parametrize("action", [
    lambda here: list(here.store.jobs()), lambda here: next(here.store.jobs()), lambda here: here.store.jobs(),
    lambda here: here.store.find("a"), lambda here: here.store.find("absent"), lambda here: here.store.counts(),
    lambda here: here.add("a"), lambda here: here.add(None), lambda here: here.bulk([job(), job()]),
    lambda here: here.bulk([job(), job("a")]), lambda here: here.store.change(["a", "b"], lambda old: old),
    lambda here: here.store.change(["absent"], lambda old: old), lambda here: here.roll(), lambda here: here.opened().add([job()]),
])
def test_no_verb_leaves_a_file_open(here, action):
    here.bulk(many(5))
    here.add("a", "b")
    quietly(lambda: action(here))
    before = open_files()
    for _ in range(3):
        quietly(lambda: action(here))
    assert len(open_files()) == len(before)


def test_jobs_that_cannot_be_changed_are_left_out_where_somebody_is_told(here, monkeypatch):
    monkeypatch.setattr(changing, "GROUP", 2)
    here.add("a", "b", "c", "d")
    here.store.change(["b"], lambda job: lifecycle.hold(job, here.now))
    refused = {}
    changed = here.store.change(["a", "b", "unknown", "c", "d"], lambda job: lifecycle.hold(job, here.now),
                                lambda id, error: refused.update({id: str(error)}))
    assert [each.id for each in changed.jobs] == ["a", "c", "d"]
    assert sorted(refused) == ["b", "unknown"] and "held already" in refused["b"]
    assert all(here.find(id).held for id in "abcd")


def test_an_id_that_stands_twice_in_a_small_batch_is_named_as_that(here):
    with pytest.raises(DuplicateJob, match="the id a stands twice in this batch"):
        here.store.add([job("a"), job("b"), job("a")])
    assert here.store.counts() == {}


def test_a_disk_that_does_not_answer_is_not_taken_for_an_empty_store(here, monkeypatch):
    here.add("a")
    real = os.stat

    def stat(path, **more):
        if path == here.store.paths.jobs:
            raise OSError(5, "Input/output error", path)
        return real(path, **more)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", stat)
        with pytest.raises(OSError):
            here.opened()
    assert here.ids() == ["a"]
