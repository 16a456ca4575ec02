"""Which of some ids are taken: asked for a whole group of new jobs at once.

An id is looked for in the journal and in the index of each segment, page by page in the order of their
hashes: most are nowhere, and none of their lines is read. That goes without the store lock;
under it only what came since is looked at.
"""

from queuectl_lib.store import index, line, segment
from queuectl_lib.words.errors import DuplicateJob

# Up to so many a search for each costs less.
_FEW = 20


def look_for(store, ids):
    """(the store at this moment, the set of those of these ids that jobs have); the lock is not held."""
    for last in (False, False, True):
        look = store.look()
        if look is None:
            # It was removed.
            store.check_there()
        try:
            return look, _taken(look, ids, thorough=last)
        except (FileNotFoundError, index.Useless) as error:
            # A roll removed a segment meanwhile, or no more than its index by now.
            if last:
                raise segment.missing(error)
        finally:
            look.close()


def _taken(look, ids, thorough):
    """thorough: where an index is of no use each id is looked for in its segment; else Useless is raised."""
    names = [job_id.encode() for job_id in ids]
    if len(names) > _FEW:
        names = _candidates(look, names, thorough)
    return {name.decode() for name in names if look.has(name)}


def _candidates(look, names, thorough):
    """Those of these ids (bytes) that stand in the journal, or whose hash an index has."""
    look.expect(len(names))
    found = {name for name in names if name in look.newest}
    by_hash = {}
    for name in names:
        if name not in found:
            by_hash.setdefault(index.hash_of(name), []).append(name)
    hashes = sorted(by_hash)
    for entry in look.segments():
        try:
            held = look.reader(entry).holding(hashes)
        except index.Useless:
            if not thorough:
                raise
            held = hashes
        for number in held:
            found.update(by_hash[number])
    return found


def refuse(store, live, ids, looked):
    """Raise DuplicateJob where a job has one of these ids, or two of them are alike; the lock is held.

    live: journal.Journal, refreshed; looked: a Snapshot of a while ago, in which none of them was; or None.
    """
    if len(set(ids)) < len(ids):
        twice = next(job_id for number, job_id in enumerate(ids) if job_id in ids[:number])
        raise DuplicateJob("the id %s stands twice in this batch: nothing was enqueued" % twice)
    if looked is not None and _nothing_came(live, looked, ids):
        return
    look = store.snapshot(live)
    try:
        found = _taken(look, ids, thorough=True)
    except FileNotFoundError as error:
        # No roll can have come in between.
        raise segment.missing(error)
    look.close()
    if found:
        first = next(filter(found.__contains__, ids))
        raise DuplicateJob("a job with the id %s is already there" % first, ": choose another id, or --if-absent")


def _nothing_came(live, looked, ids):
    """Does what a look found still hold for these ids?"""
    if live.generation != looked.journal.generation:
        return False
    entries, _ = live.news(looked.end, locked=True)
    wanted = {job_id.encode() for job_id in ids}
    # A batch that joined is asked by its index.
    return not any(type(head) is dict or head[line.ID] in wanted for head, _, _ in entries)
