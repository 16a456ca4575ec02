"""Which jobs are to be changed: named by id, or selected by state, queue and text; and changing them, for every face.

Named ones are changed at once, and each that cannot be is refused by name. A selection takes
only jobs to which the change can happen; those that change by themselves meanwhile are passed over.
Only ids are kept, and the jobs are changed a group at a time, so that a hundred thousand
neither fill the memory nor keep others waiting for the store.
"""

from collections import namedtuple

from queuectl_lib.words.errors import NotDone
from queuectl_lib.work import wake

_GROUP = 1000

# ids: those that are named. Without: states, queues (None: any) and search (None: any text) select.
Wanted = namedtuple("Wanted", ("ids", "states", "queues", "search"))
Wanted.__new__.__defaults__ = ((), None, None, None)

# name: as in "cancel 3 jobs?"; change: function(job) -> job, NotDone where it cannot happen;
# do: function(ids, refused) -> changing.Changed or its like, how it is done to some of them;
# states: those in which it can; usual: those that are meant where none is named;
# followed: what became of jobs that come after them, in the past tense;
# last_first: whether the last of them is to be changed first;
# is_shared: whether those that follow have become what these have;
# wakes: whether some may be ready then.
Verb = namedtuple("Verb", ("name", "change", "do", "states", "usual", "followed", "last_first", "is_shared", "wakes"))
Verb.__new__.__defaults__ = ("went to the dead letter queue", False, False, False)

# In one transaction more do not follow; the rest do so by and by, uncounted.
_MOST_FOLLOWERS = 1000


class HasFollowed(NotDone):
    """A selected job has become what it was to become by following another one."""


class Selection:
    """The jobs that are wanted, as of now.

    ids: theirs; followers: how many jobs have followed those changed so far, or_more: and perhaps
    others; told: the ids of those that changed.
    """

    def __init__(self, wanted, store, verb):
        self.is_named = bool(wanted.ids)
        self.followers = 0
        self.or_more = False
        self.told = set()
        self._verb = verb
        self._store = store
        self._refused = {}
        self.ids = list(dict.fromkeys(wanted.ids)) or self._selected(wanted)
        self._asked = set(self.ids) if verb.is_shared else ()

    def _selected(self, wanted):
        states = [state for state in wanted.states or self._verb.usual if state in self._verb.states]
        jobs = self._store.jobs(states, wanted.queues, wanted.search) if states else ()
        ids = [job.id for job in jobs if self._can(job)]
        if self._verb.last_first:
            ids.reverse()
        return ids

    def _can(self, job):
        try:
            self._verb.change(job)
        except NotDone:
            return False
        return True

    def changed(self):
        """Change them, a group at a time, and wake who may have work then; yields the ids of those changed."""
        ids = self.ids
        queues = set()
        while ids:
            self._refused = {}
            for start in range(0, len(ids), _GROUP):
                yield self._changed(ids[start:start + _GROUP], queues)
            left = [job_id for job_id in ids if job_id in self._refused]
            # One that comes after another of them may have been too early.
            ids = left[::-1] if self._verb.is_shared and len(left) < len(ids) else ()
        if self._verb.wakes and queues:
            wake.wake(self._store.paths, queues)

    def _changed(self, group, queues):
        have_followed = []
        done = self._verb.do(group, lambda job_id, error: self._refuse(job_id, error, have_followed))
        followers = [job.id for job in done.followers]
        ids = [job.id for job in done.jobs] + [job_id for job_id in followers if job_id in self._asked] + have_followed
        ids = [job_id for job_id in dict.fromkeys(ids) if job_id not in self.told]
        self.told.update(ids)
        self.followers += sum(job_id not in self.told for job_id in followers)
        self.or_more = self.or_more or len(followers) >= _MOST_FOLLOWERS
        queues.update(job.queue for job in done.jobs + done.followers)
        return ids

    def _refuse(self, job_id, error, have_followed):
        if isinstance(error, HasFollowed):
            have_followed.append(job_id)
        else:
            self._refused[job_id] = str(error)

    def refused(self):
        """[(id, why)] of those that could not be changed, once all have been tried."""
        return [(job_id, text) for job_id, text in self._refused.items() if job_id not in self.told]
