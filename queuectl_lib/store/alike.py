"""The lines of a batch's jobs, which are mostly alike: what they have in common is made once.

The jobs of a batch differ in id, queue, priority, place and command. What
stands around those in a line is kept from one job to the next, for as long as
the fields it was made of are the same. The lines are those of line.encode.
"""

from queuectl_lib.job import record
from queuectl_lib.job.record import Job
from queuectl_lib.store import line
from queuectl_lib.words.text import JSON_OF

_BEHIND_ORDER = Job._fields.index("order") + 1
_COMMAND_AT = Job._fields.index("command")
_BEHIND_COMMAND = _COMMAND_AT + 1


class Alike:
    """encode() for new jobs, one after the other.

    after, run_at, is_blocked: of the last of them; is_blocked: no moment makes it ready.
    """

    def __init__(self):
        self._before_command = None
        self._rest = None
        self._env = None

    def encode(self, job, id, order):
        """The line of a job under this id and with this place of arrival."""
        # Of variables it has to be the same object: equal ones may stand in another order.
        if (job[_BEHIND_ORDER:_COMMAND_AT] != self._before_command or job[_BEHIND_COMMAND:] != self._rest
                or job.env is not self._env):
            self._take(job._replace(id=id))
        text = (f'{{"id":"{id}{self._behind_id}{job.queue}","priority":{job.priority},"order":{order}'
                f'{self._behind_order}{JSON_OF[str](job.command)}{self._behind_command}')
        return line.closed(text.encode("ascii"), id)

    def _take(self, job):
        # What it is split at stands in no field before: a quote inside a value is escaped.
        data = line.encode(job._replace(queue="", priority=0, order=0, command=""), None)
        head, rest = data.decode("ascii").split('","priority":0,"order":0', 1)
        middle, end = rest.split(',"command":""', 1)
        self._behind_id = head[len('{"id":"' + job.id):]
        self._behind_order = middle + ',"command":'
        self._behind_command = end[:end.rindex(',"crc":')]
        self._before_command = job[_BEHIND_ORDER:_COMMAND_AT]
        self._rest = job[_BEHIND_COMMAND:]
        self._env = job.env
        self.after = job.after
        self.run_at = job.run_at
        self.is_blocked = record.is_blocked(job)
