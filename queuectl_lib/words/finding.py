"""What a checkup found out: whether it is well, what it is about, what it is, and what to do."""

from collections import namedtuple

WELL = "ok"
WARNING = "warning"
FAULT = "fault"
REPAIRED = "repaired"

# level: one of the above; subject: a few words or a path; text: one clause; advice: what to do, or None.
Finding = namedtuple("Finding", ("level", "subject", "text", "advice"))
Finding.__new__.__defaults__ = (None,)
