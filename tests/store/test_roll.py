"""Rolling moves jobs to segments while everybody goes on, and can be killed at any moment."""

import os
import time

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, header, journal, line, locking, paths, roll, roller, suspicion
from queuectl_lib.words.errors import DiskFull, StoreError, UnknownJob
from tests.store.stores import FAILURE, in_child, job, kill_myself, many, read


def some_of_everything(here):
    """A store with a job in every state, some of them in segments already."""
    here.bulk(many(6, "bulk"))
    here.roll()
    here.add("done", "dead", "failed", max_retries=0, priority=-5)
    here.run("done")
    here.run("dead", outcome=FAILURE)
    here.store.change(["failed"], lambda old: old._replace(max_retries=3))
    here.run("failed", outcome=FAILURE)
    here.run("bulk-000", "bulk-001")
    here.add("gone", priority=-9, max_retries=0)
    here.run("gone", outcome=FAILURE)
    here.store.remove(["gone"])
    here.add("new", "running", priority=-1)
    here.add_in(60, "late")
    here.store.change(["running"], lambda old: old._replace(priority=-2))
    worker = here.worker("5.e")
    assert here.claim(worker).id == "running"
    return worker


def everything(here):
    """All jobs as lists show them, and as lookups do."""
    jobs = list(here.opened().jobs())
    for each in jobs:
        assert here.find(each.id) == each
    return jobs


@pytest.mark.parametrize("rolls", [1, 2, 5])
def test_a_roll_changes_nothing_that_can_be_seen(here, rolls):
    worker = some_of_everything(here)
    jobs, counts = everything(here), here.store.counts()
    for _ in range(rolls):
        here.roll()
        assert everything(here) == jobs
        assert here.store.counts() == counts
        with pytest.raises(UnknownJob):
            here.find("gone")
    (running,) = worker.running()
    assert here.finish(worker, running)
    here.pass_time(120)
    assert here.run_order() == ["failed", "new", "bulk-002", "bulk-003", "bulk-004", "bulk-005", "late"]


def test_what_waits_goes_to_base_what_has_ended_to_the_archive_and_what_runs_stays(here):
    here.add("waits", "ended", "runs")
    here.store.change(["ended", "runs"], lambda old: old._replace(priority={"ended": -2, "runs": -1}[old.id]))
    here.run("ended")
    here.claim(here.worker())
    here.roll()
    kinds = {each.kind: each for each in here.segments()}
    assert {section.kind for section in kinds["base"].sections} == {"ready"}
    assert {section.kind for section in kinds["archive"].sections} == {"completed"}
    assert b'"runs"' in read(here.journal) and b'"waits"' not in read(here.journal)


def test_the_journal_is_short_after_a_roll(here):
    here.add(*("job-%d" % number for number in range(500)))
    here.roll()
    assert os.path.getsize(here.journal) <= 4 * header.PAGE


def test_a_roll_with_too_little_news_is_left_undone(here):
    here.add("a")
    before = read(here.journal)
    assert roll.roll(here.store) is False
    assert read(here.journal) == before


def test_a_roll_is_done_when_there_is_enough_news(here, monkeypatch):
    monkeypatch.setattr(journal, "BOUND", 500)
    here.add("a", "b")
    assert roll.roll(here.store) is True
    assert roll.roll(here.store) is False


def test_while_one_process_rolls_another_leaves_it_to_it(here, monkeypatch):
    here.add("a")
    results = []
    carry = roll._Roll._carry
    monkeypatch.setattr(roll._Roll, "_carry", lambda self: (results.append(roll.roll(here.opened(), True)), carry(self)))
    assert roll.roll(here.store, True) is True
    assert results == [False]


def test_no_line_is_looked_at_while_others_wait_for_the_lock_but_the_last(here, monkeypatch):
    here.add(*("job-%d" % number for number in range(50)))
    held = []
    checked = []
    original = line.zlib.crc32
    monkeypatch.setattr(locking.Held, "__enter__", lambda self, enter=locking.Held.__enter__: (enter(self), held.append(self))[0])
    monkeypatch.setattr(locking.Held, "__exit__", lambda self, *how, leave=locking.Held.__exit__: (held.pop(), leave(self, *how))[1])
    monkeypatch.setattr(line.zlib, "crc32", lambda *data: (checked.append(bool(held)), original(*data))[1])
    here.roll()
    assert checked.count(False) > 50
    assert checked.count(True) < 10


def test_nothing_is_rolled_twice_into_the_same_name(here):
    names = set()
    for number in range(5):
        here.add("job-%d" % number)
        here.roll()
        here.run("job-%d" % number)
        here.roll()
        fresh = {each.name for each in here.segments()} - names
        assert fresh
        names |= fresh


MEANWHILE = {
    "a job is added": lambda here: here.add("fresh"),
    "a batch joins": lambda here: here.bulk(many(5, "fresh")),
    "a job is claimed": lambda here: here.claim(here.worker("7.g")),
    "a job is claimed and ends": lambda here: here.run("ready"),
    "a job of a segment is changed": lambda here: here.store.change(["old-003"], lambda old: old._replace(priority=7)),
    "a running job ends": lambda here: here.finish(here.desk, here.running),
    "a dead job is retried": lambda here: here.store.change(["dead"], lambda old: lifecycle.retry(old, here.now)),
    "a dead job is removed": lambda here: here.store.remove(["dead"]),
    "an archived job is removed": lambda here: here.store.remove(["archived"]),
    "much is written": lambda here: here.add(*("much-%03d" % number for number in range(100))),
}
MOMENTS = ["_sort_out", "_write_segments", "_carry", "_copy_tail", "_tidy"]


@pytest.fixture
def busy(here):
    """Jobs in segments and in the journal, one of them running."""
    here.add("archived", "dead", priority=-7, max_retries=0)
    here.run("archived")
    here.bulk(many(5, "old"))
    here.roll()
    here.run("dead", outcome=FAILURE)
    here.add("runs", priority=-9)
    here.desk = here.worker("5.e")
    here.running = here.claim(here.desk)
    here.add("ready", priority=-5)
    here.pass_time(1)
    return here


@pytest.mark.parametrize("meanwhile", sorted(MEANWHILE))
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_others_do_during_a_roll_is_kept(busy, monkeypatch, meanwhile, moment):
    seen = []
    step = getattr(roll._Roll, moment)

    def with_others(self):
        step(self)
        if not seen:
            MEANWHILE[meanwhile](busy)
            seen.append((everything(busy), busy.store.counts()))
    monkeypatch.setattr(roll._Roll, moment, with_others)
    for _ in range(2):
        busy.roll()
        assert (everything(busy), busy.store.counts()) == seen[0]
    waiting = [each.id for each in busy.opened().jobs({"pending", "failed"})]
    assert busy.run_order() == waiting


STEPS = {
    "the lock for the first look": ("queuectl_lib.store.roll._Roll", "_begin"),
    "sorting out": ("queuectl_lib.store.roll._Roll", "_sort_out"),
    "the first line of a segment": ("queuectl_lib.store.new_segment.Writer", "add"),
    "the end of a segment": ("queuectl_lib.store.new_segment.Writer", "finish"),
    "its index": ("queuectl_lib.store.index.Builder", "write"),
    "the first sync": ("queuectl_lib.store.disk", "sync"),
    "the directory's sync": ("queuectl_lib.store.disk", "sync_directory"),
    "carrying over": ("queuectl_lib.store.roll._Roll", "_carry"),
    "copying the rest": ("queuectl_lib.store.roll._Roll", "_copy_tail"),
    "the lock for the last look": ("queuectl_lib.store.roll._Roll", "_commit"),
    "the header": ("queuectl_lib.store.header", "encode"),
    "the rename": ("queuectl_lib.store.disk", "replace"),
    "tidying up": ("queuectl_lib.store.roll._Roll", "_tidy"),
    "the first removal": ("queuectl_lib.store.disk", "remove"),
}


@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_it_leaves_the_store_whole_and_the_next_roll_tidies_up(here, monkeypatch, step, after):
    some_of_everything(here)
    jobs, counts = everything(here), here.store.counts()
    owner, name = STEPS[step]
    with monkeypatch.context() as patch:
        kill_at(patch, owner, name, after)
        assert in_child(lambda: roll.roll(here.opened(), True)) == -9
    assert everything(here) == jobs
    here.add("afterwards")
    here.roll()
    assert [each for each in everything(here) if each.id != "afterwards"] == jobs
    here.store.remove(["afterwards"])
    assert here.store.counts() == counts
    assert_only_named_files(here)


def test_who_is_killed_as_it_moves_an_archive_keeps_nobody_from_moving_it(here, monkeypatch):
    here.add("a")
    here.run("a")
    jobs = everything(here)
    replace = disk.replace

    def killed_after(source, target):
        replace(source, target)
        if target.startswith(here.store.paths.archive):
            kill_myself()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace", killed_after)
        assert in_child(lambda: roll.roll(here.opened(), True)) == -9
    assert everything(here) == jobs
    here.roll()
    assert everything(here) == jobs and here.files("base") == []
    assert_only_named_files(here)


def kill_at(patch, owner, name, after):
    """Make a function kill its process when it is called, or when it has done its work."""
    place = "%s.%s" % (owner, name)
    if not after:
        patch.setattr(place, kill_myself)
        return
    module, _, last = owner.rpartition(".")
    holder = getattr(__import__(module, fromlist=[last]), last)
    original = getattr(holder, name)
    patch.setattr(place, lambda *args, **named: (original(*args, **named), kill_myself()))


def assert_only_named_files(here):
    named = sorted(each.name + ".jsonl" for each in here.segments())
    assert sorted(here.files("base") + here.files("archive")) == named
    assert sorted(here.indexes()) == sorted(paths.index_of(path) for path in here.segment_files())
    assert not os.path.exists(here.store.paths.new_jobs)


def test_after_a_roll_only_files_that_are_named_are_there(here):
    some_of_everything(here)
    for _ in range(4):
        here.roll()
        here.add()
        assert_only_named_files(here)


def test_everything_is_on_the_medium_before_the_rename_and_the_rename_before_the_old_is_removed(here, monkeypatch):
    some_of_everything(here)
    told = []

    def tell(name, place):
        original = getattr(disk, name)
        monkeypatch.setattr(disk, name, lambda *args: (told.append((name, args[place])), original(*args))[1])
    for name, place in (("sync", 1), ("sync_directory", 0), ("replace", 1), ("remove", 0)):
        tell(name, place)
    here.roll()
    rename = told.index(("replace", here.journal))
    before, after = told[:rename], told[rename + 1:]
    written = [here.store.paths.segment(each.name) for each in here.segments()]
    assert ("sync", here.store.paths.new_jobs) in before
    assert ("sync_directory", here.store.paths.base) in before
    assert [place for name, place in before if name == "sync" and place in written]
    assert after[0] == ("sync_directory", here.root)


def test_a_reader_that_meets_a_roll_finds_everything(here, monkeypatch):
    """The journal is read, then its segments are gone."""
    some_of_everything(here)
    jobs = everything(here)
    original = roll.segment.Reader.__init__
    left = [2]

    def roll_first(self, *args):
        if left[0]:
            left[0] -= 1
            monkeypatch.setattr(roll.segment.Reader, "__init__", original)
            merge_all(here, monkeypatch)
            monkeypatch.setattr(roll.segment.Reader, "__init__", roll_first)
        original(self, *args)
    monkeypatch.setattr(roll.segment.Reader, "__init__", roll_first)
    assert list(here.opened().jobs()) == jobs
    left[0] = 2
    assert here.find("bulk-003").id == "bulk-003"


def merge_all(here, monkeypatch):
    """A roll that replaces every base segment."""
    monkeypatch.setattr("queuectl_lib.store.compact.ALIKE", {"base": 1, "archive": 1})
    here.roll()


def test_after_a_failed_sync_whoever_writes_next_builds_new_files_first(here, monkeypatch):
    here.add("a")

    def fail(fd, path):
        raise StoreError("could not be synced")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync", fail)
        with pytest.raises(StoreError):
            here.add("b")
    before = os.stat(here.journal).st_ino
    assert here.find("b").id == "b"
    assert os.path.exists(here.store.paths.suspect) is False
    assert os.stat(here.journal).st_ino != before
    assert here.ids() == ["a", "b"]


def test_the_roller_is_a_process_of_its_own(here):
    here.add(*("job-%02d" % number for number in range(30)), command="x" * 100000)
    pid = roller.start_roller(here.store.paths)
    assert os.waitpid(pid, 0)[1] == 0
    assert here.files("base") == ["00000001.jsonl"]
    assert len(here.ids()) == 30


def test_the_roller_of_a_suspect_store_does_not_wait_for_itself(here):
    here.add("a")
    suspicion.mark(here.store.paths)
    pid = roller.start_roller(here.store.paths)
    assert os.waitpid(pid, 0)[1] == 0
    assert not os.path.exists(here.store.paths.suspect)


def test_where_one_rolls_no_other_process_is_started(here):
    fd = disk.open_private(here.store.paths.roll_lock, os.O_RDWR | os.O_CREAT)
    assert locking.try_lock(fd)
    assert roller.start_roller(here.store.paths) is None
    os.close(fd)


def test_finished_jobs_lie_behind_their_earlier_lines_for_grep(here):
    here.bulk(many(3))
    here.run("job-000")
    here.roll()
    archives = [each for each in here.segments() if each.kind == "archive"]
    assert os.path.exists(here.store.paths.base + "/" + archives[0].name + ".jsonl")
    here.run("job-001", "job-002")
    here.roll()
    assert here.files("base") == []
    assert len(here.files("archive")) == 2


def test_lines_are_copied_byte_for_byte(here):
    here.add("a", command="echo ü \udcff")
    (before,) = [each for each in read(here.journal).split(b"\n") if each.startswith(b'{"id"')]
    here.roll()
    assert read(here.segment_files()[0]) == before + b"\n"
    assert line.is_whole(before)


def test_an_id_is_free_again_after_its_job_was_removed_and_rolled(here):
    here.add("a", max_retries=0)
    here.run("a", outcome=FAILURE)
    here.roll()
    here.store.remove(["a"])
    here.roll()
    here.store.add([job("a")])
    here.roll()
    assert here.states() == {"a": "pending"}


def test_what_others_wrote_meanwhile_is_rolled_at_once_when_it_is_much(here, monkeypatch):
    monkeypatch.setattr(journal, "BOUND", 2000)
    here.add(*("early-%d" % number for number in range(10)))
    late = iter(["late-%d" % number for number in range(10)])
    carry = roll._Roll._carry
    monkeypatch.setattr(roll._Roll, "_carry", lambda self: (carry(self), here.add(*late)))
    assert roll.roll(here.store)
    assert b'"late-' not in read(here.journal)
    assert len(here.ids()) == 20


def test_segments_are_told_oldest_first_whether_they_joined_or_were_rolled(here):
    for number in range(6):
        here.bulk(many(3, "batch-%d" % number))
        if number == 2:
            here.roll()
        names = [each.name for each in here.segments()]
        assert len(names) == number + 1 and names == sorted(names)


def test_half_a_batch_that_is_cut_while_the_rest_is_copied_is_not_copied(here, monkeypatch):
    """Who was killed in mid-write left it; the next writer cuts it, and writes where it stood."""
    here.add("early")
    carry, copy_tail = roll._Roll._carry, roll._Roll._copy_tail

    def then_much_and_a_torn_line(self):
        carry(self)
        here.add(*("much-%02d" % number for number in range(80)), command="x" * 1000)
        here.append(b'{"id":"torn","state":"pending","was":null,' + b"x" * 300)

    def then_another_writer(self):
        copy_tail(self)
        here.add("late", command="y" * 1000)
    monkeypatch.setattr(roll._Roll, "_carry", then_much_and_a_torn_line)
    monkeypatch.setattr(roll._Roll, "_copy_tail", then_another_writer)
    here.roll()
    assert sorted(each.id for each in everything(here)) == ["early", "late"] + ["much-%02d" % number for number in range(80)]


def test_an_archive_that_a_crash_left_without_its_index_is_moved_by_the_next_roll(here):
    here.add("a")
    here.run("a")
    here.roll()
    moved, = here.segment_files()
    os.replace(moved, moved.replace("/archive/", "/base/"))
    here.add("b")
    here.roll()
    assert moved in here.segment_files()
    assert here.find("a").state == "completed"
    assert_only_named_files(here)


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_an_archive_that_somebody_reads_is_moved_by_a_later_roll(here, monkeypatch, moved):
    """On Windows it cannot be; and a kill may come between any two of the renames."""
    replace = disk.replace
    left = [moved]

    def refused(source, target):
        if "/archive/" in target:
            left[0] -= 1
            if left[0] < 0:
                raise StoreError("%s is in use" % source)
        replace(source, target)
    here.add("a")
    here.run("a")
    monkeypatch.setattr(disk, "replace", refused)
    here.roll()
    monkeypatch.setattr(disk, "replace", replace)
    assert here.find("a").state == "completed"
    assert len(here.files("archive")) == (1 if moved == 2 else 0)
    here.add("b")
    here.run("b")
    here.roll()
    assert len(here.files("archive")) == 2
    assert sorted(here.ids("completed")) == ["a", "b"]


def test_a_roll_that_fails_leaves_nothing_and_is_not_started_again_at_once(here, monkeypatch):
    some_of_everything(here)
    before = here.files("base"), here.files("archive"), everything(here)

    def fail(fd, path):
        raise DiskFull("no room")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync", fail)
        with pytest.raises(DiskFull):
            here.roll()
    assert (here.files("base"), here.files("archive"), everything(here)) == before
    assert not os.path.exists(here.store.paths.new_jobs)
    assert roller.is_postponed(here.store.paths)
    assert roller.start_roller(here.store.paths) is None
    # Who is asked for one does not wait.
    here.roll()
    os.utime(here.store.paths.roll_lock)
    assert not roller.is_postponed(here.store.paths)


def test_a_batch_that_joined_during_a_roll_that_fails_is_kept(here, monkeypatch):
    """Whatever of the two files of a roll has nothing in it: its name is not given to anybody else meanwhile."""
    here.add("a", "b")

    def then_a_batch_and_no_room(self):
        here.bulk(many(5))
        raise DiskFull("no room")
    with monkeypatch.context() as patch:
        patch.setattr(roll._Roll, "_carry", then_a_batch_and_no_room)
        with pytest.raises(DiskFull):
            here.roll()
    assert len(here.ids()) == 7
    here.roll()
    assert len(here.ids()) == 7
    assert_only_named_files(here)


def test_a_batch_that_joins_when_a_roll_begins_to_write_gets_another_name(here, monkeypatch):
    """What reserves a name is there until the roll is done: of two segments of one name one would be lost."""
    here.bulk(many(6, "bulk"))
    here.run("bulk-000", "bulk-001")
    remove, joining = disk.remove, []

    def then_a_batch_joins(path):
        remove(path)
        if path.endswith(".jsonl") and paths.is_segment_name(os.path.basename(path)[:-len(".jsonl")]) and not joining:
            joining.append(path)
            here.bulk(many(5, "late"))

    with monkeypatch.context() as patch:
        patch.setattr(disk, "remove", then_a_batch_joins)
        # Nothing new waits, so its first file is removed at the end: one removal there has to be.
        here.roll()
    assert joining and len(everything(here)) == 6 + 5
    assert here.find("bulk-000").state == here.find("bulk-001").state == "completed"


def test_a_roll_whose_rename_may_be_taken_back_leaves_the_store_suspect(here, monkeypatch):
    here.add("a")

    def fail(path):
        if path == here.root:
            raise StoreError("could not be synced")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_directory", fail)
        with pytest.raises(StoreError):
            here.roll()
    generation = read(here.journal)[:40]
    assert os.path.exists(here.store.paths.suspect)
    here.add("b")
    here.opened()
    assert not os.path.exists(here.store.paths.suspect)
    assert read(here.journal)[:40] != generation
    assert sorted(here.ids()) == ["a", "b"]


def test_a_clock_that_was_set_back_does_not_hold_up_rolls(here):
    here.roll()
    os.utime(here.store.paths.roll_lock, (time.time() + 3600, time.time() + 3600))
    assert not roller.is_postponed(here.store.paths)


def test_a_roll_that_is_done_stays_done_though_what_is_old_cannot_be_removed(here, monkeypatch):
    some_of_everything(here)
    jobs = everything(here)

    def fail(directory):
        raise OSError(5, "Input/output error", directory)
    monkeypatch.setattr(roll.new_segment, "remove_abandoned", fail)
    here.roll()
    assert everything(here) == jobs
