"""Numbers of segments. They only grow, so that names sort by age.

`grep … archive/* base/* jobs.jsonl | tail -1` is a job as it stands because of
that: wherever an id stands twice in the files, the newer line comes later.
A merged segment takes the name of its newest part with a suffix.
"""

import os

from queuectl_lib.store.paths import segment_names


def segment_name(number, rewritten=0):
    """'00000007', or '00000007-2' for its second rewriting."""
    return "%08d-%d" % (number, rewritten) if rewritten else "%08d" % number


def names_of_roll(number):
    """The names of the base segment and the archive of the roll that left this number in the header."""
    return segment_name(number - 1), segment_name(number)


def number_of(name):
    """(number, rewritten) of a segment's name."""
    number, _, rewritten = name.partition("-")
    return int(number), int(rewritten or 0)


def next_number(paths, highest):
    """A number greater than every one in use and than the header's highest; the store lock is held."""
    used = [number_of(name)[0] for name in segment_names(paths.base) + segment_names(paths.archive)]
    return max(used + [highest]) + 1


def renamed(paths, name):
    """The next free name that sorts right behind this one."""
    number, rewritten = number_of(name)
    while True:
        rewritten += 1
        candidate = segment_name(number, rewritten)
        if not any(os.path.exists(path) for path in paths.segment_places(candidate)):
            return candidate
