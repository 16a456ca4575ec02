"""`make bench`: one table, a row per figure, each against a yardstick measured in the same run."""

import argparse
import json
import platform
import signal
import sys
import time

import bulk
import dashboard
import dependencies
import drain
import enqueue
import flat
import ground
import idle
import rivals
import rolling
import rows
import storm

GROUPS = {"enqueue": enqueue, "bulk": bulk, "drain": drain, "rivals": rivals, "rolling": rolling, "dependencies": dependencies,
          "idle": idle, "dashboard": dashboard, "storm": storm, "flat": flat}

# A measurement that takes longer hangs: it becomes a row that says so.
_LONGEST = 600


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, and the rows at a million jobs (minutes)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    parser.add_argument("--only", choices=sorted(GROUPS), help="one group of rows")
    args = parser.parse_args()
    begin = time.time()
    found = []
    code = measure(args, found)
    if args.json:
        print(json.dumps({"python": platform.python_version(), "machine": platform.machine(),
                          "seconds": round(time.time() - begin), "rows": [row._asdict() for row in found]}, indent=1))
    else:
        rows.print_table(found)
        missed = sum(row.met is False for row in found)
        print("Python %s, %d s, %d of %d targets missed%s"
              % (platform.python_version(), time.time() - begin, missed, sum(row.met is not None for row in found),
                 ", interrupted" if code else ""))
    return code


def measure(args, found):
    """Add every row to `found`; the exit code. Interrupted, what was found so far is there, and nothing else is."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _too_long)
    here = ground.Ground(args.full)
    try:
        for name, group in GROUPS.items():
            if args.only in (None, name):
                for measurement in group.measurements(here):
                    _take(here, measurement, found)
    except KeyboardInterrupt:
        return 130
    finally:
        # A second Ctrl+C would leave behind what the first one is clearing away.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        here.close()
    return 0


def _take(here, measurement, found):
    """One measurement's rows. What goes wrong in it is a row as well: the others are still wanted."""
    signal.alarm(_LONGEST)
    try:
        for row in measurement.rows():
            _add(row, found)
    except Exception as error:
        _add(rows.failed(measurement.name, error), found)
    finally:
        signal.alarm(0)
    here.clear()


def _add(row, found):
    found.append(row)
    # Minutes pass: whoever waits sees each figure when it is there.
    sys.stderr.write("%s: %s%s\n" % (row.figure, row.measured, row.ratio and " (%s x)" % row.ratio))


def _interrupt(signum, frame):
    raise KeyboardInterrupt


def _too_long(signum, frame):
    raise TimeoutError("not done after %d s" % _LONGEST)


if __name__ == "__main__":
    sys.exit(main())
