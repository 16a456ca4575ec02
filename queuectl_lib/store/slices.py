"""Single facts sliced out of jobs' lines, for who looks at many and wants little of each.

Decoding a job costs several times as much. What is sliced here is compared with
what decoding finds by the tests: the order of the fields is line.py's alone.
"""

import re
from collections import namedtuple
from functools import lru_cache

from queuectl_lib.job import history
from queuectl_lib.store import header, line

# What statistics need of a job that has ended, moments as text on disk (bytes), None for what is not known.
# ready, started: from when on it could have been started, and when that was, of a job that went from
# `enqueue` straight to its first attempt: then it waited for nothing but its turn.
# command: as JSON, without the quotes.
Ended = namedtuple("Ended", ("queue", "state", "attempts", "updated_at", "finished_at", "duration",
                             "ready", "started", "command"))

# How a job's attempts have ended: endings: [(moment, state)], the oldest first, as far as its story goes back;
# texts as on disk.
Attempts = namedtuple("Attempts", ("updated_at", "endings"))

_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_RUN = (
    rb',"attempts":(\d+)(?:,"next_run_at":"[^"]+")?(?:,"put_backs":\d+)?(?:,"worker":"[^"]+")?'
    rb'(?:,"progress":' + _TEXT + rb')?(?:,"started_at":"[^"]+")?(?:,"finished_at":"([^"]+)")?,"updated_at":"([^"]+)"'
    rb'(?:,"exit_code":-?\d+)?(?:,"signal":\d+)?(?:,"error":' + _TEXT + rb')?(?:,"duration":([^,]+))?')
_AT_ONCE = rb',"history":\[\{"at":"[^"]+","state":"pending"\},\{"at":"([^"]+)","state":"processing"'
_GIVEN = (
    rb',"max_retries":\d+(?:,"timeout":[^,]+)?(?:,"run_at":"([^"]+)")?(,"after":\[[^\]]*\])?(?:,"held":true)?'
    rb'(?:,"expires_at":"[^"]+")?(?:,"nice":-?\d+)?,"command":' + _TEXT)
_ERROR = b',"error":'
_UPDATED = b',"updated_at":"'
_MOMENT = len("2026-11-22T03:10:00.123Z")
_ATTEMPTS = b',"attempts":'
_HISTORY = b',"history":['
_FIXED = b',"max_retries":'
_ENTRY = b'{"at":'
_TOLD = rb'\{"at":"([^"]+)","state":"([a-z-]+)"'
_RETRIED = b'"note":"retried"'
# Where the last field stands: a moment's text, its quote and the crc behind it.
_CREATED = slice(-line.TAIL - 25, -line.TAIL - 1)


def ended(head, data, path, start):
    """The Ended of a finished or dead job's line; head: line.HEAD's groups. StoreDamaged when it is not whole."""
    line.check(data, path, start)
    run, at_once, given = _matchers()
    begin = data.index(_ATTEMPTS)
    attempts, _, finished, updated, _, duration = run(data, begin).groups()
    told = data.index(_HISTORY, begin)
    fixed = data.index(_FIXED, told)
    run_at, after, command = given(data, fixed).groups()
    first = at_once(data, told)
    ready = started = None
    if first and not after and _is_whole(data[told:fixed]):
        started = first.group(1)
        ready = max(data[_CREATED], run_at or b"")
    return Ended(head[line.QUEUE], head[line.STATE], int(attempts), updated, finished,
                 duration and float(duration), ready, started, command)


def attempts(head, data, path, start):
    """The Attempts of a job's line; StoreDamaged when it is not whole."""
    line.check(data, path, start)
    begin = data.index(_ATTEMPTS)
    # Inside a text the quotes would be escaped: nothing that a job says is taken for a field.
    updated = data.index(_UPDATED, begin) + len(_UPDATED)
    told = data.index(_HISTORY, updated)
    entries = _entries()(data, told, data.index(_FIXED, told))
    endings = [after for before, after in zip(entries, entries[1:]) if before[1] == b"processing" and after[1] in header.OUTCOMES]
    return Attempts(data[updated:updated + _MOMENT], endings)


def _is_whole(told):
    """Does a history tell all, and of one life? A long one has lost entries, one that was retried its run_at."""
    return told.count(_ENTRY) < history.LONGEST and _RETRIED not in told


def updated_at(data):
    """When the job of a line last changed (text as bytes); nothing of a line that does not tell."""
    start = data.find(_UPDATED) + len(_UPDATED)
    return data[start:start + _MOMENT] if start >= len(_UPDATED) else b""


def spoken(data):
    """What a job's line has as its command, and from its error on: bytes of JSON."""
    told = data.index(_HISTORY)
    _, _, given = _matchers()
    command = given(data, data.index(_FIXED, told)).group(3)
    error = data.find(_ERROR, 0, told)
    return (command,) if error < 0 else (command, data[error:told])


@lru_cache(maxsize=None)
def _entries():
    return re.compile(_TOLD).findall


@lru_cache(maxsize=None)
def _matchers():
    # Not when this is imported: every list would pay for it.
    return tuple(re.compile(pattern).match for pattern in (_RUN, _AT_ONCE, _GIVEN))
