"""Who answers what: a request that takes long keeps none of another kind waiting."""

import threading

from queuectl_lib.faces.web import handler, message
from queuectl_lib.faces.web.workers import CHANGERS, Workers
from tests.support import wait_until


def test_changes_of_many_jobs_keep_nobody_from_enqueueing(monkeypatch):
    gate = threading.Event()

    def answer(request, site):
        if request.path == "/api/jobs/cancel":
            gate.wait()
        return message.document({})

    def give(path):
        workers.give(path, handler.Head(message.request("POST", path, {}, b""), 0, False, True, "HTTP/1.1"), True)

    monkeypatch.setattr(handler, "answer", answer)
    workers = Workers(None, lambda: None)
    try:
        for _ in range(CHANGERS + 1):
            give("/api/jobs/cancel")
        give("/api/jobs")
        answered = wait_until(lambda: list(workers.finished()), "something is answered")
        assert [connection for connection, _, _ in answered] == ["/api/jobs"]
    finally:
        gate.set()
        workers.stop(30)
    assert len(list(workers.finished())) == CHANGERS + 1
