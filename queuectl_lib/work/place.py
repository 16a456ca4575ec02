"""A worker's place in a store: its slot, its line in workers.pid, and all that hangs on them.

    take(...)         the lowest slot that is free and clear, with everything for it
    place.leave()     sync, take the line out; the slot itself goes with the process

A slot is clear when nothing of its former owners' jobs runs any more; whoever
takes it recovers them first. One that cannot be cleared is left alone.
"""

from queuectl_lib.store import ballast, disk
from queuectl_lib.words.errors import StoreError, told
from queuectl_lib.work import pidfile, slots, spawn, staffing
from queuectl_lib.work.hooks import Hooks
from queuectl_lib.work.output import Spools
from queuectl_lib.work.recovery import Recovery
from queuectl_lib.work.runner import Runner
from queuectl_lib.work.wake import Bell

_RETRY_SECONDS = 1.0
_DRAIN_TRIES = 3


def take(store, options, control, settings, voice, supervisor, orphans):
    """A Place, or None when no worker is needed any more, or an order to leave has come.

    supervisor: its entry in workers.pid; orphans: an Orphans. Raises StoreError when the store is gone;
    other troubles with it are waited out, but not for long by a worker that drains.
    """
    spawn.check_files()
    hooks = Hooks(store.root, settings, voice, orphans)
    not_clear = set()
    tries = 0
    while control.order is None:
        place = None
        try:
            place = _take(store, options, control, supervisor, not_clear)
            if place is None:
                return None
            if place.prepare(control, settings, voice, orphans, hooks):
                return place
            not_clear.add(place.slot.number)
            place.abandon()
        except (StoreError, OSError) as error:
            if place is not None:
                place.abandon()
            store.check_there()
            tries += 1
            if tries >= _DRAIN_TRIES and (options.drain or options.drain_all):
                raise error if isinstance(error, StoreError) else StoreError(told(error))
            voice.say_once(told(error))
            control.nap(_RETRY_SECONDS)
    return None


def _take(store, options, control, supervisor, skip):
    with store.lock():
        ballast.make(store.paths)
        # Some backups leave out empty ones. Not the root: that is gone with its store.
        for path in store.paths.directories()[1:]:
            disk.make_private_directory(path)
        slot = slots.take(store.paths, skip)
        try:
            entry = pidfile.Entry(kind=pidfile.WORKER, queues=options.queues and list(options.queues),
                                  supervisor=supervisor.pid, **slot.who())
            if not staffing.join(store.paths, entry):
                slot.give_back()
                return None
        except Exception:
            slot.give_back()
            raise
    control.follow(pidfile.Orders(store.paths, entry, store.lock))
    return Place(store, slot, entry, options.queues)


class Place:
    """What one worker works with, from moving in to moving out."""

    def __init__(self, store, slot, entry, queues):
        self._store = store
        self._entry = entry
        self._queues = queues
        self._spools = Spools(store.paths, slot.number)
        self.slot = slot
        self.claims = store.claims(slot.name, queues)

    def prepare(self, control, settings, voice, orphans, hooks):
        """Recover what former owners left and open the rest; False when the slot cannot be cleared now."""
        voice.name(self.slot.number)
        hooks.serve(self.slot.name)
        self.recovery = Recovery(self._store, self.claims, self.slot, settings, voice, hooks.ended)
        if not self.recovery.clear_own_slot(control.nap):
            return False
        self._spools.open()
        self.bell = Bell(self._store.paths, self._queues)
        self.runner = Runner(control.waiter, self._spools, self._store.root, self.slot.name, orphans)
        self.orphans = orphans
        self.hooks = hooks
        return True

    def abandon(self):
        """Give the slot up before it was used; the line is dropped by the next writer."""
        self.claims.close()
        self._spools.close()
        self.slot.give_back()

    def leave(self, for_good):
        """Take the line out; until the process ends its slot is held, so it counts as alive.

        for_good: the supervisor will start no other in its place.
        """
        self.recovery.close()
        self.slot.end()
        try:
            with self._store.lock():
                staffing.leave(self._store.paths, self._entry, for_good)
        except (StoreError, OSError):
            # The next writer drops the line: the slot is free by then.
            pass
