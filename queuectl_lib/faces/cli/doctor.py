"""Check store, disk and locks; --repair mends what it can.

Every line, count and index is read, and locks, syncs and renames are tried in
a directory that goes again. It works where no store is yet, on a damaged one,
and beside workers. A remark counts for nothing; a warning may cost you
something one day; with a fault the store cannot be used, or not safely.

--repair puts damaged bytes aside into damaged/ and keeps all else, recovers the
jobs of dead workers, and removes what crashes have left. What the report says
after that is for you to do. Exit code: 0 all is well, 1 warnings, 3 faults.

Examples:
  queuectl doctor
  queuectl doctor --repair
  queuectl doctor --json | jq '.[] | select(.level == "fault")'
"""

import os
import platform
import sys
import textwrap
from contextlib import contextmanager

from queuectl_lib import __version__
from queuectl_lib.faces import progress, report, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.store import access, check, medium, ownership, paths, repair, usage
from queuectl_lib.store import store as stores
from queuectl_lib.words import program
from queuectl_lib.words.errors import QueuectlError, StoreUnwritable
from queuectl_lib.words.finding import FAULT, REMARK, REPAIRED, WARNING, WELL, Finding, looked
from queuectl_lib.words.text import many, safe
from queuectl_lib.work import checkup, clearing, supervisor, surroundings

_COLOURS = {WELL: "green", REMARK: "dim", WARNING: "yellow", FAULT: "red", REPAIRED: "cyan"}
_REPAIRED = "Repaired"
_LEVEL_WIDTH = max(map(len, _COLOURS))
_SUBJECT_WIDTH = 11
_NARROWEST = 30
# Of what the checks of jobs and workers may find, that which says nothing of lost jobs nor of things left behind.
_NO_LEFT_OVERS = {"waiting", "ballast", "damaged/", "clock"}
# So many bytes take a second to read through.
_MUCH = 50 << 20


def arguments(parser):
    parser.add_argument("--repair", action="store_true", help="mend what can be mended, say what was done, and look again")
    options.json(parser)


def run(args, out):
    root = paths.root_of(args.store)
    errors = terminal.Output(sys.stderr, os.environ)
    with progress.Bar(errors if errors.tty else None, "checks", lambda: None) as bar:
        done = _repaired(root, bar) if args.repair else []
        groups = _examined(root, bar)
    if args.repair:
        groups.insert(0, (_REPAIRED, _untold(done, groups)))
    if args.json:
        out.array(dict(one._asdict(), group=title) for title, found in groups for one in found)
    else:
        for line in _report(groups, out):
            out.line(line)
    found = [one for _, of_group in groups for one in of_group]
    return 3 if _has(found, FAULT) else 1 if _has(found, WARNING) else 0


def _untold(done, groups):
    """What a step could not do is told once, by the report of how things stand if that tells of it."""
    return _causes_once(done, {one.text for _, found in groups for one in found})


def _causes_once(found, told=()):
    """Of several checks or steps that fail for one reason the first says so."""
    told = set(told)
    once = []
    for one in found:
        if one.text not in told:
            once.append(one)
        if one.level == FAULT:
            told.add(one.text)
    return once


# --- looking

def _examined(root, bar):
    """[(title, Findings)] of all checks, whatever state the store is in."""
    names = paths.Paths(root)
    found = [("Program", list(_program()))]
    bar.tell("trying locks and syncs")
    found.append(("Where it lies", _ground(names)))
    size = _size(names)
    bar.tell("reading every line of %s" % report.size(size), at_once=size > _MUCH)
    store, look, contents = _opened(root)
    if os.path.isdir(root):
        contents = looked("modes", access.modes, names) + contents
    found.append(("Files", contents))
    bar.tell("looking for what was left behind")
    if store is not None:
        found.append(("Jobs and workers", _jobs(store, look, _has(contents, FAULT))))
    return found


def _size(names):
    try:
        return sum(usage.usage(names)[0].values())
    except OSError:
        # Whatever is wrong there is found by those who look for it.
        return 0


def _program():
    yield Finding(WELL, "python", "%s on %s, workers start by %s"
                  % (platform.python_version(), sys.platform, supervisor.method_of()))
    form = "the one file %s" if program.is_one_file() else "the tree in %s"
    yield Finding(WELL, "queuectl", "%s, %s" % (__version__, form % program.home()))


def _ground(names):
    place = medium.resting_place(names.root)
    found = looked("file system", medium.file_system, place)
    why_not = medium.why_untried(place)
    if why_not is None:
        found += looked("locks", medium.tried, place)
        if place == names.root:
            found += looked("store lock", medium.store_lock, names)
    else:
        found.append(Finding(FAULT, "trials", "no locks and syncs were tried in %s: %s" % (place, why_not)))
    return found + looked("room", medium.room, place) + looked("limits", surroundings.limits)


def _opened(root):
    """(store, a look at it, Findings about its files); None for what cannot be had."""
    try:
        store = stores.open_store(root, broken=True)
        if not os.path.isdir(root):
            return None, None, [Finding(REMARK, "store", "none at %s yet: the first enqueue makes it" % root)]
    except QueuectlError as error:
        return None, None, [Finding(FAULT, "store", str(error))]
    found = looked("contents", check.findings, store)
    try:
        look = store.look()
    except (QueuectlError, OSError) as error:
        return store, None, found if _has(found, FAULT) else found + [Finding(FAULT, "contents", str(error))]
    return store, look, found or [Finding(WELL, "contents", "every line, count and index is as it was written")]


def _has(found, level):
    return any(one.level == level for one in found)


def _jobs(store, look, is_damaged):
    found = []
    unseen = []
    for subject, check_of in checkup.CHECKS + (("clock", surroundings.moments),):
        of_this = [] if look is None else looked(subject, check_of, store, look)
        if look is None or is_damaged and _has(of_this, FAULT):
            unseen.append(subject)
        else:
            found += of_this
    if unseen:
        found.append(Finding(REMARK, "jobs", "not looked at, for the fault above: " + ", ".join(unseen)))
    elif {one.subject for one in found} <= _NO_LEFT_OVERS:
        found.insert(0, Finding(WELL, "jobs", "none is lost, and no process or file was left behind"))
    if look is not None:
        look.close()
    return _causes_once(found)


# --- mending

def _repaired(root, bar):
    """The Findings of what was done; raises StoreError where nothing may be done."""
    names = paths.Paths(root)
    store = stores.open_store(root, broken=True)
    if not os.path.isdir(root):
        store.check_there()
    _refuse_foreign(names)
    bar.tell("repairing")
    found = looked("modes", access.close_to_others, names) + looked("directories", clearing.directories, names)
    found += looked("contents", repair.repair, names)
    if _has(found, FAULT):
        # Of a store that is still damaged nobody can say what belongs to whom.
        return found
    with _others_on_standard_error():
        for subject, step in clearing.STEPS:
            found += looked(subject, _done, step, root)
    return found


def _done(step, root):
    # Opened for writing a suspect store would be rolled, and nobody told.
    return step(stores.open_store(root, write=step is not clearing.rolls))


def _refuse_foreign(names):
    """Raise what any command that writes would raise, but for modes, which are mended here."""
    try:
        ownership.check_private(names.root)
    except StoreUnwritable:
        if os.stat(names.root).st_uid != os.geteuid():
            raise
    if not os.access(names.root, os.W_OK | os.X_OK):
        raise StoreUnwritable("%s may not be written by you, or is read-only: nothing was repaired" % names.root)


@contextmanager
def _others_on_standard_error():
    """While hooks run: they print where this process does, and standard output is the report's alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


# --- telling

def _report(groups, out):
    """The lines of a report."""
    for title, found in groups:
        yield out.paint(title, "bold") + ("" if found else "  nothing")
        for one in found:
            yield from _told(one, out)
    yield ""
    levels = [one.level for _, found in groups for one in found]
    counts = [many(levels.count(level), level) for level in (FAULT, WARNING) if level in levels]
    yield "Not all is well: %s." % ", ".join(counts) if counts else "All is well."


def _told(one, out):
    level = one.level.ljust(_LEVEL_WIDTH)
    subject = one.subject.ljust(_SUBJECT_WIDTH)
    text = one.text
    if len(subject) > _SUBJECT_WIDTH:
        # A path.
        subject, text = "", "%s: %s" % (one.subject, one.text)
    head = "  %s  %s" % (out.paint(level, _COLOURS[one.level]), subject and subject + "  ")
    indent = 2 + _LEVEL_WIDTH + 2 + (len(subject) + 2 if subject else 0)
    first, *others = _wrapped(safe(text), out, indent)
    yield head + first
    # What is to be typed is left to the terminal to break: so it can be copied as one line.
    for each in others + (["to do: " + safe(one.advice)] if one.advice else []):
        yield " " * indent + each


def _wrapped(text, out, indent):
    if out.width is None:
        return [text]
    return textwrap.wrap(text, max(_NARROWEST, out.width - indent), break_long_words=False, break_on_hyphens=False) or [text]
