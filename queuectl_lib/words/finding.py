"""What a checkup found out: whether it is well, what it is about, what it is, and what to do."""

from collections import namedtuple

from queuectl_lib.words.errors import QueuectlError

WELL = "ok"
# Worth knowing, and all is well with it.
REMARK = "remark"
WARNING = "warning"
FAULT = "fault"
REPAIRED = "repaired"

# level: one of the above; subject: a few words or a path; text: one clause; advice: what to do, or None.
Finding = namedtuple("Finding", ("level", "subject", "text", "advice"))
Finding.__new__.__defaults__ = (None,)


def looked(subject, check, *arguments):
    """The Findings of a check, as a list: one that fails is a fault itself, and the next one is not kept from looking."""
    try:
        return list(check(*arguments))
    except QueuectlError as error:
        return [Finding(FAULT, subject, str(error))]
    except OSError as error:
        where = "%s: " % error.filename if error.filename else ""
        return [Finding(FAULT, subject, "%scould not be checked: %s" % (where, error.strerror or error))]
