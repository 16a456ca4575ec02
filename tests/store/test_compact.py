"""Segments stay few and full, and nothing alive is lost when they are merged."""

import os

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import compact
from tests.store.stores import job, many, read


@pytest.fixture
def tight(monkeypatch):
    """Merge and rewrite at once, however small the segments are."""
    monkeypatch.setattr(compact, "ALIKE", {"base": 2, "archive": 2})
    monkeypatch.setattr(compact, "MOST_GONE", 3)
    monkeypatch.setattr(compact, "_SMALL", 100)


def held_lines(here):
    """How many lines all segments of a kind hold, dead or alive."""
    return sum(read(path).count(b"\n") for path in here.segment_files())


def test_many_small_base_segments_become_few(here):
    for number in range(30):
        here.bulk(many(3, "batch-%02d" % number))
        here.roll()
        assert len(here.segments()) <= compact.ALIKE["base"] + 1
    assert here.run_order() == ["batch-%02d-%03d" % (number, place) for number in range(30) for place in range(3)]


def test_a_merged_segment_is_sorted_as_its_parts_were(here, tight):
    expected = []
    for number in range(6):
        jobs = [job("job-%d-%d" % (number, place), priority=priority, queue=queue)
                for place, (queue, priority) in enumerate([("a", 1), ("b", 0), ("a", 0), ("b", -1)])]
        here.bulk(jobs)
        expected += jobs
        here.roll()
    assert len(here.segments()) <= 3
    expected.sort(key=lambda each: (each.priority, each.id))
    assert here.run_order() == [each.id for each in expected]


def test_waiting_jobs_of_merged_segments_are_sorted_by_their_moment(here, tight):
    for number in range(6):
        here.bulk([job("job-%d-%d" % (number, place), run_at=here.now / 1000 + 100 - 10 * place - number) for place in range(3)])
        here.roll()
    moments = [here.find(id).run_at for id in here.ids()]
    assert moments == sorted(moments) and len(moments) == 18


def test_archives_merge_and_keep_the_newest_first(here, tight):
    for number in range(12):
        here.add("job-%02d" % number)
        here.run("job-%02d" % number)
        here.pass_time(1)
        here.roll()
    assert len(here.segments()) < 6
    assert here.ids() == ["job-%02d" % number for number in reversed(range(12))]
    assert here.store.counts() == {"default": {"completed": 12}}


def test_a_merge_copies_a_line_only_so_often(here, monkeypatch):
    monkeypatch.setattr(compact, "_SMALL", 500)
    copied = []
    rewritten = compact._rewritten
    monkeypatch.setattr(compact, "_rewritten", lambda paths, snapshot, parts, gone: (
        copied.extend(parts), rewritten(paths, snapshot, parts, gone))[1])
    for number in range(100):
        here.add("job-%02d" % number)
        here.run("job-%02d" % number)
        here.roll()
    assert len(here.segments()) < 20
    assert sum(each.jobs for each in copied) <= 100 * 2


def test_what_was_taken_from_the_front_needs_no_mention(here):
    here.bulk(many(20))
    here.run(*("job-%03d" % number for number in range(15)))
    here.roll()
    assert b'{"gone"' not in read(here.journal)
    assert sorted(here.ids("pending")) == ["job-%03d" % number for number in range(15, 20)]


def test_dead_jobs_that_are_retried_from_the_newest_on_need_no_mention(here):
    here.add(*("job-%d" % number for number in range(10)))
    here.store.change(["job-%d" % number for number in range(10)], lambda old: old._replace(state="dead"))
    here.roll()
    here.store.change(here.ids("dead")[:6], lambda old: lifecycle.retry(old, here.now))
    here.roll()
    assert b'{"gone"' not in read(here.journal)
    assert here.ids("dead") == ["job-3", "job-2", "job-1", "job-0"] and len(here.ids("pending")) == 6


def test_what_was_taken_from_the_middle_is_remembered(here):
    here.bulk(many(20))
    here.store.change(["job-007"], lambda old: old._replace(priority=-1))
    here.run("job-007")
    for _ in range(3):
        here.roll()
        assert read(here.journal).count(b'{"gone"') == 1
        assert here.find("job-007").state == "completed"
        assert "job-007" not in here.ids("pending")


def test_what_is_gone_in_the_middle_is_forgotten_when_the_front_reaches_it(here):
    here.bulk(many(20))
    here.store.change(["job-003"], lambda old: old._replace(priority=-1))
    here.run("job-003")
    here.roll()
    here.run("job-000", "job-001", "job-002")
    here.roll()
    assert b'{"gone"' not in read(here.journal)
    assert here.run_order() == ["job-%03d" % number for number in range(4, 20)]


def test_a_segment_with_too_many_gaps_is_rewritten_without_them(here, tight):
    here.bulk(many(20))
    gaps = ["job-%03d" % number for number in range(2, 20, 3)]
    here.store.change(gaps, lambda old: old._replace(state="completed"))
    here.roll()
    assert b'{"gone"' not in read(here.journal)
    assert held_lines(here) == 20
    assert sorted(here.ids("pending") + here.ids("completed")) == ["job-%03d" % number for number in range(20)]


def test_what_others_take_while_its_segment_is_rewritten_is_not_looked_up_one_by_one(here, tight, monkeypatch):
    here.bulk(many(300))
    here.run(*("job-%03d" % number for number in range(280)))
    rewritten = compact._rewritten

    def taken_meanwhile(*args):
        one = rewritten(*args)
        here.run(*("job-%03d" % number for number in range(280, 298)))
        return one
    with monkeypatch.context() as patch:
        patch.setattr(compact, "_rewritten", taken_meanwhile)
        here.roll()
    looked_up = []
    find = compact.segment.Reader.find
    monkeypatch.setattr(compact.segment.Reader, "find", lambda self, job_id: (looked_up.append(job_id), find(self, job_id))[1])
    here.roll()
    assert looked_up == []
    assert here.run_order() == ["job-298", "job-299"]


def test_a_segment_of_which_little_is_left_is_rewritten(here, tight):
    here.bulk(many(20))
    before = os.path.getsize(here.segment_files()[0])
    here.run(*("job-%03d" % number for number in range(10)))
    here.roll()
    assert here.segments("base")[0].size == before
    here.run(*("job-%03d" % number for number in range(10, 18)))
    here.roll()
    (base,) = here.segments("base")
    assert base.size < before / 8
    assert here.run_order() == ["job-018", "job-019"]


def test_a_segment_that_is_used_up_is_removed(here):
    here.bulk(many(5))
    here.run(*("job-%03d" % number for number in range(5)))
    here.roll()
    assert here.segments("base") == []
    assert here.files("base") == []


def test_a_removed_job_leaves_no_trace(here, tight):
    here.add(*("job-%d" % number for number in range(10)))
    here.store.change(["job-%d" % number for number in range(10)], lambda old: old._replace(state="dead"))
    here.roll()
    here.store.remove(["job-%d" % number for number in range(1, 10, 2)])
    for _ in range(3):
        here.roll()
        assert here.ids("dead") == ["job-8", "job-6", "job-4", "job-2", "job-0"]
    assert not [path for path in here.segment_files() + [here.journal] if b'"job-3"' in read(path)]


def test_a_running_job_keeps_what_it_overrides_out_of_sight(here, tight):
    here.bulk(many(10))
    worker = here.worker()
    here.store.change(["job-005"], lambda old: old._replace(priority=-1))
    claimed = here.claim(worker)
    for _ in range(4):
        here.bulk(many(3, "more-%d" % here.now))
        here.pass_time(1)
        here.roll()
        assert here.ids().count("job-005") == 1
    assert here.finish(worker, claimed)
    here.roll()
    assert here.ids("completed") == ["job-005"] and "job-005" not in here.ids("pending")


def test_names_sort_by_age_so_that_the_last_hit_of_grep_is_the_newest(here, tight):
    here.add("a")
    for number in range(12):
        here.bulk(many(2, "other-%02d" % number))
        if here.find("a").state == "pending":
            here.store.change(["a"], lambda old: old._replace(priority=-1))
            here.run("a")
        else:
            here.store.change(["a"], lambda old: lifecycle.retry(old, here.now))
        here.roll()
        assert last_in_files(here, "a") == here.find("a")


def last_in_files(here, id):
    """What `grep -h '"ID"' archive/* base/* jobs.jsonl | tail -1` finds."""
    files = ["archive/" + name for name in here.files("archive")] + ["base/" + name for name in here.files("base")] + ["jobs.jsonl"]
    found = [each for name in files for each in read(os.path.join(here.root, name)).split(b"\n") if b'"%s"' % id.encode() in each]
    return compact.segment.line.decode(found[-1], "grep", 0)[0]


@pytest.mark.parametrize("again", ["alone", "in a batch"])
def test_a_removed_job_stays_gone_though_its_id_was_given_again(here, again):
    here.add("a", max_retries=0)
    here.run("a")
    here.roll()
    here.store.remove(["a"])
    if again == "alone":
        here.add("a")
    else:
        here.bulk([job("a"), job("b")])
    for _ in range(3):
        here.roll()
        assert here.ids().count("a") == 1
        assert here.find("a").state == "pending"
