"""What people say of the jobs they want: states, queues, the order; checked the same in every face."""

from queuectl_lib.job import identifiers, record
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import did_you_mean

# Fields that --sort takes; missing values stand last.
SORTS = ("id", "state", "queue", "priority", "attempts", "max_retries", "timeout", "run_at", "next_run_at",
         "created_at", "updated_at", "started_at", "finished_at", "duration", "exit_code", "worker", "command")

# What people type by habit.
STATE_ALIASES = {
    "running": "processing", "success": "completed", "done": "completed", "finished": "completed", "error": "failed",
    "waiting": "pending", "queued": "pending"}


def words(groups):
    """The words of an option given several times, with several words each, or joined by commas."""
    texts = [group if isinstance(group, list) else [group] for group in groups or ()]
    return [word for group in texts for text in group for word in text.split(",") if word]


def queues(groups):
    """The queues that an option names, or None for all of them."""
    return [identifiers.check_queue(name) for name in words(groups)] or None


def states(groups, option="--state"):
    """The states that an option names, or None for all of them."""
    wanted = words(groups)
    for state in wanted:
        if state not in record.STATES:
            raise BadInput("%s: unknown state %r%s; there are: %s" % (
                option, state, did_you_mean(state, record.STATES, STATE_ALIASES), ", ".join(record.STATES)))
    return wanted or None


def sorting(text):
    """What --sort takes: a field, perhaps with a '-' before it; BadInput."""
    field = text.lstrip("-")
    if field not in SORTS:
        raise BadInput("unknown field %r%s; there are: %s" % (field, did_you_mean(field, SORTS), ", ".join(SORTS)))
    return text
