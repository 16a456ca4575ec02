"""What crashes and kills leave in a store, of which nothing is damaged: found, as Findings. clearing.py sees to it.

Each of the CHECKS takes the store and a look at it (Store.look()) and yields what is not well, or worth a remark.
They take no lock and write nothing, so what is just under way may be seen: files count from the age of a minute on.

    lost_jobs          their worker is dead: the next one recovers them
    lines_of_the_dead  in workers.pid
    stopped            workers and supervisors that somebody stopped by a signal
    processes          left behind by jobs and hooks whose workers are gone
    waiting            jobs in queues that are paused for good, or that nobody serves
    unnamed_outputs    files in output/ that no job's line names
    left_overs         of rolls, batches and small files that were being written
    marks              signs that something was wrong, and directories that are missing

Only processes that the queue had decided to end are to be ended: those of lost jobs, of jobs that were cancelled as
they ran, and hooks of killed workers. What others left running may be meant to run on (`nohup server &`).
"""

import os
import re
import stat
import time
from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.store import ballast, locking, pauses, refused
from queuectl_lib.store import paths as names
from queuectl_lib.words import clock
from queuectl_lib.words.finding import FAULT, REMARK, WARNING, Finding
from queuectl_lib.words.text import listed, many
from queuectl_lib.work import pidfile, proc, recovery, slots, tree

REPAIR = "queuectl doctor --repair"

# Seconds: what is younger somebody may just be about to put in force.
_SETTLED = 60
_OUTPUT = re.compile(r"([A-Za-z0-9._-]+)\.\d+\.(?:out|err)")
_CLAIM = re.compile(rb"\0%s=((%s)?([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+)/(\d+)/(\d+))\0"
                    % (tree.VARIABLE.encode(), tree.HOOK.encode()))

# Processes with one mark: of a job of this store, or of a hook for it.
Marked = namedtuple("Marked", ("claim", "is_hook", "id", "worker", "pids"))


# --- who runs, and what is left of those who ran

def lost_jobs(store, look):
    jobs = lost(store)
    if jobs and slots.living(store.paths):
        yield Finding(REMARK, "lost jobs", "%s: their worker died; those alive recover them" % listed(job.id for job in jobs))
    elif jobs:
        yield Finding(WARNING, "lost jobs", "%s: their worker died, and none is alive to recover them"
                      % listed(job.id for job in jobs), "queuectl worker start, or " + REPAIR)


def lost(store):
    """The jobs that are `processing` though their worker is dead."""
    return [job for job in store.jobs(["processing"]) if recovery.is_lost(store, job)]


def processes(store, look):
    found = marked(store.paths)
    ends = to_end(store, look, found)
    if ends:
        yield Finding(WARNING, "processes", "%s: of %s, left by workers that were killed as they were to end" % (
            _pids(ends), listed(sorted({one.id for one in ends}))), "queuectl worker start, or " + REPAIR)
    for one in found:
        if one not in ends and (one.is_hook or _has_ended(look.find(one.id), one)):
            yield Finding(REMARK, "processes", "%s: left running by %s %s, which has ended"
                          % (_pids([one]), "a hook of job" if one.is_hook else "job", one.id),
                          "if that was not meant: kill %s" % " ".join(map(str, one.pids)))


def _pids(found):
    return "pid " + listed(pid for one in found for pid in one.pids)


def _has_ended(found, one):
    # Of a lost job they are ended when it is recovered.
    return found is None or found[0].state != "processing" or found[0].worker != one.worker


def to_end(store, look, found):
    """Those of the Marked processes that the queue had decided to end: hooks of killed workers, and of jobs cancelled as they ran."""
    place = tree.place_of(store.root)
    ends = []
    for one in found:
        if one.is_hook:
            if _was_killed(store.paths, one.worker) and any(_leads(pid) for pid in one.pids):
                ends.append(one)
            continue
        job, _ = look.find(one.id) or (None, None)
        if (job is not None and lifecycle.was_stopped(job)
                and one.claim == tree.claim_marker(job.worker, job.id, job.attempts, place)):
            ends.append(one)
    return ends


def _leads(pid):
    # What a hook that has ended left may be meant to run on.
    process = proc.process(pid)
    return process is not None and process.session == pid


def _was_killed(paths, worker):
    """Does the file of its slot still say that a worker that is gone was killed?"""
    try:
        fd = os.open(paths.slot_lock(slots.parts(worker)[0] or 0), os.O_RDONLY)
    except OSError:
        return False
    try:
        return slots.killed(fd) == worker
    finally:
        os.close(fd)


def marked(paths):
    """The Marked processes of this store whose worker is gone."""
    place = tree.place_of(paths.root)
    found = {}
    for pid in sorted(set(proc.living()) - {os.getpid()}):
        match = _CLAIM.search(b"\0" + proc.environment(pid))
        if match is None:
            continue
        claim, hook, worker, job_id, _, its_place = (each and each.decode() for each in match.groups())
        if its_place == place and not slots.lives(paths, *slots.parts(worker)):
            found.setdefault(claim, Marked(claim, bool(hook), job_id, worker, [])).pids.append(pid)
    return list(found.values())


def lines_of_the_dead(store, look):
    gone = [entry for entry in pidfile.read(store.paths) if not pidfile.alive(store.paths, entry)]
    if gone:
        yield Finding(REMARK, "workers.pid", "%s of workers or supervisors that are gone: the next one to start drops them"
                      % many(len(gone), "line"), REPAIR)


def stopped(store, look):
    pids = [entry.pid for entry in pidfile.living(store.paths) if pidfile.is_stopped(entry)]
    if pids:
        yield Finding(WARNING, "workers", "stopped (SIGSTOP), they do nothing: pid %s" % listed(pids),
                      "kill -CONT %s" % " ".join(map(str, pids)))


# --- files that nobody needs

def unnamed_outputs(store, look):
    found = list(outputs_without_job(store, look))
    if found:
        yield Finding(WARNING, "outputs", "%s in output/ that no job names: %s" % (many(len(found), "file"), listed(found)),
                      REPAIR)


def outputs_without_job(store, look):
    """Yields the names of settled files in output/ that no job's line names."""
    for name in _names(store.paths.output):
        if is_unnamed(look, name) and is_settled(store.paths.output + "/" + name):
            yield name


def is_unnamed(look, name):
    """Is this a file of an output that no job has, or will have when its attempt ends?"""
    match = _OUTPUT.fullmatch(name)
    if match is None:
        return False
    job, _ = look.find(match.group(1)) or (None, None)
    return job is None or job.state != "processing" and "output/" + name not in names.outputs_of(job)


def is_settled(path):
    """Has nothing been done to a file, or its name, for a minute?"""
    try:
        return time.time() - os.lstat(path).st_ctime > _SETTLED
    except FileNotFoundError:
        return False


def left_overs(store, look):
    rolled = left_by_rolls(store, look)
    if rolled:
        yield Finding(REMARK, "left-overs", "%s: of a roll or batch that was killed, the next roll removes them" % listed(rolled),
                      REPAIR)
    others = left_by_writers(store)
    if others:
        yield Finding(REMARK, "left-overs", "%s: of somebody who was killed" % listed(others), REPAIR)
    for path in no_fifos(store):
        yield Finding(WARNING, "wake", "%s is no FIFO: idle workers look only every poll_interval" % path, REPAIR)


def left_by_rolls(store, look):
    """Paths of segments that are not in force, of batches whose writer is gone and of journals that were never put in place."""
    if locking.is_held(store.paths.roll_lock):
        return []
    named = {entry.name for entry in look.segments()}
    found = []
    for folder in (store.paths.base, store.paths.archive):
        for name in _names(folder):
            path = folder + "/" + name
            of = re.match(r"\.?(\d+(?:-\d+)?)\.", name)
            if (of and of.group(1) not in named or name.startswith(".incoming-") and not locking.is_held(path)) and is_settled(path):
                found.append(path)
    return sorted(found + [path for path in (store.paths.new_jobs,) if is_settled(path)])


def left_by_writers(store):
    """Paths of small files that were never put in place, and of trials of a doctor that was killed."""
    paths = [store.root + "/" + name for name in _names(store.root) if name.endswith(".new") or name.startswith(names.TRIAL)]
    return sorted(path for path in paths if path != store.paths.new_jobs and is_settled(path))


def no_fifos(store):
    """Paths in wake/ on which no worker can sleep."""
    paths = [store.paths.wake_fifo(name) for name in _names(store.paths.wake)]
    return [path for path in paths if hasattr(os, "mkfifo") and not stat.S_ISFIFO(os.lstat(path).st_mode)]


def _names(folder):
    """The names in a folder; none where it is not there, which is told by itself."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def marks(store, look):
    if os.path.exists(store.paths.suspect):
        yield Finding(WARNING, "suspect", "a sync failed: whoever writes next builds new files first",
                      "look for disk errors (dmesg), then " + REPAIR)
    if not is_ballast(store.paths.ballast):
        yield Finding(REMARK, "ballast", "given up when the disk was full, or not there: no room is kept for results",
                      "workers make it anew when there is room, as does " + REPAIR)
    missing = [path for path in store.paths.directories() if not os.path.isdir(path)]
    in_the_way = list(filter(os.path.lexists, missing))
    if in_the_way:
        yield Finding(FAULT, "directories", "%s: no directory" % listed(in_the_way), "move it away, then " + REPAIR)
    elif missing:
        yield Finding(WARNING, "directories", "%s: not there" % listed(missing), REPAIR)
    if os.path.isdir(store.paths.damaged):
        yield Finding(REMARK, "damaged/", "%s that a repair put aside" % many(len(os.listdir(store.paths.damaged)), "file"),
                      "look at them, and remove them")
    kept = refused.count(store.paths)
    if kept:
        yield Finding(REMARK, "refused", "%s that `enqueue --stream` refused: %s" % (many(kept, "line"), store.paths.refused),
                      "mend them, give them again with: queuectl enqueue --file FILE; and remove the file")


def is_ballast(path):
    """Is a whole ballast there?"""
    return os.path.exists(path) and os.path.getsize(path) >= ballast.SIZE


# --- jobs that wait

def waiting(store, look):
    counts = {queue: states.get("pending", 0) + states.get("failed", 0) for queue, states in look.counts().items()}
    paused = look.pauses()
    forever = [queue for queue in counts if counts[queue] and pauses.end(pauses.in_force(paused, queue, clock.now())) is None]
    if forever:
        all_are = pauses.end(paused.get(pauses.ALL)) is None
        yield Finding(REMARK, "waiting", "jobs in paused queues: %s" % listed(forever),
                      " ".join(["queuectl resume"] + ([] if all_are else forever)))
    alive = slots.living(store.paths)
    serving = pidfile.serving(store.paths)
    sets = [serving.get(slots.name_of(worker.slot, worker.incarnation)) for worker in alive]
    served = set().union(*filter(None, sets))
    unserved = [queue for queue in counts if counts[queue] and None not in sets and queue not in served and queue not in forever]
    if unserved:
        yield Finding(REMARK, "waiting", "jobs in queues that no worker serves: %s" % listed(unserved), "queuectl worker start")


# Which checks there are, by what they are about, as people read them.
CHECKS = (("lost jobs", lost_jobs), ("workers.pid", lines_of_the_dead), ("workers", stopped), ("processes", processes), ("waiting", waiting),
          ("outputs", unnamed_outputs), ("left-overs", left_overs), ("marks", marks))
