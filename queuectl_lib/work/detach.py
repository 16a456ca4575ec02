"""Workers in the background: this program once more, in a session of its own, printing into worker.log.

Started anew and not forked: a process keeps for its life the environment that
it was started with, and whoever runs `worker start` in a job would leave
workers behind that carry the mark of that job and are ended with it
(tree.py). And there is one way for all systems.
"""

import os
import re
import subprocess
import time

from queuectl_lib.store import disk
from queuectl_lib.words import program
from queuectl_lib.words.errors import NotDone, StoreError
from queuectl_lib.work import identity, log, pidfile, staffing

# Those of a job or of a hook, in which somebody may type `worker start`.
_OF_A_JOB = ("QUEUECTL_CLAIM", "QUEUECTL_JOB_", "QUEUECTL_ATTEMPT", "QUEUECTL_PROGRESS", "QUEUECTL_HOOK")

_LOOK_SECONDS = 0.01
# A worker is there before it clears up after a former one, so only a locked store takes so long.
_PATIENCE = 60


def start(store, words):
    """Run `worker start` with these words in the background; its pid once all its workers are there.

    None when it has left by then, with all done. Raises NotDone or StoreError
    with what it said last.
    """
    output = log.opened(store.paths)
    try:
        begin = os.fstat(output).st_size
        process = _started(program.command() + ["--store", store.root, "worker", "start"] + words, store, output)
    finally:
        os.close(output)
    there = await_staff(store.paths, (identity.boot_id(), process.pid), lambda: process.poll() is not None)
    code = process.returncode
    # Else subprocess complains that the process goes on.
    process.returncode = code or 0
    if code:
        kind = StoreError if code == StoreError.exit_code else NotDone
        raise kind("no worker could be started: %s" % _last_words(store.paths, begin))
    if code is None and not there:
        raise NotDone("pid %d has been started, but not all of its workers are there: see %s"
                      % (process.pid, store.paths.log))
    return process.pid if code is None else None


def _started(command, store, output):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OF_A_JOB)}
    # Closes every other descriptor: of a job, its lock and its spools. The store's
    # own directory is there as long as the store is, and on no disk that somebody wants to unmount.
    return program.start_apart(command, env=environment, cwd=os.path.dirname(store.root), close_fds=True,
                               stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def await_staff(paths, supervisor, gone):
    """Wait until all workers of a supervisor, named by (boot, pid), are there; False when it is gone, or not so within a minute."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and not gone():
        for entry in pidfile.read(paths):
            if entry.kind == pidfile.SUPERVISOR and (entry.boot, entry.pid) == supervisor and pidfile.alive(paths, entry):
                if len(staffing.staff(paths, entry)) >= staffing.kept(entry):
                    return True
        time.sleep(_LOOK_SECONDS)
    return False


def _last_words(paths, begin):
    """The last line of the log from this place on."""
    lines = disk.read_private(paths.log)[begin:].decode("utf-8", "replace").split("\n")
    said = [line for line in lines if line.strip()]
    if not said:
        return "it said nothing"
    # Of a command; who shows this puts it in front as well.
    return re.sub(r"^queuectl: ", "", said[-1].rstrip("\r"))
