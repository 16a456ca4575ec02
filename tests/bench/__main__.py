"""`make bench`: one table, a row per figure, each against a yardstick measured in the same run."""

import argparse
import json
import platform
import sys
import time

import ground
import drain
import enqueue
import idle
import million

HEADINGS = ("figure", "yardstick", "measured", "ratio", "target", "met")
GROUPS = {"enqueue": enqueue, "drain": drain, "idle": idle, "million": million}


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, and the rows at a million jobs (minutes)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    parser.add_argument("--only", choices=sorted(GROUPS), help="one group of rows")
    args = parser.parse_args()
    begin = time.time()
    rows = measure(args)
    if args.json:
        print(json.dumps({"python": platform.python_version(), "machine": platform.machine(),
                          "seconds": round(time.time() - begin), "rows": [row._asdict() for row in rows]}, indent=1))
    else:
        print_table(rows)
        print("Python %s, %d s" % (platform.python_version(), time.time() - begin))
    return 0


def measure(args):
    rows = []
    here = ground.Ground(args.full)
    try:
        for name, group in GROUPS.items():
            if args.only in (None, name):
                for row in group.rows(here):
                    rows.append(row)
                    # Minutes pass: whoever waits sees each figure when it is there.
                    sys.stderr.write("%s: %s\n" % (row.figure, row.measured))
    finally:
        here.close()
    return rows


def print_table(rows):
    lines = [HEADINGS] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def cells(row):
    shown = {True: "yes", False: "NO", None: ""}[row.met]
    return (row.figure, row.yardstick, row.measured, "" if row.ratio is None else "%.2f" % row.ratio, row.target, shown)


if __name__ == "__main__":
    sys.exit(main())
