"""What a request changes: new jobs, and what is done to those that are there."""

from queuectl_lib.faces.api import Queue
from queuectl_lib.faces.web import jobs
from queuectl_lib.faces.web.message import document, given
from queuectl_lib.job import record


def enqueue(request, site):
    fields = given(request)
    queue = Queue(site.store)
    many = fields if isinstance(fields, list) else [fields]
    ids = queue.enqueue_many(many)
    return document({"ids": ids, "jobs": [record.public(queue.get(id)) for id in ids[:100]]}, 201)


def retry(request, site, id):
    return _changed(site, id, "retry")


def cancel(request, site, id):
    return _changed(site, id, "cancel")


def hold(request, site, id):
    return _changed(site, id, "hold")


def release(request, site, id):
    return _changed(site, id, "release")


def _changed(site, id, verb):
    queue = Queue(site.store)
    getattr(queue, verb)(id)
    return document(jobs.job_document(queue._to_read(), id))
