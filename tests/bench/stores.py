"""Large stores and small ones of the same kind, each made once.

Finished and dead jobs are made through the store itself, claimed and finished
one by one, without running any command: that alone would take ten minutes.
"""

import shutil

import ground
import notes

SMALL = 20
LARGE = {"pending": 1000000, "finished": 1000000, "dead": 100000, "delayed": 100000}


class Shelf:
    """The stores of a ground. One that could not be made fails everything that asks for it, at once."""

    def __init__(self, here):
        self._here = here
        self._made = {}
        # What making 1,000,000 finished jobs has told: (notes, jobs, CPU of claiming and finishing, longest).
        self.finishing = None

    def small(self, kind):
        return self._get(kind, SMALL)

    def large(self, kind):
        return self._get(kind, LARGE[kind])

    def _get(self, kind, count):
        if (kind, count) not in self._made:
            try:
                store = self._here.keep(self._here.fresh_store())
                getattr(self, "_" + kind)(store, count)
            except Exception as error:
                store = error
            self._made[kind, count] = store
        made = self._made[kind, count]
        if isinstance(made, Exception):
            raise made
        return made

    def _pending(self, store, count):
        self._here.fill(store, count)

    def _delayed(self, store, count):
        self._here.fill(store, count, "--delay", "30d")

    def _dead(self, store, count):
        self._here.fill(store, count, "--max-retries", "0")
        self._finish(store, 1)

    def _finished(self, store, count):
        if count == LARGE["pending"]:
            shutil.copytree(self.large("pending")["QUEUECTL_STORE"], store["QUEUECTL_STORE"])
        else:
            self._here.fill(store, count)
        told = self._finish(notes.asked(self._here, store), 0)
        noted = notes.taken(self._here) if count == LARGE["finished"] else None
        if noted:
            self.finishing = (noted,) + told

    def _finish(self, store, exit_code):
        words = ground.PYTHON + [ground.script("finish.py"), self._here.path("watched"), store["QUEUECTL_STORE"],
                                 exit_code]
        jobs, cpu, longest = self._here.run(words, store).printed.split()
        return int(jobs), float(cpu), float(longest)
