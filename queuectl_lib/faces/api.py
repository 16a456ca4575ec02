"""queuectl for Python scripts: `from queuectl_lib import Queue`.

    import sys
    sys.path.insert(0, "/usr/local/lib/queuectl.py")     # the one file, or the folder that holds queuectl_lib
    from queuectl_lib import Queue, UnknownJob

    queue = Queue("/srv/app/.queuectl")
    job = queue.enqueue("./backup.sh", queue="nightly", max_retries=5)
    [job] = queue.wait(job.id, timeout="1h")
    print(job.state, job.exit_code, job.stdout)

Fields, rules and errors are those of the command line. A job is a named tuple of
the moment it was read: it has an attribute for each field that --json prints, and
None for what is not there. Moments are text in UTC, which sorts as it reads;
`history` yields a dict for each change of state. It holds what `queuectl show ID
--json` prints: state, command, attempts, exit_code, signal, error, stdout, worker …

Whatever goes wrong raises a QueuectlError: BadInput (no job can be like that),
NotDone and its kinds UnknownJob and DuplicateJob, or StoreError (locked too long,
unwritable, damaged, full). Nothing was changed then; of more than 1,000 ids given to
cancel, retry, hold or release, thousands in front of the one refused may have been.

Nothing is open or held between two calls. So a Queue may be used by several
threads at once, and before and after a fork; other processes have one of their own.
"""

import os
import time

from queuectl_lib.job import identifiers, lifecycle, record
from queuectl_lib.job.record import Job
from queuectl_lib.store import paths
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, NotDone
from queuectl_lib.work import wake

# Types are text here: typing would cost a script more than all this module does.


class Queue:
    """The jobs of one store: the directory `store`, else $QUEUECTL_STORE, else .queuectl where the script is now."""

    def __init__(self, store: "str | os.PathLike[str] | None" = None):
        self.store = paths.root_of(store)

    def enqueue(self, command: "str | Sequence[str]", **fields: "Any") -> Job:
        """Store one job and return it as it is then; when this returns, it is on disk.

        command: a shell command line, or a list of words to be quoted and joined;
        fields: id, queue, priority, max_retries, timeout (seconds or '5m'), run_at
        (ISO 8601, a datetime or epoch seconds), after (ids), held, expires_at,
        slots, nice, cwd, env (a dict). DuplicateJob, BadInput, StoreError.
        """
        if not isinstance(command, str):
            # Imported here: most commands are one text.
            from queuectl_lib.work import quoting
            command = quoting.joined(command)
        store = self._to_write(create=True)
        maker = _maker(store)
        [job] = store.add([maker.create(dict(fields, command=command))])
        wake.wake(store.paths, {job.queue})
        return job

    def enqueue_many(self, jobs: "Iterable[dict[str, Any]]") -> "list[str]":
        """Store any number of jobs, all or none, and return their ids.

        jobs: dicts of the fields that enqueue() takes, with `command`; they may be
        made as they are taken, and are not kept. What making one raises is passed on.
        """
        store = self._to_write(create=True)
        _, ids = store.add_many(_made(_maker(store), jobs))
        ids = list(ids)
        wake.wake(store.paths)
        return ids

    def get(self, id: str) -> Job:
        """The job of this id as it stands; UnknownJob."""
        return self._to_read().find(id)

    def jobs(self, state: "str | Iterable[str] | None" = None, queue: "str | Iterable[str] | None" = None,
             search: "str | None" = None) -> "Iterator[Job]":
        """Yields jobs as they stood when this was called, in the order of `queuectl list`, read as they are taken.

        state, queue: one or several; search: text in id, command, queue or error.
        """
        queues = _several(queue)
        for name in queues or ():
            identifiers.check_queue(name)
        return self._to_read().jobs(_states(state), queues, search)

    def counts(self, queue: "str | None" = None) -> "dict[str, int]":
        """How many jobs are in each state, of one queue or of all; costs the same whatever the numbers are."""
        found = self._to_read().counts()
        chosen = found.values() if queue is None else [found.get(identifiers.check_queue(queue), {})]
        return {state: sum(by_state.get(state, 0) for by_state in chosen) for state in record.STATES}

    def wait(self, *ids: str, timeout: "float | str | None" = None) -> "list[Job]":
        """Wait until these jobs have ended (completed, dead or cancelled) and return them as they are then.

        Without ids: until no job is left that has not, and the list is empty. NotDone
        when that lasts longer than `timeout` (seconds or '5m'); UnknownJob. What it tells is on disk.
        """
        # Imported here: most scripts wait for nothing.
        from queuectl_lib.faces.patience import Patience
        from queuectl_lib.store import news
        patience = Patience()
        deadline = None if timeout is None else time.monotonic() + clock.parse_duration(timeout)
        ended = []
        seen = None
        while True:
            before, seen = seen, self._journal()
            if seen != before and (self._take_ended(ids, ended) if ids else self._nothing_left()):
                news.sync(self._to_read())
                return ended
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                raise NotDone("waited in vain for %s to end" % ("job " + ids[len(ended)] if ids else "all jobs"))
            patience.rest(seen != before, rest)

    def cancel(self, *ids: str) -> "list[Job]":
        """Call jobs off, all or none; NotDone for one that has ended.

        A running one is ended with its processes, by its worker and after this has returned.
        """
        # Imported here, and in retry: it brings what ends processes.
        from queuectl_lib.work import cancel
        store = self._to_write()
        return self._woken(store, cancel.cancel(store, ids, clock.now()))

    def retry(self, *ids: str) -> "list[Job]":
        """Give jobs that failed or ended a full budget of attempts again.

        NotDone for one that runs, or waits to, or was cancelled while it ran and has processes that are still being ended.
        """
        from queuectl_lib.work import cancel
        store = self._to_write()
        return self._woken(store, store.retry(ids, clock.now(), lambda job: cancel.check_ended(store, job)))

    def hold(self, *ids: str) -> "list[Job]":
        """Keep waiting jobs from running until they are released; NotDone for one that does not wait, or is held."""
        return self._change(ids, lifecycle.hold)

    def release(self, *ids: str) -> "list[Job]":
        """Let held jobs run; NotDone for one that is not held."""
        return self._change(ids, lifecycle.release)

    def pause(self, queue: "str | None" = None, reason: "str | None" = None, duration: "float | str | None" = None) -> None:
        """Start no jobs of a queue, or of any (None), until resumed, or for so long (seconds or '5m'); running ones go on.

        NotDone where it is paused so already.
        """
        from queuectl_lib.faces import pausing
        seconds = None if duration is None else clock.parse_duration(duration)
        pausing.pause(self._to_write(create=True), _paused_name(queue), clock.now(), reason, seconds)

    def resume(self, queue: "str | None" = None) -> None:
        """Let a paused queue go on, or (None) what pause() without one has stopped; NotDone where nothing is paused."""
        from queuectl_lib.faces import pausing
        pausing.resume(self._to_write(), _paused_name(queue), clock.now())

    def __repr__(self) -> str:
        return "Queue(%r)" % self.store

    def _to_read(self):
        return stores.open_store(self.store)

    def _to_write(self, create=False):
        return stores.open_store(self.store, create=create, write=True)

    def _change(self, ids, change):
        store = self._to_write()
        now = clock.now()
        return self._woken(store, store.change(ids, lambda job: change(job, now)))

    def _woken(self, store, changed):
        wake.wake(store.paths, {job.queue for job in changed.jobs + changed.followers})
        return changed.jobs

    def _take_ended(self, ids, ended):
        """Append the next of these jobs that have ended, up to one that has not; whether that was all of them."""
        look = self._to_read().look()
        try:
            while len(ended) < len(ids):
                found = look and look.find(ids[len(ended)])
                job = found[0] if found else self.get(ids[len(ended)])
                if job.state not in lifecycle.ENDED:
                    return False
                ended.append(job)
        finally:
            if look:
                look.close()
        return True

    def _nothing_left(self):
        return not any(count for state, count in self.counts().items() if state not in lifecycle.ENDED)

    def _journal(self):
        """What is another after every change of any job."""
        try:
            status = os.stat(paths.Paths(self.store).jobs)
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns


def _maker(store):
    settings = store.config
    defaults = record.Defaults(max_retries=settings.max_retries, timeout=settings.timeout, cwd=os.getcwd())
    return record.Maker(clock.now(), defaults)


def _made(maker, jobs):
    for number, fields in enumerate(jobs, 1):
        try:
            job = maker.create(fields)
        except BadInput as error:
            raise BadInput("job %d: %s; nothing was enqueued" % (number, error))
        yield job


def _paused_name(queue):
    from queuectl_lib.store import pauses
    return [pauses.ALL if queue is None else identifiers.check_queue(queue)]


def _several(given):
    """A set of one name or of several; None for None."""
    return given if given is None else {given} if isinstance(given, str) else set(given)


def _states(given):
    states = _several(given)
    for state in states or ():
        if state not in record.STATES:
            raise BadInput("unknown state %r; there are: %s" % (state, ", ".join(record.STATES)))
    return states
