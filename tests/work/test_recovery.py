"""Jobs of dead workers: ended first, then counted as a failed attempt; never two runs at once."""

import fcntl
import os
import subprocess
import time

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import config, store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreLocked
from queuectl_lib.work import identity, output, recovery, slots, tree
from support import is_running, wait_until


class Lines(list):
    """What a worker would have said."""

    say = list.append

    def say_once(self, text):
        if text not in self:
            self.append(text)


class Given:
    """Settings that do not change."""

    def __init__(self, **values):
        self.current = config.DEFAULTS._replace(**values)

    def now(self):
        return self.current


class House:
    """A store with workers in it, all of them in this process."""

    def __init__(self, root):
        self.store = store.open_store(root, create=True, write=True)
        self.paths = self.store.paths
        self.lines = Lines()
        self.ended = []
        self.processes = []

    def is_held(self, number):
        with self.store.lock():
            fd = slots.seize(self.paths, number)
        if fd is not None:
            os.close(fd)
        return fd is None

    def slot(self, **options):
        with self.store.lock():
            return slots.take(self.paths, **options)

    def claimed(self, slot, command="true", **fields):
        """A job that this worker has claimed."""
        job = record.create(dict(fields, command=command), clock.now(), record.Defaults(cwd="/"))
        self.store.add([job])
        claimed = self.store.claims(slot.name).exchange()[1]
        assert claimed.command == command
        return claimed

    def lost_job(self, **fields):
        """A job whose worker is dead: (job, its slot's number)."""
        slot = self.slot()
        job = self.claimed(slot, **fields)
        slot.leave()
        return job, slot.number

    def runs(self, job, words=("sleep", "1000"), **options):
        """A process of that job's attempt."""
        environment = dict(os.environ)
        environment[tree.VARIABLE] = tree.claim_marker(job.worker, job.id, job.attempts, tree.place_of(self.store.root))
        process = subprocess.Popen(words, env=options.pop("env", environment), start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)
        self.processes.append(process)
        return process

    def recovery(self, slot, **settings):
        claims = self.store.claims(slot.name)
        return recovery.Recovery(self.store, claims, slot, Given(**settings), self.lines, self.ended.append)

    def tend_until(self, care, condition, what):
        def tended():
            care.tend(time.monotonic())
            return condition()
        wait_until(tended, what)

    def job(self, job):
        return self.store.find(job.id)


@pytest.fixture
def house(tmp_path):
    house = House(str(tmp_path / "store"))
    yield house
    for process in house.processes:
        process.kill()
        process.communicate()


def test_a_lost_job_is_a_failed_attempt(house):
    job, _ = house.lost_job()
    care = house.recovery(house.slot(skip={1}))
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")
    after = house.job(job)
    assert (after.error, after.attempts, after.history[-1]["error"]) == ("worker lost", 1, "worker lost")
    assert after.next_run_at is not None
    assert "failed %s (worker lost)" % job.id in house.lines[0]


def test_what_its_attempt_had_put_into_files_is_removed(house):
    job, _ = house.lost_job()
    kept = [house.paths.output_file(*name) for name in ((job.id, 2, "out"), ("other", 1, "out"))]
    lost = [house.paths.output_file(job.id, 1, stream) for stream in ("out", "err")]
    for path in kept + lost:
        with open(path, "w") as file:
            file.write("x")
    care = house.recovery(house.slot(skip={1}))
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")
    assert [os.path.exists(path) for path in kept + lost] == [True, True, False, False]


def test_without_retries_left_it_is_dead(house):
    job, _ = house.lost_job(max_retries=0)
    care = house.recovery(house.slot(skip={1}))
    house.tend_until(care, lambda: house.job(job).state == "dead", "the job is dead")


def test_the_slot_is_free_again_after_it(house):
    job, number = house.lost_job()
    care = house.recovery(house.slot(skip={1}))
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")
    assert house.slot().number == number


def test_a_living_workers_job_is_left_alone(house):
    job = house.claimed(house.slot())
    care = house.recovery(house.slot())
    care.tend(time.monotonic())
    assert house.job(job).state == "processing"
    assert not recovery.lost(house.job(job), house.paths)


def test_its_processes_are_ended_first(house):
    job, _ = house.lost_job()
    process = house.runs(job)
    care = house.recovery(house.slot(skip={1}))
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")
    assert not is_running(process.pid)


def test_they_are_asked_before_they_are_killed(house, tmp_path):
    job, _ = house.lost_job()
    bye = tmp_path / "bye"
    process = house.runs(job, ("sh", "-c", "trap 'echo bye > %s; exit' TERM; echo ready; while :; do sleep 0.02; done" % bye))
    process.stdout.readline()
    care = house.recovery(house.slot(skip={1}), kill_grace=60)
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")
    assert bye.read_text() == "bye\n"


def test_who_ignores_term_is_killed_after_the_grace_and_runs_alone_until_then(house):
    job, _ = house.lost_job()
    process = house.runs(job, ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done"))
    process.stdout.readline()
    care = house.recovery(house.slot(skip={1}), kill_grace=0.3)
    begin = time.monotonic()
    care.tend(begin)
    while is_running(process.pid):
        assert house.job(job).state == "processing"
        care.tend(time.monotonic())
        time.sleep(0.01)
    assert time.monotonic() - begin >= 0.3
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")


def test_while_somebody_holds_its_output_it_still_runs(house):
    job, number = house.lost_job()
    # It hid from its tree, without the marker and in a session of its own.
    fd = os.open(house.paths.slot_job(number), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    process = house.runs(job, pass_fds=(fd,), env={"PATH": os.environ["PATH"]})
    os.close(fd)
    assert output.held(house.paths, number)
    care = house.recovery(house.slot(skip={1}), kill_grace=0.2)
    care.tend(time.monotonic())
    assert house.job(job).state == "processing"
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")
    assert not is_running(process.pid)


def test_who_only_reads_its_output_is_not_ended(house):
    job, number = house.lost_job()
    fd = os.open(house.paths.slot_job(number), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    hidden = house.runs(job, pass_fds=(fd,), env={"PATH": os.environ["PATH"]})
    os.close(fd)
    reader = house.runs(job, ("tail", "-f", house.paths.slot_job(number)), env={"PATH": os.environ["PATH"]})
    wait_until(lambda: house.paths.slot_job(number) in open_files(reader.pid), "tail has it open")
    assert output.holders(house.paths, number) == {hidden.pid}


def open_files(pid):
    return [os.readlink("/proc/%d/fd/%s" % (pid, name)) for name in os.listdir("/proc/%d/fd" % pid)]


def test_what_cannot_be_ended_keeps_its_job_processing(house, monkeypatch):
    job, number = house.lost_job()
    fd = os.open(house.paths.slot_job(number), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    monkeypatch.setattr(recovery, "_PATIENCE_AFTER_KILL", 0.1)
    monkeypatch.setattr(recovery, "_LOOK_SECONDS", 0.01)
    care = house.recovery(house.slot(skip={1}), kill_grace=0)
    house.tend_until(care, lambda: house.lines, "it is said")
    for _ in range(20):
        care.tend(time.monotonic())
        time.sleep(0.02)
    assert len(house.lines) == 1 and "stays processing" in house.lines[0]
    assert house.job(job).state == "processing"
    os.close(fd)
    house.tend_until(care, lambda: house.job(job).state == "failed", "it is recovered once they are gone")


def test_the_own_slots_former_job_is_recovered_before_the_slot_is_used(house):
    job, number = house.lost_job()
    process = house.runs(job)
    slot = house.slot()
    assert slot.number == number
    assert house.recovery(slot).clear_own_slot(lambda seconds: time.sleep(seconds) or True)
    assert house.job(job).state == "failed"
    assert not is_running(process.pid)


def test_an_order_to_leave_interrupts_the_clearing(house):
    job, _ = house.lost_job()
    process = house.runs(job, ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done"))
    process.stdout.readline()
    assert not house.recovery(house.slot()).clear_own_slot(lambda seconds: False)
    assert house.job(job).state == "processing"


def test_a_slot_that_cannot_be_cleared_is_not_clear(house, monkeypatch):
    job, number = house.lost_job()
    fd = os.open(house.paths.slot_job(number), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    monkeypatch.setattr(recovery, "_PATIENCE_AFTER_KILL", 0.1)
    care = house.recovery(house.slot(), kill_grace=0)
    assert not care.clear_own_slot(lambda seconds: time.sleep(seconds) or True)
    os.close(fd)


def test_two_workers_recover_a_job_once(house):
    job, _ = house.lost_job()
    both = [house.recovery(house.slot(skip={1})) for _ in range(2)]
    for _ in range(3):
        for care in both:
            care.tend(time.monotonic())
        time.sleep(0.06)
    house.tend_until(both[0], lambda: house.job(job).state == "failed", "the job is failed")
    assert len([line for line in house.lines if job.id in line]) == 1
    assert len(house.job(job).history) == 3


def test_a_result_that_came_first_stands(house):
    job, _ = house.lost_job()
    process = house.runs(job, ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done"))
    process.stdout.readline()
    slot = house.slot(skip={1})
    care = house.recovery(slot)
    care.tend(time.monotonic())
    house.store.claims("other").settle(job, job._replace(state="completed", exit_code=0))
    process.kill()
    process.wait()
    house.tend_until(care, lambda: not house.is_held(1), "the case is closed")
    assert house.job(job).state == "completed"
    assert house.lines == []


def test_a_store_that_cannot_be_written_is_tried_again(house, monkeypatch):
    job, _ = house.lost_job()
    care = house.recovery(house.slot(skip={1}))
    settle = care._claims.settle
    monkeypatch.setattr(recovery, "_LOOK_SECONDS", 0.01)

    def refuse(before, after):
        raise StoreLocked("locked")
    care._claims.settle = refuse
    with pytest.raises(StoreLocked):
        while True:
            care.tend(time.monotonic())
    # Meanwhile another worker may do it.
    assert not house.is_held(1)
    care._claims.settle = settle
    house.tend_until(care, lambda: house.job(job).state == "failed", "the job is failed")


def test_readers_see_a_lost_job_without_writing(house):
    job, number = house.lost_job()
    before = os.stat(house.paths.slot_lock(number)).st_mtime_ns
    assert recovery.lost(house.job(job), house.paths)
    assert os.stat(house.paths.slot_lock(number)).st_mtime_ns == before
    waiting = job._replace(state="pending")
    assert not recovery.lost(waiting, house.paths)
    assert recovery.lost(job._replace(worker="77.abc"), house.paths)


def test_a_job_is_lost_though_its_slot_has_a_new_owner(house):
    job, number = house.lost_job()
    assert house.slot().number == number
    assert recovery.lost(house.job(job), house.paths)


def test_an_unfinished_case_is_left_to_the_next_worker(house):
    job, number = house.lost_job()
    process = house.runs(job, ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done"))
    process.stdout.readline()
    care = house.recovery(house.slot(skip={1}))
    care.tend(time.monotonic())
    assert house.is_held(number)
    assert [worker.slot for worker in slots.living(house.paths)] == [2]
    care.close()
    assert house.slot().number == number


def cancelled_by_a_killed_worker(house):
    """(a job that was cancelled, its process, deaf to TERM, whose worker was killed as it ended it)"""
    slot = house.slot()
    job = house.claimed(slot)
    stubborn = house.runs(job, words=("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done"))
    assert stubborn.stdout.readline() == b"ready\n"
    house.store.change([job.id], lambda found: lifecycle.cancel(found, clock.now()))
    slot.leave()
    return job, stubborn


def test_what_a_killed_worker_was_ending_of_a_cancelled_job_is_ended_by_who_takes_its_slot(house):
    job, stubborn = cancelled_by_a_killed_worker(house)
    care = house.recovery(house.slot(), kill_grace=0.1)
    assert care.clear_own_slot(lambda seconds: True)
    house.tend_until(care, lambda: not is_running(stubborn.pid), "the processes of the cancelled job are gone")
    assert house.lines == ["ending cancelled job %s: its worker died" % job.id]
    assert house.job(job).state == "cancelled" and house.ended == []


def test_a_worker_that_leaves_meanwhile_does_not_wait_for_the_grace(house):
    _, stubborn = cancelled_by_a_killed_worker(house)
    care = house.recovery(house.slot(), kill_grace=3600)
    assert care.clear_own_slot(lambda seconds: True) and is_running(stubborn.pid)
    care.close()
    assert stubborn.wait() == -9


def test_who_clears_up_after_a_lost_job_ends_the_cancelled_one_too(house):
    slot = house.slot()
    cancelled, lost = house.claimed(slot), house.claimed(slot)
    process = house.runs(cancelled)
    house.store.change([cancelled.id], lambda found: lifecycle.cancel(found, clock.now()))
    slot.leave()
    care = house.recovery(house.slot(skip={1}))
    house.tend_until(care, lambda: house.job(lost).state == "failed", "the other job is failed")
    house.tend_until(care, lambda: not is_running(process.pid), "the processes of the cancelled job are gone")


def test_while_it_looks_for_what_a_killed_worker_left_that_one_is_not_listed(house, monkeypatch):
    """Or its supervisor's next worker would not be needed, and leave."""
    _, dead = house.lost_job()
    listed = []
    monkeypatch.setattr(tree, "left_by", lambda *_: listed.append([one.slot for one in slots.living(house.store.paths)]) or ())
    house.recovery(house.slot(skip={dead})).tend(time.monotonic())
    assert listed and dead not in listed[0]


def test_what_a_job_left_that_ended_by_itself_is_left_alone(house):
    slot = house.slot()
    job = house.claimed(slot)
    daemon = house.runs(job)
    house.store.claims(slot.name).settle(job, job._replace(state="completed"))
    slot.leave()
    care = house.recovery(house.slot())
    assert care.clear_own_slot(lambda seconds: True)
    care.tend(time.monotonic())
    assert is_running(daemon.pid) and house.lines == []


@pytest.mark.parametrize("whose, ends", [("1.", True), ("2.", False), ("copy", False), ("no leader", False)])
def test_a_hook_of_a_killed_worker_is_ended_and_no_other(house, whose, ends):
    slot = house.slot()
    place = "0" if whose == "copy" else tree.place_of(house.store.root)
    owner = tree.HOOK + (slot.name if whose != "2." else "2.abcdef")
    environment = dict(os.environ, **{tree.VARIABLE: tree.claim_marker(owner, "nightly", 1, place)})
    hook = subprocess.Popen(("sleep", "1000"), env=environment, start_new_session=whose != "no leader", stdout=subprocess.PIPE)
    house.processes.append(hook)
    slot.leave()
    care = house.recovery(house.slot())
    assert care.clear_own_slot(lambda seconds: True)
    if ends:
        assert hook.wait() < 0 and house.lines == ["ending a hook of nightly: its worker died"]
    else:
        assert is_running(hook.pid) and house.lines == []


def test_who_left_in_order_left_nothing_to_be_looked_for(house, monkeypatch):
    monkeypatch.setattr(tree, "left_by", lambda *_: pytest.fail("looked through all processes"))
    slot = house.slot()
    slot.end()
    slot.leave()
    assert house.recovery(house.slot()).clear_own_slot(lambda seconds: True)


def test_of_an_earlier_boot_nothing_is_left(house, monkeypatch):
    slot = house.slot()
    slot.leave()
    monkeypatch.setattr(identity, "boot_id", lambda: "another")
    assert house.slot().killed is None
