"""Enqueueing lines as they arrive (`enqueue --stream`): a group is read, stored, and told, then the next one.

A line is acknowledged by its job's id on standard output: by then the job is on disk. What
is no job is kept aside (store/refused.py) before a later line is acknowledged. So
whoever gives a line again that was not acknowledged, with --if-absent, loses none and has none twice.
"""

import sys
from collections import namedtuple

from queuectl_lib.faces import gathering, lasting, terminal
from queuectl_lib.faces import input as given
from queuectl_lib.faces.admission import Admission
from queuectl_lib.faces.leaving import Leaving
from queuectl_lib.faces.patience import Patience
from queuectl_lib.store import disk, refused
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, DiskFull, StoreError, StoreLocked, told
from queuectl_lib.words.text import many
from queuectl_lib.work import signals, wake

# if_absent: jobs whose id is there are fine; most_waiting: how many may wait in the store, None for any number.
Options = namedtuple("Options", ("if_absent", "most_waiting"))
# One line of the input, and the job that it is.
Entry = namedtuple("Entry", ("line", "job"))

_RETRY_SECONDS = 1.0
# So long a store that is busy or full is waited for by who was told to leave.
_LAST_SECONDS = 10
# Seconds between two looks for room, at most.
_LOOK_SECONDS = 0.5


def enqueue(file, place, maker_at, options, out):
    """Enqueue the lines of an open file into the store of a directory; the exit code. See Stream."""
    lasting.load_all()
    numbers = signals.asked_to_leave()
    # Not for the thread that reads: who waits is to be woken.
    signals.hold_back(numbers)
    intake = gathering.from_file(file)
    stream = Stream(intake, place, maker_at, options, out, numbers)
    with stream.leaving:
        signals.let_through(numbers)
        return stream.run()


class Stream:
    """One run of `enqueue --stream`.

    place: the store's directory; maker_at(store, now): the record.Maker for jobs that arrive at a moment (ms);
    numbers: the signals that leaving (leaving.Leaving) heeds while it runs.
    """

    def __init__(self, intake, place, maker_at, options, out, numbers):
        self._intake = intake
        self._place = place
        self._maker_at = maker_at
        self._options = options
        self._out = out
        self.leaving = Leaving(numbers, intake.leave, lambda: "left at once: " + self._lost())
        self._fields_of = given.line_reader()
        # Of the group that is being stored.
        self._lines = []
        self._has_refused = False
        self._is_told_of_room = False
        # What went wrong with standard output: it ends when all that was read is stored.
        self._error = None

    def run(self):
        """Until the input ends, or somebody asks to leave; the exit code."""
        try:
            while self._intake.gather(stores.LARGEST_BATCH):
                self._round()
        except StoreError as error:
            raise StoreError("%s; %s" % (error, self._lost())) from error
        if self._error is not None:
            raise self._error
        if self._intake.error is not None:
            raise BadInput("the lines cannot be read: %s" % told(self._intake.error))
        if self.leaving.signum is not None:
            return 128 + self.leaving.signum
        return 1 if self._has_refused else 0

    def _round(self):
        # Opened for each group: while a stream runs settings change, and a disk may fail.
        store = self._insist(lambda: stores.open_store(self._place, write=True))
        room = self._room(store)
        self._lines = self._intake.take(room)
        entries, refusals = self._read(store)
        admission = Admission(store, self._options.if_absent, self._insist)
        ids = admission.add(entries)
        wake.wake(store.paths, {entry.job.queue for entry in entries})
        self._refuse(store, refusals + admission.refusals)
        self._acknowledge(ids)
        self._lines = []

    def _room(self, store):
        """How many lines may be stored now; waits while that is none."""
        patience = Patience(_LOOK_SECONDS, self._intake.rest)
        # Like no mark: of a store that was removed it is None, and that has to be looked at as well.
        seen = object()
        # Who leaves takes along what was read.
        while self._options.most_waiting is not None and self.leaving.signum is None:
            mark = disk.mark(store.paths.jobs)
            if mark != seen:
                room = self._options.most_waiting - _waiting(store)
                if room > 0:
                    return min(room, stores.LARGEST_BATCH)
                seen = mark
            self._tell_of_room()
            patience.rest(False)
        return stores.LARGEST_BATCH

    def _read(self, store):
        """([Entry], [(Line, why not)]) of the group."""
        maker = self._maker_at(store, clock.now())
        entries, refusals = [], []
        for line in self._lines:
            try:
                entries.append(Entry(line, maker.create(self._fields(line))))
            except BadInput as error:
                # Not the error itself: by its traceback it would keep the lines in memory.
                refusals.append((line, error.sentence))
        return entries, refusals

    def _fields(self, line):
        if not line.is_whole:
            raise BadInput("longer than %d MB, which no job is: it is kept in pieces" % (gathering.LONGEST >> 20))
        return self._fields_of(line.data)

    def _refuse(self, store, refusals):
        """Keep these lines aside, and say so."""
        if not refusals:
            return
        refusals.sort(key=lambda refusal: refusal[0].number)
        self._insist(lambda: refused.keep(store, [line.data for line, _ in refusals]))
        self._has_refused = True
        for line, reason in refusals:
            terminal.note("line %d: %s; kept in %s" % (line.number, reason, store.paths.refused))

    def _acknowledge(self, ids):
        if self._error is not None:
            return
        try:
            for id in ids:
                self._out.line(id)
            self._out.flush()
        except OSError as error:
            self._error = error
            self._intake.end()

    def _insist(self, act):
        """What this returns, once the store takes it: one that is busy, or has no room, is waited for."""
        failures = 0
        while True:
            try:
                found = act()
                break
            except (StoreLocked, DiskFull) as error:
                if not failures:
                    terminal.note("%s; waiting for that, nothing that was read is lost" % error.sentence)
                failures += 1
                if self.leaving.is_overdue(_LAST_SECONDS):
                    raise
                self._intake.rest(_RETRY_SECONDS)
        if failures:
            terminal.note("going on: the store can be written again")
        return found

    def _lost(self):
        """How many lines nobody may rely on."""
        count = len(self._lines) + len(self._intake)
        return many(count, "line") + " read and not stored"

    def _tell_of_room(self):
        """Once, and to a person alone: in a log it is no news."""
        if not self._is_told_of_room and sys.stderr.isatty():
            terminal.note("%d jobs wait: going on as soon as there are fewer" % self._options.most_waiting)
        self._is_told_of_room = True


def _waiting(store):
    """How many jobs of a store wait, for whatever it is."""
    return sum(states.get("pending", 0) + states.get("failed", 0) for states in store.counts().values())
