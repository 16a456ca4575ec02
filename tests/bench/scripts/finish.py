"""Claim and finish jobs through the store itself, without running any command.

    finish.py TREE STORE EXIT_CODE [MOST]

Prints how many, the CPU of doing so in seconds (this process alone, not the
rollers it has started), and the longest time that one transaction took.
"""

import os
import random
import sys
import time

sys.path.insert(0, sys.argv[1])

from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock

# A roller is looked for, or after, so often: every 100 ms or so.
_LOOK = 500


def main(root, exit_code, most):
    desk = stores.open_store(root, write=True).claims("1.bench")
    nothing = lifecycle.Output("", 0, None)
    outcome = lifecycle.Outcome(exit_code, None, None, 0.001, nothing, nothing)
    policy = lifecycle.Policy(2, 3600, 0)
    roller = None
    done = None
    longest = 0.0
    finished = 0
    spent = time.process_time()
    while True:
        now = clock.now()
        begin = time.perf_counter()
        _, job = desk.exchange(done, finished < most, now)
        longest = max(longest, time.perf_counter() - begin)
        if job is None:
            break
        done = (job, lifecycle.finish(job, outcome, now, policy, random))
        finished += 1
        if finished % _LOOK == 0:
            roller = looked_after(desk, roller)
    desk.sync()
    spent = time.process_time() - spent
    while roller is not None:
        os.waitpid(roller, 0)
        roller = desk.maybe_roll()
    print(finished, spent, longest)


def looked_after(desk, roller):
    if roller is not None and os.waitpid(roller, os.WNOHANG)[0] == 0:
        return roller
    return desk.maybe_roll()


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 10 ** 9)
