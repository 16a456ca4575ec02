"""Words as one command line of the shell that runs jobs: each arrives as it is, whatever it holds."""

import re

from queuectl_lib.store import locking

# What cmd acts on in a word that is not quoted, or what ends it.
_ACTS = re.compile(r'[\s"&|<>^()%!,;=]')


def _for_sh(words):
    import shlex
    return " ".join(map(shlex.quote, words))


def _for_cmd(words):
    return " ".join(map(_quoted_for_cmd, words))


def _quoted_for_cmd(word):
    """A word as the C library of a program takes it apart, and with what cmd would act on outside of its quotes made harmless.

    A %NAME% of a variable that there is cannot be kept from cmd in a command line; none other is changed.
    """
    if word and not _ACTS.search(word):
        return word
    # A backslash is one, unless a quote follows: the quotation's end, too.
    inner = re.sub(r'(\\*)"', r'\1\1\\"', word)
    quoted = '"%s"' % re.sub(r"(\\+)$", r"\1\1", inner)
    # To cmd each quote opens or closes, an escaped one too; so where there is one every sign is escaped instead.
    return re.sub(r'([&|<>^()!"])', r"^\1", quoted) if '"' in word else quoted


joined = _for_cmd if locking.ON_WINDOWS else _for_sh
