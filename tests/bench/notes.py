"""What processes of the watched copy have noted (scripts/watched.py)."""

import os

# In the environment: the file to note in.
VARIABLE = "BENCH_NOTES"


def asked(here, store):
    """The store's environment, with a file to note in."""
    return dict(store, **{VARIABLE: here.path("notes")})


def taken(here):
    """The notes, which are gone then.

    held, cpu: [seconds], of rollers; waited: [(seconds, of them for a CPU)], of all.
    """
    noted = {"held": [], "cpu": [], "waited": []}
    with open(here.path("notes")) as file:
        for line in file:
            what, *seconds = line.split()
            seconds = tuple(map(float, seconds))
            noted[what].append(seconds if len(seconds) > 1 else seconds[0])
    os.unlink(here.path("notes"))
    return noted
