"""What may come next on a command line, for the shells that complete it.

Nothing here knows a command: which there are says the registry, what each takes
its parser. What kind of word a parser's argument is says its metavar (ID, Q, S,
KEY, DIR …), and of which jobs ids are wanted its `states` (options.ids).

A candidate is a pair: the word, and what it is. FILES, DIRECTORIES and PROGRAMS
stand for all those that a shell finds better by itself.
"""

import os
import re
from collections import namedtuple
from itertools import islice

from queuectl_lib.faces.cli import registry
from queuectl_lib.job.record import STATES
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import QueuectlError
from queuectl_lib.words.text import clip, safe

# No word that is completed here begins with a colon.
FILES = (":files", "")
DIRECTORIES = (":directories", "")
PROGRAMS = (":programs", "")

# More than a hundred no shell shows without asking.
_MOST_IDS = 100
# So many jobs of each state are looked at: a <TAB> in a store of a million is to take no longer.
_LOOKED_AT = 200
_WIDEST = 50
# Those whose ids one asks for first.
_BY_INTEREST = ("processing", "failed", "dead", "pending", "cancelled", "completed")

_HELP = ("help", "Show help.")
_GLOBAL = (("--help", "show help"), ("--store", "the store"), ("--version", "print the version"))

# How far the words in front of the last one have come.
# option: whose value may come, or None; bound: it must come; place: how many words
# that are no options there were; over: no option can come any more; store: the one that was named.
_Reached = namedtuple("_Reached", ("option", "bound", "place", "over", "store"))


def candidates(words, parser_of):
    """[(word, what it is)] that may stand for the last of these words, which is what was typed of it.

    words: all behind the program's name; parser_of: a command's name -> its options.Parser.
    """
    *typed, last = words
    store, typed = _global_options(typed)
    if typed is None:
        return [DIRECTORIES]
    if typed[:1] == ["help"]:
        typed = typed[1:]
        return _beginning(_members(typed), last)
    if not typed and last.startswith("-"):
        return [DIRECTORIES] if last.startswith("--store=") else _beginning(_GLOBAL, last)
    name, rest = _command(typed)
    if name is None:
        return _beginning(_members(typed), last)
    return _of_command(parser_of(name), rest, last, store)


def _global_options(typed):
    """(the store named in front of the command, the words from there on); None for these where its value is to come."""
    store = None
    while typed and typed[0].startswith("-"):
        name, equals, value = typed[0].partition("=")
        typed = typed[1:]
        if name == "--store":
            if not equals and not typed:
                return store, None
            store = value if equals else typed[0]
            typed = typed if equals else typed[1:]
    return store, typed


def _command(typed):
    """(name, the words behind it) of the command these words begin with; a name of None where none is complete."""
    for length in (1, 2):
        name = " ".join(typed[:length])
        if len(typed) >= length and name in registry.names():
            return name, typed[length:]
    return None, typed


def _members(typed):
    """The words that may come behind these to name a command, each with its help."""
    if not typed:
        return [line for _, lines in registry.heads() for line in lines] + [_HELP]
    if len(typed) > 1:
        return []
    return [(name.split()[1], line) for name, line in registry.family(typed[0])]


def _of_command(parser, typed, last, store):
    reached = _walked(parser, typed)
    find = _Finder(reached.store or store, set(typed))
    if reached.bound:
        return find.values(reached.option, last)
    if last.startswith("-") and not reached.over:
        name, equals, value = last.partition("=")
        if not equals:
            return _beginning(_options(parser), last)
        found = find.values(parser.known.get(name), value)
        return [(word if word[0] == ":" else name + "=" + word, what) for word, what in found]
    found = find.values(reached.option, last) + _at_place(parser, reached.place, find, last)
    if not found and not last and not reached.over:
        return [option for option in _options(parser) if option[0].startswith("--")]
    return found


def _walked(parser, typed):
    """How far these words come (_Reached)."""
    option, bound, place, over, store = None, False, 0, False, None
    for word in typed:
        if over:
            place += 1
        elif bound:
            store = word if option.dest == "store" else store
            bound = False
            option = option if _repeats(parser, option, word) else None
        elif word == "--":
            option, over = None, True
        elif len(word) > 1 and word[0] == "-":
            name, equals, value = word.partition("=")
            option = parser.known.get(name)
            bound = option is not None and option.nargs in (None, "+") and not equals
            if not bound and not (equals and name in parser.repeated):
                option = None
            store = value if equals and name == "--store" else store
        elif option is None or not _repeats(parser, option, word):
            option = None
            place += 1
            over = parser.takes_command
    return _Reached(option, bound, place, over, store)


def _repeats(parser, option, word):
    """Whether this word can be one of several values behind an option."""
    is_another = parser.repeated.get(option.option_strings[0])
    return option.nargs in ("+", "*") or bool(is_another and is_another(word))


def _at_place(parser, place, find, last):
    """Candidates for a word that is no option's, of which so many stand before it."""
    if parser.takes_command:
        return [FILES if place or os.sep in last else PROGRAMS]
    for action in parser.positions:
        if place == 0 or action.nargs in ("+", "*"):
            return find.values(action, last)
        place -= 1
    return []


def _options(parser):
    return [(name, action.help or "") for name, action in parser.known.items()]


def _beginning(pairs, typed):
    return [pair for pair in pairs if pair[0].startswith(typed)]


class _Finder:
    """Finds the values an argument can have; in a store that cannot be read there are none."""

    def __init__(self, place, typed):
        self._place = place and os.path.expanduser(os.path.expandvars(place))
        self._typed = typed

    def values(self, action, last):
        """Candidates for a word of this argument (None: of none) that begins like `last`."""
        if action is None:
            return []
        if action.choices:
            return _beginning([(str(choice), "") for choice in action.choices], last)
        kind = re.match("[A-Z]*", action.metavar or "").group()
        if kind in ("FILE", "OUT", "F"):
            return [FILES]
        if kind == "DIR":
            return [DIRECTORIES]
        find = _KINDS.get(kind)
        if find is None:
            return []
        # Several values of an option may be joined by commas.
        before, comma, last = last.rpartition(",") if action.option_strings else ("", "", last)
        taken = self._typed | set(before.split(","))
        found = [pair for pair in find(self, action, last) if pair[0] not in taken]
        return [(before + comma + word, what) for word, what in _beginning(found, last)]

    def _store(self):
        return stores.open_store(self._place)

    def _states(self, action, last):
        return [(state, "") for state in STATES]

    def _fields(self, action, last):
        from queuectl_lib.faces import wanted
        return [(sign + field, "") for sign in ("", "-") for field in wanted.SORTS]

    def _queues(self, action, last):
        counts = _or_nothing(lambda: self._store().counts(), {})
        return [(queue, "%d waiting" % sum(by_state.get(state, 0) for state in ("pending", "failed")))
                for queue, by_state in sorted(counts.items())]

    def _keys(self, action, last):
        from queuectl_lib.store import config
        limits = [("queue.%s.limit" % queue, config.QUEUE_LIMIT.meaning) for queue, _ in self._queues(action, last)]
        dash = "-" in last
        return [(name.replace("_", "-") if dash else name, key.meaning) for name, key in config.KEYS.items()] + limits

    def _ids(self, action, last):
        return _or_nothing(lambda: self._jobs(getattr(action, "states", None), last), [])

    def _jobs(self, states, last):
        store = self._store()
        look = store.look()
        found = []
        for state in _BY_INTEREST:
            if states is None or state in states:
                jobs = islice(store.jobs([state], look=look), _LOOKED_AT)
                found += [(job.id, "%s: %s" % (state, clip(safe(job.command), _WIDEST)))
                          for job in jobs if job.id.startswith(last)]
        return found[:_MOST_IDS]


_KINDS = {"ID": _Finder._ids, "Q": _Finder._queues, "QUEUE": _Finder._queues, "S": _Finder._states, "STATE": _Finder._states,
          "KEY": _Finder._keys, "FIELD": _Finder._fields}


def _or_nothing(read, nothing):
    """What is read of a store; nothing where that cannot be: who is typing is not to be told so."""
    try:
        return read()
    except (QueuectlError, OSError):
        return nothing
