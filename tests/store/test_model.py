"""The store against a plain dictionary: long random lives of jobs, with rolls, crashes and several workers.

Whatever happens, the store must say what the dictionary says: who is claimed
next, whether a result counts, what lists, counts and lookups show, and what
grep finds in the files. A failure names its seed; the same seed fails again.
"""

import os
import random

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import check, compact, disk, line, purge, roll, store
from queuectl_lib.store.pauses import ALL, Pause, in_force
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DuplicateJob
from queuectl_lib.words.finding import WELL
from tests.store.stores import START, Here, job, read, stop_the_clock

STEPS = 500
POLICY = lifecycle.Policy(1.5, 10, 0)
QUEUES = {"1.x": None, "2.x": ["a"], "3.x": None}
ENDED_FOR_GOOD = ("completed", "dead", "cancelled")
ENDED = ("completed", "dead", "failed", "cancelled")
START_OF_IT = clock.moment(START)


class Model:
    """A store, its workers, and the dictionary {id: Job} that says what the store must hold."""

    OPERATIONS = (("add", 15), ("add_batch", 5), ("add_what_is_there", 2), ("work", 45), ("retry", 5), ("remove", 4), ("hand_back", 3), ("restart_worker", 2),
                  ("roll", 8), ("roll_while_others_write", 4), ("crash", 3), ("compare", 4),
                  ("cancel", 3), ("hold", 3), ("release", 3), ("pause", 2), ("limit", 1), ("purge", 3), ("purge_while_others_write", 3))

    def __init__(self, root, seed):
        self.random = random.Random(seed)
        self.here = Here(root)
        self.store = self.here.store
        self.jobs = {}
        self.desks = {name: self.here.worker(name, queues) for name, queues in QUEUES.items()}
        self.held = {}
        self.pauses = {}
        self.limits = {}
        self.given_ids = 0
        self.free_again = []

    def live(self, steps):
        names, weights = zip(*self.OPERATIONS)
        for _ in range(steps):
            self.here.now += self.random.choice([0, 1, 50, 1000])
            getattr(self, self.random.choices(names, weights)[0])()
        self.compare()

    # --- what is done

    def add(self, count=None):
        for each in self.store.add(self.some_new(count or self.random.randint(1, 4))):
            assert each.id not in self.jobs
            self.jobs[each.id] = each

    def add_batch(self, jobs=None):
        count, ids = self.store.add_many(jobs or self.some_new(self.random.randint(1, 12)))
        ids = list(ids)
        assert len(ids) == count == len(set(ids) - set(self.jobs))
        self.jobs.update((id, self.store.find(id)) for id in ids)

    def add_what_is_there(self):
        """Alone or in a batch it is refused, and nothing of the batch is stored."""
        if self.jobs:
            fresh = [job() for _ in range(self.random.choice([0, 6]))]
            with pytest.raises(DuplicateJob):
                self.store.add_many(fresh + [job(self.random.choice(sorted(self.jobs)))])

    def work(self):
        """One worker records what it has, if anything, and takes the next."""
        name = self.random.choice(sorted(QUEUES))
        done = self.held.pop(name, None)
        if done is not None:
            exit_code = self.random.choice([0, 0, 0, 1])
            outcome = lifecycle.Outcome(exit_code, None, None, 0.1, None, None)
            done = (done, lifecycle.finish(done, outcome, self.here.now, POLICY, self.random))
        take = self.random.random() < 0.9
        expected = self.next_for(name) if take else None
        kept, claimed = self.desks[name].exchange(done, take, self.here.now)
        if done is not None:
            assert kept == self.is_claim(done[0])
            if kept:
                self.became(done[1])
                expected = self.next_for(name) if take else None
        self.took(name, claimed, expected)

    def retry(self):
        ids = [id for id in self.some_ids(ENDED) if not self.comes_after_a_lost_one(id)]
        changed = self.store.retry(ids, self.here.now)
        assert {new.id for new in changed.jobs} == set(ids)
        self.jobs.update((new.id, new) for new in changed.jobs + changed.followers)

    def comes_after_a_lost_one(self, id):
        each = self.jobs[id]
        return bool(each.waits_for) or any(other not in self.jobs or self.jobs[other].state in lifecycle.LOST
                                           for other in each.after or ())

    def cancel(self):
        """Of one that runs its worker says a moment later that its processes are gone."""
        ids = self.some_ids(("pending", "failed", "processing"))
        running = [self.jobs[id] for id in ids if self.jobs[id].state == "processing"]
        for new in self.store.change(ids, lambda old: lifecycle.cancel(old, self.here.now)).jobs:
            self.became(new)
        left = lifecycle.Outcome(None, None, None, 0.1, None, None)
        for claimed in running:
            changed = self.store.change([claimed.id], lambda old: lifecycle.leave(old, claimed, left, self.here.now))
            self.jobs.update((new.id, new) for new in changed.jobs)

    def hold(self):
        self.change(("pending", "failed"), lambda old: old if old.held else lifecycle.hold(old, self.here.now))

    def release(self):
        self.change(("pending", "failed"), lambda old: lifecycle.release(old, self.here.now) if old.held else old)

    def change(self, states, function):
        for new in self.store.change(self.some_ids(states), function).jobs:
            self.became(new)

    def remove(self):
        for old in self.store.remove(self.some_ids(("completed", "dead"), most=20)).jobs:
            del self.jobs[old.id]
            self.follow_up(old.id, "removed")
            self.free_again.append(old.id)

    def became(self, job):
        """A job is another one now, with what follows from that for others."""
        ends = job.state in lifecycle.ENDED and self.jobs[job.id].state != job.state
        self.jobs[job.id] = job
        if ends:
            self.follow_up(job.id, job.state)

    def follow_up(self, id, state):
        for other in [each for each in self.jobs.values() if each.waits_for and id in each.waits_for]:
            after = lifecycle.follow(other, id, state, self.here.now)
            if after is not None:
                self.became(after)

    def pause(self):
        """Pause a queue, or all, or resume it."""
        name = self.random.choice(["a", "b", "default", ALL])
        if name in self.pauses:
            del self.pauses[name]
        else:
            self.pauses[name] = Pause(START_OF_IT, None, None if self.random.random() < 0.5 else
                                      clock.moment(self.here.now + self.random.randint(1, 5000)))
        assert self.store.change_pauses(lambda pauses: self.pauses) == self.pauses

    def limit(self):
        """Let no more than so many of a queue run at once, or let it be."""
        name = self.random.choice(["a", "b", "default"])
        self.limits = dict(self.limits)
        if self.limits.pop(name, None) is None:
            self.limits[name] = self.random.randint(1, 2)
        for desk in self.desks.values():
            desk.set_limits(self.limits)

    def hand_back(self):
        """Somebody hands back a claim; its worker may hear of it only when it records its result."""
        if not self.held:
            return
        name = self.random.choice(sorted(self.held))
        claimed = self.held[name]
        after = lifecycle.hand_back(claimed, self.here.now)
        expected = self.is_claim(claimed)
        assert self.random.choice(list(self.desks.values())).settle(claimed, after) == expected
        if expected:
            self.jobs[claimed.id] = after
        if self.random.random() < 0.5:
            del self.held[name]

    def restart_worker(self):
        name = self.random.choice(sorted(QUEUES))
        self.desks[name].close()
        self.desks[name] = self.here.worker(name, QUEUES[name])
        self.desks[name].set_limits(self.limits)

    def roll(self):
        self.here.roll()

    def roll_while_others_write(self):
        """Between what the roll has read and the new journal's coming into force."""
        self.while_others_write(self.here.roll)

    def while_others_write(self, function):
        carry = roll._Roll._carry

        def carry_and_write(rolling):
            carry(rolling)
            # Only once: what a purge's first pass has taken is gone when it begins another.
            roll._Roll._carry = carry
            self.add(2)
            self.claim_something()
            self.retry()
            if self.random.random() < 0.5:
                # No ids that were removed: for those a batch would wait for this roll.
                self.add_batch([job() for _ in range(6)])
        roll._Roll._carry = carry_and_write
        try:
            function()
        finally:
            roll._Roll._carry = carry

    def purge(self):
        """Ended jobs go, but for those that somebody changes meanwhile."""
        states = self.random.sample(ENDED_FOR_GOOD, self.random.randint(1, 3))
        queues = self.random.choice([None, None, ["a"], ["default", "b"]])
        wanted = purge.selection(states, queues, self.random.choice([None, 0.5, 5]), self.here.now)
        before = {id: each for id, each in self.jobs.items() if each.state in states and (queues is None or each.queue in queues)
                  and (wanted.before is None or each.updated_at.encode() < wanted.before)}
        assert sum(purge.count(self.store, wanted).values()) == len(before)
        much = self.random.choice([0, 0.25, None])
        taken = roll.alone(self.store, lambda: purge.in_passes(self.store, wanted, much))
        gone = [id for id, each in before.items() if self.jobs.get(id) == each]
        assert sum(taken.values()) == len(gone)
        for id in gone:
            del self.jobs[id]
            self.free_again.append(id)

    def purge_while_others_write(self):
        self.while_others_write(self.purge)

    def crash(self):
        """Somebody was killed while writing."""
        ghost = line.encode(job("ghost")._replace(order=1), None, more=True)
        if not self.torn():
            self.here.append(self.random.choice([b'{"id":"zz', b"\0" * 10, ghost, ghost + b'{"id"']))

    # --- what must be so

    def compare(self):
        """Lists, counts, lookups and grep say what the dictionary says, and a checkup finds nothing."""
        assert {each.id: each for each in self.store.jobs()} == self.jobs
        assert self.store.counts() == self.counted()
        for id in self.random.sample(sorted(self.jobs), min(len(self.jobs), 5)):
            assert self.store.find(id) == self.jobs[id]
            assert self.grepped(id) == self.jobs[id]
        self.compare_a_filtered_list()
        ready = [each for each in self.store.jobs({"pending", "failed"}) if is_due(each, self.here.now)]
        assert ready == sorted(ready, key=place)
        assert self.store.pauses() == self.pauses
        assert [each for each in check.findings(self.store) if each.level != WELL] == []
        for each in self.jobs.values():
            assert set(each.waits_for or ()) <= set(each.after or ())
            if each.state == "pending":
                assert all(self.jobs[id].state not in lifecycle.ENDED for id in each.waits_for or ())

    def compare_a_filtered_list(self):
        states = set(self.random.sample(record.STATES, 2))
        queues = self.random.choice([None, {"a"}, {"default", "b"}])
        listed = [each.id for each in self.store.jobs(states, queues)]
        assert len(listed) == len(set(listed))
        assert set(listed) == {id for id, each in self.jobs.items() if each.state in states and (queues is None or each.queue in queues)}

    def counted(self):
        counts = {}
        for each in self.jobs.values():
            states = counts.setdefault(each.queue, {})
            states[each.state] = states.get(each.state, 0) + 1
        return counts

    def grepped(self, id):
        """What `grep -h '"ID"' .queuectl/archive/* .queuectl/base/* .queuectl/jobs.jsonl | tail -1` prints."""
        files = ["archive/" + name for name in self.here.files("archive")] + ["base/" + name for name in self.here.files("base")]
        lines = []
        for name in files + ["jobs.jsonl"]:
            data = read(os.path.join(self.here.root, name))
            lines += [each for each in data[:data.rfind(b"\n") + 1].split(b"\n") if b'"%s"' % id.encode() in each]
        return line.decode(lines[-1], "grep", 0)[0]

    def next_for(self, worker):
        """The job that this worker must get now."""
        ready = [each for each in self.jobs.values() if each.state in ("pending", "failed")
                 and is_due(each, self.here.now) and (QUEUES[worker] is None or each.queue in QUEUES[worker])
                 and in_force(self.pauses, each.queue, self.here.now) is None]
        for each in sorted(ready, key=place):
            if self.has_room(each, [other for other in ready if other.queue == each.queue and place(other) < place(each)]):
                return each
        return None

    def has_room(self, each, before_it):
        """Does the limit of its queue let it run? What is before it in the queue has to run first."""
        used = sum(other.slots or 1 for other in self.jobs.values() if other.state == "processing" and other.queue == each.queue)
        limit = self.limits.get(each.queue)
        return not before_it and (limit is None or not used or used + (each.slots or 1) <= limit)

    def is_claim(self, claimed):
        """Is the job still this claim?"""
        now = self.jobs.get(claimed.id)
        return now is not None and now.state == "processing" and (now.worker, now.attempts, now.started_at) == (
            claimed.worker, claimed.attempts, claimed.started_at)

    # --- the parts of it

    def claim_something(self):
        name = self.random.choice(sorted(QUEUES))
        if name not in self.held:
            expected = self.next_for(name)
            self.took(name, self.desks[name].exchange(None, True, self.here.now)[1], expected)

    def took(self, name, claimed, expected):
        assert (claimed and claimed.id) == (expected and expected.id)
        if claimed is not None:
            self.jobs[claimed.id] = self.held[name] = claimed

    def some_new(self, count):
        return [self.new() for _ in range(count)]

    def new(self):
        chance = self.random.random
        fields = {}
        if chance() < 0.3:
            fields["priority"] = self.random.randint(-2, 2)
        if chance() < 0.3:
            fields["queue"] = self.random.choice(["a", "b"])
        if chance() < 0.2:
            fields["run_at"] = (self.here.now + self.random.randint(1, 20000)) / 1000
        if chance() < 0.5:
            self.given_ids += 1
            fields["id"] = "job-%d" % self.given_ids
        if self.free_again and chance() < 0.1:
            fields["id"] = self.free_again.pop()
        if chance() < 0.1:
            fields["slots"] = 2
        if chance() < 0.1:
            fields["held"] = True
        known = [id for id in sorted(self.jobs) if self.jobs[id].state not in lifecycle.LOST]
        if known and chance() < 0.25:
            fields["after"] = self.random.sample(known, min(len(known), self.random.randint(1, 2)))
        return job(now=self.here.now, **fields)

    def some_ids(self, states, most=3):
        ids = [each.id for each in self.jobs.values() if each.state in states]
        return self.random.sample(ids, min(len(ids), self.random.randint(1, most)))

    def torn(self):
        data = read(self.here.journal)
        return not data.endswith(b"\n") or b'"ghost"' in data[-500:]


def is_due(each, now):
    due = record.due(each)
    return due is not None and due <= now


def place(each):
    return each.priority, each.order


@pytest.fixture
def cramped(monkeypatch):
    """Limits so low that everything happens often; no sync, since nobody pulls the plug here."""
    def limits(seed):
        choose = random.Random(seed).choice
        monkeypatch.setattr(compact, "MOST_GONE", choose([3, 2000]))
        monkeypatch.setattr(compact, "ALIKE", choose([{"base": 2, "archive": 2}, compact.ALIKE]))
        monkeypatch.setattr(compact, "_SMALL", choose([100, 1024 ** 2]))
        monkeypatch.setattr(purge, "_PASS", choose([1, 1024 ** 2]))
        monkeypatch.setattr(store, "LARGEST_BATCH", choose([3, 1000]))
        monkeypatch.setattr(disk, "sync", lambda fd, path: None)
        monkeypatch.setattr(disk, "sync_directory", lambda path: None)
    return limits


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 8, 13])
def test_the_store_says_what_a_dictionary_would_say(tmp_path, monkeypatch, cramped, seed):
    cramped(seed)
    model = Model(str(tmp_path / "store"), seed)
    stop_the_clock(monkeypatch, model.here)
    try:
        model.live(STEPS)
    except BaseException as error:
        raise AssertionError("seed %d: %r" % (seed, error)) from error
    finally:
        model.here.close()
