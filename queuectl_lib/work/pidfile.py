"""workers.pid: who runs here and what they were told; the only module that knows its format.

JSON lines, one per supervisor and one per worker:

    {"kind":"supervisor","pid":…,"boot":…,"start":…,"since":…,"queues":["mail"],"hired":4,"left":1,"log":true}
    {"kind":"worker","pid":…,"boot":…,"start":…,"since":…,"slot":2,"incarnation":"9f3c1a","queues":["mail"],"stop":"drain","supervisor":…}

The file is replaced by rename, always under the store lock, so that a reader
never sees half of it. It is not synced: after a power cut nobody in it lives.

A line proves nothing: a worker lives while its slot is held by its
incarnation, a supervisor while a process with its pid and start exists. Every
writer drops the lines of the dead.

How many workers a supervisor keeps is `hired`, those it was ever to start, less
`left`, those that left for good or were told to: two numbers that only grow, so
that a worker that leaves and a `worker scale` never undo each other's doing. One
that died counts on, since another is started; no more workers of a supervisor
get a line without an order than it keeps.

Orders to stop are lines here and not signals: a signal can be lost or come
twice, and two times `worker stop` must not mean "now". Who wrote an order
nudges its receivers; they would read it within a second anyway.
"""

import json
import os
from collections import namedtuple

from queuectl_lib.store import disk
from queuectl_lib.work import identity, slots

SUPERVISOR = "supervisor"
WORKER = "worker"
DRAIN = "drain"
NOW = "now"

# log: whether the supervisor and its workers write to worker.log.
Entry = namedtuple("Entry", ("kind", "pid", "boot", "start", "since", "slot", "incarnation", "queues", "stop",
                             "supervisor", "hired", "left", "log"))
Entry.__new__.__defaults__ = (None,) * len(Entry._fields)


def read(paths):
    """Every entry, the dead ones too; [] when nobody ever ran here."""
    try:
        with open(paths.pidfile, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    entries = (_entry(line) for line in lines)
    return [entry for entry in entries if entry is not None]


def _entry(line):
    try:
        fields = json.loads(line.decode("ascii"))
        entry = Entry(*[fields.get(name) for name in Entry._fields])
    except (ValueError, AttributeError):
        # An editor's doing; the next writer drops the line.
        return None
    known = entry.kind in (SUPERVISOR, WORKER) and isinstance(entry.pid, int)
    return entry if known else None


def alive(paths, entry):
    """Whether the one who wrote this line still lives."""
    if entry.kind == WORKER:
        return slots.lives(paths, entry.slot, entry.incarnation)
    return identity.alive(who(entry))


def living(paths):
    """The entries of those who live."""
    return [entry for entry in read(paths) if alive(paths, entry)]


def who(entry):
    """The identity of an entry's process."""
    return identity.Identity(boot=entry.boot, pid=entry.pid, start=entry.start)


def same(one, other):
    """Whether two entries are of one supervisor or of one worker."""
    return _key(one) == _key(other)


def _key(entry):
    return entry.kind, entry.pid, entry.start, entry.incarnation


def add(paths, entry):
    """Add a line; the caller holds the store lock."""
    _write(paths, [other for other in living(paths) if not same(other, entry)] + [entry])


def remove(paths, entry):
    """Take a line out, if it is there; the caller holds the store lock."""
    _write(paths, [other for other in living(paths) if not same(other, entry)])


def find(paths, entry):
    """The line of this one as it stands now, or None."""
    for other in read(paths):
        if same(other, entry):
            return other
    return None


def join(paths, worker):
    """Add a worker's line, with the order its supervisor has by now; False where it is not needed any more.

    The caller holds the store lock.
    """
    entries = living(paths)
    for other in entries:
        if other.kind == SUPERVISOR and other.pid == worker.supervisor:
            if len(_at_work(entries, other)) >= kept(other):
                return False
            worker = worker._replace(stop=other.stop)
    _write(paths, entries + [worker])
    return True


def leave(paths, worker, for_good):
    """Take a worker's line out; for_good: no other is to take its place. The caller holds the store lock."""
    entries = living(paths)
    # One that was told to leave was counted by who told it.
    own = for_good and any(same(other, worker) and not other.stop for other in entries)
    _write(paths, [_with_fewer(other, 1) if own and other.kind == SUPERVISOR and other.pid == worker.supervisor else other
                   for other in entries if not same(other, worker)])


def kept(supervisor):
    """How many workers a supervisor is to have."""
    return (supervisor.hired or 0) - (supervisor.left or 0)


def keeping(paths, queues):
    """How many workers the supervisors of just these queues (None: all) are to have; of those told to stop: none."""
    wanted = queues and set(queues)
    return sum(kept(entry) for entry in read(paths)
               if _is_team(entry) and (entry.queues and set(entry.queues)) == wanted and alive(paths, entry))


def staff(paths, supervisor):
    """The entries of a supervisor's living workers, but for those told to stop."""
    return _at_work(living(paths), supervisor)


def tell(paths, entry, what):
    """Write an order into one line. The caller holds the store lock."""
    _write(paths, [other._replace(stop=what) if same(other, entry) else other for other in living(paths)])


def request_scale(paths, count):
    """Have so many workers in all: (how many there were to be, the entries told). The caller holds the store lock.

    Too many: the workers of the highest slots are told to drain. Too few: the
    first supervisor is told to hire; nobody is told where there is none.
    """
    entries = living(paths)
    teams = [entry for entry in entries if _is_team(entry)]
    before = sum(kept(team) for team in teams)
    if count > before and teams:
        told = changed = [teams[0]._replace(hired=teams[0].hired + count - before)]
    else:
        told, changed = _retired(entries, teams, max(0, before - count))
    if changed:
        new = {_key(entry): entry for entry in changed}
        _write(paths, [new.get(_key(entry), entry) for entry in entries])
    return before, told


def _retired(entries, teams, surplus):
    """(the workers told to leave, the same and their supervisors as they are now)."""
    workers = sorted((worker for team in teams for worker in _at_work(entries, team)), key=lambda worker: -worker.slot)
    told = [worker._replace(stop=DRAIN) for worker in workers[:surplus]]
    rest = surplus - len(told)
    changed = list(told)
    for team in teams:
        fewer = sum(1 for worker in told if worker.supervisor == team.pid)
        # Of those who just died and are being started again: they will find that they are not needed.
        vacant = min(rest, kept(team) - len(_at_work(entries, team)))
        rest -= vacant
        changed.append(_with_fewer(team, fewer + vacant))
    return told, changed if surplus else []


def _with_fewer(supervisor, number):
    return supervisor._replace(left=(supervisor.left or 0) + number)


def _is_team(entry):
    return entry.kind == SUPERVISOR and not entry.stop


def _at_work(entries, supervisor):
    return [entry for entry in entries
            if entry.kind == WORKER and not entry.stop and entry.supervisor == supervisor.pid]


def request_stop(paths, what):
    """Tell everybody who lives to stop; returns their entries. The caller holds the store lock.

    Workers whose line was lost (the file was removed by hand) get one again.
    """
    entries = living(paths)
    known = {entry.incarnation for entry in entries}
    entries += [_of_worker(worker) for worker in slots.living(paths) if worker.incarnation not in known]
    told = [entry._replace(stop=NOW if NOW in (what, entry.stop) else what) for entry in entries]
    if told:
        _write(paths, told)
    return told


def _of_worker(worker):
    return Entry(kind=WORKER, pid=worker.pid, boot=worker.boot, start=worker.start, since=worker.since,
                 slot=worker.slot, incarnation=worker.incarnation)


def _write(paths, entries):
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


def nudge(entry, signum):
    """Send a signal, if exactly this process still lives."""
    if entry.pid > 1 and identity.alive(who(entry)):
        try:
            os.kill(entry.pid, signum)
        except OSError:
            # Gone in between, or another user's.
            pass


class Orders:
    """One process's own line, read again only when the file has changed."""

    def __init__(self, paths, entry):
        self._paths = paths
        self._entry = entry
        self._seen = None
        self._order = None
        # How many workers a supervisor was ever told to start.
        self.hired = entry.hired

    def read(self):
        """DRAIN, NOW or None."""
        try:
            status = os.stat(self._paths.pidfile)
        except OSError:
            return self._order
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            found = find(self._paths, self._entry)
            if found is not None:
                self._order = found.stop or self._order
                self.hired = found.hired
            self._seen = seen
        return self._order
