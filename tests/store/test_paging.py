"""A long list is read a page at a time, whatever happens between two pages, and each page costs what it shows."""

import itertools
import random
from urllib.parse import quote

import pytest

from queuectl_lib.store import listing, paging, seek, segment, sift, store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from tests.store.stores import FAILURE, SECOND, SUCCESS, Here, job, many
from tests.store.test_listing import count_bytes_read

QUEUES = ("default", "mail", "rare")
STATES = ("pending", "processing", "failed", "dead", "completed", "cancelled")
SEARCHES = (None, None, "needle", "mail", "job-1", "absent")


def pages(here, limit, between=lambda: None, **question):
    """The pages of a list, one after the other; between() is called between two of them."""
    after = None
    while True:
        page = page_of(here, after=after, limit=limit, **question)
        yield page
        if page.next is None:
            return
        after = page.next
        between()


def page_of(here, states=None, **question):
    """One page of the store as another process would open it."""
    return paging.page(here.opened(), states, **question)


def ids_of(found):
    return [each.id for page in found for each in page.jobs]


class Chance:
    """Things that happen to a store, by a seed."""

    def __init__(self, here, seed):
        self.here = here
        self.random = random.Random(seed)
        self._numbers = itertools.count()

    def add(self):
        fields = {"priority": self.random.choice([0, 0, -1, 5]), "queue": self.random.choice(QUEUES), "max_retries": self.random.choice([0, 3]),
                  "command": self.random.choice(["true", "echo Needle"])}
        fields.update(self.random.choice([{}, {}, {"held": True}, {"run_at": (self.here.now + self.random.randint(1, 9) * SECOND) / 1000}]))
        new = [job("job-%d" % next(self._numbers), self.here.now, **fields) for _ in range(self.random.randint(1, 6))]
        if self.random.random() < 0.2:
            self.here.bulk(new)
        else:
            self.here.store.add(new)

    def run(self):
        desk = self.here.worker("%d.x" % self.random.randint(1, 99))
        for _ in range(self.random.randint(1, 4)):
            claimed = self.here.claim(desk)
            if claimed is not None and self.random.random() < 0.9:
                self.here.finish(desk, claimed, self.random.choice([SUCCESS, SUCCESS, FAILURE]))
        desk.close()

    def cancel(self):
        there = [each.id for each in self.here.opened().jobs({"pending", "failed", "dead"})]
        chosen = self.random.sample(there, min(3, len(there)))
        # The clocks of two writers may differ a little.
        moment = clock.moment(self.here.now - self.random.randint(0, 2))
        self.here.store.change(chosen, lambda old: old._replace(state="cancelled", held=None, updated_at=moment))

    def roll(self):
        self.here.roll()

    def pass_time(self):
        self.here.pass_time(self.random.choice([0, 0.001, 0.002, 1, 3]))

    def happen(self, times, *what):
        for _ in range(times):
            self.random.choice(what)()

    def all(self):
        return (self.add, self.add, self.add, self.run, self.run, self.cancel, self.roll, self.pass_time)

    def question(self):
        states = self.random.choice([None, None] + [set(self.random.sample(STATES, number)) for number in (1, 2, 4)])
        queues = self.random.choice([None, None] + [set(self.random.sample(QUEUES, number)) for number in (1, 2)])
        return {"states": states, "queues": queues, "search": self.random.choice(SEARCHES)}


@pytest.fixture
def small(monkeypatch):
    """Of everything that has a size, the least: so there are borders everywhere."""
    monkeypatch.setattr(listing, "OVERDUE_WINDOW", 3)
    monkeypatch.setattr(sift, "_CHUNK", 2000)
    monkeypatch.setattr(segment, "_LAST", 100)


@pytest.mark.parametrize("seed", range(15))
def test_the_pages_of_any_list_are_the_list_though_rolls_come_between_and_time_passes(here, small, seed):
    chance = Chance(here, seed)
    chance.happen(40, *chance.all())
    for _ in range(6):
        question = chance.question()
        whole = [each.id for each in here.opened().jobs(**question)]
        found = list(pages(here, chance.random.randint(1, 7), lambda: chance.happen(2, chance.roll, chance.pass_time), **question))
        assert ids_of(found) == whole
        if question["search"] is None:
            assert {page.total for page in found} == {len(whole)}
        else:
            assert {page.total for page in found} == {None}


@pytest.mark.parametrize("seed", range(15))
def test_whatever_happens_between_pages_a_job_to_which_nothing_happens_is_shown_once_in_its_order(here, small, seed):
    chance = Chance(here, 1000 + seed)
    chance.happen(40, *chance.all())
    for _ in range(4):
        question = chance.question()
        before = list(here.opened().jobs(**question))
        shown = ids_of(pages(here, chance.random.randint(1, 5), lambda: chance.happen(2, *chance.all()), **question))
        after = {each.id: each for each in here.opened().jobs(**question)}
        unchanged = [each.id for each in before if after.get(each.id) == each]
        assert [each for each in shown if each in set(unchanged)] == unchanged


def test_a_page_says_whether_there_is_another_one(here):
    assert page_of(here, limit=2) == ((), None, True, 0)
    here.add("a", "b", "c", "d")
    first = page_of(here, limit=2)
    assert [each.id for each in first.jobs] == ["a", "b"] and first.next and first.complete and first.total == 4
    second = page_of(here, limit=2, after=first.next)
    assert [each.id for each in second.jobs] == ["c", "d"] and second.next is None and second.complete
    assert page_of(here, limit=4).next is None


def test_a_page_goes_on_behind_a_job_that_is_gone(here):
    here.add("a", "b", "c")
    first = page_of(here, limit=2)
    here.run("a", "b")
    here.roll()
    assert [each.id for each in page_of(here, {"pending"}, after=first.next).jobs] == ["c"]


def test_where_no_store_is_there_is_an_empty_page(tmp_path):
    assert paging.page(store.open_store(str(tmp_path / "not"))) == ((), None, True, 0)


def test_a_place_may_be_written_into_an_address_as_it_is(here):
    here.add("a", "b")
    here.add("done-1", "done-2", priority=-5)
    here.run("done-1", "done-2")
    for page in pages(here, 1):
        assert page.next is None or quote(page.next, safe=":") == page.next


@pytest.mark.parametrize("text", [
    "", "x", "1~2~3", "1~2~9~1~1", "1~2~1~1", "1~2~1~1~2~3", "1~2~1~a~b", "1~2~5~x~1", "1~2~3~-", "-1~2~1~1~1", "1~2~1~1~1\n", "1~2~1~" + "9" * 99,
    "1~2~1~\u0661~1", "\udce9", "1~2~4~2026~z"])
def test_what_is_no_place_is_refused(here, text):
    here.add("a")
    with pytest.raises(BadInput, match="begin again"):
        page_of(here, after=text)


# --- what it costs

@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 5,000 waiting and 5,000 finished jobs, in one segment and in several."""
    one = Here(str(tmp_path_factory.mktemp("large") / "store"))
    one.store.start_roller = lambda: None
    one.bulk(many(5000, "old"))
    for first in range(0, 5000, 1000):
        one.pass_time(1)
        moment = clock.moment(one.now)
        one.store.change(["old-%03d" % number for number in range(first, first + 1000)],
                         lambda old: old._replace(state="completed", updated_at=moment))
        one.roll()
    one.bulk(many(5000))
    return one


@pytest.mark.parametrize("state", ["pending", "completed"])
def test_a_page_at_the_end_reads_hardly_more_than_the_first_one(large, monkeypatch, state):
    read = count_bytes_read(monkeypatch)
    first = page_of(large, {state}, limit=10)
    cost = sum(read)
    # Of ten pages of 490 jobs the last but one ends there.
    place = list(pages(large, 490, states={state}))[-2].next
    del read[:]
    deep = page_of(large, {state}, after=place, limit=10)
    assert len(first.jobs) == len(deep.jobs) == 10
    # Thirty steps of looking for the place.
    assert sum(read) < cost + 30 * (seek._PIECE + 8192)


# --- searching for a limited time

class Ticks:
    """A clock that goes on by so much with each look at it."""

    def __init__(self, step):
        self._times = itertools.count(0, step)

    def __call__(self):
        return next(self._times)


@pytest.mark.parametrize("state", ["pending", "completed"])
def test_a_search_ends_when_time_is_up_and_goes_on_where_it_was(large, monkeypatch, state):
    """It looks at the clock once for each chunk, and here has time for three."""
    wanted = {"pending": "job-4321", "completed": "old-4321"}[state]
    look = large.opened().look()
    after, found, read = None, [], count_bytes_read(monkeypatch)
    for number in range(1000):
        del read[:]
        page = page_of(large, look=look, states={state}, search=wanted, after=after, timer=Ticks(0.3))
        found += [each.id for each in page.jobs]
        assert sum(read) < 20 * sift._CHUNK
        after = page.next
        assert page.complete == (after is None)
        if after is None:
            break
    assert found == [wanted] and number > 5


def test_where_every_chunk_may_hold_it_and_no_line_does_time_is_kept_as_well(here, monkeypatch):
    """The text stands in jobs of the one queue, and the other one is asked for."""
    monkeypatch.setattr(sift, "_CHUNK", 2000)
    here.bulk([job("job-%03d" % number, **[{"queue": "mail"}, {"command": "echo Needle"}][number % 2]) for number in range(300)])
    here.store.change(here.ids(), lambda old: old._replace(state="completed"))
    here.roll()
    page = page_of(here, search="needle", queues={"mail"}, timer=Ticks(0.3))
    assert page.jobs == () and page.next and not page.complete


def test_a_full_page_is_not_kept_back_for_the_sake_of_the_next_one(large):
    look = large.opened().look()
    page = page_of(large, look=look, states={"pending"}, search="job-000", limit=1, timer=Ticks(0.02))
    assert [each.id for each in page.jobs] == ["job-000"] and page.complete and page.next
    rest = page_of(large, look=look, states={"pending"}, search="job-000", limit=1, after=page.next)
    assert rest.jobs == () and rest.next is None
