"""What crashes and kills leave: each found, seen to, and found no more."""

import os
import subprocess
import threading

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.job.lifecycle import Outcome
from queuectl_lib.store import ballast, config, disk, locking, pauses, store
from queuectl_lib.words import clock
from queuectl_lib.words.finding import REMARK, REPAIRED, WARNING, WELL
from queuectl_lib.work import checkup, clearing, pidfile, proc, slots, surroundings, tree
from support import DEADLINE, is_running, send, wait_until

FIND = dict(checkup.CHECKS)
UNSERVED = "jobs in queues that no worker serves: default"


class Ruin:
    """A store in which somebody has died."""

    def __init__(self, root):
        self.store = store.open_store(root, create=True, write=True)
        self.paths = self.store.paths
        self.processes = []
        self.voices = []

    def add(self, *ids, **fields):
        fields.setdefault("command", "true")
        self.store.add([record.create(dict(fields), clock.now(), record.Defaults(cwd="/"), id=id) for id in ids])

    def slot(self):
        with self.store.lock():
            return slots.take(self.paths)

    def claimed(self, id, slot=None):
        """The job, claimed by a worker who dies at once, or in this living one's slot."""
        worker = slot or self.slot()
        job = self.store.claims(worker.name).claim(id, lambda found: found, clock.now())
        if slot is None:
            worker.leave()
        return job

    def process(self, claim, command="sleep 1000", **environment):
        """A process with a mark."""
        environment = dict(os.environ, **environment)
        environment[tree.VARIABLE] = claim
        process = subprocess.Popen(["/bin/sh", "-c", command], env=environment, start_new_session=True,
                                   stdin=subprocess.DEVNULL)
        self.processes.append(process)
        wait_until(lambda: process.poll() is not None or os.fsencode(claim) in proc.environment(process.pid), "it is marked, or over")
        return process

    def of_job(self, job, command="sleep 1000"):
        return self.process(tree.claim_marker(job.worker, job.id, job.attempts, tree.place_of(self.store.root)), command)

    def write(self, path, data=b"x"):
        with open(path, "wb") as file:
            file.write(data)
        return path

    def found(self, subject):
        """[(level, text)] of one check."""
        look = self.store.look()
        try:
            return [(one.level, one.text) for one in FIND[subject](self.store, look)]
        finally:
            look.close()

    def all_found(self):
        return [one for subject in FIND for one in self.found(subject) if one != (REMARK, UNSERVED)]

    def cleared(self):
        """[(level, text)] of all steps, which then have nothing left to do."""
        return [(one.level, one.text) for _, step in clearing.STEPS for one in step(store.open_store(self.paths.root))]


@pytest.fixture
def ruin(tmp_path, monkeypatch):
    monkeypatch.setattr(checkup, "_SETTLED", -1)
    ruin = Ruin(str(tmp_path / "store"))
    config.set(ruin.store, "kill_grace", "200ms")
    ballast.make(ruin.paths)
    ruin.store = store.open_store(ruin.paths.root)
    yield ruin
    for process in ruin.processes:
        # With what its shell has started.
        send(-process.pid, 9)
        process.wait()


def assert_mended(ruin, *words):
    """The steps tell of these words, in this order; after that nothing is found and nothing is left to do."""
    done = ruin.cleared()
    assert [level for level, _ in done] == [REPAIRED] * len(words)
    for (_, text), word in zip(done, words):
        assert word in text
    assert ruin.all_found() == []
    assert ruin.cleared() == []


def test_in_a_store_that_is_well_nothing_is_found_and_nothing_done(ruin):
    ruin.add("a")
    slot = ruin.slot()
    assert ruin.all_found() == []
    before = os.stat(ruin.paths.jobs)
    assert ruin.cleared() == []
    after = os.stat(ruin.paths.jobs)
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    slot.leave()


# --- lost jobs

def test_a_lost_job_is_recovered_and_its_processes_are_ended(ruin):
    ruin.add("a", max_retries=0)
    job = ruin.claimed("a")
    process = ruin.of_job(job, "trap '' TERM; while :; do sleep 1000 & wait; done")
    (level, text), = ruin.found("lost jobs")
    assert level == WARNING and text.startswith("a: ")
    assert ruin.found("processes") == []
    assert_mended(ruin, "dead a (worker lost)")
    assert not is_running(process.pid)
    assert (ruin.store.find("a").state, ruin.store.find("a").error) == ("dead", "worker lost")


def test_several_lost_jobs_are_all_recovered(ruin):
    ruin.add("a", "b", "c")
    living = [ruin.slot() for _ in range(3)]
    for id, slot in zip("abc", living):
        ruin.claimed(id, slot)
    for slot in living:
        slot.leave()
    assert_mended_soon = ruin.cleared()
    assert sorted(text.split()[1] for _, text in assert_mended_soon) == ["a", "b", "c"]
    assert {ruin.store.find(id).state for id in "abc"} == {"failed"}
    assert ruin.found("lost jobs") == []


def test_of_a_lost_job_beside_living_workers_it_is_said_that_they_see_to_it(ruin):
    ruin.add("a")
    dies = ruin.slot()
    lives = ruin.slot()
    ruin.claimed("a", dies)
    dies.leave()
    (level, text), = ruin.found("lost jobs")
    assert level == REMARK and "those alive" in text
    lives.leave()


def test_a_job_that_dies_by_its_recovery_has_its_hook(ruin, tmp_path):
    config.set(ruin.store, "on_dead", "cat > %s" % (tmp_path / "told"))
    ruin.add("a", max_retries=0)
    ruin.claimed("a")
    ruin.cleared()
    assert '"id": "a"' in (tmp_path / "told").read_text()


# --- processes

def cancelled(ruin):
    """What is left when a worker is killed while it ends a cancelled job: (job, its process)."""
    ruin.add("a")
    slot = ruin.slot()
    job = ruin.claimed("a", slot)
    process = ruin.of_job(job)
    ruin.store.change(["a"], lambda found: lifecycle.cancel(found, clock.now()))
    return slot, process


def test_what_a_worker_left_that_died_ending_a_cancelled_job_is_ended(ruin):
    slot, process = cancelled(ruin)
    assert ruin.found("processes") == []
    slot.leave()
    (level, text), = ruin.found("processes")
    assert level == WARNING and str(process.pid) in text
    done = ruin.cleared()
    process.wait()
    assert [level for level, _ in done] == [REPAIRED] and "job a" in done[0][1]
    assert ruin.all_found() == [] and ruin.cleared() == []


def test_what_a_living_worker_is_ending_is_its_own(ruin):
    slot, process = cancelled(ruin)
    assert ruin.cleared() == [] and is_running(process.pid)
    slot.leave()


def test_what_a_completed_job_left_running_is_worth_a_remark_and_left_alone(ruin):
    ruin.add("a")
    slot = ruin.slot()
    claims = ruin.store.claims(slot.name)
    job = claims.exchange()[1]
    claims.exchange((job, lifecycle.finish(job, Outcome(0, None, None, 0.1, None, None), clock.now(), None, None)), False)
    process = ruin.of_job(job)
    slot.leave()
    (level, text), = ruin.found("processes")
    assert level == REMARK and str(process.pid) in text
    assert ruin.cleared() == [] and is_running(process.pid)


def hook(ruin, slot, command="sleep 1000"):
    claim = tree.claim_marker(tree.HOOK + slot.name, "a", 1, tree.place_of(ruin.store.root))
    return ruin.process(claim, command)


def test_a_hook_of_a_killed_worker_is_ended(ruin):
    slot = ruin.slot()
    process = hook(ruin, slot)
    assert ruin.found("processes") == []
    slot.leave()
    (level, text), = ruin.found("processes")
    assert level == WARNING and str(process.pid) in text
    assert_mended(ruin, "a hook of job a")
    process.wait()


def test_a_hook_beside_a_lost_job_is_ended_as_gently_and_both_are_told(ruin, tmp_path):
    ruin.add("b")
    slot = ruin.slot()
    ruin.claimed("b", slot)
    process = hook(ruin, slot, "trap 'echo asked > %s; exit 0' TERM; touch %s; while :; do sleep 0.01; done"
                   % (tmp_path / "asked", tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, "it runs")
    slot.leave()
    assert_mended(ruin, "a hook of job a", "failed b (worker lost)")
    assert process.wait() == 0 and (tmp_path / "asked").exists()


def test_what_a_hook_left_running_is_worth_a_remark_and_left_alone(ruin):
    """Of a killed worker what its hook, which has ended, left; of one that left in peace all."""
    killed, peaceful = ruin.slot(), ruin.slot()
    left = hook(ruin, killed, "(exec sleep 1000) & exit 0")
    left.wait()
    whole = hook(ruin, peaceful)
    peaceful.end()
    for slot in (killed, peaceful):
        slot.leave()
    assert [level for level, _ in ruin.found("processes")] == [REMARK, REMARK]
    assert ruin.cleared() == [] and is_running(whole.pid)
    for one in checkup.marked(ruin.paths):
        for pid in one.pids:
            os.kill(pid, 9)


def test_marks_of_another_store_and_odd_ones_are_passed_over(ruin):
    ruin.add("a")
    job = ruin.claimed("a")
    ruin.process(tree.claim_marker(job.worker, job.id, 1, "12345"))
    ruin.process("\udcff/x/y")
    ruin.process("a/b/c/d/e")
    assert ruin.found("processes") == []


def test_lines_of_the_dead_are_taken_out_of_workers_pid(ruin):
    alive = ruin.slot()
    dead = ruin.slot()
    for slot in (alive, dead):
        with ruin.store.lock():
            pidfile.add(ruin.paths, pidfile.Entry(kind=pidfile.WORKER, **slot.who()))
    assert ruin.all_found() == []
    dead.leave()
    (level, text), = ruin.found("workers.pid")
    assert level == REMARK and text.startswith("1 line of")
    assert_mended(ruin, "1 of those")
    assert [entry.slot for entry in pidfile.read(ruin.paths)] == [alive.number]
    alive.leave()


# --- files

def test_outputs_that_no_job_names_are_removed_and_others_are_not(ruin):
    ruin.add("named", "runs")
    named = ruin.write(ruin.paths.output_file("named", 1, "out"))
    ruin.store.change(["named"], lambda job: lifecycle.cancel(job, clock.now())._replace(stdout_file="output/named.1.out"))
    slot = ruin.slot()
    ruin.claimed("runs", slot)
    runs = ruin.write(ruin.paths.output_file("runs", 1, "err"))
    mine = ruin.write(ruin.paths.output + "/notes.txt")
    for gone in (("absent", 1, "out"), ("named", 2, "out"), ("named", 1, "err")):
        ruin.write(ruin.paths.output_file(*gone))
    (level, text), = ruin.found("outputs")
    assert level == WARNING and text.startswith("3 files")
    assert_mended(ruin, "removed 3")
    assert sorted(os.listdir(ruin.paths.output)) == sorted(map(os.path.basename, (named, runs, mine)))
    slot.leave()


def test_an_output_whose_job_may_have_been_lost_by_damage_is_put_aside_with_the_rest(ruin):
    os.mkdir(ruin.paths.damaged, 0o700)
    ruin.write(ruin.paths.output_file("absent", 1, "out"))
    (level, text), = ruin.cleared()
    assert level == REPAIRED and text.startswith("put into damaged/ 1")
    assert os.listdir(ruin.paths.damaged) == ["absent.1.out"] and os.listdir(ruin.paths.output) == []


def test_an_output_that_may_just_be_recorded_is_left(ruin, monkeypatch):
    monkeypatch.setattr(checkup, "_SETTLED", 60)
    ruin.write(ruin.paths.output_file("absent", 1, "out"))
    assert ruin.all_found() == [] and ruin.cleared() == []


def test_what_killed_rolls_and_batches_left_is_removed(ruin):
    ruin.add("a")
    ruin.write(ruin.paths.base + "/00000041.jsonl")
    ruin.write(ruin.paths.archive + "/.00000041.index")
    ruin.write(ruin.paths.incoming("abc"))
    ruin.write(ruin.paths.new_jobs)
    (level, text), = ruin.found("left-overs")
    assert level == REMARK and "00000041" in text and "1 more" in text
    assert_mended(ruin, "removed: ")
    assert not os.path.exists(ruin.paths.incoming("abc"))
    assert ruin.store.find("a").state == "pending"


def test_what_a_roll_is_writing_is_its_own(ruin):
    ruin.add("a")
    ruin.write(ruin.paths.base + "/00000041.jsonl")
    fd = disk.open_private(ruin.paths.roll_lock, os.O_RDWR | os.O_CREAT)
    assert locking.try_lock(fd)
    assert ruin.all_found() == []
    os.close(fd)
    assert ruin.found("left-overs") != []


def test_a_fifo_in_the_place_of_a_lock_or_a_batch_holds_up_nobody(ruin):
    ruin.add("a")
    os.mkfifo(ruin.paths.incoming("abc"))
    os.mkfifo(ruin.paths.roll_lock)
    found = []
    looking = threading.Thread(target=lambda: found.extend(ruin.found("left-overs")), daemon=True)
    looking.start()
    looking.join(DEADLINE)
    (level, text), = found
    assert level == REMARK and "abc" in text


def test_small_files_that_were_never_put_in_place_and_trials_are_removed(ruin):
    ruin.write(ruin.paths.config + ".new")
    ruin.write(ruin.paths.pidfile + ".new")
    os.mkdir(ruin.paths.root + "/.doctor-abc")
    ruin.write(ruin.paths.root + "/.doctor-abc/lock")
    (level, text), = ruin.found("left-overs")
    assert level == REMARK and "config.json.new" in text and ".doctor-abc" in text
    assert_mended(ruin, "removed: ")
    assert not [name for name in os.listdir(ruin.paths.root) if "new" in name or "doctor" in name]


def test_what_stands_where_a_fifo_belongs_is_removed(ruin):
    os.mkfifo(ruin.paths.wake_fifo("+mail"))
    ruin.write(ruin.paths.wake_fifo("all"))
    (level, text), = ruin.found("left-overs")
    assert level == WARNING and "wake/all is no FIFO" in text
    assert_mended(ruin, "removed: ")
    assert os.listdir(ruin.paths.wake) == ["+mail"]


def test_a_suspect_store_is_written_anew(ruin):
    ruin.add("a")
    ruin.write(ruin.paths.suspect)
    before = os.stat(ruin.paths.jobs).st_ino
    (level, _), = ruin.found("marks")
    assert level == WARNING
    assert_mended(ruin, "in new files")
    assert os.stat(ruin.paths.jobs).st_ino != before and ruin.store.find("a").state == "pending"


def test_a_ballast_that_was_given_up_is_made_anew(ruin):
    for left in (b"", None):
        os.unlink(ruin.paths.ballast) if left is None else ruin.write(ruin.paths.ballast, left)
        (level, text), = ruin.found("marks")
        assert level == REMARK and "no room is kept" in text
        assert_mended(ruin, "made anew")


def test_directories_that_are_missing_are_made(ruin):
    os.rmdir(ruin.paths.wake)
    os.rmdir(ruin.paths.output)
    (level, text), = ruin.found("marks")
    assert level == WARNING and "wake" in text and "output" in text
    assert len(ruin.all_found()) == 1
    done = list(clearing.directories(ruin.paths))
    assert [one.level for one in done] == [REPAIRED] * 2
    assert os.stat(ruin.paths.output).st_mode & 0o777 == 0o700
    assert ruin.all_found() == [] and ruin.cleared() == []


# --- jobs that wait

def test_waiting_jobs_that_nobody_serves_or_will_start_are_worth_a_remark(ruin):
    ruin.add("a", queue="mail")
    ruin.add("b", queue="video")
    now = clock.moment(clock.now())
    slot = ruin.slot()
    assert ruin.found("waiting") == []
    ruin.store.change_pauses(lambda found: {"video": pauses.Pause(now)})
    (level, text), = ruin.found("waiting")
    assert level == REMARK and "paused queues: video" in text
    slot.leave()
    texts = [text for _, text in ruin.found("waiting")]
    assert len(texts) == 2 and texts[1].endswith("serves: mail")


@pytest.mark.parametrize("paused, advice", [(["mail", "video"], "queuectl resume mail video"), ([pauses.ALL], "queuectl resume"),
                                            (["mail", pauses.ALL], "queuectl resume")])
def test_of_paused_queues_it_says_what_lets_them_go_on(ruin, paused, advice):
    ruin.add("a", queue="mail")
    ruin.add("b", queue="video")
    now = clock.moment(clock.now())
    ruin.store.change_pauses(lambda found: {name: pauses.Pause(now) for name in paused})
    found, = FIND["waiting"](ruin.store, ruin.store.look())
    assert found.advice == advice


# --- time and the system

def test_a_clock_that_was_set_back_is_found_by_what_jobs_say(ruin, monkeypatch):
    ruin.add("a")
    look = ruin.store.look()
    assert [one.level for one in surroundings.moments(ruin.store, look)] == [WELL]
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - 3600000)
    found, = surroundings.moments(ruin.store, look)
    assert found.level == WARNING and clock.moment(now)[:13] in found.text
    monkeypatch.setattr(clock, "now", lambda: 1000)
    found, = surroundings.moments(ruin.store, look)
    assert found.level == WARNING and "1970" in found.text
    look.close()


def test_limits_that_are_too_narrow_are_warned_of(monkeypatch):
    assert [one.level for one in surroundings.limits()] == [WELL]
    monkeypatch.setattr(surroundings, "_FEW_FILES", 1 << 62)
    monkeypatch.setattr(surroundings, "_MUCH", 0)
    assert [one.level for one in surroundings.limits()] == [WARNING, WARNING, WELL]
    monkeypatch.setattr(proc, "AVAILABLE", False)
    assert [one.level for one in surroundings.limits()] == [WARNING, REMARK]
