"""Repairing a store: what is damaged is put aside, all else is kept, and what was done is said.

Nothing is mended in place: new segments, a new journal, and one rename that puts them in
force, as in a roll (roll.py). So a kill in the middle leaves a store that can be repaired
again, and who reads or works meanwhile sees that the journal is another one.

    a flipped bit of a line       is set right again: the crc tells which one it was (salvage.py)
    other bytes of the journal    the job stands as its line before says, which may be that it waits: it runs again
    other bytes of a segment      the job is lost, unless the journal has a newer line of it
    the header                    is taken from its copy; without that, all is built from the lines (rebuild.py)
    counts                        are counted anew
    an index                      is made anew

Bytes that are put aside lie in damaged/. Jobs that wait for what is not there any more, or of whose end
they did not learn, are told as if it had just been removed, or had just ended.
"""

import json
import os
import shlex

from queuectl_lib.job import lifecycle
from queuectl_lib.store import changing, check, config, disk, line, new_segment, ownership, roll, salvage
from queuectl_lib.store.paths import index_of
from queuectl_lib.store.rebuild import Rebuilt, Renewed
from queuectl_lib.store.store import Store
from queuectl_lib.words.errors import StoreError, UnknownJob
from queuectl_lib.words.finding import REPAIRED, Finding

# So long the process that rolls may take until it lets this begin (seconds).
_PATIENCE = 300
# So many jobs are named for one stretch of bytes.
_MOST_NAMED = 20
_DAMAGED = "%d bytes from byte %d on were damaged (they are in %s)"


def repair(names):
    """Set a store (paths.Paths) right; the Findings of what was done, [] where nothing was to do. Raises StoreError."""
    ownership.check_private(names.root)
    for directory in names.directories():
        disk.make_private_directory(directory)
    store = Store(names, True)
    one = _Repair(store)
    roll.alone(store, one.run, _PATIENCE)
    one.tell_the_forsaken()
    return one.done


class _Repair:
    """done: the Findings."""

    def __init__(self, store):
        self.done = []
        self._paths = store.paths
        self._store = store
        self._is_new = False

    def run(self):
        """Everything that is done under the lock; nobody else rolls."""
        with self._store.bare_lock():
            checkup = check.checked(self._paths)
            if checkup.hopeless:
                raise StoreError(checkup.hopeless)
            self._mend(checkup)
        self._forsaken = checkup.is_forsaken or self._is_new

    def _mend(self, checkup):
        if checkup.config_is_bad:
            self._mend_config()
        if checkup.old_journal or checkup.worn or checkup.missing:
            self._renew(checkup)
        for path in checkup.foreign:
            aside = self._free(path)
            disk.replace(path, aside)
            self._say(path, "was moved to %s" % self._shown(aside))
        for entry in checkup.stale:
            self._make_indexes(entry)

    def _say(self, subject, text, advice=None):
        self.done.append(Finding(REPAIRED, subject, text, advice))

    # --- putting aside

    def _free(self, path):
        """A name in damaged/ that nothing has yet, for what comes from this file."""
        disk.make_private_directory(self._paths.damaged)
        number = 1
        while True:
            aside = "%s/%s.%d" % (self._paths.damaged, os.path.basename(path), number)
            if not os.path.lexists(aside):
                return aside
            number += 1

    def _put_aside(self, path, pieces):
        """Keep bytes of a file; where they lie now."""
        aside = self._free(path)
        fd = disk.open_private(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            disk.write_pieces(fd, pieces, aside)
            disk.sync(fd, aside)
        finally:
            os.close(fd)
        disk.sync_directory(self._paths.damaged)
        return self._shown(aside)

    def _shown(self, path):
        return os.path.relpath(path, self._paths.root)

    # --- what is damaged

    def _mend_config(self):
        path = self._paths.config
        try:
            text = config.read(self._paths)
        except StoreError:
            # A directory, say.
            aside = self._free(path)
            disk.replace(path, aside)
            self._say(path, "was moved to %s: all settings have their defaults" % self._shown(aside))
            return
        aside = self._put_aside(path, [text])
        values, dropped = config.readable_values(text)
        config.write(self._paths, values)
        kept = "kept: %s" % ", ".join(sorted(values)) if values else "no setting could be kept"
        self._say(path, "is in %s; %s%s" % (aside, kept, "; dropped: " * bool(dropped) + "; ".join(dropped)),
                  "look it over: queuectl config list")

    def _renew(self, checkup):
        """Put a new journal in force, and what else has to be new with it."""
        new = (Renewed if checkup.header else Rebuilt)(self._paths, checkup)
        damaged = new.damaged()
        asides = {path: self._put_aside(path, pieces) for path, pieces in damaged}
        typed = {path for path, pieces in damaged if _are_objects(pieces)}
        self._report(new, asides)
        new.commit()
        self._is_new = True
        for path, start, length, bad in new.stretches:
            text = _DAMAGED % (length, start, asides[path])
            if not bad:
                self._say(path, text + "; they are set right again, nothing is lost")
                continue
            ids = salvage.ids_in(bad)
            became = "".join(map(self._what_became_of, ids[:_MOST_NAMED]))
            if len(ids) > _MOST_NAMED:
                became += "; and so for %d more" % (len(ids) - _MOST_NAMED)
            # As an editor leaves it: what is in the file may be meant.
            again = "if it is what you want, queuectl enqueue --if-absent --file %s" % (
                shlex.quote("%s/%s" % (self._paths.root, asides[path])))
            became += "".join("; " + each for each in salvage.untold(bad))
            self._say(path, text + became, again if path in typed else None)
        if not new.stretches and not new.remarks:
            self._say(self._paths.jobs, "counts and places were taken anew from the lines")
        for text in new.remarks:
            self._say(self._paths.jobs, text, new.advice)

    def _report(self, new, asides):
        """Write down what is about to be repaired: who is killed behind that finds nothing damaged any more."""
        told = ["%s: %s" % (self._paths.jobs, text) for text in new.remarks]
        for path, start, length, bad in new.stretches:
            jobs = ", ".join(salvage.ids_in(bad) + salvage.untold(bad)) or "set right"
            told.append("%s: %s: %s" % (path, _DAMAGED % (length, start, asides[path]), jobs))
        if told:
            aside = self._put_aside("report", [("\n".join(told) + "\n").encode()])
            self._say(self._paths.jobs, "what was found before anything was changed is written in %s" % aside)

    def _what_became_of(self, job_id):
        try:
            job = self._store.find(job_id)
        except UnknownJob:
            return "; job %s is lost" % job_id
        again = "" if job.state in lifecycle.ENDED else ", it may run again"
        return "; job %s is %s by its other lines%s" % (job_id, job.state, again)

    def _make_indexes(self, entry):
        path = self._paths.segment(entry.name)
        new_segment.make_indexes(path, entry.size)
        self._say(index_of(path), "was made anew")

    # --- what follows from that

    def tell_the_forsaken(self):
        """Let those who wait for a job learn that it is not there, or has ended; without the lock."""
        if not self._forsaken:
            return
        told = changing.give_up_forsaken(self._store)
        if told:
            self._say("dependencies", "jobs that waited for one which is not there went to the DLQ: %s" % _few(told))
        ended = self._remind()
        if ended:
            changing.finish_telling(self._store)
            self._say("dependencies", "those that waited for %s learned that it has ended" % _few(ended))

    def _remind(self):
        """Say anew of the jobs that have ended and are waited for that some have still to learn of it; their ids."""
        ended = {}
        lock, live = self._store.opened()
        with lock:
            live.refresh()
            live.check_end()
            look = self._store.snapshot(live)
            for _, others in look.waiting_for_others():
                for other in others:
                    if other not in ended:
                        ended[other] = _reminder(look.find_locked(other))
            look.close()
            lines = {job_id: data for job_id, data in ended.items() if data}
            live.append(b"".join(lines.values()))
        self._store.settle(live)
        return list(lines)


def _reminder(found):
    job, over = found or (None, None)
    if job is None or job.state not in lifecycle.ENDED:
        return None
    return line.encode(job, (job.state, job.queue), over, telling=True)


def _are_objects(pieces):
    """Are these bytes JSON lines, whatever they say?"""
    try:
        return all(type(json.loads(each.decode())) is dict for each in b"".join(pieces).splitlines())
    except ValueError:
        return False


def _few(ids):
    return ", ".join(ids[:5]) + (" and %d more" % (len(ids) - 5) if len(ids) > 5 else "")
