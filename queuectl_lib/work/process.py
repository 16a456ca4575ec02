"""A worker process, from its first statement to its exit code.

What it imports, it imports before its first claim: the file it comes from may be replaced under it.
"""

import gc
import sys

from queuectl_lib.store import locking, paths, store as stores
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import events, place, signals
from queuectl_lib.work.control import Control
from queuectl_lib.work.orphans import Orphans
from queuectl_lib.work.settings import Settings
from queuectl_lib.work.waiting import Waiter
from queuectl_lib.work.worker import Worker

# Exit code of a worker that cannot use its store: another one would not help.
STORE_UNUSABLE = 3


def main(root, options, connection, supervisor, inherited=()):
    """Run one worker; options: worker.Options.

    connection: orders from the supervisor, whose entry in workers.pid is
    `supervisor`; inherited: its ends of the siblings' pipes, if forked.
    """
    signals.leave_the_terminal()
    locking.own_alarm()
    for other in inherited:
        other.close()
    control = Control(Waiter(), connection)
    voice = events.Voice(paths.Paths(root) if options.log else None)
    try:
        stores.load_all()
        store = stores.open_store(root, write=True)
        store.check_there()
        # The store reads its settings once: now, so that a file broken later fails no transaction.
        settings = Settings(store.paths, store.config, voice.say_once)
        taken = place.take(store, options, control, settings, voice, supervisor, Orphans())
        if taken is not None:
            # What is there by now stays: looking it through for garbage again and again cost 1 % of a busy worker.
            gc.freeze()
            Worker(store, taken, options, control, settings, voice).live()
    except StoreError as error:
        voice.say("worker leaves: %s" % error)
        sys.exit(STORE_UNUSABLE)
