"""What a worker attends to besides its job, at every wake-up and also while a command runs.

Orders, once a second the heartbeat and a look whether its claim and its store
still stand, the group sync of results, the jobs of dead workers, the hooks.
Nothing here raises and nothing here waits: a command is running.
"""

import time

from queuectl_lib.words.errors import StoreError, told
from queuectl_lib.work.pidfile import NOW

# Why a running command is to end.
STOPPED = "stopped"
TAKEN_AWAY = "taken away"

_TICK_SECONDS = 1.0
# What is due so soon is done now: one wake-up a second instead of several.
_SOON = 0.5
_RETRY_SECONDS = 1.0


class Duties:
    """One worker's; `job` is the claimed job whose command runs, `gone` says that the store was removed."""

    def __init__(self, place, control, settings, voice):
        self.job = None
        self.gone = False
        self._slot = place.slot
        self._claims = place.claims
        self._recovery = place.recovery
        self._orphans = place.orphans
        self._hooks = place.hooks
        self._control = control
        self._settings = settings
        self._voice = voice
        self._next_tick = 0.0
        self._sync_again = 0.0

    def due(self):
        """Seconds until attend() has something to do."""
        now = time.monotonic()
        first = min(self._next_tick, self._recovery.next, self._hooks.next) - now
        sync = self._claims.sync_due()
        if sync is None or sync >= first:
            return first
        return min(first, max(sync, self._sync_again - now))

    def attend(self, woken):
        """Take in what woke the worker, and do what is due; why the running command is to end, or None."""
        look = self._control.hear(woken)
        if woken.child and self.job is None:
            # What an earlier command left behind has ended.
            self._orphans.none()
        now = time.monotonic()
        if now >= self._next_tick - _SOON:
            self._next_tick = now + _TICK_SECONDS
            self._tick()
            look = True
        if now >= self._hooks.next or (woken.child and self._hooks.busy):
            self._hooks.tend(now)
        if self._claims.sync_due() == 0 and now >= self._sync_again:
            self.sync()
        taken_away = False
        try:
            self._recovery.tend(now, _SOON)
            taken_away = look and self.job is not None and not self._claims.holds(self.job)
        except (StoreError, OSError) as error:
            self._voice.say_once(told(error))
        if taken_away:
            return TAKEN_AWAY
        return STOPPED if self._control.order == NOW or self.gone else None

    def sync(self):
        """Bring what was recorded to the medium; when that fails, say so and let a second pass."""
        try:
            self._claims.sync()
        except (StoreError, OSError) as error:
            self._sync_again = time.monotonic() + _RETRY_SECONDS
            self._voice.say_once(told(error))

    def _tick(self):
        self._slot.beat(self.job and self.job.id)
        self._voice.follow_log()
        self._settings.now()
        self._control.read()
        self.gone = not self._slot.stands()
