"""What a drain says of the jobs it leaves behind."""

import pytest

from queuectl_lib.job import record
from queuectl_lib.store import pauses, store
from queuectl_lib.words import clock
from queuectl_lib.work import leftover

NOW = clock.now()


@pytest.fixture
def where(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


def enqueue(where, number=1, **fields):
    for _ in range(number):
        where.add([record.create(dict(fields, command="true"), NOW, record.Defaults(cwd="/"))])


def pause(where, queue):
    where.change_pauses(lambda before: dict(before, **{queue: pauses.Pause(since=clock.moment(NOW))}))


def test_nothing_is_said_of_nothing(where):
    assert leftover.told(where, None, NOW) is None


def test_every_reason_is_counted(where):
    enqueue(where, id="first", held=True)
    enqueue(where, 2, after=["first"])
    enqueue(where, 3, run_at=clock.moment(NOW + 60000))
    enqueue(where, 4, queue="mail")
    enqueue(where)
    where.change([where.look().heads()[-1][0][0].decode()],
                 lambda job: job._replace(state="failed", next_run_at=clock.moment(NOW + 4000)))
    pause(where, "mail")
    assert leftover.told(where, None, NOW) == (
        "11 jobs left for later: 1 retry, 1 held, 2 after other jobs, 3 delayed, 4 in a paused queue; next in 4 s")


def test_only_of_the_queues_served(where):
    enqueue(where, 2, queue="mail", held=True)
    enqueue(where, queue="video")
    assert leftover.told(where, ["mail"], NOW) == "2 jobs left for later: 2 held"
    pause(where, "mail")
    assert leftover.told(where, ["mail"], NOW) == "2 jobs left for later: 2 in a paused queue"
    assert leftover.told(where, ["video"], NOW) == "1 job left for later: 1 waiting"


def test_with_all_queues_paused(where):
    enqueue(where)
    pause(where, pauses.ALL)
    assert leftover.told(where, None, NOW) == "1 job left for later: 1 in a paused queue"


def test_no_moment_is_told_of_what_is_due_and_closed(where):
    enqueue(where, run_at=clock.moment(NOW + 60000), queue="mail")
    pause(where, "mail")
    told = leftover.told(where, None, NOW + 60001)
    assert told == "1 job left for later: 1 in a paused queue"


def test_of_many_jobs_no_one_is_read(where, monkeypatch):
    enqueue(where, leftover._FEW, held=True)
    assert leftover.told(where, None, NOW) == "100 jobs left for later: 100 held"
    enqueue(where, held=True)
    monkeypatch.setattr(store.Store, "jobs", None)
    assert leftover.told(where, None, NOW) == "101 jobs left for later: 101 waiting"
