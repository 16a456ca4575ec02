"""A purge takes ended jobs out of the store by a roll of its own, whatever others do meanwhile and wherever it is killed."""

import os

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import config, disk, keeping, locking, purge
from tests.store.stores import FAILURE, SUCCESS, in_child, many
from tests.store.test_roll import assert_only_named_files, everything, kill_at

DAY = 86400


def taken(here, *states, queues=None, older_than=None):
    """Purge; {state: n} of what went."""
    wanted = purge.selection(states or lifecycle.FINISHED, queues, older_than, here.now)
    would = purge.count(here.opened(), wanted)
    went = purge.purge(here.opened(), wanted)
    assert went == would
    states = {}
    for (_, state), number in went.items():
        states[state] = states.get(state, 0) + number
    return states


@pytest.fixture
def old(here):
    """Ended jobs in archives and in the journal, of two days and two queues; others that wait, die and run."""
    here.bulk(many(6, "old"))
    here.run("old-000", "old-001")
    here.roll()
    here.run("old-002")
    here.store.change(["old-003"], lambda each: lifecycle.cancel(each, here.now))
    here.roll()
    here.add("dead", max_retries=0, priority=-9)
    here.run("dead", outcome=FAILURE)
    here.pass_time(DAY)
    here.add("new", "mail", queue="mail", priority=-8)
    here.run("new", "mail")
    here.add("runs", priority=-7)
    here.desk = here.worker("5.e")
    here.running = here.claim(here.desk)
    here.pass_time(1)
    return here


def left(here):
    """Every id there is; the counts have to agree."""
    jobs = everything(here)
    counts = {}
    for each in jobs:
        states = counts.setdefault(each.queue, {})
        states[each.state] = states.get(each.state, 0) + 1
    assert here.opened().counts() == counts
    return sorted(each.id for each in jobs)


def test_jobs_that_are_named_go_wherever_they_lie(old):
    old.store.remove(["old-000", "old-003", "dead", "new"])
    assert left(old) == ["mail", "old-001", "old-002", "old-004", "old-005", "runs"]
    old.roll()
    assert left(old) == ["mail", "old-001", "old-002", "old-004", "old-005", "runs"]


def test_completed_and_cancelled_jobs_go_and_all_others_stay(old):
    assert taken(old) == {"completed": 5, "cancelled": 1}
    assert left(old) == ["dead", "old-004", "old-005", "runs"]
    assert not [each for each in old.segments() if each.kind == "archive"]
    assert_only_named_files(old)
    assert taken(old) == {}


def test_only_what_was_asked_for_goes(old):
    assert taken(old, "cancelled") == {"cancelled": 1}
    assert taken(old, older_than=DAY / 2) == {"completed": 3}
    assert left(old) == ["dead", "mail", "new", "old-004", "old-005", "runs"]
    assert taken(old, queues=["default"]) == {}
    assert taken(old, queues=["mail"]) == {"completed": 2}
    assert taken(old, "dead", older_than=2 * DAY) == {}
    assert taken(old, "dead") == {"dead": 1}
    assert left(old) == ["old-004", "old-005", "runs"]


def test_everything_but_what_runs_can_go(old):
    assert taken(old, "pending", "failed", "completed", "cancelled", "dead") == {
        "completed": 5, "cancelled": 1, "dead": 1, "pending": 2}
    assert left(old) == ["runs"]
    assert old.finish(old.desk, old.running)
    old.add("fresh")
    assert old.run_order() == ["fresh"]


def test_what_stays_of_an_archive_is_what_it_was(old):
    before = {each.id: each for each in everything(old)}
    taken(old, older_than=DAY / 2)
    assert everything(old) == [each for each in everything(old) if before[each.id] == each]
    assert old.finish(old.desk, old.running)
    assert old.run_order() == ["old-004", "old-005"]


def test_files_shrink(here):
    here.add(*("job-%03d" % number for number in range(100)), command="x" * 1000)
    here.run(*("job-%03d" % number for number in range(50)))
    here.pass_time(DAY)
    here.run(*("job-%03d" % number for number in range(50, 100)))
    here.roll()
    before = sum(map(os.path.getsize, here.segment_files()))
    assert taken(here, older_than=DAY / 2) == {"completed": 50}
    assert sum(map(os.path.getsize, here.segment_files())) < 0.6 * before
    assert left(here) == ["job-%03d" % number for number in range(50, 100)]


def test_a_dead_job_among_many_that_wait_goes_without_all_of_them_being_copied(here):
    here.add("dead", max_retries=0)
    here.run("dead", outcome=FAILURE)
    here.add(*("job-%03d" % number for number in range(50)))
    here.roll()
    (name,) = [each.name for each in here.segments()]
    assert taken(here, "dead") == {"dead": 1}
    assert [each.name for each in here.segments()] == [name]
    assert len(left(here)) == 50


def test_several_passes_take_what_one_would(here, monkeypatch):
    monkeypatch.setattr(purge, "_PASS", 1)
    for day in range(4):
        here.add("a-%d" % day, "b-%d" % day, queue="ab"[day % 2])
        here.run("a-%d" % day, "b-%d" % day)
        here.add("keep-%d" % day, queue="keep")
        here.run("keep-%d" % day)
        here.roll()
    assert taken(here, queues=["a", "b"]) == {"completed": 8}
    assert left(here) == ["keep-%d" % day for day in range(4)]
    assert_only_named_files(here)


MEANWHILE = {
    "one is retried": lambda here: here.store.retry(["old-000"], here.now),
    "one of the journal is retried": lambda here: here.store.retry(["new"], here.now),
    "one is retried, runs and ends": lambda here: (here.store.retry(["old-000"], here.now), here.run("old-000")),
    "one is retried twice": lambda here: (here.store.retry(["old-000"], here.now), here.run("old-000"),
                                          here.store.retry(["old-000"], here.now)),
    "one is removed": lambda here: here.store.remove(["old-001"]),
    "one is removed and comes anew": lambda here: (here.store.remove(["old-001"]), here.add("old-001")),
    "one is edited": lambda here: here.store.change(["old-003"], lambda each: each._replace(queue="other")),
    "one that waits is claimed": lambda here: here.claim(here.worker("7.g")),
    "one that waits is claimed and ends": lambda here: here.run("old-004"),
    "one that runs ends": lambda here: here.finish(here.desk, here.running),
    "one that runs ends and is retried": lambda here: (here.finish(here.desk, here.running),
                                                       here.store.retry(["runs"], here.now)),
    "a dead one is retried": lambda here: here.store.retry(["dead"], here.now),
    "a batch joins": lambda here: here.bulk(many(5, "fresh")),
    "a job is added": lambda here: here.add("fresh"),
}
MOMENTS = ["_sort_out", "_write_segments", "_carry", "_copy_tail"]
ALL = ("pending", "failed", "completed", "cancelled", "dead")


@pytest.mark.parametrize("meanwhile", sorted(MEANWHILE))
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("states", [lifecycle.FINISHED, ALL], ids=["finished", "all"])
def test_what_others_do_meanwhile_is_kept(old, monkeypatch, meanwhile, moment, states):
    """Who changes a job that is just being taken keeps it."""
    before = {each.id: each for each in everything(old)}
    after = {}
    step = getattr(purge._Purge, moment)

    def with_others(self):
        step(self)
        MEANWHILE[meanwhile](old)
        after.update((each.id, each) for each in everything(old))
    monkeypatch.setattr(purge._Purge, moment, with_others)
    went = purge.purge(old.opened(), purge.selection(states))
    untouched = {id: each for id, each in before.items() if after.get(id) == each}
    expected = {id: each for id, each in after.items() if id not in untouched or each.state not in states}
    assert sum(went.values()) == len(after) - len(expected)
    for _ in range(3):
        assert {each.id: each for each in everything(old)} == expected
        left(old)
        old.roll()
    waiting = [each.id for each in old.opened().jobs({"pending", "failed"})]
    assert old.run_order() == waiting


STEPS = {
    "the lock for the first look": ("queuectl_lib.store.roll._Roll", "_begin"),
    "sorting out": ("queuectl_lib.store.purge._Purge", "_sort_out"),
    "the first line of a segment": ("queuectl_lib.store.new_segment.Writer", "add"),
    "the end of a segment": ("queuectl_lib.store.new_segment.Writer", "finish"),
    "all segments": ("queuectl_lib.store.purge._Purge", "_write_segments"),
    "carrying over": ("queuectl_lib.store.roll._Roll", "_carry"),
    "copying the rest": ("queuectl_lib.store.purge._Purge", "_copy_tail"),
    "the lock for the last look": ("queuectl_lib.store.purge._Purge", "_commit"),
    "the header": ("queuectl_lib.store.header", "encode"),
    "the rename": ("queuectl_lib.store.disk", "replace"),
    "tidying up": ("queuectl_lib.store.purge._Purge", "_tidy"),
    "the removal of outputs": ("queuectl_lib.store.purge._Purge", "_remove_output"),
}


@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_all_or_nothing_is_gone(old, monkeypatch, step, after):
    output = with_output(old, "old-004")
    old.pass_time(DAY)
    old.add("young", priority=-9)
    old.run("young")
    old.roll()
    before = {each.id: each for each in everything(old)}
    staying = {id: each for id, each in before.items() if id in ("young", "dead", "old-005", "runs")}
    wanted = purge.selection(lifecycle.FINISHED, older_than=DAY / 2, now=old.now)
    owner, name = STEPS[step]
    with monkeypatch.context() as patch:
        kill_at(patch, owner, name, after)
        assert in_child(lambda: purge.purge(old.opened(), wanted)) == -9
    now = {each.id: each for each in everything(old)}
    assert now in (before, staying)
    assert now != before or os.path.exists(output)
    left(old)
    assert sum(purge.purge(old.opened(), wanted).values()) == len(now) - len(staying)
    assert {each.id: each for each in everything(old)} == staying
    assert_only_named_files(old)


def with_output(here, id):
    """The next job ends with an output too big for its line."""
    desk = here.worker()
    claimed = here.claim(desk)
    assert claimed.id == id
    path = here.store.paths.output_file(id, 1, "out")
    with open(path, "w") as file:
        file.write("much")
    output = lifecycle.Output("tail", 4, "output/%s.1.out" % id)
    assert here.finish(desk, claimed, SUCCESS._replace(stdout=output))
    return path


def test_outputs_go_with_their_jobs(old):
    path = with_output(old, "old-004")
    taken(old, queues=["mail"])
    assert os.path.exists(path)
    old.roll()
    taken(old)
    assert not os.path.exists(path)


def test_an_output_stays_when_its_job_comes_back_meanwhile(old, monkeypatch):
    path = with_output(old, "old-004")
    carry = purge._Purge._carry
    monkeypatch.setattr(purge._Purge, "_carry", lambda self: (carry(self), old.store.retry(["old-004"], old.now)))
    purge.purge(old.opened(), purge.selection(lifecycle.FINISHED))
    assert os.path.exists(path)


def test_an_output_of_a_new_job_with_the_id_of_one_that_has_gone_is_left(old, monkeypatch):
    path = with_output(old, "old-004")
    commit = purge._Purge._commit
    monkeypatch.setattr(purge._Purge, "_commit", lambda self: (commit(self), os.utime(path, (1, 1))))
    purge.purge(old.opened(), purge.selection(lifecycle.FINISHED))
    assert os.path.exists(path)


def test_of_thousands_that_others_changed_meanwhile_each_is_counted_once(here, monkeypatch):
    ids = ["job-%04d" % number for number in range(1500)]
    here.add(*ids, command="x" * 2000)
    here.run(*ids)
    here.roll()
    carry = purge._Purge._carry
    monkeypatch.setattr(purge, "_COPIED_AT_ONCE", 10000)
    monkeypatch.setattr(purge._Purge, "_carry", lambda self: (carry(self), here.store.retry(ids[:1200], here.now)))
    assert sum(purge.purge(here.opened(), purge.selection(lifecycle.FINISHED)).values()) == 300
    assert left(here) == ids[:1200]


# --- retention


def kept_for(here, seconds):
    """The ids that are left after a look in the background, in a store with this retention."""
    config.set(here.store, "retention", "%d" % seconds)
    keeping.roll_and_keep_house(here.opened())
    return left(here)


def test_without_retention_nothing_goes(old):
    before = left(old)
    old.pass_time(1000 * DAY)
    keeping.roll_and_keep_house(old.opened())
    assert left(old) == before


def test_what_is_older_than_retention_goes_but_not_the_dead(old):
    old.roll()
    assert kept_for(old, DAY / 2) == ["dead", "mail", "new", "old-004", "old-005", "runs"]
    old.pass_time(DAY)
    assert kept_for(old, DAY / 2) == ["dead", "old-004", "old-005", "runs"]


def test_jobs_that_no_roll_has_moved_go_too(here):
    here.add("a")
    here.run("a")
    assert kept_for(here, DAY) == ["a"]
    here.pass_time(2 * DAY)
    assert kept_for(here, DAY) == []


def test_not_every_roll_purges_the_few_that_have_just_grown_old(here, monkeypatch):
    passes = []
    run = purge._Purge.run
    monkeypatch.setattr(purge._Purge, "run", lambda self, needless: (passes.append(here.now), run(self, needless)))
    for hour in range(48):
        here.pass_time(360)
        here.add("a-%d" % hour)
        here.run("a-%d" % hour)
        here.roll()
        kept_for(here, 3600)
    # One in two: at the tenth part of an hour more than one job has grown old.
    assert 10 < len(passes) < 25
    assert len(left(here)) <= 12


def test_where_little_has_grown_old_an_archive_is_not_written_anew(here):
    for number in range(20):
        here.pass_time(60)
        here.add("a-%02d" % number)
        here.run("a-%02d" % number)
    here.roll()
    before = [each.name for each in here.segments()]
    assert kept_for(here, 17 * 60) == ["a-%02d" % number for number in range(2, 20)]
    assert [each.name for each in here.segments()] == before
    here.pass_time(360)
    assert kept_for(here, 17 * 60) == ["a-%02d" % number for number in range(8, 20)]
    assert [each.name for each in here.segments()] != before


def test_where_another_process_rolls_it_is_left_to_that_one(old):
    fd = disk.open_private(old.store.paths.roll_lock, os.O_RDWR | os.O_CREAT)
    assert locking.try_lock(fd)
    before = left(old)
    old.pass_time(DAY)
    assert kept_for(old, 60) == before
    os.close(fd)
    assert len(kept_for(old, 60)) < len(before)


def test_one_that_is_retried_before_its_pass_has_come_is_counted_by_none(here, monkeypatch):
    monkeypatch.setattr(purge, "_PASS", 1)
    for day in range(3):
        here.add("a-%d" % day, queue="a")
        here.run("a-%d" % day)
        here.add("keep-%d" % day, queue="keep")
        here.run("keep-%d" % day)
        here.roll()
    carry = purge._Purge._carry

    def retry_the_last(self):
        carry(self)
        monkeypatch.setattr(purge._Purge, "_carry", carry)
        here.store.retry(["a-2"], here.now)
    monkeypatch.setattr(purge._Purge, "_carry", retry_the_last)
    went = purge.purge(here.opened(), purge.selection(lifecycle.FINISHED, ["a"]))
    assert sum(went.values()) == 2
    assert left(here) == ["a-2", "keep-0", "keep-1", "keep-2"]


ALL_QUEUES_BUT_MAIL = dict(states=ALL, queues=["default"])


@pytest.mark.parametrize("rolled", [False, True])
def test_what_comes_after_a_waiting_one_dies_with_it(here, rolled):
    here.add("root")
    here.add("stays", queue="mail")
    here.add("leaf", queue="mail", after=["stays", "root"])
    here.add("tip", queue="mail", after=["leaf"])
    here.add("other", queue="mail", after=["stays"])
    if rolled:
        here.roll()
    purge.purge(here.opened(), purge.selection(**ALL_QUEUES_BUT_MAIL))
    assert here.states() == {"stays": "pending", "leaf": "dead", "tip": "dead", "other": "pending"}
    assert here.find("leaf").error == "it comes after root, which was removed"
    assert here.run_order() == ["stays", "other"]


@pytest.mark.parametrize("store_it", [lambda here, new: here.store.add(new), lambda here, new: here.bulk(new)], ids=["add", "bulk"])
@pytest.mark.parametrize("moment", ["_sort_out", "_carry", "_copy_tail"])
def test_so_does_what_is_enqueued_behind_it_meanwhile(here, monkeypatch, moment, store_it):
    here.add("root")
    here.roll()
    step = getattr(purge._Purge, moment)
    monkeypatch.setattr(purge._Purge, moment, lambda self: (step(self), store_it(here, list(many(5, "leaf", after=["root"])))))
    purge.purge(here.opened(), purge.selection(ALL))
    assert set(here.states().values()) == {"dead"} and len(left(here)) == 5
