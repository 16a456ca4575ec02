"""Time claims in a store: what one transaction takes that finishes a job and claims the next.

    claims.py TREE STORE COUNT

As many jobs are added first, so that there is something to claim in every
store; the desk has taken in the store before the first one is timed. Prints the
median in seconds.
"""

import os
import random
import statistics
import sys
import time

sys.path.insert(0, sys.argv[1])

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def main(root, count):
    store = stores.open_store(root, write=True)
    now = clock.now()
    defaults = record.Defaults(cwd=os.getcwd())
    store.add([record.create({"command": "true"}, now, defaults) for _ in range(count)])
    desk = store.claims("1.bench")
    nothing = lifecycle.Output("", 0, None)
    outcome = lifecycle.Outcome(0, None, None, 0.001, nothing, nothing)
    policy = lifecycle.Policy(2, 3600, 0)
    _, job = desk.exchange(None, True, now)
    taken = []
    while len(taken) < count - 1:
        done = (job, lifecycle.finish(job, outcome, now, policy, random))
        begin = time.perf_counter()
        _, job = desk.exchange(done, True, now)
        taken.append(time.perf_counter() - begin)
    desk.exchange((job, lifecycle.finish(job, outcome, now, policy, random)), False, now)
    desk.sync()
    print(statistics.median(taken))


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]))
