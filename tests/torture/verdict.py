"""What may not be: each rule looks at what was acknowledged, what ran and what lies in the store."""

import fcntl
import os
import re

import support
from evidence import Evidence
from plan import DOOMED, SCRAP
from queuectl_lib.faces.cli import registry

# What a command may end with that nobody killed. 1: no such job (its enqueue was killed), or not in that state;
# of --ensure: its workers were killed before they had begun.
_CODES = {"single": (0, 1), "few": (0, 1), "long": (0,), "bulk": (0,), "edit": (0, 1), "read": (0, 1), "purge": (0,), "roll": (0,),
          "ensure": (0, 1), "stop": (0, 1), "crew": (0,), "rest": (0, 1)}
# What stays in a store that has been used, besides what a header or a job names.
_LASTING = re.compile(r"(jobs\.jsonl|lock|roll\.lock|workers\.pid|worker\.log|config\.json|ballast|wake/all"
                      r"|workers/\d+\.(lock|job|out|err|progress))\Z")


MOST_TOLD = 20


def faults(run):
    """A text for each thing that is not as it should be; the first ones with the story of the job concerned."""
    evidence = Evidence(run.store)
    runs = run.runs()
    found = [(text, None) for text in evidence.faults]
    for rule in (_overlaps, _lost, _halves, _unfinished, _out_of_order, _ended_badly, _lied, _left_behind, _unwell):
        found += rule(run, evidence, runs)
    return [text + (_story(id, run, evidence, runs) if id and place < MOST_TOLD else "")
            for place, (text, id) in enumerate(found)]


def _ended_badly(run, evidence, runs):
    """Commands that failed as nothing that a kill can do may make them fail."""
    for actor in run.actors:
        allowed = _CODES[actor.act.role]
        if b"Traceback" in actor.complained or not (actor.was_killed or actor.code in allowed):
            yield "%s ended with %s: %s" % (" ".join(actor.words)[:200], actor.code, actor.complained.decode()[-2000:]), None
    for name in (os.path.join(run.top, "crew.log"), os.path.join(run.store, "worker.log")):
        if os.path.exists(name):
            with open(name, errors="replace") as file:
                text = file.read()
            for word in ("Traceback", "damaged", "cannot be ended"):
                if word in text:
                    at = text.index(word)
                    yield "%s: %s" % (name, text[max(0, at - 300):at + 1500]), None


def _lost(run, evidence, runs):
    """Jobs that were acknowledged, and are not there or have not run to their end."""
    ended = {id for what, id, *_ in runs if what == "end"}
    for actor in run.actors:
        queues = {job.queue for job in actor.act.jobs}
        for id in actor.ids() if actor.act.jobs else ():
            fields = evidence.newest.get(id)
            state = fields["state"] if fields else None
            fine = state == "completed" and id in ended
            fine = fine or state is None and SCRAP in queues and id in ended
            fine = fine or state == "cancelled" and fields["queue"] == DOOMED
            if not fine:
                yield "job %s was acknowledged and is %s" % (id, state), id


def _halves(run, evidence, runs):
    """Batches of which a part is there; jobs that were enqueued once and are there twice."""
    there = {}
    for fields in evidence.newest.values():
        act = (fields.get("env") or {}).get("ACT")
        there[act] = there.get(act, 0) + 1
    for actor in run.actors:
        jobs = actor.act.jobs
        if not jobs or SCRAP in {job.queue for job in jobs}:
            continue
        number = there.get(str(actor.act.number), 0)
        if number not in (0, len(jobs)):
            yield "of the %d jobs of act %d %d are there" % (len(jobs), actor.act.number, number), None
    # Of ids that were made up only _lost knows.
    queues = {job.id: job.queue for actor in run.actors for job in actor.act.jobs}
    for id in {id for _, id, *_ in runs} - set(evidence.newest):
        if queues.get(id, SCRAP) != SCRAP:
            yield "job %s has run and is not there" % id, id


def _unfinished(run, evidence, runs):
    """Jobs that nobody acknowledged, but that are there, run like the others."""
    for id, fields in evidence.newest.items():
        if fields["state"] not in ("completed", "cancelled"):
            yield "job %s is %s after all has come to rest" % (id, fields["state"]), id
        elif fields["state"] == "cancelled" and fields["queue"] != DOOMED:
            yield "job %s is cancelled, which nobody asked for" % id, id


def _overlaps(run, evidence, runs):
    """Where an earlier run still wrote after a later one had begun.

    What a command leaves behind that ends, or is killed, without its worker is let live: that is no run.
    """
    current = {}
    past = {}
    for what, id, attempt, pid, _ in runs:
        this = attempt, pid
        if what == "begin":
            if id in current:
                past.setdefault(id, set()).add(current[id])
            current[id] = this
        elif this != current.get(id) and this in past.get(id, ()) and int(pid) not in run.struck:
            yield "job %s: attempt %s (pid %s) wrote %r while another ran" % (id, attempt, pid, what), id


def _out_of_order(run, evidence, runs):
    """Jobs that began before one they come after had ended."""
    ended = set()
    after = {id: fields.get("after") or () for id, fields in evidence.newest.items()}
    for what, id, *_ in runs:
        if what == "end":
            ended.add(id)
        elif what == "begin":
            for other in after.get(id, ()):
                if other.strip() not in ended:
                    yield "job %s ran before %s had completed" % (id, other), id


def _lied(run, evidence, runs):
    """Where the program's own view is another one."""
    if run.rested is None:
        return
    shown = {job["id"]: job["state"] for job in run.rested}
    there = {id: fields["state"] for id, fields in evidence.newest.items()}
    if shown != there:
        differing = [id for id in set(shown) | set(there) if shown.get(id) != there.get(id)]
        yield "list shows other jobs than the files hold: %s" % differing[:10], None


def _left_behind(run, evidence, runs):
    """Files that nobody needs any more, locks that somebody holds, processes that live."""
    for folder, _, names in os.walk(run.store):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), run.store)
            if path not in evidence.named and not _LASTING.match(path) and not _is_doctors(path, evidence):
                yield "left behind: %s" % path, None
    for path in evidence.named:
        if path.startswith("output/") and not os.path.exists(os.path.join(run.store, path)):
            yield "a job names %s, which is not there" % path, None
    for name in ("lock", "roll.lock"):
        with open(os.path.join(run.store, name)) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield "%s is held by somebody" % name, None
    for pid, words in support.leftovers(run.top).items():
        yield "process %d lives: %s" % (pid, words), None


def _unwell(run, evidence, runs):
    """What the program itself still finds wrong when it has mended what a killed command can leave."""
    if "doctor" in registry.names():
        run.command("doctor", "--repair", codes=range(256))
        doctor = run.command("doctor", codes=range(256))
        if doctor.code:
            yield "doctor ended with %d: %s%s" % (doctor.code, doctor.printed.decode(), doctor.complained.decode()), None


def _is_doctors(path, evidence):
    """Outputs that `doctor --repair` removes: of jobs that were purged, by one that was killed before it came to
    their files, or cancelled, by whose killed worker nobody could learn that it had kept them already."""
    output = re.match(r"output/(.+)\.\d+\.(out|err)\Z", path)
    return output and evidence.newest.get(output.group(1), {"state": "cancelled"})["state"] == "cancelled"


def _story(id, run, evidence, runs):
    """All that is known of a job, for the one who has to understand it."""
    lines = ["  run: " + " ".join(line) for line in runs if line[1] == id]
    fields = evidence.newest.get(id)
    if fields:
        lines.append("  line: %s" % {key: value for key, value in fields.items() if key not in ("env", "stdout", "stderr")})
    for actor in run.actors:
        if id in actor.words or id in actor.ids() and actor.act.jobs:
            lines.append("  act %d, %.3f to %.3f: %s -> %s" % (
                actor.act.number, actor.begin, actor.end or 0, " ".join(actor.words)[:100], actor.code))
    return "".join("\n" + line for line in lines[:40])
