"""Why a job is not running, and what would make it run: the sentence that `show` begins with, and parts of those of `wait`."""

from collections import namedtuple

from queuectl_lib.faces import listing
from queuectl_lib.job import lifecycle
from queuectl_lib.store import ballast, pauses
from queuectl_lib.words import clock
from queuectl_lib.words.errors import UnknownJob

# What of its store decides when a job runs. workers: how many living ones serve its queue (of one that is
# `processing`: any queue), and leaving: how many of those that do start nothing any more;
# pause: the name it goes by ("*": all queues) and the pauses.Pause that is in force for it, or None;
# limit: its queue's, or None; used: how much of that is taken;
# others: {id: state, None for one that is not there} of the first of those in its waits_for;
# root: of a job that is dead because of another one, the id with which that began;
# ending: are the processes of a cancelled one still being ended? room: as of ballast.no_room().
Around = namedtuple("Around", ("workers", "pause", "limit", "used", "others", "root", "ending", "room", "leaving"))
Around.__new__.__defaults__ = (1, None, None, 0, {}, None, False, None, 0)


class Reason(namedtuple("Reason", ("text", "advice"))):
    """text: a sentence, or a part of one; advice: what to type about it, where others have a button. str(): both."""

    def __new__(cls, text, advice=""):
        return super().__new__(cls, text, advice)

    def __str__(self):
        return self.text + self.advice


# Of those a job waits for, so many are told.
_TOLD = 3
# So far a chain of jobs that died because of each other is followed.
_LONGEST_CHAIN = 100


def around(store, job, servants, now):
    """The Around of a job; servants: those of its queue, of one that is `processing` those of any (reading.Servants)."""
    if job.state == "dead" and job.waits_for:
        return Around(root=_root(store, job))
    if job.state == "cancelled":
        # Imported here: it brings what ends processes.
        from queuectl_lib.work import cancel
        return Around(ending=cancel.being_ended(store, job))
    if job.state not in lifecycle.WAITING:
        return Around(servants.staying, leaving=servants.leaving)
    limit = store.config.limits.get(job.queue)
    running = store.jobs(["processing"], [job.queue]) if limit else ()
    return Around(servants.staying, pause_of(store.pauses(), job.queue, now), limit, sum(each.slots or 1 for each in running),
                  {other: _state(store, other) for other in (job.waits_for or ())[:_TOLD]},
                  room=ballast.no_room(store.paths), leaving=servants.leaving)


def pause_of(paused, queue, now):
    """(the name it goes by, the pauses.Pause) of what keeps a queue paused longest, or None."""
    ends = {name: pauses.end(paused.get(name)) for name in (pauses.ALL, queue)}
    found = [name for name, until in ends.items() if until is None or until > now]
    last = max(found, key=lambda name: float("inf") if ends[name] is None else ends[name], default=None)
    return last and (last, paused[last])


def _root(store, job):
    for _ in range(_LONGEST_CHAIN):
        lost = next((other for other in job.waits_for or () if _state(store, other) in lifecycle.LOST), None)
        if lost is None:
            break
        job = store.find(lost)
    return job.id


def _state(store, job_id):
    try:
        return store.find(job_id).state
    except UnknownJob:
        return None


def why(job, now, lost=False, around=Around(), advises=True):
    """Why a job is not running, in one sentence; None for one that runs or has completed. advises: with what to type."""
    found = _reasons(job, now, lost, around)
    return "; ".join(str(reason) if advises else reason.text for reason in found) or None


def _reasons(job, now, lost, around):
    if job.state == "processing":
        return [Reason(_lost(around))] if lost else []
    if job.state in lifecycle.WAITING:
        ready = around.room or "it is ready, and its turn comes when a worker is free"
        return list(_waiting(job, now, around)) or [Reason(ready)]
    if job.state == "dead":
        return [_dead(job, around)]
    if job.state == "cancelled" and around.ending:
        return [Reason("it was cancelled; its processes are still being ended")]
    if job.state == "cancelled":
        return [Reason("it was cancelled", "; run it again with: queuectl retry %s" % job.id)]
    return []


def _lost(around):
    if not around.workers:
        return "its worker died, and no other %s to take it up: start one with: queuectl worker start" % (
            "stays" if around.leaving else "is running")
    return "its worker died; any living worker takes it up within seconds"


def _waiting(job, now, around):
    """Yields the reasons: its own, and those of its queue."""
    if job.held:
        yield held("it", job)
    if job.waits_for:
        yield Reason("it waits for %s to complete" % _named(job.waits_for, around.others))
    if not job.held and not job.waits_for:
        reason = lifecycle.waiting_reason(job, now)
        if reason:
            yield Reason(reason)
    if around.pause:
        yield paused(*around.pause, now)
    if not around.workers:
        yield Reason(unserved(job.queue, around.leaving))
    elif around.limit and around.used and around.used + (job.slots or 1) > around.limit:
        yield Reason("the limit of its queue is reached (queue.%s.limit %d, of which %d %s taken)" % (
            job.queue, around.limit, around.used, "is" if around.used == 1 else "are"))


def _named(ids, states):
    """'a (pending)', 'a (dead) and b (pending)', 'a (…), b (…), c (…) and 3 others'."""
    told = ["%s (%s)" % (job_id, state or "not there") for job_id, state in states.items()] or list(ids[:_TOLD])
    if len(ids) > len(told):
        more = len(ids) - len(told)
        return "%s and %d other%s" % (", ".join(told), more, "" if more == 1 else "s")
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def held(who, job):
    return Reason("%s is held" % who, ": release it with: queuectl release %s" % job.id)


def unserved(queue, leaving=0):
    """leaving: so many workers of the queue were told to stop, and finish what they run."""
    if leaving:
        serving = "" if queue == "default" else " that serve the queue %s" % queue
        return "all workers%s are leaving: start one with: queuectl worker start" % serving
    serving = "" if queue == "default" else " that serves the queue %s" % queue
    return "no worker%s is running: start one with: queuectl worker start" % serving


def paused(name, pause, now):
    """name, pause: as of pause_of()."""
    text = "all queues are paused" if name == pauses.ALL else "the queue %s is paused" % name
    if pause.reason:
        text += " (%s)" % pause.reason
    if pause.until:
        text += " for %s more" % clock.show_duration((clock.parse_moment(pause.until) - now) / 1000)
    return Reason(text, ": queuectl resume" + ("" if name == pauses.ALL else " " + name))


def _dead(job, around):
    if around.root is not None and around.root != job.id:
        return Reason(listing.ended(job), "; it comes back with: queuectl retry %s" % around.root)
    return Reason(_how_it_died(job), "; run it again with: queuectl dlq retry %s" % job.id)


def _how_it_died(job):
    if job.attempts == 0:
        return listing.ended(job)
    # The end of the attempt itself: whoever edits a dead job adds an entry, too.
    notes = [entry.get("note") for entry in job.history if entry["state"] == "dead" and "exit_code" in entry]
    if notes and notes[-1]:
        return "attempt %d of at most %d failed (%s): %s" % (
            job.attempts, job.max_retries + 1, listing.ended(job), notes[-1])
    times = {1: "its only attempt", 2: "both attempts"}.get(job.attempts, "all %d attempts" % job.attempts)
    return "%s failed (%s)" % (times, listing.ended(job))
