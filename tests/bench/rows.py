"""A row of the table: one figure, its yardstick, its target, and whether the target is met."""

import statistics
from collections import namedtuple

# yardstick and measured are texts with their units; ratio and spread (its least
# and greatest round) are texts or empty; target is text such as "<= 1.25 x"; met
# is True, False or None (nothing is asked for); rounds holds the bare numbers.
Row = namedtuple("Row", "figure yardstick measured ratio spread target met rounds")

# name: what a failure is reported under; rows: a function that yields rows.
Measurement = namedtuple("Measurement", "name rows")

HEADINGS = ("figure", "yardstick", "measured", "ratio", "spread", "target", "met")


def compared(figure, shown, yardstick, measured, at_most=None, at_least=None, note="", also=None):
    """A row for rounds of two sides that were taken in turn; the ratio is the median of the ratios round by round.

    shown: number -> text with its unit; note: said behind the measured figure;
    also: a figure (number) that meets the target too.
    """
    ratios = [ours / theirs for ours, theirs in zip(measured, yardstick)]
    times = statistics.median(ratios)
    target, met = _judged(times, at_most, at_least, "%.2f x")
    if also is not None:
        target = "%s or %s" % (target, shown(also))
        met = met or statistics.median(measured) >= also
    return Row(figure, shown(statistics.median(yardstick)), shown(statistics.median(measured)) + note,
               "%.2f" % times, "%.2f-%.2f" % (min(ratios), max(ratios)), target, met,
               {"yardstick": yardstick, "measured": measured})


def alone(figure, form, value, at_most=None, note="", met=True):
    """A row for one number with a bound of its own; form: '%.1f ms'; met: False when something else went wrong."""
    target, kept = _judged(value, at_most, None, form)
    return Row(figure, "", form % value + note, "", "", target, kept and met, {"measured": [value]})


def failed(name, error):
    """The row of a measurement that came to no figure."""
    lines = str(error).strip().splitlines() or [""]
    return Row(name, "", "failed: %s: %s" % (type(error).__name__, lines[-1][:200]), "", "", "", False, {})


def _judged(value, at_most, at_least, form):
    if at_most is not None:
        return "<= " + form % at_most, value <= at_most
    if at_least is not None:
        return ">= " + form % at_least, value >= at_least
    return "", None


def milliseconds(seconds):
    return "%.1f ms" % (1e3 * seconds)


def microseconds(seconds):
    return "%.0f us" % (1e6 * seconds)


def per_second(rate):
    return "%d/s" % rate


def print_table(rows):
    """The rows in columns; a long failure widens none of them."""
    lines = [HEADINGS] + [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines if not line[2].startswith("failed:"))
              for column in range(len(HEADINGS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def _cells(row):
    return row[:6] + ({True: "yes", False: "NO", None: ""}[row.met],)
