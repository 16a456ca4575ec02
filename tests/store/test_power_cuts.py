"""After a power cut at any moment: what was acknowledged is there, and everybody can go on.

One life of a store (`a_life`) is recorded, and with it when what was acknowledged. Behind each
of its file operations every tree is built that a power cut may leave then (power.py), and looked
at with the real code as the next processes would: one reads, one writes and works, and the plug is pulled once
more. Of the trees, which are some thousands, a sample is looked at, whose seed is told;
QUEUECTL_EVERY_CUT=1 looks at all.
"""

import itertools
import os
import random
import shutil
import tempfile
from contextlib import contextmanager

import pytest

from queuectl_lib.faces import admission, gathering, once, streaming
from queuectl_lib.job import identifiers, lifecycle
from queuectl_lib.store import (
    ballast, compact, config, disk, header, index, keeping, locking, paths, pauses, purge, roll, store)
from queuectl_lib.words.errors import QueuectlError
from tests.store import power, stores
from tests.store.stores import FAILURE, POLICY, SUCCESS, job

EVERY = bool(os.environ.get("QUEUECTL_EVERY_CUT"))
SAMPLE = 600
DEADLY = lifecycle.Policy(2, 3600, 0, (3,))
# Where files cost nothing.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture(autouse=True)
def no_power_cut():
    """Here they are what is tested."""


@pytest.fixture(autouse=True)
def cramped(monkeypatch):
    cramp(monkeypatch)


def cramp(monkeypatch):
    """Limits so low that a short life has everything in it."""
    monkeypatch.setattr(store, "LARGEST_BATCH", 4)
    monkeypatch.setattr(compact, "ALIKE", {"base": 2, "archive": 2})
    monkeypatch.setattr(compact, "MOST_GONE", 3)
    monkeypatch.setattr(roll, "_LITTLE", 0)
    # The same names in every life.
    made_up = itertools.count()
    monkeypatch.setattr(identifiers, "new_ids", lambda: ("made-up-%d" % number for number in made_up))


@pytest.fixture
def ground():
    with a_ground() as path:
        yield path


@contextmanager
def a_ground():
    """A directory for many small files."""
    path = tempfile.mkdtemp(prefix="queuectl-power-", dir=MEMORY)
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Life(stores.Here):
    """A store in the directory `store` of another, every change of which is recorded; what was acknowledged, and when.

    versions: {what: [(its value, the operation from which on it is possible, that behind which it is sure, or None)]};
    together: [(what, number of its version)…] of each batch. What there is: jobs by id, '/config', '/pauses'.
    """

    def __init__(self, world, monkeypatch, skipped=None):
        self.recorder = power.Recorder(world, skipped)
        monkeypatch.setattr(disk, "os", self.recorder)
        monkeypatch.setattr(disk, "_data_sync", self.recorder.fdatasync)
        # What it holds says nothing, and there would be thousands of ways to lose some of it.
        monkeypatch.setattr(ballast, "make", lambda paths: True)
        self.versions = {what: [(value, 0, 0)] for what, value in everything(world + "/store").items()}
        self.together = []
        self._unsure = []
        super().__init__(world + "/store")

    def at(self):
        return len(self.recorder.operations)

    @contextmanager
    def doing(self, sure=True, whole=True):
        """What changes within is possible from here on, sure (if it is) at the end, and whole: all or nothing of it."""
        begin = self.at()
        yield
        changes = []
        for what, value in everything(self.root).items():
            known = self.versions.setdefault(what, [(None, 0, 0)])
            if known[-1][0] != value:
                changes.append((what, len(known)))
                known.append((value, begin, None))
        for what in set(self.versions) - set(everything(self.root)):
            if self.versions[what][-1][0] is not None:
                changes.append((what, len(self.versions[what])))
                self.versions[what].append((None, begin, None))
        if whole:
            self.together.append(changes)
        if sure:
            self.are_sure(changes)
        else:
            self._unsure += changes

    def are_sure(self, changes):
        for what, number in changes:
            value, begin, _ = self.versions[what][number]
            self.versions[what][number] = value, begin, self.at()

    # --- what is done

    def enqueue(self, *ids, **fields):
        with self.doing():
            self.add(*ids, **fields)

    def batch(self, count, prefix, **fields):
        with self.doing():
            self.store.add_many(stores.many(count, prefix, **fields))

    def work(self, desk, outcome=SUCCESS, policy=POLICY):
        """Claim the next job and record its end; what was not synced before stays so."""
        with self.doing(sure=False):
            claimed = self.claim(desk)
        with self.doing(sure=False):
            after = lifecycle.finish(claimed, outcome, self.now, policy, random)
            assert desk.exchange((claimed, after), False, self.now)[0]
        return claimed.id

    def sync(self, desk):
        """The group sync of one who wrote last: what was recorded before is sure."""
        desk.sync()
        self.are_sure(self._unsure)
        self._unsure = []

    def change(self, function, *ids):
        with self.doing():
            self.store.change(ids, lambda each: function(each, self.now))

    def retry(self, *ids):
        with self.doing():
            self.store.retry(ids, self.now)

    def rolled(self):
        with self.doing():
            self.roll()

    def meanwhile(self, function, rolling):
        """Roll in this way, and do something between what the roll has read and its commit."""
        carry = roll._Roll._carry

        def carry_and_do(rolling):
            carry(rolling)
            roll._Roll._carry = carry
            function()
        roll._Roll._carry = carry_and_do
        try:
            rolling()
        finally:
            roll._Roll._carry = carry

    def purged(self, *states, **others):
        with self.doing(whole="pending" not in states):
            purge.purge(self.store, purge.selection(states, **others))


def everything(root):
    """{what: its value} of all that is in a store."""
    here = store.open_store(root)
    found = {each.id: as_plain(each) for each in here.jobs()}
    found["/config"] = repr(sorted(config.stored_values(here.paths).items()))
    found["/pauses"] = repr(here.pauses())
    return found


def as_plain(each):
    return tuple(each._replace(history=each.history.text))


def a_life(world, monkeypatch, skipped=None):
    """One of everything that changes a store."""
    life = Life(world, monkeypatch, skipped)
    clock_of(life, monkeypatch)
    life.enqueue("one")
    life.enqueue("two", priority=3)
    life.batch(3, "small")
    desk = life.worker()
    other = life.worker("2.b")
    life.work(desk)
    life.work(other)
    life.sync(other)
    life.sync(desk)
    life.batch(6, "bulk")
    life.work(desk, FAILURE)
    life.sync(desk)
    life.enqueue("first")
    life.enqueue("after", "behind", after=["first"])
    life.rolled()
    life.change(lifecycle.hold, "bulk-001", "bulk-002")
    life.change(lifecycle.release, "bulk-001")
    life.change(lambda each, now: lifecycle.edit(each, {"priority": -5}, now), "first")
    life.work(desk)
    life.work(desk, FAILURE, DEADLY)
    life.sync(desk)
    with life.doing():
        config.set(life.store, "max_retries", "7")
    life.batch(5, "more", after=["two"])
    life.meanwhile(lambda: (life.enqueue("meanwhile"), life.work(desk), life.batch(6, "joins"), life.sync(desk)), life.rolled)
    life.retry(*[each.id for each in life.store.jobs({"dead"})])
    life.enqueue("parent", priority=-9)
    life.enqueue("child", after=["parent"])
    life.enqueue("grandchild", after=["child"])
    assert life.work(desk, FAILURE, DEADLY) == "parent"
    life.sync(desk)
    life.rolled()
    life.retry("parent")
    life.change(lifecycle.cancel, "child")
    with life.doing():
        life.store.change_pauses(lambda _: {"mail": pauses.Pause("2026-11-22T03:10:00.123Z")})
    life.rolled()
    for _ in range(4):
        life.work(desk)
    life.rolled()
    life.sync(desk)
    with life.doing(whole=False):
        life.store.remove(["child"])
    with life.doing():
        config.unset(life.store, "max_retries")
    life.pass_time(3600)
    for _ in range(3):
        life.work(other)
    life.sync(other)
    life.meanwhile(lambda: (life.work(desk), life.enqueue("late"), life.work(desk)), life.rolled)
    life.rolled()
    life.sync(desk)
    life.meanwhile(lambda: life.retry("one"), lambda: life.purged("completed", older_than=1800, now=life.now))
    assert life.find("one").state == "pending"
    life.work(desk)
    life.sync(desk)
    with life.doing():
        config.set(life.store, "retention", "1h")
    life.pass_time(3 * 3600)
    there = len(life.states())
    with life.doing():
        keeping.roll_and_keep_house(life.opened())
    assert len(life.states()) < there
    life.rolled()
    life.batch(5, "last")
    life.work(desk)
    life.rolled()
    life.sync(desk)
    life.purged("pending", "failed", "dead", "completed", "cancelled")
    life.enqueue("new")
    life.close()
    return life


def clock_of(life, monkeypatch):
    stores.stop_the_clock(monkeypatch, life)


def trees_of(life, rounds=1):
    """Yields (the operation behind which it may be left, the tree) of every one that the plug may leave.

    rounds: so many times through the operations, each time with others.
    """
    for here in range(rounds):
        played = power.Disk()
        for number, operation in enumerate(life.recorder.operations, 1):
            played.do(*operation)
            if number % rounds == here:
                for tree in played.states():
                    yield number, tree


def each_once(trees):
    """Of the same ones the last: then most is sure."""
    return list({power.identity(tree): (at, tree) for at, tree in trees}.values())


class Cut:
    """A store as the plug left it behind one of the operations of a life."""

    def __init__(self, life, at, tree, place):
        self.life = life
        self.at = at
        self.place = place
        self.root = place + "/store"
        power.put(tree, place)
        self.tree = tree

    def look_at(self):
        """As a reader would; what was found."""
        found = everything(self.root)
        self.agree(found)
        self.compare(found)
        return found

    def agree(self, found):
        """Do lists, look-ups and counts say the same?"""
        look = store.open_store(self.root).look()
        counts = {}
        for what, value in found.items():
            if what[0] != "/":
                each, _ = look.find(what)
                assert as_plain(each) == value
                states = counts.setdefault(each.queue, {})
                states[each.state] = states.get(each.state, 0) + 1
        if look is not None:
            assert header.tidied(look.counts()) == counts
            for entry in look.segments():
                place = paths.index_of(look.reader(entry).path)
                if os.path.exists(place):
                    index.Index(place, entry.size)
            look.close()

    def compare(self, found):
        """Is everything as acknowledged, or as it became later, and no batch in half?"""
        is_there = {}
        for what, versions in self.life.versions.items():
            sure = max(number for number, (_, _, since) in enumerate(versions) if since is not None and since <= self.at)
            possible = [number for number, (_, since, _) in enumerate(versions) if number <= sure or since < self.at]
            values = [value for value, _, _ in versions]
            # What is not there reads as nothing.
            is_there[what] = [number for number in possible if values[number] == found.get(what) and number >= sure]
            assert is_there[what], "%s: found %r, of versions %d to %d of %r" % (
                what, found.get(what), sure, possible[-1], values)
        assert set(found) <= set(self.life.versions)
        for changes in self.life.together:
            assert len({max(is_there[what]) >= number for what, number in changes}) < 2, changes

    def go_on(self, monkeypatch):
        """As the next processes would, until the plug is pulled once more."""
        recorder = power.Recorder(self.place)
        numbers = recorder.adopt(self.tree)
        with monkeypatch.context() as patch:
            patch.setattr(disk, "os", recorder)
            patch.setattr(disk, "_data_sync", recorder.fdatasync)
            here = store.open_store(self.root, create=True, write=True)
            here.add([job("next", self.life.now)])
            # A last line that lacks nothing but its newline is there from now on.
            before = everything(self.root)
            self.compare({what: value for what, value in before.items() if what != "next"})
            desk = store.open_store(self.root, write=True).claims("7.c", None)
            claimed = desk.exchange(None, True, self.life.now)[1]
            after = lifecycle.finish(claimed, SUCCESS, self.life.now, POLICY, random)
            assert desk.exchange((claimed, after), False, self.life.now)[0]
            desk.sync()
            worked = everything(self.root)
            self.agree(worked)
            assert set(worked) == set(before)
            assert worked[claimed.id] == as_plain(after)
            end = len(recorder.operations)
            assert roll.roll(here, needless=True)
            desk.close()
        assert everything(self.root) == worked
        self.agree(worked)
        played = power.Disk(self.tree, numbers)
        for operation in recorder.operations[:end]:
            played.do(*operation)
        assert self.left_by(played) == worked
        for operation in recorder.operations[end:]:
            played.do(*operation)
        assert self.left_by(played) == worked

    def left_by(self, played):
        shutil.rmtree(self.place)
        os.mkdir(self.place)
        power.put(played.harshest(), self.place)
        return everything(self.root)


@contextmanager
def pulled(life, ground, at, tree):
    """The Cut that leaves this tree."""
    place = ground + "/cut"
    os.mkdir(place)
    try:
        yield Cut(life, at, tree, place)
    finally:
        shutil.rmtree(place)


@pytest.fixture
def no_medium(monkeypatch):
    """To be called when enough is recorded."""
    def stop():
        monkeypatch.setattr(disk, "os", os)
        monkeypatch.setattr(disk, "_data_sync", lambda fd: None)
    return stop


@pytest.fixture(scope="module")
def whole_life():
    """(a Life, every tree that the plug may leave of it and behind which operation, the same without_word)."""
    with a_ground() as world, pytest.MonkeyPatch.context() as monkeypatch:
        cramp(monkeypatch)
        life = a_life(world, monkeypatch)
        trees = list(trees_of(life))
        return life, trees, {(at, without_word(tree)) for at, tree in trees}


def test_what_was_acknowledged_is_there_after_a_power_cut_at_any_moment(whole_life, ground, monkeypatch):
    life, trees, _ = whole_life
    trees = each_once(trees)
    seed = random.randrange(10 ** 6)
    for at, tree in trees if EVERY else random.Random(seed).sample(trees, SAMPLE):
        try:
            with pulled(life, ground, at, tree) as cut:
                cut.look_at()
                cut.go_on(monkeypatch)
        except BaseException as error:
            raise AssertionError("seed %d, behind operation %d, %s: %r" % (
                seed, at, life.recorder.operations[at - 1][:3], error)) from error


# What for.
SYNCS = {
    ("founding.found", "."): "the store's directory",
    ("founding.found", "a file"): "the first header",
    ("founding.found", "store"): "its name",
    ("store.settle", "a file"): "what is told to be stored",
    ("group_sync._sync", "a file"): "results",
    ("config.write", "a file"): "settings",
    ("config.write", "store"): "their file's name",
    ("bulk._store_segment", "a file"): "a batch",
    ("bulk._join", "store/base"): "its name",
    ("new_segment.finish", "a file"): "what a roll wrote",
    ("roll._build", "store/base"): "its name",
    ("index.write", "a file"): "an index: without it every look-up would search the segment",
    ("roll._commit", "a file"): "the new journal",
    ("roll._commit", "store"): "its name, before what it replaces is removed",
    ("new_segment.settle_archives", "store/archive"): "where an archive is by now",
}
# These only leave less to be synced under the lock.
AHEAD = {("roll._carry", "a file"), ("roll._copy_tail", "a file")}


def test_every_sync_is_accounted_for(whole_life):
    life = whole_life[0]
    assert life.recorder.syncs == set(SYNCS) | AHEAD


@pytest.mark.parametrize("skipped", sorted(SYNCS), ids="-".join)
def test_no_sync_can_be_left_out(whole_life, ground, monkeypatch, no_medium, skipped):
    """Among the trees that the plug could not leave otherwise is one where something is wrong."""
    os.mkdir(ground + "/without")
    without = a_life(ground + "/without", monkeypatch, skipped)
    no_medium()
    possible = whole_life[2]
    for at, tree in trees_of(without, rounds=20):
        if (at, without_word(tree)) in possible:
            continue
        try:
            with pulled(without, ground, at, tree) as cut:
                cut.look_at()
        except (AssertionError, QueuectlError, index.Useless):
            return
    raise AssertionError("nobody misses it")


def without_word(tree):
    """Which tree it is, but for the word in the lock file: it names an inode."""
    return power.identity({**tree, "store/lock": b""})


def look_at_every_cut(life, ground):
    for at, tree in each_once(trees_of(life)):
        with pulled(life, ground, at, tree) as cut:
            cut.look_at()


@pytest.fixture
def life(ground, monkeypatch):
    """A store of which nothing was done yet but to found it."""
    os.mkdir(ground + "/life")
    one = Life(ground + "/life", monkeypatch)
    clock_of(one, monkeypatch)
    yield one
    one.close()


def test_bytes_that_were_taken_back_count_for_no_sync(life, ground, no_medium):
    """A worker syncs what a killed one tore; the next one cuts that off, and writes less."""
    life.enqueue("a", "b")
    mine, others = life.worker("1.a"), life.worker("2.b")
    life.work(mine)
    fd = disk.open_private(life.journal, os.O_WRONLY | os.O_APPEND)
    disk.write_all(fd, b'{"id":"torn' + b"x" * 4000)
    os.close(fd)
    life.sync(mine)
    life.work(others)
    life.sync(others)
    no_medium()
    look_at_every_cut(life, ground)


def streamed(here, *jobs):
    lines = [streaming.Entry(gathering.Line(number, b"", True), each) for number, each in enumerate(jobs)]
    admission.Admission(here, True, lambda act: act()).add(lines)


@pytest.mark.parametrize("enqueue", [
    lambda here: once.add_unique(here, job("there"), if_absent=True),
    lambda here: once.add_unique(here, job(), if_absent=False),
    lambda here: once.add_absent(here, [job("there")]),
    lambda here: once.add_absent(here, [job("there"), job("new")]),
    lambda here: streamed(here, job("there")),
    lambda here: streamed(here, job("there"), job("new")),
], ids=["same id", "same command", "a file", "a file with another one", "a stream", "a stream with another one"])
def test_a_job_that_is_there_already_is_told_of_when_it_is_there_for_good(life, ground, monkeypatch, no_medium, enqueue):
    """Who wrote it was killed before its sync, or is only about to do it."""
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "settle", lambda self, live: live.close())
        with life.doing(sure=False):
            life.add("there")
    with life.doing():
        enqueue(life.opened())
    life.are_sure([("there", 1)])
    no_medium()
    look_at_every_cut(life, ground)


def test_who_finds_a_store_made_by_another_may_rely_on_it(ground, monkeypatch):
    """Of two first commands the second comes at the first moment at which it can write."""
    os.mkdir(ground + "/life")
    first = power.Recorder(ground + "/life")
    seconds = []

    def come():
        names = paths.Paths(ground + "/life/store")
        if seconds or not os.path.exists(names.jobs):
            return
        fd = os.open(names.lock, os.O_RDWR)
        is_free = locking.try_lock(fd)
        os.close(fd)
        if is_free:
            seconds.append(None)
            store.open_store(names.root, create=True, write=True).add([job("second")])
            seconds.append(len(first.operations))

    first.between = come
    monkeypatch.setattr(disk, "os", first)
    monkeypatch.setattr(disk, "_data_sync", first.fdatasync)
    store.open_store(ground + "/life/store", create=True, write=True).add([job("first")])
    monkeypatch.setattr(disk, "os", os)
    played = power.Disk()
    for number, operation in enumerate(first.operations, 1):
        played.do(*operation)
        if number >= seconds[1]:
            place = ground + "/%d" % number
            os.mkdir(place)
            power.put(played.harshest(), place)
            assert "second" in everything(place + "/store")


def damage(path, place, data):
    """Write there what does not belong there, for good."""
    fd = disk.open_private(path, os.O_WRONLY)
    disk.write_at(fd, data, place, path)
    disk.sync(fd, path)
    os.close(fd)


def test_a_repair_that_is_cut_off_is_done_again(life, ground, no_medium):
    repair = pytest.importorskip("queuectl_lib.store.repair").repair
    life.enqueue("a", "b")
    life.rolled()
    life.enqueue("c")
    segment, = life.segment_files()
    damage(segment, 40, bytes([stores.read(segment)[40] ^ 1]))
    damage(life.journal, os.path.getsize(life.journal), b'{"id":"damaged"}\n')
    begin = life.at()
    assert repair(life.store.paths)
    no_medium()
    for at, tree in each_once(trees_of(life)):
        if at >= begin:
            with pulled(life, ground, at, tree) as cut:
                repair(paths.Paths(cut.root))
                cut.look_at()
                assert repair(paths.Paths(cut.root)) == []
