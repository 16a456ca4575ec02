"""Every cut and every flipped bit: right answers or a clear refusal, nothing lost in silence, and repair.

A small store holds every kind of line and of file. Each case damages one byte of one file and
goes through the verbs. QUEUECTL_EVERY=1 flips a bit in every single byte, in all other runs a seeded sample is taken.
"""

import os
import random
import re

import pytest

from queuectl_lib.store import check, compact, config, disk, listing, purge, repair, roll
from queuectl_lib.store.pauses import Pause
from queuectl_lib.store.usage import usage
from queuectl_lib.words.errors import QueuectlError, StoreDamaged
from queuectl_lib.words.finding import FAULT, WARNING, WELL
from queuectl_lib.work import pidfile, slots
from tests.store.stores import FAILURE, job, many, read, write

EVERY = bool(os.environ.get("QUEUECTL_EVERY"))
SEED = int(os.environ.get("SEED", random.randrange(10 ** 6)))
MAIL = Pause(since="2026-11-22T03:10:00.000Z")
# Damaged, these cost no answer: what is derived, what says who lives, what only locks.
HARMLESS = (".index", ".awaited", ".lock", ".job", "/lock", "workers.pid")


class Damaged:
    """A store whose files are put back as they were before every case."""

    def __init__(self, here):
        self.here = here
        # What it holds says nothing, and is much.
        disk.remove(here.store.paths.ballast)
        self.files = {}
        for folder, _, names in os.walk(here.root):
            for name in names:
                self.files[os.path.join(folder, name)] = read(os.path.join(folder, name))
        self._now = here.now
        self.jobs = self.looked_up()
        self.answers = {name: ask(self) for name, ask in QUESTIONS.items()}
        self.outcome = self.after(WORK)
        self.put_back()

    @property
    def paths(self):
        return self.here.store.paths

    def put_back(self, path=None, data=None):
        """Everything as it was, but this file."""
        for folder, _, names in os.walk(self.here.root):
            for name in names:
                if os.path.join(folder, name) not in self.files:
                    os.unlink(os.path.join(folder, name))
        for each, before in self.files.items():
            wanted = data if each == path else before
            if not os.path.exists(each) or read(each) != wanted:
                # Made anew: overwriting a file makes the disk write it out.
                disk.remove(each)
                write(each, wanted)
        self.here.now = self._now

    def looked_up(self):
        """{id: job} as lists show them."""
        return {each.id: each for each in self.here.opened().jobs()}

    def after(self, steps):
        """{id: job} after these steps; or the errors that came."""
        errors = []
        for step in steps + [lambda here: self.looked_up()]:
            try:
                found = step(self.here)
            except QueuectlError as error:
                errors.append(error)
        return errors or found

    def flipped(self, path, place, bit):
        data = bytearray(self.files[path])
        data[place] ^= 1 << bit
        return bytes(data)


def claim_all(here):
    """Run everything that is ready, dead ends too."""
    desk = here.opened().claims("7.f")
    try:
        claimed = here.claim(desk)
        while claimed is not None:
            here.finish(desk, claimed)
            claimed = here.claim(desk)
    finally:
        desk.close()


def clean_up(here):
    purge.purge(here.opened(), purge.selection(["completed"], None, None, here.now))


WORK = [claim_all, lambda here: here.opened().add([job("new", here.now), job("newer", here.now)]),
        lambda here: roll.roll(here.opened(), needless=True), clean_up]

QUESTIONS = {
    "find": lambda one: {id: one.here.opened().find(id) for id in one.jobs},
    "find none": lambda one: one.here.opened()._read(lambda look: look.find("no-such")),
    "list": lambda one: one.looked_up(),
    "list one queue": lambda one: [each.id for each in one.here.opened().jobs(queues={"mail"})],
    "list one state": lambda one: [each.id for each in one.here.opened().jobs(states={"completed"})],
    "counts": lambda one: one.here.opened().counts(),
    "pauses": lambda one: one.here.opened().pauses(),
    "totals": lambda one: one.here.opened()._read(lambda look: look.totals()),
    "stats": lambda one: list(listing.newest_ended(one.here.opened().look(), one.here.now)),
    "usage": lambda one: usage(one.paths),
    "settings": lambda one: config.load(one.paths),
    "jobs that run": lambda one: [each.id for each in one.here.opened().claims("8.g").running()],
    "due next": lambda one: _due_next(one.here),
}


def _due_next(here):
    desk = here.opened().claims("8.g")
    desk._sight.catch_up(locked=False)
    return desk.next_due(here.now)


@pytest.fixture
def whole(here):
    """Every kind of line, in a journal and in segments, and every kind of file."""
    config.set(here.store, "backoff_base", "3")
    config.set(here.store, "no_retry_exit_codes", "7,9")
    here.add("dies", max_retries=0, queue="mail")
    here.run("dies", outcome=FAILURE)
    here.add("fails", env={"A": "b", "crc": "x"})
    here.run("fails", outcome=FAILURE)
    here.bulk(many(4, command="echo", priority=3))
    here.add("root", queue="mail")
    here.add("child", after=["root"])
    here.run("root", "child")
    here.add_in(5000, "later", "later-still")
    here.add("held", held=True)
    here.add("waits", after=["held"])
    here.roll()
    here.store.remove(["job-002"])
    here.roll()
    here.add("x", "y", "z", priority=1)
    here.run("x")
    here.bulk([job("m0", priority=9), job("m1", priority=9, after=["z"]), job("m2", priority=9, queue="mail")])
    here.store.change(["m0"], lambda each: each._replace(state="cancelled"))
    here.store.change_pauses(lambda _: {"mail": MAIL})
    here.store.remove(["y"])
    here.claim(here.worker())
    slot = slots.take(here.store.paths)
    pidfile.add(here.store.paths, pidfile.Entry(kind="worker", slot=1, incarnation=slot.incarnation, **_who(slot)))
    write(here.store.paths.slot_job(1), b"")
    here.pass_time(1)
    here.close()
    here.desks.clear()
    one = Damaged(here)
    slot.leave()
    return one


def _who(slot):
    return {name: value for name, value in slot.who().items() if name in ("pid", "boot", "start", "since")}


def places(size, share):
    """Which bytes of a file of that size are damaged, with the bits: all, or a share."""
    if EVERY:
        return [(place, (place + SEED) % 8) for place in range(size)]
    chosen = random.Random(SEED + size).sample(range(size), min(size, share))
    return [(place, (place + SEED) % 8) for place in sorted(chosen)]


def is_blank(one, path, place):
    """Is it one of thousands of blanks behind the header?"""
    return path == one.here.journal and one.files[path][place:place + 1] == b" "


def cases(one, share):
    """(path, place, bit) for every file of the store."""
    for path in sorted(one.files):
        for place, bit in places(len(one.files[path]), share):
            if not is_blank(one, path, place) or EVERY and place % 64 == 0:
                yield path, place, bit
    # Some bytes with all their bits.
    for path in sorted(one.files):
        for place in random.Random(SEED).sample(range(len(one.files[path])), min(1, len(one.files[path]))):
            for bit in range(8):
                yield path, place, bit


def names_the_place(error, path):
    """Does an error say which file, and of a file of lines at which byte?"""
    text = str(error)
    if not path.endswith(".jsonl"):
        return path in text
    return path in text and re.search(r"byte \d+", text) is not None


def assert_fair(one, path, errors):
    for error in errors:
        assert error.exit_code == 3 and "\n" not in str(error), error
        assert names_the_place(error, path), error
        assert not path.endswith(HARMLESS), error


def test_whatever_bit_is_flipped_each_answer_is_right_or_refused_and_nothing_is_touched(whole):
    for path, place, bit in cases(whole, 20):
        whole.put_back(path, whole.flipped(path, place, bit))
        damaged = dict(whole.files, **{path: read(path)})
        for name, ask in QUESTIONS.items():
            try:
                answer = ask(whole)
            except QueuectlError as error:
                assert_fair(whole, path, [error])
            else:
                assert answer == whole.answers[name], (SEED, path, place, bit, name)
        assert {each: read(each) for each in whole.files} == damaged, (SEED, path, place, bit)


def test_whatever_bit_is_flipped_work_is_done_rightly_or_refused_and_no_job_is_lost(whole):
    gone = {each.id for each in whole.jobs.values()} - set(whole.outcome)
    for path, place, bit in cases(whole, 20):
        whole.put_back(path, whole.flipped(path, place, bit))
        found = whole.after(WORK)
        case = (SEED, path, place, bit)
        if type(found) is dict:
            assert found == whole.outcome, case
            continue
        assert_fair(whole, path, found)
        repair.repair(whole.paths)
        assert [each for each in check.findings(whole.here.store) if each.level != WELL] == [], case
        left = whole.looked_up()
        assert set(whole.jobs) - gone <= set(left), case
        for id in set(left) & set(whole.jobs):
            assert left[id] in (whole.jobs[id], whole.outcome.get(id)) or left[id].state in ("completed", "processing"), case


def test_whatever_bit_is_flipped_repair_sets_it_right_and_a_second_one_finds_nothing(whole):
    for path, place, bit in cases(whole, 12):
        whole.put_back(path, whole.flipped(path, place, bit))
        case = (SEED, path, place, bit)
        ill = [each for each in check.findings(whole.here.store) if each.level != WELL]
        is_line_file = path.endswith(".jsonl") or path.endswith("config.json")
        assert {each.level for each in ill} <= ({FAULT} if is_line_file else {WARNING}), case
        # A flipped bit in what nothing reads does no harm.
        assert ill or path.endswith(HARMLESS), case
        done = repair.repair(whole.paths)
        assert bool(done) == bool(ill), case
        assert [each for each in check.findings(whole.here.store) if each.level != WELL] == [], case
        assert repair.repair(whole.paths) == [], case
        assert whole.looked_up() == whole.jobs, case
        for name in ("counts", "pauses", "totals"):
            assert QUESTIONS[name](whole) == whole.answers[name], case


# --- cut

def three(here):
    here.store.add([job(id) for id in ("n1", "n2", "n3")])


TRANSACTIONS = {
    "a line": lambda here: here.add("n1"),
    "a batch": three,
    "a segment's line": lambda here: here.bulk([job("n1"), job("n2")]),
    "a pauses line": lambda here: here.store.change_pauses(lambda _: {"mail": MAIL}),
}
LEFT_BEHIND = {"nothing": b"", "a zero": b"\0", "a page of zeros": b"\0" * 4096}


@pytest.mark.parametrize("left", sorted(LEFT_BEHIND))
@pytest.mark.parametrize("transaction", sorted(TRANSACTIONS))
def test_cut_at_any_byte_of_its_last_transaction_the_store_is_as_before_it(here, transaction, left):
    here.add("a", "b")
    before = Damaged(here)
    TRANSACTIONS[transaction](here)
    after = Damaged(here)
    data = after.files[here.journal]
    started = len(before.files[here.journal])
    for end in range(started, len(data), 1 if EVERY or not LEFT_BEHIND[left] else 7):
        after.put_back(here.journal, data[:end] + LEFT_BEHIND[left])
        assert [each for each in check.findings(here.store) if each.level != WELL] == [], end
        assert after.looked_up() == before.jobs and here.opened().pauses() == before.answers["pauses"], end
        here.add("next")
        # What lacks its newline alone is there after all.
        known = after if end == len(data) - 1 and not LEFT_BEHIND[left] else before
        assert set(after.looked_up()) == set(known.jobs) | {"next"}, end
        assert here.opened().pauses() == known.answers["pauses"], end
        assert [each for each in check.findings(here.store) if each.level != WELL] == [], end
        assert repair.repair(here.store.paths) == [], end


NO_TEARS = {
    "a whole line with another byte for its newline": lambda whole: whole[:-1] + b"\x0b",
    "a whole line without newline, and half another one": lambda whole: whole[:-1] + b"\x0b" + whole[:40],
    "a text": lambda whole: b"see to this on monday",
    "a job somebody typed": lambda whole: b'{"command":"true"}',
    "zeros and a text": lambda whole: b"\0\0\0text",
}


@pytest.mark.parametrize("end", sorted(NO_TEARS))
def test_an_end_that_no_crash_leaves_is_damage_and_is_not_cut(here, end):
    here.add("a")
    whole = read(here.journal)
    here.add("b")
    line = read(here.journal)[len(whole):]
    write(here.journal, whole + NO_TEARS[end](line))
    before = read(here.journal)
    for action in (lambda: here.add("c"), lambda: here.claim(here.worker()), here.ids, here.roll, here.opened().counts,
                   lambda: here.find("a"), lambda: here.bulk([job("d"), job("e")]), here.opened().pauses):
        with pytest.raises(StoreDamaged, match="jobs.jsonl: the line at byte %d " % len(whole)):
            action()
    assert read(here.journal) == before
    assert [(each.level, "byte %d " % len(whole) in each.text) for each in check.findings(here.store) if each.level != WELL] == [(FAULT, True)]
    repair.repair(here.store.paths)
    assert here.ids() == (["a", "b"] if "whole" in end else ["a"])


# --- where damage would hide

def flip_in(here, path, text, place, bit=0):
    """Flip a bit so many bytes behind the last occurrence of a text."""
    here.flip(path, read(path).rindex(text) + place, bit)


def test_an_older_line_is_not_taken_for_the_newest_whose_id_is_damaged(here):
    here.add("a", "b")
    here.run("a")
    flip_in(here, here.journal, b'{"id":"a","state":"completed"', 7)
    for action in (lambda: here.find("a"), lambda: here.add("a"), lambda: here.store.retry(["a"], here.now)):
        with pytest.raises(StoreDamaged, match="byte"):
            action()


@pytest.mark.parametrize("filters", [{"queues": {"mail"}}, {"states": {"completed"}}])
def test_a_list_does_not_leave_out_who_no_longer_looks_like_it(here, filters):
    here.add("a", "b", queue="mail")
    here.run("a", "b")
    here.roll()
    [path] = here.segment_files()
    flip_in(here, path, b'"state":"completed","was":["processing","mail"],"queue":"mail"',
            9 if "states" in filters else 57)
    with pytest.raises(StoreDamaged, match="byte"):
        here.ids(*filters.get("states", ()), queues=filters.get("queues"))


def test_a_damaged_moment_keeps_nobody_waiting(here):
    here.add_in(10, "first")
    here.add_in(20, "second")
    here.roll()
    [path] = here.segment_files()
    flip_in(here, path, b'"due":%d' % (here.now + 10000), 6, bit=3)
    here.pass_time(30)
    desk = here.worker()
    with pytest.raises(StoreDamaged, match="byte"):
        here.claim(desk)
    assert here.claim(desk).id == "second"


def test_a_job_behind_a_damaged_newline_is_not_passed_over_with_the_one_before_it(here):
    here.bulk(many(3))
    [path] = here.segment_files()
    here.run("job-000")
    here.flip(path, read(path).index(b"\n"))
    desk = here.worker()
    with pytest.raises(StoreDamaged, match="byte 0 "):
        here.claim(desk)
    with pytest.raises(StoreDamaged, match="byte 0 "):
        here.ids()
    repair.repair(here.store.paths)
    assert here.run_order() == ["job-001", "job-002"]


def test_what_is_damaged_is_not_merged_where_no_index_would_find_it(here, monkeypatch):
    monkeypatch.setattr(compact, "ALIKE", {"base": 2, "archive": 2})
    here.bulk(many(3))
    here.bulk(many(3, prefix="more"))
    flip_in(here, here.segment_files()[0], b'{"id":"job-001"', 7)
    with pytest.raises(StoreDamaged, match="byte"):
        here.roll()
    repair.repair(here.store.paths)
    here.roll()
    assert here.find("job-001").state == "pending" and len(here.ids()) == 6
