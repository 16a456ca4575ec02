"""Claim and finish jobs through the store itself, without running any command.

    finish.py TREE STORE EXIT_CODE

In a real drain the commands slow down both the workers and the roller. Here this
process would outrun every roller, and what is measured would be rolls of a size
that no drain ever sees: so while a roller is at it, only so many jobs are taken
for each second of CPU that it has had. At the end the store is rolled until it
wants no more, as workers that stay would do.

Prints how many jobs, the CPU of it in seconds (of this process alone, not of
the rollers it has started), and the longest time that one transaction took.
"""

import os
import random
import sys
import time

sys.path.insert(0, sys.argv[1])

from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.store.journal import Journal
from queuectl_lib.words import clock

# Jobs for a second of a roller's CPU. Of two cores that two workers and their commands
# keep busy a roller gets two thirds of one, and 2,000 jobs are done in each of its
# seconds; beside eight workers it gets less, and 8,000 are done.
_RATE = 4000
# How often the roller is looked after, in jobs.
_LOOK = 100


class Rollers:
    """Starts a roller when the journal wants one, as an enqueue does, and does not outrun it."""

    def __init__(self, store):
        self._store = store
        self._journal = Journal(store.paths.jobs, writable=False)
        self._pid = None
        self._taken = 0

    def look(self):
        if self._pid is None:
            self._pid = self._started()
            self._taken = 0
            return
        self._taken += _LOOK
        while not self._ended(os.WNOHANG) and self._taken > _RATE * self._cpu():
            time.sleep(0.002)

    def settle(self):
        """Wait for the last one, and roll until nothing is left to roll."""
        while self._pid is not None:
            self._ended(0)
            self._pid = self._started()

    def _started(self):
        self._journal.refresh()
        return self._store.start_roller() if self._journal.wants_roll() else None

    def _ended(self, flags):
        if os.waitpid(self._pid, flags)[0]:
            self._pid = None
        return self._pid is None

    def _cpu(self):
        with open("/proc/%d/schedstat" % self._pid) as file:
            return int(file.read().split()[0]) / 1e9


def main(root, exit_code):
    store = stores.open_store(root, write=True)
    desk = store.claims("1.bench")
    rollers = Rollers(store)
    nothing = lifecycle.Output("", 0, None)
    outcome = lifecycle.Outcome(exit_code, None, None, 0.001, nothing, nothing)
    policy = lifecycle.Policy(2, 3600, 0)
    done = None
    longest = 0.0
    finished = 0
    spent = time.process_time()
    while True:
        now = clock.now()
        begin = time.perf_counter()
        _, job = desk.exchange(done, True, now)
        longest = max(longest, time.perf_counter() - begin)
        if job is None:
            break
        done = (job, lifecycle.finish(job, outcome, now, policy, random))
        finished += 1
        if finished % _LOOK == 0:
            rollers.look()
    desk.sync()
    spent = time.process_time() - spent
    rollers.settle()
    print(finished, spent, longest)


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]))
