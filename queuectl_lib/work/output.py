"""A slot's files of the running job: N.out and N.err, which it writes, and N.job, its lock; and N.progress.

    Spools(paths, slot)
      .open() / .close()
      .is_open                    False when a full disk, say, closed one of them in collect()
      .fds                        (out, err, job): descriptors for the job to inherit
      .note_leader(pid, claim)    write into N.job who leads the job
      .trim(limit)                bound the disk space of output without end; True: look again soon
      .collect(job_id, attempt, limit, alone) -> (Output, Output)     after the job
      .progress                   the Progress that the job may tell (progress.py)
      .holders()                  pids of the job's processes that have one of the three, where /proc tells
    discard(paths, outcome)       remove the files of an attempt whose output no job's line will name
    forget_earlier(paths, job)    remove those of the attempt before the one that is claimed
    forget_lost(paths, job)       and those of the claimed one, whose worker died
    held(paths, slot)             whether a process of the slot's last job may still run
    holders(paths, slot)          who they are, where /proc tells; empty elsewhere
    leader_of(paths, slot, claim) pid of the leader of exactly this attempt, if it lives, else None

Each of the three is locked on a description of its own that the job inherits: a job
that redirects its output still holds the others. Unless it is known that the job
left nothing behind (alone), all three are closed and opened anew after it; one
whose lock is refused has a left-over child, and is left to it (see spool.py,
also on how to read along).

No file a job: making one cost more than a third of running `sh -c true`.

N.job holds one line {"claim","pid","boot","start"}. It is written when the
job has run for a moment: the start moment costs 35 us to read, and a job that
was over before needs no note (the marker in its environment finds it too).
"""

import json
import os

from queuectl_lib.store import disk, locking
from queuectl_lib.store.paths import outputs_of
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import identity, proc
from queuectl_lib.work.progress import Progress
from queuectl_lib.work.spool import Spool, open_locked

_JOB_FLAGS = os.O_RDWR | os.O_CREAT


class Spools:
    """The files of one slot, reused by one job after the other."""

    def __init__(self, paths, slot):
        self._paths = paths
        self._slot = slot
        self._job_path = paths.slot_job(slot)
        self._job = -1
        self._out = Spool(paths, paths.slot_out(slot), "out")
        self._err = Spool(paths, paths.slot_err(slot), "err")
        self.progress = Progress(paths.slot_progress(slot))

    @property
    def fds(self):
        """(out, err, job), valid until the next collect()."""
        return self._out.fd, self._err.fd, self._job

    @property
    def is_open(self):
        return self._out.fd >= 0 and self._err.fd >= 0 and self._job >= 0

    def open(self):
        """Open all, empty; the caller holds the slot, and nobody's job runs in it."""
        self._out.open()
        self._err.open()
        self._open_job()
        os.ftruncate(self._job, 0)
        self.progress.open()

    def close(self):
        """Let go of all of them."""
        self._out.close()
        self._err.close()
        self.progress.close()
        self._close_job()

    def note_leader(self, pid, claim):
        """Write down who leads the running job; recovery and readers look here."""
        who = identity.of(pid)
        if who is None:
            return
        line = json.dumps({"claim": claim, "pid": who.pid, "boot": who.boot, "start": who.start})
        data = line.encode("ascii") + b"\n"
        try:
            disk.write_at(self._job, data, 0, self._job_path)
            os.ftruncate(self._job, len(data))
        except (OSError, StoreError):
            # A full disk: the marker in the environment still tells.
            pass

    def trim(self, limit):
        """Bound the space on disk; whether either stream grows fast."""
        self.progress.trim()
        grown = self._out.trim(limit)
        return self._err.trim(limit) or grown

    def collect(self, job_id, attempt, limit, alone=False):
        """(stdout, stderr) of the job that has ended, as Outputs; all is ready for the next one.

        alone: no process of the job is left.
        """
        if not alone:
            self._close_job()
            try:
                self._open_job()
            except (OSError, StoreError):
                # The result is what counts now.
                pass
        return (self._out.collect(job_id, attempt, limit, alone),
                self._err.collect(job_id, attempt, limit, alone))

    def holders(self):
        """The pids that hold this slot's files: the running job's, however well they hide."""
        return holders(self._paths, self._slot)

    def _close_job(self):
        if self._job >= 0:
            os.close(self._job)
        self._job = -1

    def _open_job(self):
        self._job, alone = open_locked(self._job_path, _JOB_FLAGS)
        if not alone:
            self._close_job()
            disk.remove(self._job_path)
            self._job, _ = open_locked(self._job_path, _JOB_FLAGS)


def discard(paths, outcome):
    """Remove what was kept of an output that no job's line will name."""
    for output in (outcome.stdout, outcome.stderr):
        if output is not None and output.file is not None:
            disk.remove(paths.inside(output.file))


def forget_earlier(paths, job):
    """Remove what the attempt before the claimed one left: its line was the last to tell of that."""
    # Asked first, since mostly there is nothing: this is called for every job.
    if job.stdout_file or job.stderr_file:
        for name in outputs_of(job):
            disk.remove(paths.inside(name))


def forget_lost(paths, job):
    """Remove what an attempt left whose worker died, and the one before it."""
    forget_earlier(paths, job)
    for stream in ("out", "err"):
        disk.remove(paths.output_file(job.id, job.attempts, stream))


def held(paths, slot):
    """Whether any of the three is locked: by the slot's worker, or by what is left of its job.

    The caller holds the slot, or the store lock: a probe refuses a taker for an instant.
    """
    return any(locking.is_held(path) for path in (paths.slot_job(slot), paths.slot_out(slot), paths.slot_err(slot)))


def holders(paths, slot):
    """The pids, but for this process, that hold one of the three locked.

    Whoever only reads along there (`tail -f`) holds no lock, and what earlier
    jobs left behind has files that are not there any more.
    """
    files = {}
    for path in (paths.slot_job(slot), paths.slot_out(slot), paths.slot_err(slot)):
        try:
            files[os.path.basename(path)] = os.stat(path)
        except OSError:
            # Removed by hand: nobody can be found by it.
            pass
    return {pid for pid in proc.living() if pid != os.getpid() and proc.locks(pid, files)}


def leader_of(paths, slot, claim):
    """The pid of the command that leads this attempt, if it still lives; else None."""
    noted = read_leader(paths, slot)
    if noted is None or noted[0] != claim or not identity.alive(noted[1]):
        return None
    return noted[1].pid


def read_leader(paths, slot):
    """(claim, Identity) as noted in N.job, of a job long past perhaps; None when nothing is."""
    try:
        fields = json.loads(disk.read_private(paths.slot_job(slot)).decode("ascii"))
        return fields["claim"], identity.Identity(fields["boot"], int(fields["pid"]), fields["start"])
    except (OSError, StoreError, ValueError, KeyError, TypeError, RecursionError):
        # Not there, never written, or just being written.
        return None
