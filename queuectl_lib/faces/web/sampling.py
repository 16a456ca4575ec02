"""A store's attempt totals, looked at every ten seconds while the dashboard runs and when somebody asks, for its chart (chart.py)."""

import os
import threading
from itertools import takewhile

from queuectl_lib.faces.web import chart
from queuectl_lib.store import listing, slices
from queuectl_lib.store import store as stores

# So many jobs are looked at for the time before the first look.
MOST = 20000
# Those to be tried again are not kept by the moment at which they failed.
_UNFINISHED = ("failed", "processing")


class Sampling:
    """take() and document() in any thread."""

    def __init__(self, directory):
        self._directory = directory
        self._taking = threading.Lock()
        self._seen = None
        # (chart.Earlier, [chart.Sample…]), replaced as a whole.
        self._known = None

    def take(self, now, going_on=lambda: True, oldest=0):
        """Look at the totals at this moment (ms), if the last look is older than so many ms. StoreError, OSError.

        going_on(): asked in between; False: leave off.
        """
        with self._taking:
            if not self._is_fresh(now, oldest):
                self._look(now, going_on)

    def _is_fresh(self, now, oldest):
        # Less than nothing: another thread that came later was quicker. More than that is a clock that was set back.
        return self._known is not None and -chart.EVERY < now - self._known[1][-1].at < oldest

    def _look(self, now, going_on):
        store = stores.open_store(self._directory)
        seen = _place(store.paths)
        if self._is_as_it_was(seen, now):
            before, samples = self._known
            self._known = before, chart.added(samples, samples[-1]._replace(at=now))
            return
        look = store.look()
        if look is None:
            self._take(chart.Sample(now, None, 0, 0), lambda: chart.Earlier(chart.beginning(now), {}))
        else:
            try:
                self._take(chart.sample(look.totals(), now, seen[0]), lambda: _earlier(look, now, going_on))
            finally:
                look.close()
        self._seen = seen

    def document(self, now):
        """What GET /api/throughput tells."""
        before, samples = self._known or (chart.Earlier(now, {}), [])
        return chart.document(before, samples, now)

    def _is_as_it_was(self, seen, now):
        return self._known is not None and seen == self._seen and now >= self._known[1][-1].at

    def _take(self, sample, earlier):
        if self._known is not None and chart.goes_on(self._known[1][-1], sample):
            self._known = self._known[0], chart.added(self._known[1], sample)
        else:
            self._known = earlier(), [sample]


def _place(paths):
    """(what tells the store from any other, what is another value when its journal has changed)."""
    return tuple(_status(path, size) for path, size in ((paths.lock, False), (paths.jobs, True)))


def _status(path, with_size):
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size if with_size else None


def _earlier(look, now, going_on):
    counts = look.counts().values()
    ended = takewhile(lambda _: going_on(), listing.newest_ended(look, now, slices.attempts))
    unfinished = None
    if sum(states.get(state, 0) for states in counts for state in _UNFINISHED) <= MOST:
        unfinished = listing.Listing(look, now, _UNFINISHED, read=slices.attempts).jobs()
    is_all = sum(states.get("completed", 0) for states in counts) == sum(ends.get("completed", 0) for ends in look.totals().values())
    return chart.earlier(ended, unfinished, now, MOST, is_all)
