"""The story of a job: one short entry per change of state, kept as the JSON text it is on disk.

    {"at":"2026-11-22T03:10:00.123Z","state":"failed","exit_code":3,"delay":4}

Every run of a job adds to its story and hardly anybody reads it: so adding is
putting text behind text, and only who looks at an entry pays for reading them.
"""

from queuectl_lib.words.text import JSON_OF

LONGEST = 20
# Inside a JSON string the quotes would be escaped: so this counts entries, and nothing else.
_BEGIN = '{"at":'


class History:
    """A sequence of entries (dicts). Never changes: told() makes a new one."""

    __slots__ = ("text",)

    def __init__(self, text=""):
        """text: the entries as they stand between the brackets of a JSON array."""
        self.text = text

    def told(self, at, state, **more):
        """The story with one more entry; at: a moment's text, more: its further facts, None left out."""
        entry = '%s"%s","state":"%s"' % (_BEGIN, at, state)
        for name, value in more.items():
            if value is not None:
                entry += ',"%s":%s' % (name, JSON_OF[type(value)](value))
        text = self.text
        if not text:
            return History(entry + "}")
        if text.count(_BEGIN) >= LONGEST:
            text = self._shortened()
        return History(text + "," + entry + "}")

    def _shortened(self):
        # The first entry (when it came) is worth more than the second oldest.
        import json
        entries = list(self)
        return ",".join(json.dumps(entry, separators=(",", ":")) for entry in entries[:1] + entries[2 - LONGEST:])

    def last(self):
        """The newest entry; reading it alone costs a tenth of reading them all."""
        import json
        return json.loads(self.text[self.text.rfind(_BEGIN):])

    def __iter__(self):
        import json
        return iter(json.loads("[" + self.text + "]"))

    def __len__(self):
        return self.text.count(_BEGIN)

    def __getitem__(self, place):
        return tuple(self)[place]

    def __eq__(self, other):
        if type(other) is History:
            return self.text == other.text
        return tuple(self) == tuple(other)

    __hash__ = None
