"""Keeping segments few and full: what is overridden, where sections begin by now, what to merge.

A line of a segment is overridden when a later line of the same job names it as
`over`. At a roll those lines leave the journal, so the segment has to remember:

 - at a section's front its start moves on: the ordinary case, since work is
   taken in the order in which a section is sorted
 - in the middle a `gone` line is carried in the journal, until the segment is
   rewritten without the lines that are gone

Merging costs what it copies, so a segment is merged with others of its size
only: each line is copied some log(n) times in its life. Merged segments take
the newest part's name with a suffix, so that names still sort by age.
"""

from heapq import merge

from queuectl_lib.store import header, segment
from queuectl_lib.store.numbers import renamed
from queuectl_lib.store.snapshot import lives

MOST_BASE = 8
MOST_ARCHIVES_ALIKE = 8
MOST_GONE = 2000
# A segment smaller than this is not worth rewriting for its dead half.
_SMALL = 1024 * 1024


def overridden(snapshot):
    """{(name, start): end} of every segment line that something newer overrides."""
    entries = {each.name for each in snapshot.segments()}
    found = {}
    moved = _written_during_roll(snapshot)
    # Not only the newest lines: an id that was removed may have been given again.
    for head, _, _ in snapshot.entries:
        if type(head) is dict:
            name, start, end = head.get("gone", (None, 0, 0))
        elif head[8] is not None:
            name, start, end = head[8].decode(), int(head[9]), int(head[10])
            if name not in entries:
                moved.add(head[0])
        else:
            continue
        found[name, start] = end
    for job_id in moved:
        found.update(_lines_of(snapshot, job_id))
    return {place: end for place, end in found.items() if place[0] in entries}


def _written_during_roll(snapshot):
    """Ids of lines that the last roll copied from behind its prefix.

    Whoever wrote them could not know into which segment that roll was just
    putting the job's line before.
    """
    journal = snapshot.journal
    copied = journal.body + journal.header.carried
    return {head[0] for head, offset, _ in snapshot.entries if offset < copied and type(head) is not dict}


def _lines_of(snapshot, job_id):
    """{(name, start): end} of every line that a segment still counts for an id."""
    return {(entry.name, start): start + len(data) + 1 for entry in snapshot.segments()
            for _, start, data in snapshot.reader(entry).find(job_id) if lives(entry, start)}


def advanced(segments, gone):
    """(segments, gone) after moving every section's start past what is gone at its front."""
    moved = []
    kept = dict(gone)
    for each in segments:
        sections = []
        for section in each.sections:
            start = section.start
            while start < section.end and (each.name, start) in kept:
                start = kept.pop((each.name, start))
            if start < section.end:
                sections.append(section._replace(start=start))
        if sections:
            moved.append(each._replace(sections=tuple(sections)))
    # What lies outside every section needs no mention.
    entries = {each.name: each for each in moved}
    kept = {place: end for place, end in kept.items()
            if place[0] in entries and lives(entries[place[0]], place[1])}
    return moved, kept


def merged(paths, snapshot, segments, gone):
    """(segments, gone) after at most one merge of base segments and one of archives."""
    for kind, choose in (("base", _base_to_merge), ("archive", _archives_to_merge)):
        alike = [each for each in segments if each.kind == kind]
        parts = _worn(alike, gone) or choose(alike)
        if parts:
            one = _rewritten(paths, snapshot, parts, gone)
            segments = _replaced(segments, parts, one)
            names = {each.name for each in parts}
            gone = {place: end for place, end in gone.items() if place[0] not in names}
    return segments, gone


def alive(entry):
    """How many bytes of a segment are inside its sections."""
    return sum(section.end - section.start for section in entry.sections)


def _worn(segments, gone):
    lost = {}
    for name, _ in gone:
        lost[name] = lost.get(name, 0) + 1
    for each in segments:
        if lost.get(each.name, 0) > MOST_GONE or each.size > _SMALL and alive(each) < each.size // 2:
            return [each]
    return []


def _base_to_merge(segments):
    if len(segments) <= MOST_BASE:
        return []
    alike = _newest_alike(segments)
    return alike if len(alike) > 1 else segments[-2:]


def _archives_to_merge(segments):
    alike = _newest_alike(segments)
    return alike if len(alike) >= MOST_ARCHIVES_ALIKE else []


def _newest_alike(segments):
    """The newest segments, as long as each older one is not much bigger than all newer ones."""
    alike = []
    total = 0
    for each in reversed(segments):
        if alike and alive(each) > 2 * total:
            break
        alike.insert(0, each)
        total += alive(each)
    return alike


def _rewritten(paths, snapshot, parts, gone):
    """One segment with what is alive of these, oldest first; None when nothing is."""
    name = renamed(paths, parts[-1].name)
    writer = segment.Writer(paths.segment_places(name)[0], parts[0].kind)
    for wanted in _sections_of(parts):
        streams = [_lines(snapshot.reader(part), part, wanted, gone) for part in parts]
        for _, data in _joined(wanted, streams):
            writer.add(wanted, data + b"\n")
    if not writer.size:
        writer.close()
        return None
    return writer.finish(name)


def _sections_of(parts):
    return sorted({(section.kind, section.queue) for part in parts for section in part.sections})


def _joined(wanted, streams):
    if wanted[0] in (header.READY, header.DUE):
        return merge(*streams, key=_key)
    return (line for stream in streams for line in stream)


def _key(item):
    return item[0]


def _lines(reader, part, wanted, gone):
    for section in part.sections:
        if (section.kind, section.queue) != wanted:
            continue
        for head, start, data in reader.forward(section.start, section.end):
            if (part.name, start) not in gone:
                yield segment.sort_key(wanted, head), data


def _replaced(segments, parts, one):
    kept = []
    for each in segments:
        if each is parts[-1]:
            kept += [one] if one else []
        elif not any(each is part for part in parts):
            kept.append(each)
    return kept
