"""Slots: who is alive is who holds the lock of a numbered file.

A worker takes the lowest N whose workers/N.lock nobody holds, and keeps the
lock for its life; kill -9 and a reboot let go of it. The file's content says
who that is, its modification time is the heartbeat:

    {"slot":2,"incarnation":"9f3c1a","pid":…,"boot":…,"start":…,"since":…,"done":17,"job":"…","left":true}

'job' and 'done' are at most about a second old, 'left' says that it was not killed. The incarnation tells this
owner from the slot's earlier ones; SLOT.INCARNATION is the worker's name.

A slot is taken while the store lock is held, so that two never race for one.
Readers probe with a shared lock and without the store lock; for that instant
a taker is refused, sees that the holder is only a reader, and tries again.
"""

import json
import os
import time
from collections import namedtuple

from queuectl_lib.store import disk, locking
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, StoreError
from queuectl_lib.work import identity

Worker = namedtuple("Worker", ("slot", "incarnation", "pid", "boot", "start", "since", "done", "job", "heartbeat"))

_READER_TRIES = 20
_READER_PAUSE = 0.0005
_TORN_TRIES = 5
_LONGEST = 4096
# Windows changes times by name alone.
_TIMES_BY_DESCRIPTOR = os.utime in os.supports_fd


def name_of(slot, incarnation):
    """The worker's name, as in a job's `worker` field."""
    return "%d.%s" % (slot, incarnation)


def parts(worker):
    """(slot, incarnation) of a worker's name; (None, None) for what is no such name."""
    number, dot, incarnation = (worker or "").partition(".")
    if not dot or not number.isdecimal() or int(number) < 1:
        return None, None
    return int(number), incarnation


def take(paths, skip=()):
    """The lowest free slot, held.

    The caller holds the store lock, and opened nothing of the slot before a
    fork: the lock would live on in the other process. skip: numbers not wanted.
    """
    number = 0
    while True:
        number += 1
        fd = None if number in skip else seize(paths, number)
        if fd is not None:
            return Slot(paths, number, fd)


def seize(paths, number):
    """The slot's lock file, open and locked, or None when somebody lives there.

    The caller holds the store lock.
    """
    fd = disk.open_private(paths.slot_lock(number), os.O_RDWR | os.O_CREAT)
    for _ in range(_READER_TRIES):
        if locking.try_lock(fd):
            return fd
        if not locking.try_shared(fd):
            break
        # A reader's probe: over in an instant.
        locking.unlock(fd)
        time.sleep(_READER_PAUSE)
    os.close(fd)
    return None


def forget(fd):
    """Empty a seized slot's file: its former owner is not listed while somebody clears up. What stood in it."""
    content = disk.pread(fd, _LONGEST, 0)
    os.ftruncate(fd, 0)
    return content


def remember(fd, content):
    """Give a seized slot's file back what stood in it: who takes the slot looks for what a killed owner left."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        disk.write_all(fd, content)
        os.ftruncate(fd, len(content))
    except OSError:
        # On a full disk it is forgotten.
        pass


def killed(fd):
    """The name of the worker that was killed in a seized slot; None where nobody was, or of an earlier boot."""
    try:
        fields = json.loads(disk.pread(fd, _LONGEST, 0).split(b"\n", 1)[0].decode("ascii"))
        name = name_of(fields["slot"], fields["incarnation"])
    except (ValueError, KeyError, TypeError):
        return None
    return None if fields.get("left") or fields.get("boot") != identity.boot_id() else name


def was_elsewhere(content):
    """Whether who wrote this into its slot's file lived in another container: what it has left cannot be seen here."""
    worker = _worker(content, 0)
    return worker is not None and identity.is_elsewhere(worker.boot)


class Slot:
    """A slot this process holds; `found`: its file as it was, `killed`: the name of the worker that was killed in it, or None."""

    def __init__(self, paths, number, fd):
        self.number = number
        self.incarnation = os.urandom(3).hex()
        self.name = name_of(number, self.incarnation)
        self.done = 0
        self.killed = killed(fd)
        self.found = disk.pread(fd, _LONGEST, 0)
        self._left = False
        self._path = paths.slot_lock(number)
        self._fd = fd
        self._who = identity.current()
        self._since = clock.moment(clock.now())
        self._length = os.fstat(fd).st_size
        self._written = None
        try:
            self._write(None)
        except OSError as error:
            # Unnamed it would count as dead, and its jobs as lost.
            os.close(fd)
            raise disk.refined(error, self._path)

    def who(self):
        """What never changes of this worker, as fields."""
        return {"slot": self.number, "incarnation": self.incarnation, "pid": self._who.pid,
                "boot": self._who.boot, "start": self._who.start, "since": self._since}

    def beat(self, job_id):
        """Write the heartbeat; to be called about once a second."""
        try:
            self._write(job_id)
        except OSError:
            # A full disk costs the heartbeat, not the worker.
            self._written = None

    def _write(self, job_id):
        state = self.done, job_id, self._left
        if state == self._written:
            # An idle worker's beat: four of them are to cost 0.2 % of a core.
            os.utime(self._fd if _TIMES_BY_DESCRIPTOR else self._path)
            return
        fields = dict(self.who(), done=self.done, job=job_id)
        if self._left:
            fields["left"] = True
        line = json.dumps(fields, separators=(",", ":")) + "\n"
        data = line.encode("ascii")
        os.lseek(self._fd, 0, os.SEEK_SET)
        disk.write_all(self._fd, data)
        if len(data) < self._length:
            os.ftruncate(self._fd, len(data))
        self._length = len(data)
        self._written = state

    def end(self):
        """Write down that this worker was not killed: nobody need look for what it left."""
        self._left = True
        self.beat(None)

    def stands(self):
        """Whether the slot's file is still where it was: it goes with the store."""
        try:
            there = os.stat(self._path)
        except OSError:
            return False
        return there.st_ino == os.fstat(self._fd).st_ino

    def leave(self):
        """Give the slot up."""
        os.close(self._fd)

    def give_back(self):
        """Give it up unused, as it was found: the next one looks after its former owner."""
        remember(self._fd, self.found)
        self.leave()


def holder(paths, number):
    """The Worker that holds this slot now, or None. Writes nothing.

    Raises OSError where the slot's file may not be read.
    """
    try:
        return _probed(paths.slot_lock(number))
    except FileNotFoundError:
        return None


def lives(paths, number, incarnation):
    """Whether exactly this worker is alive; where that cannot be told, it is."""
    try:
        found = holder(paths, number or 0)
    except (StoreError, OSError):
        return True
    return found is not None and found.incarnation == incarnation


def living(paths):
    """Every Worker alive in this store, by slot; also in a store one may only read."""
    workers = []
    number = 0
    # Slot files are made in order and never removed: the first gap is the end.
    while True:
        number += 1
        try:
            worker = _probed(paths.slot_lock(number))
        except (StoreError, OSError):
            return workers
        if worker is not None:
            workers.append(worker)


def all_held(paths):
    """Is somebody alive in every slot there ever was?"""
    number = 0
    while True:
        number += 1
        try:
            fd = os.open(paths.slot_lock(number), disk.READ)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            if locking.try_shared(fd):
                return False
        finally:
            os.close(fd)


def _probed(path):
    fd = os.open(path, disk.READ)
    try:
        for _ in range(_TORN_TRIES):
            if locking.try_shared(fd):
                locking.unlock(fd)
                return None
            content = disk.pread(fd, _LONGEST, 0)
            worker = _worker(content, os.fstat(fd).st_mtime)
            # Empty: held by somebody who clears up after its former owner.
            if worker is not None or not content:
                return worker
            # Read while it was being rewritten.
            time.sleep(_READER_PAUSE)
        return None
    finally:
        os.close(fd)


def _worker(content, modified):
    try:
        fields = json.loads(content.split(b"\n", 1)[0].decode("ascii"))
        known = [fields[name] for name in Worker._fields[:-1]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    worker = Worker(*known, heartbeat=int(modified * 1000))
    try:
        clock.parse_moment(worker.since)
    except (BadInput, TypeError, AttributeError):
        # A damaged one lives all the same; its next beat may write it anew.
        return worker._replace(since=clock.moment(worker.heartbeat))
    return worker
