"""workers.pid: who runs here and what they were told; the only module that knows its format.

JSON lines, one per supervisor and one per worker:

    {"kind":"supervisor","pid":…,"boot":…,"start":…,"since":…,"queues":["mail"],"hired":4,"left":1,"log":true}
    {"kind":"worker","pid":…,"boot":…,"start":…,"since":…,"slot":2,"incarnation":"9f3c1a","supervisor":…,"stop":"drain"}

The file is replaced by rename, always under the store lock, so that a reader
never sees half of it. It is not synced: after a power cut nobody in it lives.

A line proves nothing: a worker lives while its slot is held by its
incarnation, a supervisor while a process with its pid and start exists. One in
another container, whose processes cannot be seen, lives while one of its workers
does; dropped too early, it writes its line again. Every writer drops the lines of
the dead.

Orders to stop are lines here and not signals: a signal can be lost or come
twice, and two times `worker stop` must not mean "now". Who wrote an order
nudges its receivers; they would read it within a second anyway.
"""

import json
import os
from collections import namedtuple

from queuectl_lib.store import disk
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, StoreError
from queuectl_lib.work import identity, proc, signals, slots

SUPERVISOR = "supervisor"
WORKER = "worker"
DRAIN = "drain"
NOW = "now"

# supervisor: the pid of a worker's; hired, left: see staffing.py; log: whether all of them write to worker.log.
Entry = namedtuple("Entry", ("kind", "pid", "boot", "start", "since", "slot", "incarnation", "queues", "stop",
                             "supervisor", "hired", "left", "log"))
Entry.__new__.__defaults__ = (None,) * len(Entry._fields)
# Of what type a field is; the others are text.
_KINDS = {"pid": int, "slot": int, "queues": list, "supervisor": int, "hired": int, "left": int, "log": bool}


def read(paths):
    """Every entry, the dead ones too; [] when nobody ever ran here."""
    try:
        lines = disk.read_private(paths.pidfile, paths.mine).split(b"\n")
    except FileNotFoundError:
        return []
    entries = (_entry(line) for line in lines)
    return [entry for entry in entries if entry is not None]


def _entry(line):
    try:
        fields = json.loads(line.decode("ascii"))
        entry = Entry(*[fields.get(name) for name in Entry._fields])
        if entry.since is not None:
            clock.parse_moment(entry.since)
    except (ValueError, TypeError, AttributeError, RecursionError, BadInput):
        # An editor's doing, or a bad disk's; the next writer drops the line.
        return None
    known = entry.pid is not None and (
        entry.kind == SUPERVISOR or entry.kind == WORKER and None not in (entry.slot, entry.incarnation))
    return entry if known and all(map(_fits, entry._fields, entry)) else None


def _fits(name, value):
    """Whether a field holds what is written there; others compute with it."""
    return value is None or isinstance(value, _KINDS.get(name, str))


def alive(paths, entry):
    """Whether the one who wrote this line still lives."""
    return _alive(paths, entry, lambda: read(paths))


def living(paths):
    """The entries of those who live."""
    entries = read(paths)
    return [entry for entry in entries if _alive(paths, entry, lambda: entries)]


def _alive(paths, entry, all_entries):
    if entry.kind == WORKER:
        return slots.lives(paths, entry.slot, entry.incarnation)
    if not identity.is_elsewhere(entry.boot):
        return identity.alive(who(entry))
    return any(works_for(other, entry) and slots.lives(paths, other.slot, other.incarnation) for other in all_entries())


def works_for(entry, supervisor):
    """Whether this is a worker of that supervisor; in each container there may be one with pid 1."""
    return entry.kind == WORKER and (entry.supervisor, entry.boot) == (supervisor.pid, supervisor.boot)


def is_stopped(entry):
    """Whether exactly this process is there, stopped by a signal."""
    return identity.alive(who(entry)) and proc.is_stopped(entry.pid)


def pid_of(entry):
    """'pid 7', for people."""
    return "pid %d%s" % (entry.pid, " in another container" if identity.is_elsewhere(entry.boot) else "")


def serving(paths):
    """{worker's name: the queues it serves} of those who do not serve all."""
    return {slots.name_of(entry.slot, entry.incarnation): entry.queues
            for entry in read(paths) if entry.kind == WORKER and entry.queues}


def leaving(entries):
    """The names of the workers among these entries who were told to stop, themselves or by way of their supervisor."""
    told = [entry for entry in entries if entry.kind == SUPERVISOR and entry.stop]
    return {slots.name_of(entry.slot, entry.incarnation) for entry in entries
            if entry.kind == WORKER and (entry.stop or any(works_for(entry, supervisor) for supervisor in told))}


def who(entry):
    """The identity of an entry's process."""
    return identity.Identity(boot=entry.boot, pid=entry.pid, start=entry.start)


def same(one, other):
    """Whether two entries are of one supervisor or of one worker."""
    return key(one) == key(other)


def key(entry):
    """What tells a supervisor or a worker from all others."""
    return entry.kind, entry.boot, entry.pid, entry.start, entry.incarnation


def add(paths, entry):
    """Add a line; the caller holds the store lock."""
    # A line with another pid in it was edited.
    write(paths, [other for other in living(paths) if not same(other, entry)
                  and (entry.kind == SUPERVISOR or other.incarnation != entry.incarnation)] + [entry])


def unnamed(paths):
    """Every slots.Worker alive of whom there is no line, or one that is not true; within a second or two it writes one."""
    named = {(entry.incarnation, entry.pid, entry.start) for entry in read(paths)}
    return [worker for worker in slots.living(paths) if (worker.incarnation, worker.pid, worker.start) not in named]


def remove(paths, entry):
    """Take a line out, if it is there; the caller holds the store lock."""
    write(paths, [other for other in living(paths) if not same(other, entry)])


def find(paths, entry):
    """The line of this one as it stands now, or None."""
    for other in read(paths):
        if same(other, entry):
            return other
    return None


def tell(paths, entry, what):
    """Write an order into one line. The caller holds the store lock."""
    write(paths, [other._replace(stop=what) if same(other, entry) else other for other in living(paths)])


def request_stop(paths, what):
    """Tell everybody who lives to stop; returns their entries. The caller holds the store lock.

    Workers whose line was lost (the file was removed by hand) get one again.
    """
    lost = {worker.incarnation: _of_worker(worker) for worker in unnamed(paths)}
    entries = [entry for entry in living(paths) if entry.incarnation not in lost] + list(lost.values())
    told = [entry._replace(stop=NOW if NOW in (what, entry.stop) else what) for entry in entries]
    if told:
        write(paths, told)
    return told


def _of_worker(worker):
    return Entry(kind=WORKER, pid=worker.pid, boot=worker.boot, start=worker.start, since=worker.since,
                 slot=worker.slot, incarnation=worker.incarnation)


def write(paths, entries):
    """Put these lines in place of all; the caller holds the store lock."""
    lines = [json.dumps({name: value for name, value in zip(entry._fields, entry) if value is not None},
                        separators=(",", ":")) + "\n" for entry in entries]
    temporary = paths.pidfile + ".new"
    fd = disk.open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        disk.write_all(fd, "".join(lines).encode("ascii"))
    except OSError as error:
        raise disk.refined(error, temporary)
    finally:
        os.close(fd)
    disk.replace(temporary, paths.pidfile)


def nudge(entry, signum=signals.NUDGE):
    """Send a signal, if there is such a one and exactly this process still lives."""
    # 0 and -1 would be many. 1 is the supervisor that a container was started with, if its identity says so.
    if signum is not None and entry.pid > 0 and identity.alive(who(entry)):
        try:
            os.kill(entry.pid, signum)
        except OSError:
            # Gone in between, or another user's.
            pass


class Orders:
    """One process's own line, read again only when the file has changed, and written again when it is lost."""

    def __init__(self, paths, entry, lock=None):
        """lock: store.lock, to write the line again."""
        self._paths = paths
        self._lock = lock
        self._entry = entry
        self._seen = None
        self._order = None
        # How many workers a supervisor was ever told to start.
        self.hired = entry.hired

    def read(self, locked=False):
        """DRAIN, NOW or None. locked: the caller holds the store lock."""
        try:
            status = os.stat(self._paths.pidfile)
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            seen = ()
        except OSError:
            return self._order
        if seen != self._seen:
            try:
                found = find(self._paths, self._entry) or self._written_again(locked)
            except (StoreError, OSError):
                # A command is running, and somebody put something else there, or the disk does not answer:
                # that is no reason to stop. It is read again at the next look.
                return self._order
            if found is not None:
                self._order = found.stop or self._order
                self.hired = found.hired
                self._entry = found
            self._seen = seen
        return self._order

    def _written_again(self, locked):
        """The line as it was last read: somebody removed the file, or spoiled it. Who is not named there is not counted."""
        if not alive(self._paths, self._entry):
            # Of a slot that was given up.
            return None
        if locked:
            add(self._paths, self._entry)
        elif self._lock is not None:
            with self._lock():
                found = find(self._paths, self._entry)
                if found is None:
                    add(self._paths, self._entry)
                return found
        return None
