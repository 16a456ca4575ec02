"""Seeing to what checkup.py finds: each step does again what was found, under the lock, and tells what it did."""

import os
import shutil
import time
from itertools import islice

from queuectl_lib.store import ballast, disk, roll
from queuectl_lib.store.store import LOCK_TIMEOUT
from queuectl_lib.words.finding import REPAIRED, WARNING, Finding
from queuectl_lib.words.text import listed
from queuectl_lib.work import checkup, events, pidfile, slots, tree
from queuectl_lib.work.hooks import Hooks
from queuectl_lib.work.orphans import NoOrphans
from queuectl_lib.work.recovery import Recovery
from queuectl_lib.work.settings import Settings

_STEP_SECONDS = 0.05
# What ending processes may take beside kill_grace.
_PATIENCE = 10
_GROUP = 1000


def directories(paths):
    """Make those of a store that are not there."""
    for path in paths.directories():
        if not os.path.isdir(path):
            disk.make_private_directory(path)
            yield Finding(REPAIRED, "directories", "%s: made" % path)


def rolls(store):
    """Roll where a sync failed, or where a killed roll or batch has left something."""
    suspect = os.path.exists(store.paths.suspect)
    left = checkup.left_by_rolls(store, store.look())
    if not (suspect or left):
        return
    if not roll.roll(store, needless=True, patience=LOCK_TIMEOUT):
        return
    if suspect:
        yield Finding(REPAIRED, "suspect", "all that was in force is in new files, and synced")
    # An index without its segment is in no roll's way. The new journal may be another roll's by now.
    for path in set(left) - {store.paths.new_jobs}:
        disk.remove(path)
    if left:
        yield Finding(REPAIRED, "left-overs", "removed: " + listed(left))


def files(store):
    """Remove what was never put in place, and what stands where a FIFO belongs."""
    with store.lock():
        found = checkup.left_by_writers(store) + checkup.no_fifos(store)
        for path in found:
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                disk.remove(path)
    if found:
        yield Finding(REPAIRED, "left-overs", "removed: " + listed(found))


def room(store):
    """Make the ballast anew, where there is room for it."""
    if checkup.is_ballast(store.paths.ballast):
        return
    with store.lock():
        made = ballast.make(store.paths)
    if made:
        yield Finding(REPAIRED, "ballast", "made anew: room is kept for results")


def lost_jobs(store):
    """Recover the jobs of dead workers, as the next worker would: end what is left of them, and let the attempt count."""
    if not checkup.lost(store):
        return
    voice = _Heard()
    said = [events.ended(job) for job in _recovered(store, voice)]
    yield from (Finding(REPAIRED, "lost jobs", text) for text in said)
    yield from (Finding(WARNING, "lost jobs", text) for text in voice.texts if text not in said)


def _recovered(store, voice):
    """The jobs of dead workers, recovered from a slot that is taken for as long as that lasts."""
    settings = Settings(store.paths, store.config, voice.say)
    hooks = Hooks(store.root, settings, voice, NoOrphans())
    recovered = []
    with store.lock():
        slot = slots.take(store.paths)
    hooks.serve(slot.name)
    claims = store.claims(slot.name)
    care = Recovery(store, claims, slot, settings, voice, lambda job: (recovered.append(job), hooks.ended(job)))
    try:
        deadline = time.monotonic() + settings.current.kill_grace + _PATIENCE
        care.clear_own_slot(lambda seconds: time.sleep(seconds) or time.monotonic() < deadline)
        while checkup.lost(store) and time.monotonic() < deadline:
            care.tend(time.monotonic())
            time.sleep(_STEP_SECONDS)
        # They end themselves after hook_timeout.
        while hooks.busy:
            hooks.tend(time.monotonic())
            time.sleep(_STEP_SECONDS)
    finally:
        care.close()
        claims.close()
        slot.end()
        slot.leave()
    return recovered


class _Heard:
    """What a worker would say."""

    def __init__(self):
        self.texts = []

    def say(self, *texts):
        self.texts += texts

    def say_once(self, text):
        if text not in self.texts:
            self.texts.append(text)


def processes(store):
    """End what workers that were killed were to end: jobs that were cancelled as they ran, and hooks."""
    for one in checkup.to_end(store, store.look(), checkup.marked(store.paths)):
        left = tree.end(None, one.claim, store.config.kill_grace)
        of = "%s %s" % ("a hook of job" if one.is_hook else "job", one.id)
        if left:
            yield Finding(WARNING, "processes", "of %s some cannot be ended: pid %s" % (of, listed(left)))
        else:
            yield Finding(REPAIRED, "processes", "what %s had left running was ended" % of)


def outputs(store):
    """Remove outputs that no job names; while damaged/ is there they go into it: their jobs may have been lost."""
    aside = store.paths.damaged if os.path.isdir(store.paths.damaged) else None
    found = checkup.outputs_without_job(store, store.look())
    removed = []
    for group in iter(lambda: list(islice(found, _GROUP)), []):
        with store.lock():
            look = store.look()
            still = [name for name in group if checkup.is_unnamed(look, name)]
            for name in still:
                if aside:
                    disk.replace(store.paths.output + "/" + name, aside + "/" + name)
                else:
                    disk.remove(store.paths.output + "/" + name)
        removed += still
    if removed:
        yield Finding(REPAIRED, "outputs", "%s %d that no job named: %s" % (
            "put into damaged/" if aside else "removed", len(removed), listed(removed)))


def lines_of_the_dead(store):
    """Take them out of workers.pid."""
    with store.lock():
        before = len(pidfile.read(store.paths))
        living = pidfile.living(store.paths)
        if len(living) < before:
            pidfile.write(store.paths, living)
    if len(living) < before:
        yield Finding(REPAIRED, "workers.pid", "%d of those that are gone: taken out" % (before - len(living)))


# Processes before lost jobs: whoever takes a slot forgets which worker was killed in it.
STEPS = (("left-overs", rolls), ("left-overs", files), ("ballast", room), ("processes", processes),
         ("lost jobs", lost_jobs), ("outputs", outputs), ("workers.pid", lines_of_the_dead))
