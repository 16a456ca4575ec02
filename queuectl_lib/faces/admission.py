"""Storing a group of jobs so that one that cannot be stored keeps no other one out."""

from queuectl_lib.faces import once
from queuectl_lib.store.taken import look_for
from queuectl_lib.words.errors import BadInput, DuplicateJob, NotDone


class Admission:
    """Stores entries, each a tuple with a new `job`, and the `line` that it came from.

    if_absent: an id that is there is fine; refusals: [(line, why not)] of those that are not there afterwards;
    insist(function): calls it until it raises no error that passes by itself.
    """

    def __init__(self, store, if_absent, insist):
        self._store = store
        self._if_absent = if_absent
        self._insist = insist
        self.refusals = []

    def add(self, entries):
        """The ids of those that are there now, in their order; synced."""
        admitted = self._admitted(entries)
        return [admitted[entry.line.number] for entry in entries if entry.line.number in admitted]

    def _admitted(self, entries):
        """{number of a line: id} of them."""
        first, again = _first_of_each_id(entries)
        admitted = self._added(first)
        if again:
            # Only now it is known whether the first one is there.
            admitted.update(self._admitted(again))
        return admitted

    def _added(self, entries):
        """The same of entries whose ids differ."""
        if not entries:
            return {}
        ids = [entry.job.id for entry in entries if entry.job.id is not None]
        look, there = look_for(self._store, ids) if ids else (None, ())
        new = [entry for entry in entries if entry.job.id not in there]
        try:
            stored = self._insist(lambda: self._store.add([entry.job for entry in new], looked=look)) if new else []
        except DuplicateJob:
            # It came between the look and the write.
            return self._added(entries)
        except (BadInput, NotDone) as error:
            return self._added_apart(entries, error.sentence)
        admitted = {entry.line.number: job.id for entry, job in zip(new, stored)}
        admitted.update(self._known([entry for entry in entries if entry.job.id in there], settled=bool(new)))
        return admitted

    def _added_apart(self, entries, reason):
        """The same of entries of which one cannot be stored; which one it is nobody tells."""
        if len(entries) == 1:
            self.refusals.append((entries[0].line, reason))
            return {}
        half = len(entries) // 2
        return {**self._added(entries[:half]), **self._added(entries[half:])}

    def _known(self, entries, settled):
        """The same of entries whose ids were there; settled: whether the journal was synced since."""
        if not self._if_absent:
            self.refusals += [(entry.line, "a job with the id %s is already there" % entry.job.id) for entry in entries]
            return {}
        if entries and not settled:
            self._insist(lambda: once.settle(self._store))
        return {entry.line.number: entry.job.id for entry in entries}


def _first_of_each_id(entries):
    """(the first entry of each id and all without one, the others)"""
    seen = set()
    first, again = [], []
    for entry in entries:
        id = entry.job.id
        (again if id in seen else first).append(entry)
        if id is not None:
            seen.add(id)
    return first, again
