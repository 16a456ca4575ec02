"""The blocks of README.md, so that what is documented is what is tested."""

import os
import re
from collections import namedtuple

from tests import support

PATH = os.path.join(support.ROOT, "README.md")

# section: the heading above it; kind: the word behind the three quotes; text: its lines, each with its end.
Block = namedtuple("Block", "section kind text")


def text():
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def blocks(kind=None, section=None):
    """The blocks of this kind and below this ## heading, in order; None: of every one."""
    found = []
    for part in re.split(r"^## ", text(), flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        for word, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL):
            found.append(Block(heading, word, body))
    return [block for block in found if kind in (None, block.kind) and section in (None, block.section)]


def put(text, place, there):
    """A block's text with one of its places replaced, which has to be in it."""
    assert place in text, "%s is not in\n%s" % (place, text)
    return text.replace(place, there)
