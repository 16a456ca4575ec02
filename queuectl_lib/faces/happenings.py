"""What happened to jobs, one event a change of state: read out of the journal's lines, or out of a job's own story.

    what         enqueued started completed failed dead cancelled put-back handed-back
                 held released edited retried ready removed paused resumed
    at           the moment; id, queue: whose (a batch has no id and its number of `jobs`, a pause no id)
    state, was   of the job since then, and before
    worker       who started it; attempt: the number of the attempt, where it is known
    exit_code signal error duration     how the attempt ended
    delay        seconds until the next attempt
    note         more about it, as one sentence

What is not known or does not apply is null.
"""

from collections import namedtuple

from queuectl_lib.faces import listing
from queuectl_lib.faces.table import Column
from queuectl_lib.job.lifecycle import ENDED, WAITING
from queuectl_lib.store import line, news, pauses
from queuectl_lib.words import clock
from queuectl_lib.words.text import safe

Event = namedtuple("Event", ("at", "id", "queue", "what", "state", "was", "worker", "attempt", "exit_code", "signal",
                             "error", "duration", "delay", "note", "jobs"))
Event.__new__.__defaults__ = (None,) * len(Event._fields)

COLUMNS = (Column("at", "MOMENT", 24), Column("id", "ID", 16), Column("queue", "QUEUE", 8), Column("text", "EVENT"))

# A note of these says what happened, one of others why.
_NOTED = ("held", "released", "edited", "retried", "put-back", "handed-back")
_REVIVED = "what it comes after is retried"


def of_job(job):
    """The events of a job's story, oldest first."""
    events = []
    state = None
    for told in job.history:
        events.append(_event(job, state, told))
        state = told["state"]
    if events and job.duration is not None and job.finished_at == events[-1].at:
        events[-1] = events[-1]._replace(duration=job.duration)
    return events


class Happenings:
    """The events of entries that are read one after the other (news.News)."""

    def __init__(self, store, paused):
        """paused: {queue: Pause} before the first of them."""
        self._store = store
        self._paused = paused
        # {id: (moment of its last event, what it waits for)} of jobs whose lines may be written anew though nothing happened.
        self._told = {}

    def of_all(self, entries, now):
        """The events of entries that follow each other; now: as of()."""
        events = []
        for entry in entries:
            # A line that tells no moment was written right behind the one before it.
            events += self.of(entry, events[-1].at if events else now)
        return events

    def of(self, entry, now):
        """The events of an entry, most often one; now: the moment's text, for lines that tell none."""
        if type(entry.head) is dict:
            return self._of_others(entry, now)
        job = news.job_of(entry)
        was = news.was(entry)
        if job.state == "removed":
            return [Event(now, job.id, job.queue, "removed", job.state, was)]
        told = job.history.last()
        again, ready = self._again(entry, job, was, told["at"])
        if ready:
            return [Event(now, job.id, job.queue, "ready", job.state, was, note="what it comes after has completed")]
        if again:
            return []
        attempt = job.attempts if job.state == "processing" or was == "processing" else None
        duration = job.duration if was == "processing" else None
        return [_event(job, was, told)._replace(attempt=attempt, duration=duration)]

    def _again(self, entry, job, was, at):
        """(whether nothing new is told by this line, whether it says that the job is ready at last)."""
        before, waited_for = self._told.pop(job.id, (None, None))
        if job.state not in ENDED and job.after or entry.head[line.TELLING]:
            self._told[job.id] = at, job.waits_for
        if was != job.state:
            return False, False
        # Of one who was not seen before there may be no note: then it is not of this line.
        again = before == at or job.history.last().get("note") is None
        return again, again and job.state == "pending" and not job.waits_for and (before is None or bool(waited_for))

    def _of_others(self, entry, now):
        batch = news.batch_of(entry)
        if batch is not None:
            queues = list(batch.counts)
            queue = queues[0] if len(queues) == 1 else None
            return [Event(news.moment_of(self._store, batch) or now, None, queue, "enqueued", "pending", jobs=batch.jobs)]
        if "pauses" not in entry.head:
            return []
        before, self._paused = self._paused, pauses.decoded(entry.head["pauses"])
        changed = [queue for queue in sorted(set(before) | set(self._paused)) if _since(before, queue) != _since(self._paused, queue)]
        return [_of_pause(queue, self._paused.get(queue), now) for queue in changed]


def _since(paused, queue):
    pause = paused.get(queue)
    return pause and pause.since


def _of_pause(queue, pause, now):
    if pause is None or pause.since is None:
        return Event(now, None, queue, "resumed")
    return Event(pause.since, None, queue, "paused", note=pause.reason)


def _event(job, was, told):
    """The Event of one entry of a job's history."""
    note = told.get("note")
    what = _what(told["state"], was, "retried" if note == _REVIVED else (note or "").partition(":")[0].replace(" ", "-"))
    if note and note.replace(" ", "-") == what:
        note = None
    return Event(told["at"], job.id, job.queue, what, told["state"], was, told.get("worker"), None, told.get("exit_code"),
                 told.get("signal"), told.get("error"), None, told.get("delay"), note)


def _what(state, was, noted):
    if was is None:
        return "enqueued"
    if state == "processing":
        return "started"
    return noted if noted in _NOTED else state


def columns(zone=None):
    """Those of a terminal: moments are shorter there, and their zone is said once."""
    return (Column("at", "MOMENT %s" % zone if zone else "MOMENT", 19),) + COLUMNS[1:]


def row(event):
    """An event as the cells of a table."""
    return {"at": event.at or "-", "id": event.id or "-", "queue": event.queue or "-", "text": tell(event)}


def colour(event):
    """The colour in which it is told."""
    return listing.COLOURS.get(event.state) if event.what not in WAITING else None


def tell(event):
    """An event in a few words."""
    if event.jobs is not None:
        return "enqueued {:,} jobs".format(event.jobs)
    text = event.what.replace("-", " ")
    if event.what == "started":
        text += " by worker %s" % event.worker if event.worker else ""
        return text + (" (attempt %d)" % event.attempt if event.attempt else "")
    if event.what == "completed":
        return text + (" in " + clock.show_duration(event.duration) if event.duration is not None else "")
    if event.what in ("failed", "dead", "put-back"):
        text += " (%s)" % safe(listing.ended(event))
    if event.note:
        text = event.note if event.note.startswith(text) else "%s: %s" % (text, event.note)
    if event.delay is not None:
        text += ": again in %s" % clock.show_duration(event.delay)
    return safe(text)


def document(event):
    """An event as the dict that --json prints."""
    return event._asdict()
