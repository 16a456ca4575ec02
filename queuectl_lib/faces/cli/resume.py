"""Let paused queues go on.

Without a queue what `queuectl pause` without one has stopped goes on. A queue
armed by --on-failure stays armed when it is resumed; one that is armed and not
paused is disarmed.

Examples:
  queuectl resume
  queuectl resume mail
"""

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.job import identifiers
from queuectl_lib.store import pauses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone
from queuectl_lib.work import wake


def arguments(parser):
    parser.add_argument("queues", metavar="QUEUE", nargs="*")


def run(args, out):
    names = list(dict.fromkeys(map(identifiers.check_queue, options.words(args.queues)))) or [pauses.ALL]
    now = clock.now()
    store = stores.open_store(args.store, write=True)

    left = []

    def resumed(before):
        after = dict(before)
        left[:] = [name for name in names if not _resume(after, name, now)]
        if len(left) == len(names):
            raise NotDone(_nothing_to_resume(left, before, now))
        return after

    store.change_pauses(resumed)
    wake.wake(store.paths, None if names == [pauses.ALL] else names)
    if left:
        terminal.note("not paused: %s" % ", ".join(left))
    return 1 if left else 0


def _resume(after, name, now):
    """Whether that changes anything."""
    before = after.get(name)
    if before is None:
        return False
    is_paused = _is_paused(before, now)
    if is_paused and before.on_failure:
        after[name] = pauses.Pause(on_failure=True)
    elif is_paused or before.on_failure:
        del after[name]
    return is_paused or bool(before.on_failure)


def _is_paused(pause, now):
    return pauses.in_force({pauses.ALL: pause}, pauses.ALL, now) is not None


def _nothing_to_resume(names, before, now):
    paused = sorted(name for name in before if _is_paused(before[name], now))
    if pauses.ALL in paused:
        return "not paused by name: %s; all queues are: queuectl resume" % ", ".join(names)
    if names != [pauses.ALL]:
        return "not paused: %s" % ", ".join(names)
    if paused:
        return "only these are paused: %s; name them to let them go on" % ", ".join(paused)
    return "nothing is paused"
