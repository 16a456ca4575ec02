"""The blocks of README.md, so that what is documented is what is tested, and how what is shown compares with what was printed."""

import os
import re
from collections import namedtuple

from tests import support

PATH = os.path.join(support.ROOT, "README.md")

# The section of what stands above the first heading.
TOP = "queuectl"

# section: the heading above it; kind: the word behind the three quotes; text: its lines, each with its end.
Block = namedtuple("Block", "section kind text")


def text():
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def parts():
    """[(heading, all that stands below it)], in order."""
    pieces = re.split(r"^## (.*)\n", text(), flags=re.MULTILINE)
    return list(zip([TOP] + pieces[1::2], pieces[::2]))


def blocks(kind=None, section=None):
    """The blocks of this kind and below this ## heading, in order; None: of every one."""
    found = []
    for heading, part in parts():
        for word, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL):
            found.append(Block(heading, word, body))
    return [block for block in found if kind in (None, block.kind) and section in (None, block.section)]


def prose(part):
    """A text without its blocks."""
    return re.sub(r"^```.*?^```\n", "", part, flags=re.MULTILINE | re.DOTALL)


def put(text, place, there):
    """A block's text with one of its places replaced, which has to be in it."""
    assert place in text, "%s is not in\n%s" % (place, text)
    return text.replace(place, there)


def session(text):
    """[(command, [lines shown below it])] of a console block."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise AssertionError("above %r is no command" % line)
    return found


def script(text):
    """The commands of an sh block; comments belong to nobody."""
    whole = re.sub(r"\\\n", " ", text)
    return [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]


# --- what is shown, and what was printed

# What is another one each time, and nothing else: (what it looks like, what both become).
_CHANGING = [
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "MOMENT"),
    # A worker tells the time first.
    (r"^\d\d:\d\d:\d\d ", "CLOCK "),
    (r"\b\d\.[0-9a-f]{6}\b", "WORKER"),
    (r"\b1[0-9a-z]{15}\b", "ID"),
    (r"(\bpid) \d+", r"\1 PID"),
    (r"\bat byte \d+", "at byte N"),
    # The row of a worker: slot and pid, each on the right of its column.
    (r"^ +(\d+) +\d+(?= +\d+(?:ms|s|min) )", r"  \1  PID"),
]
_DURATION = r"\b(?:\d+(?:\.\d+)? ?(?:ms|s|min|h|d)\b ?)+(?<! )"
# These are reckoned, not measured.
_EXACT = re.compile(r"(?:retry \d+/\d+ in|again in|timed out after) $")
_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


def same(shown, printed):
    """Whether the lines shown say what was printed; a line of only … stands for any lines."""
    pieces = [[]]
    for line in shown:
        if line.strip() == "…":
            pieces.append([])
        else:
            pieces[-1].append(line)
    if len(pieces) == 1:
        return _alike(shown, printed)
    first, *middle, last = pieces
    if len(first) + len(last) > len(printed) or not _alike(first, printed[:len(first)]):
        return False
    rest = printed[len(first):len(printed) - len(last)]
    for piece in middle:
        start = next((i for i in range(len(rest) + 1) if _alike(piece, rest[i:i + len(piece)])), None)
        if start is None:
            return False
        rest = rest[start + len(piece):]
    return _alike(last, printed[len(printed) - len(last):])


def _alike(shown, printed):
    return len(shown) == len(printed) and all(map(_is_alike, shown, printed))


def _is_alike(shown, printed):
    (one, some), (other, others) = _without_durations(_plain(shown)), _without_durations(_plain(printed))
    return one == other and all(map(_is_near, some, others))


def _plain(line):
    """What changes from run to run set aside, and so the width of what stands beside it."""
    for pattern, word in _CHANGING:
        line = re.sub(pattern, word, line)
    return re.sub(r"(?<=\S)  +", "  ", line.rstrip())


def _without_durations(line):
    """(the line with a mark in the place of each, [(seconds, whether it is exact)])."""
    found = [(_seconds(match.group()), bool(_EXACT.search(line[:match.start()]))) for match in re.finditer(_DURATION, line)]
    return re.sub(_DURATION, "DURATION", line), found


def _seconds(words):
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+) ?(ms|s|min|h|d)\b", words))


def _is_near(shown, printed):
    """A slow machine takes some seconds longer; what would be ages is something else."""
    far = 0 if shown[1] else max(5, shown[0] / 20)
    return abs(shown[0] - printed[0]) <= far
