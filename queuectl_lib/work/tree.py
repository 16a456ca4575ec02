"""Ending a whole process tree: TERM, grace, KILL.

    claim_marker(worker, job_id, attempt, place)   the text in QUEUECTL_CLAIM that marks every process of one attempt
    marked(claim)                           pids that carry it now
    left_by(worker, place)                  the marks of all that a dead worker's jobs and hooks left running
    end(leader, claim, grace, pause, holders)   end all of it; the pids that could not be ended
    Tree(leader, claim, holders)            the same step by step: living(), ask(), kill()
    kill(pids)                              end these

The command leads a session and a group of its own. Killing the group gets
pipelines and `cmd &`; it misses `setsid cmd`, a double fork, and `set -m`.
These are found, where there is /proc, by their session, their parents and
the marker in their environment, by having been seen in the tree before, and
by `holders`: a function that returns the pids which hold the job's files.

`leader` is a pid the caller vouches for: its own child, not yet reaped, or
one whose identity it has just checked. None when it is gone or unknown.
"""

import os
import signal
import time

from queuectl_lib.store import locking
from queuectl_lib.work import identity, proc

VARIABLE = "QUEUECTL_CLAIM"
_ENTRY = VARIABLE.encode() + b"="
# Before a worker's name: the mark of a hook.
HOOK = "hook:"

# A process in the kernel's hands (a dead network disk) ends when it wants.
_PATIENCE_AFTER_KILL = 5.0
_SHORTEST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25


def place_of(root):
    """What tells a store's directory from every copy of it: who works on a copy must not end the original's jobs."""
    return str(os.stat(root).st_ino)


def claim_marker(worker, job_id, attempt, place):
    """The mark of one attempt of one job by one worker of the store at a place (place_of)."""
    return "%s/%s/%d/%s" % (worker, job_id, attempt, place)


def marked(claim):
    """The pids of all living processes that carry this mark."""
    return _marked(claim, proc.living())


def _marked(claim, table):
    entry = os.fsencode("\0%s=%s\0" % (VARIABLE, claim))
    return {pid for pid in table if entry in b"\0" + proc.environment(pid)}


def left_by(worker, place):
    """The marks of this worker's jobs and hooks that live, as (owner, job_id, attempt): of a hook only while its leader does."""
    found = set()
    for pid, one in proc.living().items():
        entries = proc.environment(pid).split(b"\0")
        marks = [os.fsdecode(entry[len(_ENTRY):]).split("/") for entry in entries if entry.startswith(_ENTRY)]
        found.update(tuple(mark[:3]) for mark in marks if len(mark) == 4 and mark[3] == place
                     and (mark[0] == worker or (mark[0] == HOOK + worker and one.session == pid)))
    return found


def end(leader, claim, grace, pause=time.sleep, holders=set):
    """Send TERM, wait up to grace seconds, send KILL; return the pids still there.

    pause(seconds) sleeps, and may return early.
    """
    tree = Tree(leader, claim, holders)
    if grace > 0:
        tree.ask()
        _await_end(tree, grace, pause)
    left = _await_end(tree, _PATIENCE_AFTER_KILL, pause, tree.kill)
    return sorted(left)


def _await_end(tree, seconds, pause, kill=None):
    # Again and again: what was forked in between has not had it.
    deadline = time.monotonic() + seconds
    length = _SHORTEST_PAUSE
    while True:
        left = tree.living()
        rest = deadline - time.monotonic()
        if not left or rest <= 0:
            return left
        if kill is not None:
            kill()
        pause(min(length, rest))
        length = min(length * 2, _LONGEST_PAUSE)


class Tree:
    """The processes of one attempt, looked up anew each time."""

    def __init__(self, leader, claim, holders=set):
        self.leader = leader if leader is not None and leader > 1 else None
        self.claim = claim
        self._holders = holders
        self._leader_start = identity.start_of(self.leader) if self.leader else None
        self._seen = {}

    def living(self):
        """The pids of the tree that run now."""
        return set(self._members())

    def signal(self, signum):
        """Send a signal to each process of the tree, once."""
        members = self._members()
        grouped = self._leader_stands() and _signal_group(self.leader, signum)
        for pid, member in members.items():
            if not grouped or (member is not None and member.group != self.leader):
                _signal_one(pid, signum)

    def ask(self):
        """Ask each to end."""
        self.signal(signal.SIGTERM)
        # A stopped process takes its TERM when it goes on.
        self.signal(signal.SIGCONT)

    def kill(self):
        """End each."""
        self.signal(signal.SIGKILL)

    def _members(self):
        if not proc.AVAILABLE:
            return {self.leader: None} if self._leader_stands() and _signal_group(self.leader, 0) else {}
        table = proc.living()
        roots = _marked(self.claim, table)
        roots.update(pid for pid in self._holders() if pid in table)
        roots.update(pid for pid, start in self._seen.items() if pid in table and table[pid].start == start)
        if self.leader in table and table[self.leader].start == self._leader_start:
            roots.add(self.leader)
        found = _grown(roots, table)
        self._seen = {pid: table[pid].start for pid in found}
        return {pid: table[pid] for pid in found}

    def _leader_stands(self):
        # Also as a zombie: until it is reaped, its number is nobody else's.
        return self.leader is not None and identity.start_of(self.leader) == self._leader_start


def _grown(roots, table):
    """These processes, with everybody in their sessions and all descendants."""
    # A session is entered by birth alone, so all of it comes from the command.
    sessions = {table[pid].session for pid in roots} - {0, 1, os.getsid(0)}
    found = set(roots)
    found.update(pid for pid, one in table.items() if one.session in sessions)
    children = {}
    for pid, one in table.items():
        children.setdefault(one.parent, []).append(pid)
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return {pid for pid in found if pid > 1 and pid != os.getpid()}


def _signal_group(leader, signum):
    try:
        os.killpg(leader, signum)
    except OSError:
        # Nobody there; EPERM is what macOS answers for a group of zombies.
        return False
    return True


def _signal_one(pid, signum):
    try:
        os.kill(pid, signum)
    except OSError:
        # Gone meanwhile, or of another user (sudo): end() reports who stays.
        pass


def kill(pids):
    """End these processes."""
    for pid in pids:
        _signal_one(pid, signal.SIGKILL)


if locking.ON_WINDOWS:
    from queuectl_lib.work.job_object import Tree, kill  # noqa: F811
