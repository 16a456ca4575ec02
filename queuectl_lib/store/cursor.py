"""A place in one section of a base segment, that moves on line by line."""

from queuectl_lib.store import header, line

# No job's line has fewer bytes.
SHORTEST = 250


class Cursor:
    """item: the one it stands at (view.py), due: its moment; kind, queue: the section's."""

    def __init__(self, reader, section, number, gone):
        """number: the source in its items; gone: where lines of its segment begin that are overridden, and stand nowhere else."""
        self.reader = reader
        self.kind = section.kind
        self.queue = section.queue.encode()
        self.number = number
        self.gone = gone
        self.lines = reader.named(section.start, section.end)
        self.item = None
        self.due = 0

    def advance(self, newest):
        """Move to the next line that is alive; False at the end. newest: the ids (bytes) that the journal has.

        Raises StoreDamaged for a line that has to be passed over, which the next call does.
        """
        gone = self.gone
        for job_id, start, data in self.lines:
            # Perhaps two lines whose newline is damaged: who passes over the first one must not over the other one.
            # Looked for where there is room for two: of many workers each passes over what the others take.
            if len(data) > 2 * SHORTEST and data.find(line.BEGIN, SHORTEST) > 0:
                line.check(data, self.reader.path, start)
            if job_id in newest or start in gone:
                continue
            head = self.reader.head(data, start)
            if self.kind in header.TIMED:
                # With a damaged moment it would keep those behind it waiting; a ready one is looked at in its turn.
                line.check(data, self.reader.path, start)
            self.item = (int(head[5]), int(head[6]), head[0], self.number, start, data,
                         self.queue, head[line.SLOTS])
            self.due = int(head[7])
            return True
        return False
