"""Whatever operation on its files fails: a clear line, nothing half done, and the next command works."""

import itertools
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

import failing
from queuectl_lib.store import ballast, config, journal, locking, store
from queuectl_lib.words import clock
from queuectl_lib.work import place, worker
from support import wait_until
from tests.store import stores

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
FIVE = [{"command": "true", "id": "five-%d" % number} for number in range(5)]


def with_large_batches():
    store.LARGEST_BATCH = 2


def with_a_short_journal():
    journal.BOUND = 100


def without_naps():
    worker._RETRY_SECONDS = place._RETRY_SECONDS = 0.01


# What is typed, in an empty directory or in one with a store that has some of everything; and what is different then.
CHANGING = {
    "the first enqueue": (["enqueue", "--id", "one", "true"], None),
    "enqueue": (["enqueue", "--id", "one", "true"], None),
    "enqueue, a roll due": (["enqueue", "--id", "one", "true"], with_a_short_journal),
    "a batch": (["enqueue", "--file", "five.jsonl"], None),
    "a big batch": (["enqueue", "--file", "five.jsonl"], with_large_batches),
    "edit": (["edit", "wait-1", "--priority", "3"], None),
    "cancel": (["cancel", "wait-1"], None),
    "hold": (["hold", "wait-2"], None),
    "retry": (["retry", "done-1"], None),
    "dlq retry": (["dlq", "retry", "dead-1", "dead-2"], None),
    "dlq purge": (["dlq", "purge", "--yes"], None),
    "pause": (["pause", "mail"], None),
    "purge": (["purge", "--yes"], None),
    "config set": (["config", "set", "max_retries", "7"], None),
    "roll": (["roll"], with_a_short_journal),
}
LOOKING = [["list"], ["status"], ["show", "done-1"], ["queues"], ["config", "list"]]


@pytest.fixture
def tmp_path():
    """In memory, where there is such a place: it is filled and emptied a thousand times."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as path:
        yield Path(path)


@pytest.fixture(scope="module")
def some_of_everything(tmp_path_factory):
    """A store with jobs in every state, in segments and in the journal."""
    top = str(tmp_path_factory.mktemp("filled"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: int(time.time() * 1000))
        here = stores.Here(os.path.join(top, ".queuectl"))
        here.now = clock.now()
        here.add("done-1")
        here.run("done-1")
        here.add("dead-1", max_retries=0)
        here.run("dead-1", outcome=stores.FAILURE)
        here.add("wait-1", "wait-2")
        here.add("held-1", held=True)
        here.roll()
        here.add("wait-3", priority=5)
        here.add("dead-2", priority=-9, max_retries=0)
        here.run("dead-2", outcome=stores.FAILURE)
        here.add("after-1", after=["wait-1"])
        here.close()
    return top


class Scene:
    """One command, and the directory in which it is typed again and again."""

    def __init__(self, words, before, filled, top):
        self.words = words
        self._before = before or (lambda: None)
        self._filled = filled
        self.directory = os.path.join(top, "here")
        self.store = os.path.join(self.directory, ".queuectl")

    def begin(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._filled:
            shutil.copytree(self._filled, self.directory)
        else:
            os.makedirs(self.directory)
        with open(os.path.join(self.directory, "five.jsonl"), "w") as file:
            file.writelines(json.dumps(job) + "\n" for job in FIVE)

    def run(self, failure=None, at=0):
        self.begin()
        fault = failing.Failing(self.store, failure, at) if failure else None
        done = failing.run(self.words, self.directory, fault, self._before)
        wait_until(lambda: self._is_rolled(), "no roller works on here while the next scene is laid out")
        return done

    def _is_rolled(self):
        """Its lock is held from a roller's birth to its end."""
        try:
            with open(self.store + "/roll.lock", "rb") as file:
                return locking.try_lock(file.fileno())
        except FileNotFoundError:
            return True

    def failed_runs(self, failures):
        """(what failed, how the command ended) with the first operation failing, the second, and so on to the last."""
        for failure in failures:
            for at in itertools.count(1):
                done = self.run(failure, at)
                if not done.failed:
                    break
                yield "%s, the %d. time" % (failure, at), done

    def state(self):
        """What the store holds once the next command has stored a job in it; its counts must agree."""
        opened = store.open_store(self.store, create=True, write=True)
        opened.add([stores.job("next")])
        jobs = {job.id: (job.state, job.queue, job.priority, job.attempts, job.held) for job in opened.jobs()}
        assert jobs.pop("next")[0] == "pending"
        counts = Counter(state for state, *_ in jobs.values())
        counts["pending"] += 1
        assert counts == Counter({state: number for states in opened.counts().values() for state, number in states.items()})
        return jobs, sorted(opened.pauses()), config.stored_values(opened.paths)

    def leftovers(self):
        """Segments, and other files half written, that no header names."""
        names = {path.rpartition("/")[2] for path in stores.Here(self.store).segment_files()}
        found = [name for folder in ("base", "archive") for name in os.listdir(os.path.join(self.store, folder))
                 if name.endswith(".jsonl") and name not in names]
        return found + [name for name in os.listdir(self.store) if name.endswith(".new")]


def check_the_line(done, scene, what):
    assert done.code in (0, 3), (what, done)
    assert "Traceback" not in done.err, (what, done)
    if done.code == 3:
        assert done.err.startswith("queuectl: ") and done.err.count("\n") == 1 and scene.store in done.err, (what, done)
        assert done.out == "", (what, done)


@pytest.mark.parametrize("name", CHANGING)
def test_a_command_whose_nth_operation_fails_does_all_or_nothing_and_says_so(name, some_of_everything, tmp_path):
    words, before = CHANGING[name]
    scene = Scene(words, before, None if name == "the first enqueue" else some_of_everything, str(tmp_path))
    scene.begin()
    untouched = scene.state()
    assert scene.run().code == 0
    changed = scene.state()
    endings = set()
    for what, done in scene.failed_runs(failing.FAILURES + failing.READ_FAILURES):
        check_the_line(done, scene, what)
        assert scene.state() in ([changed] if done.code == 0 else [untouched, changed]), what
        endings.add(done.code)
    assert 3 in endings


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_a_command_that_cannot_read_says_which_file(words, some_of_everything, tmp_path):
    scene = Scene(words, None, some_of_everything, str(tmp_path))
    for what, done in scene.failed_runs(failing.READ_FAILURES):
        assert done.code in (0, 1, 3) and "Traceback" not in done.err, (what, done)
        assert done.code == 0 or scene.store in done.err, (what, done)


@pytest.mark.parametrize("words, before", [CHANGING["roll"], CHANGING["purge"], CHANGING["a big batch"]],
                         ids=["roll", "purge", "a big batch"])
def test_on_a_full_disk_nothing_half_written_is_left(words, before, some_of_everything, tmp_path):
    scene = Scene(words, before, some_of_everything, str(tmp_path))
    full = 0
    for what, done in scene.failed_runs([failing.Failure(failing.FULL, 28, True), failing.Failure("write", 5, True)]):
        full += done.code == 3
        assert scene.leftovers() == [], what
    assert full


def test_after_a_failed_sync_the_next_writer_builds_new_files_or_refuses(some_of_everything, tmp_path):
    scene = Scene(["enqueue", "--id", "one", "true"], None, some_of_everything, str(tmp_path))
    mark = os.path.join(scene.store, "suspect")
    done = scene.run(failing.Failure("sync", 5, False), 1)
    assert done.code == 3 and "may have been stored or not" in done.err
    assert os.path.exists(mark)
    # Whatever fails in building them: nothing is accepted, and the mark stays, until it succeeds.
    for at in itertools.count(1):
        fault = failing.Failing(scene.store, failing.Failure("sync", 5, True), at)
        before = os.stat(os.path.join(scene.store, "jobs.jsonl")).st_ino
        done = failing.run(["enqueue", "--id", "two-%d" % at, "true"], scene.directory, fault)
        if os.stat(os.path.join(scene.store, "jobs.jsonl")).st_ino != before:
            break
        assert done.code == 3 and os.path.exists(mark), at
    assert at > 2
    shutil.rmtree(scene.directory)
    scene.run(failing.Failure("sync", 5, False), 1)
    done = failing.run(["enqueue", "--id", "three", "true"], scene.directory)
    assert done.code == 0 and not os.path.exists(mark)


def test_where_not_even_an_empty_file_can_be_made_the_mark_is_the_ballast(some_of_everything, tmp_path):
    scene = Scene(["enqueue", "--id", "one", "true"], None, some_of_everything, str(tmp_path))
    scene.begin()

    def no_new_file():
        real = os.open
        os.open = lambda path, flags, *mode, **more: (
            failing.refuse(path, 28) if str(path).endswith("suspect") else real(path, flags, *mode, **more))
    fault = failing.Failing(scene.store, failing.Failure("sync", 28, True), 1)
    done = failing.run(scene.words, scene.directory, fault, no_new_file)
    assert done.code == 3
    assert os.path.getsize(os.path.join(scene.store, "suspect")) == ballast.SIZE
    assert scene.state()[0]["wait-3"][0] == "pending"
    assert not os.path.exists(os.path.join(scene.store, "suspect"))


def test_a_worker_whose_nth_operation_fails_loses_nothing(tmp_path):
    top = str(tmp_path / "filled")
    os.makedirs(top)
    here = stores.Here(os.path.join(top, ".queuectl"))
    # It leaves a child behind that has its files open: they are to be opened anew.
    here.add("first", command="sleep 0.1 & echo once >> runs", cwd=str(tmp_path / "here"))
    here.add("second", after=["first"], cwd="/")
    here.close()
    scene = Scene(["worker", "start", "--drain"], without_naps, top, str(tmp_path))
    runs = tmp_path / "here" / "runs"
    number = 0
    for what, done in scene.failed_runs([failing.Failure(failing.FULL, 28, False), failing.Failure("sync", 5, False),
                                         failing.Failure("lock", 37, False), failing.Failure("open", 24, False)]):
        number += 1
        assert done.code in (0, 3) and "Traceback" not in done.err, (what, done)
        left = {job.state for job in store.open_store(scene.store).jobs()}
        assert done.code == 3 or left <= {"completed", "failed"}, (what, done)
        if left != {"completed"}:
            again = failing.run(["worker", "start", "--drain-all"], scene.directory, None, without_naps)
            assert again.code == 0, (what, again)
        assert {id: state for id, (state, *_) in scene.state()[0].items()} == {"first": "completed", "second": "completed"}, what
        assert runs.read_text() == "once\n", (what, done)
    assert number > 20


def test_a_job_that_is_run_by_hand_is_not_lost_with_a_file_that_cannot_be_opened(tmp_path):
    top = str(tmp_path / "filled")
    os.makedirs(top)
    here = stores.Here(os.path.join(top, ".queuectl"))
    here.add("first", command="echo once", cwd="/")
    here.close()
    scene = Scene(["run", "first"], without_naps, top, str(tmp_path))
    for what, done in scene.failed_runs([failing.Failure("open", 24, False), failing.Failure("lock", 37, False)]):
        left = {job.state for job in store.open_store(scene.store).jobs()}
        assert (done.code, left, done.out) in ((0, {"completed"}, "once\n"), (3, {"pending"}, "")), (what, done)
