"""The settings of a store as they are now, for processes that live long."""

import time

from queuectl_lib.store import config, disk
from queuectl_lib.words.errors import StoreError


# Seconds. Looking at every job's end would cost 2 microseconds of each.
_LATELY = 0.01


class Settings:
    """Reads config.json again when it has changed."""

    def __init__(self, paths, first, complain):
        """first: the settings to begin with; complain(text): called when the file cannot be understood."""
        self.current = first
        self._paths = paths
        self._complain = complain
        self._seen = ()
        self.now()

    def now(self):
        """The config.Config in force: the last one that could be read. `current`: without looking."""
        self._looked = time.monotonic()
        seen = disk.mark(self._paths.config)
        if seen != self._seen:
            self._seen = seen
            try:
                self.current = config.load(self._paths)
            except StoreError as error:
                self._complain(str(error))
        return self.current

    def lately(self):
        """The same, as of the last hundredth of a second: sooner nobody has set something and enqueued a job."""
        if time.monotonic() - self._looked > _LATELY:
            self.now()
        return self.current
