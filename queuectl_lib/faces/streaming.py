"""Enqueueing lines as they arrive (`enqueue --stream`): a group is read, stored, and told, then the next one.

A line is acknowledged by its job's id on standard output: by then the job is on disk.
"""

from collections import namedtuple

from queuectl_lib.faces import arriving, gathering, once
from queuectl_lib.faces import input as given
from queuectl_lib.job import identifiers
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import wake

# One line of the input, and the job it describes.
Entry = namedtuple("Entry", ("number", "line", "job"))


def enqueue(file, place, maker_at, if_absent, out):
    """Enqueue the lines of an open file as they arrive, into the store of a directory, until its end; see Stream."""
    intake = gathering.Intake(arriving.Arrivals(file))
    Stream(intake, lambda: stores.open_store(place, write=True), maker_at, if_absent, out).run()


class Stream:
    """One run of `enqueue --stream`.

    intake: gathering.Intake; open_store(): the store as it is now; maker_at(store, now): the record.Maker
    for jobs that arrive at a moment (ms); if_absent: those whose id is there are fine.
    """

    def __init__(self, intake, open_store, maker_at, if_absent, out):
        self._intake = intake
        self._open_store = open_store
        self._maker_at = maker_at
        self._if_absent = if_absent
        self._out = out
        self._fields_of = given.line_reader()

    def run(self):
        while self._intake.gather(stores.LARGEST_BATCH):
            self._round(self._intake.take(stores.LARGEST_BATCH))

    def _round(self, lines):
        # Opened for each group: settings change while a stream runs, and so does the state of a disk.
        store = self._open_store()
        entries = self._read(store, lines)
        ids = self._added(store, [entry.job for entry in entries])
        wake.wake(store.paths, {entry.job.queue for entry in entries})
        self._acknowledge(ids)

    def _read(self, store, lines):
        maker = self._maker_at(store, clock.now())
        return [Entry(number, line, maker.create(self._fields_of(line))) for number, line in lines]

    def _added(self, store, jobs):
        """The ids of these jobs, once they are on disk."""
        if not self._if_absent:
            return [job.id for job in store.add(jobs)]
        made_up = identifiers.new_ids()
        jobs = [job if job.id else job._replace(id=next(made_up)) for job in jobs]
        once.added_absent(store, jobs)
        return [job.id for job in jobs]

    def _acknowledge(self, ids):
        for id in ids:
            self._out.line(id)
        self._out.flush()
