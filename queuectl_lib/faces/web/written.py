"""What a job wrote, for a request: all of it as text, or what came behind an offset."""

from codecs import utf_8_decode

from queuectl_lib.faces import following, outputs
from queuectl_lib.faces.web import asked
from queuectl_lib.faces.web.message import TEXT, Answer, document
from queuectl_lib.store import store as stores

# Of each stream so many bytes at a time.
_MOST = 64 * 1024
_LARGEST_OFFSET = 10 ** 15


def stdout(request, site, id):
    return _whole(site, id, "stdout")


def stderr(request, site, id):
    return _whole(site, id, "stderr")


def _whole(site, id, stream):
    store = stores.open_store(site.store)

    def read(job):
        if job.state != "processing":
            return outputs.kept(job, stream, store.paths)
        return _of_spool(job, stream, store.paths, outputs.Spool.read_all)

    return Answer(200, TEXT, _read(store, id, read)[1])


def output(request, site, id):
    """Both streams behind an offset each, or their ends."""
    offsets = {stream: asked.whole(request, stream, 0, _LARGEST_OFFSET) for stream in outputs.STREAMS}
    store = stores.open_store(site.store)

    def read(job):
        return {stream: _part(job, stream, store.paths, offset) for stream, offset in offsets.items()}

    job, parts = _read(store, id, read)
    shown = {"attempt": job.attempts, "running": job.state == "processing", "started_at": job.started_at}
    for stream, part in parts.items():
        shown[stream] = _shown(part, offsets[stream], job.state == "processing")
    return document(shown)


def _read(store, id, read):
    """(the job, what read(job) makes of what it wrote)."""
    job = store.find(id)
    while True:
        found = read(job)
        if job.state != "processing":
            return job, found
        # A spool is the slot's, not the job's: what was read of it is this attempt's only if that still runs.
        newest = store.find(id)
        if following.claim_of(newest) == following.claim_of(job):
            return job, found
        job = newest


def _part(job, stream, paths, offset):
    if job.state != "processing":
        return outputs.part(job, stream, paths, offset, _MOST)

    def read(spool):
        spool.advance(max(0, spool.size() - _MOST) if offset is None else offset)
        data, end = spool.read()
        return outputs.Part(data, end - len(data), end, max(end, spool.size()), None)

    return _of_spool(job, stream, paths, read)


def _of_spool(job, stream, paths, read):
    spool = outputs.Spool(job, stream, paths)
    try:
        return read(spool)
    finally:
        spool.close()


def _shown(part, offset, runs):
    """One stream, as text: a character of which the rest has not been read yet is left for the next time."""
    data = part.data
    if offset is None:
        # The end may begin within a character.
        data = _from_a_character(data) if part.start > 0 else data
    start = part.end - len(data)
    goes_on = runs if part.end >= part.size else len(part.data) == _MOST
    text, taken = utf_8_decode(data, "surrogateescape", not goes_on)
    return {"text": text, "from": start, "to": start + taken, "size": part.size, "kept": part.kept,
            "left_out": offset is not None and part.start > offset}


def _from_a_character(data):
    for skipped in range(min(4, len(data))):
        if data[skipped] & 0xC0 != 0x80:
            return data[skipped:]
    # It is no UTF-8.
    return data
