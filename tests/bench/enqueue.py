"""Rows: what one enqueue costs against a bare Python that imports two modules.

Wall clock of whole processes, all three in turn. The bytecode is there on all
sides; the one file carries what it carries.
"""

import ground
import rows
import timing

BARE = ["-c", "import argparse, json"]


def measurements(here):
    return [rows.Measurement("one enqueue", lambda: started(here))]


def started(here):
    store = here.fresh_store()
    here.call("enqueue", "true", store=store)
    sides = [BARE, [here.tree, "enqueue", "true"], [here.one_file, "enqueue", "true"]]
    rounds = 80 if here.full else 40
    bare, tree, one_file = timing.interleaved(rounds, *[one_run(here, words, store) for words in sides])
    against = ", against python3 -c 'import argparse, json'"
    yield rows.compared("one enqueue, source tree" + against, rows.milliseconds, bare, tree, at_most=1.25)
    yield rows.compared("one enqueue, one file" + against, rows.milliseconds, bare, one_file, at_most=1.6)


def one_run(here, words, store):
    return lambda: here.run(ground.PYTHON + words, store).seconds
