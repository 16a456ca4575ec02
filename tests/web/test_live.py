"""One thread follows the store for all streams: nothing lost, nothing twice, whatever becomes of the store."""

import itertools
import json
import os
import shutil
import threading
import time
from collections import namedtuple

import pytest

from queuectl_lib.faces.web import feed, live, routes, standing, statuses
from queuectl_lib.faces.web.live import Live
from queuectl_lib.faces.web.message import Refused, request
from queuectl_lib.faces.web.ring import Ring
from queuectl_lib.faces.web.site import Site
from queuectl_lib.store import disk, journal, store
from queuectl_lib.words import clock
from tests.store.stores import Here
from tests.support import wait_until

Message = namedtuple("Message", "id event data")


class Stream:
    """What one client is told; `seen`: the id it saw last, if it comes back."""

    def __init__(self, following, seen=None):
        self.ring = following.ring
        first, self.number = following.begin(seen)
        self.messages = parsed(first)

    def told(self, *events):
        """All messages of these names so far (of none: all)."""
        found = self.ring.after(self.number)
        assert found is not None, "fell off the ring"
        self.messages += parsed(found[0])
        self.number = found[1]
        return [each for each in self.messages if not events or each.event in events]

    def wait_for(self, event, number=1):
        """The so manieth message of this name."""
        return wait_until(lambda: self.told(event)[number - 1:number], "message %d of %s" % (number, event))[0]

    def happened(self):
        return [each for message in self.told("happened") for each in message.data]

    def wait_for_ids(self, *ids):
        wait_until(lambda: set(ids) <= {each["id"] for each in self.happened()}, "%s happened" % (ids,))


def parsed(data):
    """The messages of a piece of a stream; every one of them is whole."""
    assert data == b"" or data.endswith(b"\n\n")
    found = []
    for block in data.decode("ascii").split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if "event" in fields:
            assert sorted(fields) == ["data", "event", "id"]
            found.append(Message(fields["id"], fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(store.Store, "start_roller", lambda self: None)
    monkeypatch.setattr(disk, "_data_sync", lambda fd: None)
    one = Here(str(tmp_path / "store"))
    one.now = clock.now()
    yield one
    one.close()


@pytest.fixture
def follow(tmp_path):
    """A Live of a store (the one of the test)."""
    running = []

    def start(root=str(tmp_path / "store"), **bounds):
        running.append(Live(Site(root, False, "", "/", None), Ring(**bounds)))
        running[-1].start()
        return running[-1]
    yield start
    for one in running:
        one.stop()


@pytest.fixture
def quick(monkeypatch):
    """Looks, and looks for a store that is gone, follow at once."""
    monkeypatch.setattr(live, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(live, "_TROUBLE_SECONDS", 0.01)
    monkeypatch.setattr(statuses, "_SHORTEST", 0.05)
    # Nothing is told only because time has passed.
    monkeypatch.setattr(statuses, "_STALE", 600)


def counted(monkeypatch, owner, name):
    """The moments (monotonic) at which a function was called."""
    calls = []
    function = getattr(owner, name)

    def noted(*words, **named):
        calls.append(time.monotonic())
        return function(*words, **named)
    monkeypatch.setattr(owner, name, noted)
    return calls


# --- what a stream is told

def test_a_stream_begins_with_how_the_queue_stands(here, follow):
    here.add("a")
    following = follow()
    first, number = following.begin()
    assert first.startswith(b"retry: 2000\n\n")
    [message] = parsed(first)
    assert (message.event, message.data["states"]["pending"], message.id.endswith("-%d" % number)) == ("status", 1, True)
    assert following.ring.after(number)[0] == b""


def test_what_happens_is_told_once_and_in_order(here, follow, quick):
    stream = Stream(follow())
    here.add("a", "b")
    here.run("a")
    stream.wait_for_ids("a", "b")
    wait_until(lambda: len(stream.happened()) >= 4, "all four are told")
    assert [(each["id"], each["what"]) for each in stream.happened()] == [
        ("a", "enqueued"), ("b", "enqueued"), ("a", "started"), ("a", "completed")]
    assert len({each.id for each in stream.told()}) == len(stream.told())


def test_many_at_once_come_in_messages_of_two_hundred(here, follow):
    stream = Stream(follow())
    here.add(*["job-%03d" % number for number in range(450)])
    stream.wait_for("happened", 3)
    assert [len(each.data) for each in stream.told("happened")] == [200, 200, 50]
    assert [each["id"] for each in stream.happened()] == ["job-%03d" % number for number in range(450)]


def test_of_more_than_anybody_reads_it_is_told_that_they_were_missed(here, follow, monkeypatch, quick):
    monkeypatch.setattr(feed, "MOST", 50)
    stream = Stream(follow())
    here.add(*["job-%d" % number for number in range(51)])
    stream.wait_for("missed")
    assert stream.happened() == []
    here.add("one-more")
    stream.wait_for_ids("one-more")


def test_what_was_paused_in_a_storm_is_known(here, follow, monkeypatch, quick):
    from queuectl_lib.store import pauses
    monkeypatch.setattr(feed, "MOST", 3)
    monkeypatch.setattr(live, "_LOOK_SECONDS", 0.3)
    stream = Stream(follow())
    here.add("a", "b", "c", "d")
    here.opened().change_pauses(lambda before: dict(before, mail=pauses.Pause(clock.moment(here.now), None)))
    stream.wait_for("missed")
    here.opened().change_pauses(lambda before: dict(before, sms=pauses.Pause(clock.moment(here.now), None)))
    wait_until(stream.happened, "the second pause is told")
    assert [(each["what"], each["queue"]) for each in stream.happened()] == [("paused", "sms")]


def test_two_rolls_between_two_looks_are_said_to_have_hidden_something(here):
    here.add("a")
    found = feed.Feed(here.opened())
    here.roll()
    here.roll()
    assert found.look() == ([], True) and found.look() == ([], False)
    found.close()


def test_a_status_follows_what_happens(here, follow, quick):
    stream = Stream(follow())
    here.add("a")
    wait_until(lambda: stream.told("status")[-1].data["states"]["pending"] == 1, "a status tells of the job")


@pytest.mark.parametrize("name", ["pidfile", "config"])
def test_a_status_follows_when_workers_come_or_settings_change(here, follow, quick, name):
    stream = Stream(follow())
    time.sleep(0.1)
    with open(getattr(here.store.paths, name), "w") as file:
        file.write("{}\n")
    stream.wait_for("status", 2)


def test_a_status_comes_now_and_then_though_nothing_happens(here, follow, monkeypatch, quick):
    monkeypatch.setattr(statuses, "_STALE", 0.2)
    Stream(follow()).wait_for("status", 4)


# --- what it costs

def test_while_much_happens_a_second_brings_one_status_and_no_more_than_ten_looks(here, follow, monkeypatch):
    following = follow()
    stream = Stream(following)
    looks = counted(monkeypatch, feed.Feed, "look")
    made = counted(monkeypatch, standing, "status_document")
    for number in itertools.count():
        here.add("job-%d" % number)
        if len(stream.told("status")) == 4:
            break
    assert min(after - before for before, after in zip(looks, looks[1:])) >= 0.09
    assert min(after - before for before, after in zip(made, made[1:])) >= 0.9


def test_looks_that_take_long_are_rare(here, follow, monkeypatch):
    look = feed.Feed.look
    monkeypatch.setattr(feed.Feed, "look", lambda self: time.sleep(0.02) or look(self))
    Stream(follow())
    looks = counted(monkeypatch, feed.Feed, "look")
    wait_until(lambda: len(looks) == 4, "it looks")
    assert looks[-1] - looks[-2] >= 0.02 / live._LOOK_SHARE


def test_statuses_that_take_long_are_rare(here, follow, monkeypatch, quick):
    document = standing.status_document
    monkeypatch.setattr(standing, "status_document", lambda *of: time.sleep(0.02) or document(*of))
    stream = Stream(follow())
    made = counted(monkeypatch, standing, "status_document")
    for number in itertools.count():
        here.add("job-%d" % number)
        stream.told()
        if len(made) == 3:
            break
    assert made[-1] - made[-2] >= 0.02 / statuses._SHARE


def test_twenty_streams_cost_one_reading(here, follow, monkeypatch, quick):
    following = follow()
    Stream(following)
    # Only the news is of interest here.
    monkeypatch.setattr(statuses, "_SHORTEST", 60)
    monkeypatch.setattr(Live, "_sample", lambda self: None)

    def readings(count):
        """How often the journal was read while so many streams were told of a job."""
        streams = [Stream(following) for _ in range(count)]
        read = counted(monkeypatch, journal.Journal, "read")
        here.add("for-%d" % count)
        for stream in streams:
            stream.wait_for_ids("for-%d" % count)
        return len(read)
    assert readings(20) == readings(1) > 0


def test_while_nobody_listens_nothing_is_read(here, follow, monkeypatch, quick):
    monkeypatch.setattr(live, "_GRACE", 0.2)
    following = follow()
    looks = counted(monkeypatch, feed.Feed, "look")
    made = counted(monkeypatch, standing, "status_document")
    time.sleep(0.1)
    assert (looks, made) == ([], [])
    Stream(following)
    wait_until(lambda: looks, "it reads for a stream")
    wait_until(lambda: following._standing is None, "it pauses")
    seen = len(looks), len(made)
    here.add("a")
    time.sleep(0.1)
    assert (len(looks), len(made)) == seen


def test_it_reads_as_long_as_somebody_listens(here, follow, monkeypatch, quick):
    monkeypatch.setattr(live, "_GRACE", 0.2)
    following = follow()
    stream = Stream(following)
    following.listeners = 1
    time.sleep(0.5)
    here.add("a")
    stream.wait_for_ids("a")
    assert stream.told("missed") == []


# --- who comes, and who comes back

def test_who_comes_first_after_a_pause_misses_nothing_and_is_told_nothing_twice(here, follow, monkeypatch, quick):
    """What its status does not count is told, each job once, and in the order in which they came."""
    monkeypatch.setattr(live, "_GRACE", 0.2)
    following = follow()
    ids = ["job-%d" % number for number in range(100000)]
    done = threading.Event()

    def add():
        for id in ids:
            if done.is_set():
                return
            here.add(id)
    writer = threading.Thread(target=add)
    writer.start()
    try:
        for _ in range(6):
            following.listeners = 1
            stream = Stream(following)
            wait_until(lambda: len(stream.told("happened")) >= 3, "it is told of jobs")
            following.listeners = 0
            told = [each["id"] for each in stream.happened()]
            first = ids.index(told[0])
            assert told == ids[first:first + len(told)] and stream.told("missed") == []
            assert stream.messages[0].data["states"]["pending"] >= first
            wait_until(lambda: following._standing is None, "it pauses")
    finally:
        done.set()
        writer.join()


def test_who_comes_back_goes_on_behind_what_it_saw(here, follow, quick):
    following = follow()
    stream = Stream(following)
    here.add("a")
    stream.wait_for_ids("a")
    seen = stream.told("happened")[-1].id
    here.add("b")
    stream.wait_for_ids("b")
    again = Stream(following, seen)
    assert [each["id"] for each in again.happened()] == ["b"] and again.told("missed") == []
    again.wait_for("status")


@pytest.mark.parametrize("seen", ["another-1", "1", "", "-", "x-y", "WORD-", "WORD--1", "WORD-99", "WORD-\u00b2", "WORD-" + 5000 * "9"])
def test_who_comes_back_from_another_start_has_missed_something(here, follow, seen):
    following = follow()
    stream = Stream(following, seen.replace("WORD", following._word))
    assert [each.event for each in stream.messages] == (["missed", "status"] if seen else ["status"])


def test_who_comes_back_too_late_for_the_ring_has_missed_something(here, follow, quick):
    following = follow(most=3)
    stream = Stream(following)
    first = stream.messages[0].id
    for number in range(5):
        here.add("job-%d" % number)
        stream.wait_for_ids("job-%d" % number)
    assert [each.event for each in Stream(following, first).messages[:1]] == ["missed"]


def test_who_comes_back_after_a_pause_has_missed_something(here, follow, monkeypatch, quick):
    monkeypatch.setattr(live, "_GRACE", 0.2)
    following = follow()
    seen = Stream(following).messages[0].id
    wait_until(lambda: following._standing is None, "it pauses")
    here.add("meanwhile")
    assert Stream(following, seen).told()[0].event == "missed"


def test_a_stream_does_not_wait_for_ever_for_a_thread_that_cannot_read(here, monkeypatch):
    monkeypatch.setattr(live, "_BEGIN_SECONDS", 0.05)
    following = Live(Site(here.root, False, "", "/", None), Ring())
    assert following.begin() == (b"retry: 2000\n\n", 0)


# --- a store that is not as it should be

def test_a_store_that_is_made_later_is_followed_from_its_first_job(tmp_path, follow, quick):
    root = str(tmp_path / "later")
    stream = Stream(follow(root))
    assert stream.messages[0].data["states"]["pending"] == 0
    Here(root).add("a")
    stream.wait_for_ids("a")
    assert stream.told("trouble", "missed") == []


def gone(here):
    shutil.rmtree(here.root)


def moved(here):
    os.rename(here.root, here.root + "-elsewhere")


def damaged(here):
    here.append(b'{"id":"x","crc":"00000000"}\n')


def damaged_at_the_beginning(here):
    here.flip(here.journal, 100)


def unreadable(here):
    os.rename(here.journal, here.journal + ".aside")
    os.mkdir(here.journal)


def linked(here):
    os.rename(here.journal, here.journal + ".aside")
    os.symlink(here.journal + ".aside", here.journal)


def without_its_journal(here):
    here.roll()
    os.remove(here.journal)


@pytest.mark.parametrize("harm", [gone, moved, damaged, damaged_at_the_beginning, unreadable, linked, without_its_journal])
def test_whatever_becomes_of_the_store_it_is_said_and_when_it_is_back_it_goes_on(here, follow, monkeypatch, quick, harm):
    # What reads along alone does not see is seen then.
    monkeypatch.setattr(statuses, "_STALE", 0.2)
    here.add("before")
    here.run("before")
    shutil.copytree(here.root, here.root + "-copy", symlinks=True)
    following = follow()
    stream = Stream(following)
    harm(here)
    trouble = stream.wait_for("trouble")
    assert sorted(trouble.data) == ["error"] and here.root in trouble.data["error"]
    time.sleep(0.1)
    said = [each.data["error"] for each in stream.told("trouble")]
    assert len(said) == len(set(said)), "it is said once"
    assert Stream(following).messages[0].event == "trouble", "who comes now is told at once"
    shutil.rmtree(here.root, ignore_errors=True)
    os.rename(here.root + "-copy", here.root)
    stream.wait_for("missed")
    wait_until(lambda: stream.told()[-1].event == "status", "how the queue stands is told")
    Here(here.root).add("after")
    stream.wait_for_ids("after")
    assert [each["id"] for each in stream.happened()] == ["after"]


def test_a_store_in_the_place_of_another_is_told_as_a_new_one(here, follow, tmp_path, quick):
    other = Here(str(tmp_path / "other"))
    other.add("theirs")
    stream = Stream(follow())
    os.rename(here.root, here.root + "-elsewhere")
    os.rename(other.root, here.root)
    stream.wait_for("missed")
    Here(here.root).add("new")
    stream.wait_for_ids("new")


def test_a_store_that_was_gone_while_nobody_listened_is_said_to_be(here, follow, monkeypatch, quick):
    monkeypatch.setattr(live, "_GRACE", 0.2)
    following = follow()
    Stream(following)
    wait_until(lambda: following._standing is None, "it pauses")
    gone(here)
    assert "not there any more" in Stream(following).messages[0].data["error"]


def test_a_bug_is_shown_once_and_ends_nothing(here, follow, monkeypatch, quick, capsys):
    following = follow()
    stream = Stream(following)

    def broken(*_):
        raise RuntimeError("a bug")
    with monkeypatch.context() as patch:
        patch.setattr(feed.Feed, "look", broken)
        patch.setattr(standing, "status_document", broken)
        assert stream.wait_for("trouble").data == {"error": "internal error"}
        time.sleep(0.1)
    stream.wait_for("missed")
    here.add("a")
    stream.wait_for_ids("a")
    assert capsys.readouterr().err.count("RuntimeError: a bug") == 1


# --- its end

@pytest.mark.parametrize("state", ["listening", "paused", "troubled"])
def test_it_stops_at_once(here, follow, monkeypatch, state):
    if state == "troubled":
        damaged(here)
    following = follow()
    if state != "paused":
        Stream(following)
    time.sleep(0.05)
    following.stop()
    assert not following._thread.is_alive()


def test_a_stream_that_begins_while_it_stops_waits_for_nothing(here, follow):
    following = follow()
    following.stop()
    begin = time.monotonic()
    assert following.begin() == (b"retry: 2000\n\n", 0)
    assert time.monotonic() - begin < live._BEGIN_SECONDS


# --- its routes

def asked(site, path, method="GET", **headers):
    return routes.respond(request(method, path, {name.replace("_", "-"): text for name, text in headers.items()}, b""), site)


def test_a_request_for_events_is_answered_by_the_beginning_of_a_stream(here, follow):
    following = follow()
    site = Site(here.root, False, "", "/", following)
    answer = asked(site, "/api/events")
    assert (answer.status, answer.kind, answer.stream) == (200, "text/event-stream", following.ring.last)
    assert parsed(answer.body)[0].event == "status"
    assert parsed(asked(site, "/api/events", Last_Event_ID="gone-1").body)[0].event == "missed"


def test_a_head_of_events_has_nothing_begun_and_no_length(here, follow):
    """That none is opened for it is the workers' affair: tests/web/test_streams.py."""
    following = follow()
    answer = asked(Site(here.root, False, "", "/", following), "/api/events", "HEAD")
    assert (answer.status, answer.kind, answer.body) == (200, "text/event-stream", b"") and answer.stream is not None
    assert following._wanted_until == -1


def test_where_nothing_follows_the_store_there_are_no_events(here):
    with pytest.raises(Refused) as error:
        asked(Site(here.root, False, "", "/", None), "/api/events")
    assert error.value.status == 503


def test_the_chart_is_drawn_though_nobody_listens(here, follow):
    here.add("a")
    here.run("a")
    site = Site(here.root, False, "", "/", follow())

    def minutes():
        return [each for each in json.loads(asked(site, "/api/throughput").body)["minutes"] if each["completed"]]
    [minute] = wait_until(minutes, "the attempt is in the chart")
    assert (minute["completed"], minute["failed"]) == (1, 0)


def test_whoever_asks_for_the_chart_does_not_wait_for_the_next_look(here, follow, monkeypatch):
    monkeypatch.setattr(live.Live, "_sample", lambda self: None)
    monkeypatch.setattr(live, "_OLD_SAMPLE", 0)
    site = Site(here.root, False, "", "/", follow())
    for number in range(2):
        here.add("job-%d" % number)
        here.run("job-%d" % number)
        told = json.loads(asked(site, "/api/throughput").body)["minutes"]
        assert sum(each["completed"] or 0 for each in told) == number + 1
