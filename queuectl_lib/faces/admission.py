"""Storing a group of jobs so that one that cannot be stored keeps no other one out."""

from queuectl_lib.faces import once
from queuectl_lib.job import identifiers
from queuectl_lib.words.errors import BadInput, DuplicateJob, NotDone


class Admission:
    """Stores entries, each a tuple with a new `job`, and the `line` that it came from.

    refusals: [(line, error)] of those that were not stored; insist(function): calls it until it raises no
    error that passes by itself.
    """

    def __init__(self, store, if_absent, insist):
        self._store = store
        self._if_absent = if_absent
        self._insist = insist
        self.refusals = []

    def add(self, entries):
        """The ids of those that are stored now, in their order; synced."""
        if not entries:
            return []
        try:
            return self._insist(lambda: self._add_all([entry.job for entry in entries]))
        except DuplicateJob:
            # With --if-absent: another one came between the look and the write.
            return self.add(entries if self._if_absent else self._without_those_there(entries))
        except (BadInput, NotDone) as error:
            # Which one it is about nobody tells.
            if len(entries) == 1:
                self.refusals.append((entries[0].line, error))
                return []
            half = len(entries) // 2
            return self.add(entries[:half]) + self.add(entries[half:])

    def _add_all(self, jobs):
        if not self._if_absent:
            return [job.id for job in self._store.add(jobs)]
        made_up = identifiers.new_ids()
        jobs = [job if job.id else job._replace(id=next(made_up)) for job in jobs]
        once.added_absent(self._store, jobs)
        return [job.id for job in jobs]

    def _without_those_there(self, entries):
        look = self._store.look()
        look.expect(len(entries))
        seen = set()
        new = []
        for entry in entries:
            id = entry.job.id
            if id is not None and (id in seen or look.find(id) is not None):
                self.refusals.append((entry.line, DuplicateJob("a job with the id %s is already there" % id)))
            else:
                new.append(entry)
            seen.add(id)
        look.close()
        return new
