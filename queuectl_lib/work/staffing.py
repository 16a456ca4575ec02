"""How many workers there are to be, as it stands in the supervisors' lines of workers.pid.

How many workers a supervisor keeps is `hired`, those it was ever to start, less
`left`, those that left for good or were told to: two numbers that only grow, so
that a worker that leaves and a `worker scale` never undo each other's doing. One
that died counts on, since another is started; no more workers of a supervisor
get a line without an order than it keeps.
"""

import time

from queuectl_lib.work import identity, pidfile

# Everybody looks at its own line once a second.
_LINES_SECONDS = 3.0
_LINES_LOOK = 0.1


def join(paths, worker):
    """Add a worker's line, with the order its supervisor has by now; False where it is not needed any more.

    The caller holds the store lock.
    """
    entries = pidfile.living(paths)
    for other in entries:
        if other.kind == pidfile.SUPERVISOR and pidfile.works_for(worker, other):
            if len(_at_work(entries, other)) >= kept(other):
                return False
            worker = worker._replace(stop=other.stop)
    pidfile.write(paths, entries + [worker])
    return True


def leave(paths, worker, for_good):
    """Take a worker's line out; for_good: no other is to take its place. The caller holds the store lock."""
    entries = pidfile.living(paths)
    # One that was told to leave was counted by who told it.
    counts = for_good and any(pidfile.same(other, worker) and not other.stop for other in entries)
    left = []
    for other in entries:
        if counts and other.kind == pidfile.SUPERVISOR and pidfile.works_for(worker, other):
            left.append(_with_fewer(other, 1))
        elif not pidfile.same(other, worker):
            left.append(other)
    pidfile.write(paths, left)


def kept(supervisor):
    """How many workers a supervisor is to have."""
    return (supervisor.hired or 0) - (supervisor.left or 0)


def await_lines(paths):
    """Give those who live and whose lines were lost the time to write them again: they are not missing."""
    deadline = time.monotonic() + _LINES_SECONDS
    while (pidfile.unnamed(paths) or _lacks_supervisor(paths)) and time.monotonic() < deadline:
        time.sleep(_LINES_LOOK)


def _lacks_supervisor(paths):
    """Is there a worker whose supervisor lives and has no line?"""
    entries = pidfile.read(paths)
    named = {(entry.boot, entry.pid) for entry in entries if entry.kind == pidfile.SUPERVISOR}
    # Who runs one job by hand is its own. Whether one in another container lives, nobody can tell without its line.
    return any(entry.kind == pidfile.WORKER and entry.supervisor not in (None, entry.pid)
               and (entry.boot, entry.supervisor) not in named and not identity.is_elsewhere(entry.boot)
               and identity.start_of(entry.supervisor) and pidfile.alive(paths, entry) for entry in entries)


def keeping(paths, queues):
    """How many workers the supervisors of just these queues (None: all) are to have; of those told to stop: none."""
    wanted = queues and set(queues)
    return sum(kept(entry) for entry in pidfile.read(paths)
               if _stays(entry) and (entry.queues and set(entry.queues)) == wanted and pidfile.alive(paths, entry))


def staff(paths, supervisor):
    """The entries of a supervisor's living workers, but for those told to stop."""
    return _at_work(pidfile.living(paths), supervisor)


def request_scale(paths, count):
    """Have so many workers in all: (how many there were to be, the entries told). The caller holds the store lock.

    Too many: the workers of the highest slots are told to drain. Too few: the
    first supervisor is told to hire; nobody is told where there is none.
    """
    entries = pidfile.living(paths)
    teams = [entry for entry in entries if _stays(entry)]
    before = sum(kept(team) for team in teams)
    if count > before and teams:
        told = changed = [teams[0]._replace(hired=teams[0].hired + count - before)]
    else:
        told, changed = _retired(entries, teams, max(0, before - count))
    if changed:
        new = {pidfile.key(entry): entry for entry in changed}
        pidfile.write(paths, [new.get(pidfile.key(entry), entry) for entry in entries])
    return before, told


def _retired(entries, teams, surplus):
    """(the workers told to leave, the same and their supervisors as they are now)."""
    workers = sorted((worker for team in teams for worker in _at_work(entries, team)), key=lambda worker: -worker.slot)
    told = [worker._replace(stop=pidfile.DRAIN) for worker in workers[:surplus]]
    rest = surplus - len(told)
    changed = list(told)
    for team in teams:
        fewer = sum(1 for worker in told if pidfile.works_for(worker, team))
        # Of those who just died and are being started again: they will find that they are not needed.
        vacant = min(rest, kept(team) - len(_at_work(entries, team)))
        rest -= vacant
        changed.append(_with_fewer(team, fewer + vacant))
    return told, changed if surplus else []


def _with_fewer(supervisor, number):
    return supervisor._replace(left=(supervisor.left or 0) + number)


def _stays(entry):
    return entry.kind == pidfile.SUPERVISOR and not entry.stop


def _at_work(entries, supervisor):
    return [entry for entry in entries if pidfile.works_for(entry, supervisor) and not entry.stop]
