"""Lists come in the order a person asks about jobs, and cost what is read of them."""


import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, line, segment, sift
from queuectl_lib.store.listing import found_in
from tests.store.stores import FAILURE, ODD, Here, job, many

STATES = {"running": "processing", "retried": "failed", "late": "pending", "soon": "pending", "ready-1": "pending", "ready-2": "pending",
          "ready-3": "pending", "overdue": "pending", "dead-1": "dead", "dead-2": "dead", "done-1": "completed", "done-2": "completed",
          "cancelled": "cancelled"}
ORDER = ["running", "ready-1", "overdue", "ready-2", "ready-3", "retried", "soon", "late", "dead-2", "dead-1", "cancelled", "done-2",
         "done-1"]


def one_of_every_kind(here, roll):
    """The store of ORDER; roll is called between the steps."""
    for id, outcome in [("done-1", None), ("dead-1", FAILURE), ("done-2", None), ("dead-2", FAILURE)]:
        here.add(id, max_retries=0)
        here.run(id, **({"outcome": outcome} if outcome else {}))
        here.pass_time(1)
        roll()
    here.add("cancelled")
    here.store.change(["cancelled"], lambda old: old._replace(state="cancelled", updated_at=lifecycle.claim(old, "", here.now).updated_at))
    here.pass_time(1)
    here.add("running", priority=-9, queue="mail")
    here.claim(here.worker("2.b"))
    roll()
    here.add("retried", priority=-5)
    here.run("retried", outcome=FAILURE)
    here.add_in(-5, "overdue")
    here.add_in(60, "late", priority=-1)
    roll()
    here.add("ready-2", queue="mail")
    here.add("ready-1", priority=-1)
    roll()
    here.add_in(30, "soon", queue="mail")
    here.add("ready-3", command="echo Needle")
    roll()


@pytest.fixture(params=["in the journal", "rolled at every step", "rolled once"])
def full(request, here):
    one_of_every_kind(here, here.roll if request.param == "rolled at every step" else lambda: None)
    if request.param == "rolled once":
        here.roll()
    return here


def test_running_then_next_to_run_then_waiting_then_dead_then_finished_newest_first(full):
    assert full.ids() == ORDER
    assert full.states() == STATES


@pytest.mark.parametrize("state", sorted(set(STATES.values())))
def test_a_list_of_one_state_keeps_the_order(full, state):
    assert full.ids(state) == [id for id in ORDER if STATES[id] == state]


def test_a_list_of_two_states_keeps_the_order(full):
    assert full.ids("dead", "failed") == ["retried", "dead-2", "dead-1"]


def test_a_list_of_some_queues_keeps_the_order(full):
    assert full.ids(queues={"mail"}) == ["running", "ready-2", "soon"]
    assert full.ids("pending", queues={"mail", "absent"}) == ["ready-2", "soon"]
    assert full.ids(queues={"absent"}) == []
    assert full.ids(queues={"default"}) == [id for id in ORDER if id not in ("running", "ready-2", "soon")]


@pytest.mark.parametrize("text, found", [
    ("needle", ["ready-3"]), ("READY", ["ready-1", "ready-2", "ready-3"]), ("mail", ["running", "ready-2", "soon"]), ("absent", []),
])
def test_a_search_looks_at_id_command_queue_and_error(full, text, found):
    assert full.ids(search=text) == found


def test_counts_are_what_the_list_shows(full):
    counts = {}
    for each in full.opened().jobs():
        counts.setdefault(each.queue, {}).setdefault(each.state, 0)
        counts[each.queue][each.state] += 1
    assert full.store.counts() == counts


def test_a_job_is_shown_once_however_often_it_moved(here):
    here.add("a", "b")
    for _ in range(3):
        here.run("a")
        here.roll()
        here.store.change(["a"], lambda old: lifecycle.retry(old, here.now))
        assert sorted(here.ids()) == ["a", "b"]
        here.roll()
        assert here.ids() == ["a", "b"]


def test_an_empty_store_has_an_empty_list(here):
    assert here.ids() == []
    assert here.store.counts() == {}


def test_overdue_jobs_beyond_the_window_are_still_shown_once(here, monkeypatch):
    monkeypatch.setattr("queuectl_lib.store.listing.OVERDUE_WINDOW", 3)
    here.bulk([job("job-%d" % number, run_at=here.now / 1000 + number) for number in range(8)])
    here.pass_time(60)
    assert sorted(here.ids()) == ["job-%d" % number for number in range(8)]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 5,000 waiting and 5,000 finished jobs."""
    one = Here(str(tmp_path_factory.mktemp("large") / "store"))
    one.store.start_roller = lambda: None
    one.bulk(many(5000, "old"))
    one.store.change(["old-%03d" % number for number in range(5000)], lambda old: old._replace(state="completed"))
    one.roll()
    one.bulk(many(5000))
    return one


@pytest.mark.parametrize("states, first", [(None, "job-000"), ({"pending"}, "job-000"), ({"completed"}, "old-4999")])
def test_reading_ten_jobs_of_many_reads_a_few_chunks(large, monkeypatch, states, first):
    read = count_bytes_read(monkeypatch)
    jobs = large.opened().jobs(states)
    assert [next(jobs).id for _ in range(10)][0] == first
    assert sum(read) < 5 * segment._CHUNK


def test_a_list_being_read_survives_a_roll(here):
    here.bulk(many(1000))
    here.add("new")
    jobs = here.opened().jobs()
    seen = [next(jobs).id for _ in range(5)]
    here.run(*("job-%03d" % number for number in range(500)))
    for _ in range(3):
        here.roll()
    seen += [each.id for each in jobs]
    assert seen == ["job-%03d" % number for number in range(1000)] + ["new"]


def test_few_failed_jobs_are_found_among_many_that_wait(here, monkeypatch):
    here.bulk([job("late-%04d" % number, run_at=here.now / 1000 + 1) for number in range(3000)])
    here.add("failed", max_retries=3)
    here.run("failed", outcome=FAILURE)
    here.roll()
    read = count_bytes_read(monkeypatch)
    assert here.ids("failed") == ["failed"]
    assert sum(read) < 3 * segment._CHUNK


def test_what_is_not_there_is_not_looked_for(large, monkeypatch):
    read = count_bytes_read(monkeypatch)
    assert large.ids("completed", queues={"absent"}) == []
    assert sum(read) < segment._CHUNK


def count_bytes_read(monkeypatch):
    """A list that gets the size of every read."""
    read = []
    pread = disk.pread
    monkeypatch.setattr(disk, "pread", lambda fd, count, offset: read.append(count) or pread(fd, count, offset))
    return read


# --- searching

ODDITIES = ["plain", 'a "quoted" word', "back\\slash", "tab\tand\nnewline", "\u65e5\u672c\u8a9e", "caf\u00e9 CAF\u00c9 TU", "\U0001f389", "UPPER and lower",
            ODD, "x" * 3000]
NEEDLES = ["plain", "PLAIN", '"quoted"', "\\", "k\\s", "\t", "and\nnew", "\u672c", "\u00e9", "\u00e9 t", "\U0001f389", "er and LO", "\udce9", "x" * 2000,
           "u65e5", "srv", "odd-1", "mail", "exit", "no room", "absent", '","', ""]


@pytest.fixture(params=["in the journal", "in segments", "in small chunks"])
def odd(request, here, monkeypatch):
    """Jobs that say odd things, waiting and dead, some of them where no search looks."""
    if request.param == "in small chunks":
        monkeypatch.setattr(sift, "_CHUNK", 1000)
    for number, text in enumerate(ODDITIES):
        here.add("odd-%d" % number, command="echo " + text, queue="mail" if number % 3 else "default", max_retries=0, priority=-number,
                 env={"X": "plain exit \u672c absent-minded"})
        if number % 2:
            here.run("odd-%d" % number, outcome=FAILURE._replace(error="no room for " + text))
        if request.param != "in the journal":
            here.roll()
    return here


@pytest.mark.parametrize("text", NEEDLES)
def test_a_search_of_the_bytes_finds_what_decoding_every_job_would(odd, text):
    every = list(odd.opened().jobs())
    assert odd.ids(search=text) == [each.id for each in every if found_in(each, text)]
    assert odd.ids(search=text, queues={"mail"}) == [each.id for each in every if each.queue == "mail" and found_in(each, text)]


def test_odd_words_are_found_at_all(odd):
    for text, number in [('"quoted"', 1), ("\\SLASH", 2), ("and\nnew", 3), ("\u672c", 4), ("\udce9", 8)]:
        assert "odd-%d" % number in odd.ids(search=text)


def test_a_search_decodes_what_it_shows_and_little_else(large, monkeypatch):
    decoded = []
    decode = line.decode
    monkeypatch.setattr(line, "decode", lambda *place: decoded.append(1) or decode(*place))
    assert large.ids(search="OLD-4711") == ["old-4711"]
    assert large.ids(search="srv") == []
    assert len(decoded) == 1


def test_the_finished_jobs_of_a_rare_queue_are_found_without_a_look_at_the_others(here, monkeypatch):
    here.add("rare-1", queue="rare")
    here.bulk(many(1000))
    here.add("rare-2", queue="rare")
    here.store.change([each.id for each in here.opened().jobs()], lambda old: old._replace(state="completed"))
    here.roll()
    looked_at = []
    head = segment.Reader.head
    monkeypatch.setattr(segment.Reader, "head", lambda self, data, start: looked_at.append(1) or head(self, data, start))
    assert sorted(here.ids("completed", queues={"rare"})) == ["rare-1", "rare-2"]
    # And the line at which a chunk ends, of each.
    assert len(looked_at) < 20


@pytest.mark.parametrize("state", ["pending", "completed"])
def test_what_is_longer_than_a_chunk_is_read_in_either_direction(here, state):
    commands = ["short", "y" * 100000, "short too", "z" * 70000]
    here.bulk([job("j-%d" % number, command=command) for number, command in enumerate(commands)])
    here.store.change(here.ids(), lambda old: old._replace(state=state))
    here.roll()
    assert sorted(here.ids(search="j-")) == ["j-0", "j-1", "j-2", "j-3"]
    assert here.ids(search="YYY") == ["j-1"] and here.ids(search="zzzz") == ["j-3"]


def test_held_jobs_and_those_that_come_after_others_are_listed_by_state_and_queue(here):
    here.add("first")
    here.add("held", held=True, queue="mail")
    here.add("after", after=["first"])
    for _ in range(2):
        assert here.ids("pending")[0] == "first" and sorted(here.ids("pending")[1:]) == ["after", "held"]
        assert here.ids("pending", queues={"mail"}) == ["held"]
        assert here.ids("pending", queues={"default"}) == ["first", "after"]
        assert here.ids("failed") == []
        here.roll()
