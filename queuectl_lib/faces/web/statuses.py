"""The status that all event streams are told: made once, when something has changed, and now and then."""

import time

from queuectl_lib.faces.web import standing
from queuectl_lib.store import disk, paths
from queuectl_lib.words import clock

# Seconds.
_SHORTEST = 1
_STALE = 5
# It may take this share of the time: in a busy store it takes a journal's reading.
_SHARE = 0.05


class Statuses:
    """make() when is_due(). Raises StoreError, OSError."""

    def __init__(self, site):
        self._site = site
        self._paths = paths.Paths(site.store)
        self._at = 0
        self._took = 0
        self._marks = None
        # Has something happened since the last one?
        self.is_wanted = True

    def is_due(self):
        passed = time.monotonic() - self._at
        if passed < max(_SHORTEST, self._took / _SHARE):
            return False
        return passed >= _STALE or self.is_wanted or self._marked() != self._marks

    def make(self):
        """What GET /api/status tells now."""
        begin = time.monotonic()
        self.is_wanted = False
        self._marks = self._marked()
        document = standing.status_document(self._site, clock.now())
        self._at = time.monotonic()
        self._took = self._at - begin
        return document

    def _marked(self):
        """What is another value when a worker has come or gone, or settings have changed."""
        return [disk.mark(path) for path in (self._paths.pidfile, self._paths.config)]
