"""What processes of the watched copy have noted (scripts/watched.py)."""

import os

# In the environment: the file to note in.
VARIABLE = "BENCH_NOTES"


def asked(here, store):
    """The store's environment, with a file to note in."""
    return dict(store, **{VARIABLE: here.path("notes")})


def taken(here):
    """{"held", "cpu" (of rollers), "waited" (of all): [seconds]}; the notes are gone then."""
    noted = {"held": [], "cpu": [], "waited": []}
    with open(here.path("notes")) as file:
        for line in file:
            what, seconds = line.split()
            noted[what].append(float(seconds))
    os.unlink(here.path("notes"))
    return noted
