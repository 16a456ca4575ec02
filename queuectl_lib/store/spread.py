"""What a job's new state means for those that come after it: released, given up, or back again.

    a completes            -> each that waits for it waits for one less, and is ready when that was the last one
    a dies, is cancelled   -> each that waits for it dies, and so on down the line
    a is retried           -> those that died because of it come back, and so on

A job may be awaited by a million others, and nobody shall wait for the store lock
so long. So at most MOST are changed in one transaction, together with the job
itself. Where there are more, the job's line says `telling`: it stays in the journal,
and whoever writes next (a worker's next claim, the next command) goes on with it, and
with others like it, before it does anything else. So a crash in between loses nothing.
"""

from collections import deque, namedtuple
from itertools import islice

from queuectl_lib.job import lifecycle
from queuectl_lib.store import line, pauses

MOST = 1000

# A change of a job: what it was, what it is, the segment line it overrides.
Change = namedtuple("Change", ("before", "after", "over"))


class Spread:
    """The changes that follow from others.

    look.dependents(id) yields (job, over) of every job whose waits_for names it;
    look.find(id) is asked only where a job is retried.
    changes: {id: Change} in order; untold: ids of jobs of which some have still to learn.
    """

    def __init__(self, look, now):
        self._look = look
        self._now = now
        self.changes = {}
        self.untold = set()

    def tell(self, jobs):
        """Follow up jobs that have just come to the states they are in ('removed' is one, too)."""
        waiting = deque(jobs)
        told = {job.id: job for job in jobs}
        states = {job.id: job.state for job in jobs}
        while waiting and len(self.changes) < MOST:
            parent = waiting.popleft()
            for child, over in self._look.dependents(parent.id):
                if len(self.changes) >= MOST:
                    self.untold.add(parent.id)
                    break
                after = self._follow(told.get(child.id, child), over, parent, states)
                if after is not None:
                    states[after.id] = after.state
                    waiting.append(after)
        self.untold.update(job.id for job in waiting)

    def _follow(self, child, over, parent, states):
        """Take in what becomes of a job; it, if others have to learn of that."""
        known = self.changes.get(child.id)
        current = known.after if known else child
        if parent.state == "pending":
            after = self._revived(current, states)
        else:
            after = lifecycle.follow(current, parent.id, parent.state, self._now)
        if after is None:
            return None
        self.changes[child.id] = Change(known.before if known else child, after, over)
        return after if after.state != current.state else None

    def _revived(self, job, states):
        if job.state != "dead":
            return None
        found = [(id, states.get(id) or state_of(self._look, id)) for id in job.after]
        if any(state in lifecycle.LOST for _, state in found):
            # It comes after another one that is still dead.
            return None
        waits_for = [id for id, state in found if state not in ("completed", None)]
        return lifecycle.revive(job, waits_for or None, self._now)


def state_of(look, id):
    """The state of a job, None where there is none."""
    found = look.find(id)
    return found and found[0].state


def ending(sight, change, now):
    """[(job, its line)] of a job's end (a Change), and of all that follows from it: in the end the pause of a queue, too."""
    after = change.after
    spread = Spread(sight, now)
    spread.tell([after])
    paused = pauses.after_death(sight.view.pauses, after.queue, after.id, now) if after.state == "dead" else None
    lines = encoded([change] + list(spread.changes.values()), spread.untold, more=paused is not None)
    if paused is not None:
        lines.append((None, line.encode_pauses(pauses.encoded(paused))))
    return lines


def encoded(changes, untold, more=False):
    """[(job, its line)] of Changes, all of them one batch; more: which goes on behind them."""
    lines = []
    goes_on = more
    for number, (before, after, over) in enumerate(changes, 1):
        more = goes_on or number < len(changes)
        if after.state == "removed":
            lines.append((after, line.encode_removed(before, over, more)))
        else:
            lines.append((after, line.encode(after, (before.state, before.queue), over, more,
                                             telling=after.id in untold)))
    return lines


def go_on(look, untold, now):
    """One step of telling of the jobs in untold, an iterable of (job, over).

    ([(job, its line)], how many of them are jobs that followed: the first ones); nothing where nobody has to learn anything.
    """
    untold = list(islice(untold, MOST))
    spread = Spread(look, now)
    spread.tell([job for job, _ in untold])
    # Those of whom all know, their own lines last: with these the mark is gone.
    known = [Change(job, job, over) for job, over in untold if job.id not in spread.untold and job.id not in spread.changes]
    return encoded(list(spread.changes.values()) + known, spread.untold), len(spread.changes)
