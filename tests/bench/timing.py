"""Comparing sides fairly, and waiting for conditions."""

import time

now = time.perf_counter


def interleaved(rounds, *sides):
    """A list of results for every side, taken in turn (A B B A), so that a noisy moment hurts all alike."""
    results = [[] for _ in sides]
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            results[index].append(sides[index]())
    return results


def wait_until(condition, deadline=120):
    """Look every 20 ms until it is so; TimeoutError after so many seconds."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited %d s in vain" % deadline)
        time.sleep(0.02)
