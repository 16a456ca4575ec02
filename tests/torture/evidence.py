"""The store's files read with nothing but json and zlib, by the rules that DESIGN.md and the modules' texts state.

None of the program's code is used: what it reads wrongly it may have written wrongly, too.
"""

import json
import os
import zlib


class Evidence:
    """newest: {id: its line as a dict}; named: the paths, relative to the store, that something in force names; faults: texts."""

    def __init__(self, store):
        self._store = store
        self.faults = []
        self.newest = {}
        self.named = set()
        self._living = {}
        self._gone = set()
        self._counts = {}
        self._last_in_file = {}
        self.header = None
        lines = self._journal()
        self._read_segments(lines)
        self._take_in(lines)
        self._check_counts()
        self._check_story()
        for fields in self.newest.values():
            self.named.update(filter(None, (fields.get("stdout_file"), fields.get("stderr_file"))))

    def _fault(self, text, *values):
        self.faults.append(text % values)

    def _journal(self):
        """The journal's lines as dicts; the header is taken in."""
        lines = [fields for _, _, fields in self._lines("jobs.jsonl")]
        if not lines or "queuectl" not in lines[0]:
            self._fault("jobs.jsonl does not begin with a header")
            return []
        self.header = lines[0]
        self._counts = {(queue, state): number for queue, states in self.header["counts"].items()
                        for state, number in states.items()}
        if lines[-1].get("more"):
            self._fault("jobs.jsonl ends in the middle of a batch")
        return lines[1:]

    def _lines(self, name):
        """(start, end, fields) of every line of a file; each has its newline and a good crc."""
        with open(os.path.join(self._store, name), "rb") as file:
            data = file.read()
        if data and not data.endswith(b"\n"):
            self._fault("%s ends without a newline", name)
        start = 0
        for line in data.split(b"\n")[:-1]:
            end = start + len(line) + 1
            fields = self._fields(line, name, start)
            if fields is not None:
                yield start, end, fields
            start = end

    def _fields(self, line, name, start):
        text, mark, crc = line.rstrip(b" ").rpartition(b',"crc":"')
        try:
            fields = json.loads(line.decode("ascii"))
        except ValueError:
            fields = None
        if not isinstance(fields, dict) or not mark or crc != b'%08x"}' % zlib.crc32(text):
            self._fault("%s: the line at byte %d is damaged: %r", name, start, line[:100])
            return None
        return fields

    def _read_segments(self, lines):
        """Every line of every segment that a section holds, by where it stands."""
        segments = list(self.header["segments"]) if self.header else []
        segments += [fields["segment"] for fields in lines if "segment" in fields]
        for segment in segments:
            self._read_segment(segment)

    def _read_segment(self, segment):
        name = segment["name"]
        places = [folder + "/" + name + ".jsonl" for folder in ("base", "archive")]
        path = next((place for place in places if os.path.exists(os.path.join(self._store, place))), None)
        if path is None:
            self._fault("segment %s is not there", name)
            return
        folder, file = path.split("/")
        self.named.update((path, "%s/.%s.index" % (folder, name), "%s/.%s.awaited" % (folder, name)))
        size = os.path.getsize(os.path.join(self._store, path))
        if size != segment["size"]:
            self._fault("%s has %d bytes, not %d", path, size, segment["size"])
        found = 0
        for start, end, fields in self._lines(path):
            found += 1
            if any(first <= start and end <= last for _, _, first, last in segment["sections"]):
                self._living[name, start, end] = fields
        if found != segment["jobs"]:
            self._fault("%s has %d lines, not %d", path, found, segment["jobs"])

    def _take_in(self, lines):
        """What the journal says, line by line, of jobs, of segments that joined and of lines that count no more."""
        changed = {}
        for fields in lines:
            if "gone" in fields:
                self._gone.add(tuple(fields["gone"]))
            elif "segment" in fields:
                for queue, states in fields["segment"]["counts"].items():
                    for state, number in states.items():
                        self._count(queue, state, number)
            elif "id" in fields:
                self._take_in_job(fields, changed.get(fields["id"]))
                changed[fields["id"]] = fields
        for place, fields in self._living.items():
            if place in self._gone or fields["id"] in changed:
                continue
            if fields["id"] in self.newest:
                self._fault("job %s lives in two segments", fields["id"])
            self.newest[fields["id"]] = fields
        self.newest.update((id, fields) for id, fields in changed.items() if fields["state"] != "removed")

    def _take_in_job(self, fields, before):
        was = fields["was"]
        if before is not None:
            known = None if before["state"] == "removed" else [before["state"], before["queue"]]
            if was != known:
                self._fault("job %s: a line says it was %s, the one before says %s", fields["id"], was, known)
        if was:
            self._count(was[1], was[0], -1)
        if fields["state"] != "removed":
            self._count(fields["queue"], fields["state"], 1)

    def _count(self, queue, state, number):
        self._counts[queue, state] = self._counts.get((queue, state), 0) + number

    def counts(self):
        """{(queue, state): n} of the newest lines."""
        counts = {}
        for fields in self.newest.values():
            key = fields["queue"], fields["state"]
            counts[key] = counts.get(key, 0) + 1
        return counts

    def _check_counts(self):
        told = {key: number for key, number in self._counts.items() if number}
        if told != self.counts():
            self._fault("the header's counts with the journal's make %s, the newest lines are %s", told, self.counts())

    def _check_story(self):
        """grep -h '"ID"' archive/* base/* jobs.jsonl | tail -1 is the job as it stands."""
        last = {}
        for folder in ("archive", "base"):
            for name in sorted(os.listdir(os.path.join(self._store, folder))):
                if name[0] != ".":
                    last.update((fields["id"], fields) for _, _, fields in self._lines(folder + "/" + name))
        last.update((fields["id"], fields) for _, _, fields in self._lines("jobs.jsonl") if "id" in fields)
        wrong = [id for id, fields in self.newest.items() if last[id] != fields]
        if wrong:
            self._fault("grep … | tail -1 finds an old line of %d jobs: %s", len(wrong), wrong[:5])
