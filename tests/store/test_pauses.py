"""Pauses, and the totals of how attempts ended: kept in the journal, and by every roll."""

from queuectl_lib.store.pauses import ALL, Pause, after_death, in_force
from queuectl_lib.words import clock
from tests.store.stores import FAILURE, SECOND, START, SUCCESS

SINCE = clock.moment(START)


def paused(here, **changes):
    return here.store.change_pauses(lambda pauses: dict(pauses, **changes))


def test_a_store_begins_without_pauses(here):
    assert here.store.pauses() == {}


def test_pauses_stand_until_they_are_changed_and_survive_rolls(here):
    mail = Pause(SINCE, "new server", None, None)
    assert paused(here, mail=mail) == {"mail": mail}
    assert here.opened().pauses() == {"mail": mail}
    here.roll()
    assert here.opened().pauses() == {"mail": mail}
    paused(here, video=Pause(on_failure=True))
    here.roll()
    here.store.change_pauses(lambda pauses: {"video": pauses["video"]})
    assert here.opened().pauses() == {"video": Pause(on_failure=True)}
    here.roll()
    assert here.opened().pauses() == {"video": Pause(on_failure=True)}


def test_a_pause_is_in_force_until_its_moment():
    until = clock.moment(START + 10 * SECOND)
    pauses = {"mail": Pause(SINCE, None, until), "video": Pause(on_failure=True)}
    assert in_force(pauses, "mail", START + 9 * SECOND) == pauses["mail"]
    assert in_force(pauses, "mail", START + 10 * SECOND) is None
    assert in_force(pauses, "video", START) is None
    assert in_force(pauses, "default", START) is None
    assert in_force(dict(pauses, **{ALL: Pause(SINCE)}), "default", START) == Pause(SINCE)


def test_a_death_pauses_a_queue_that_is_to_be_paused_then():
    pauses = {"mail": Pause(on_failure=True), "video": Pause(SINCE, "by hand", None, True)}
    found = after_death(pauses, "mail", "a", START)
    assert found == dict(pauses, mail=Pause(SINCE, "job a died", None, True))
    assert after_death(pauses, "video", "a", START) is None
    assert after_death(pauses, "default", "a", START) is None


def test_totals_count_the_ends_of_attempts_and_outlive_their_jobs(here):
    here.add("good", "bad", max_retries=1)
    here.add("mail", queue="mail")
    desk = here.worker()
    for id in ("good", "bad", "mail"):
        claimed = here.claim(desk)
        assert claimed.id == id
        here.finish(desk, claimed, FAILURE if id == "bad" else SUCCESS)
    here.pass_time(10)
    claimed = here.claim(desk)
    here.roll()
    expected = {"default": {"completed": 1, "failed": 1}, "mail": {"completed": 1}}
    assert here.store.look().totals() == expected
    here.finish(desk, claimed, FAILURE)
    expected["default"]["dead"] = 1
    assert here.store.look().totals() == expected
    here.store.remove(["bad", "good"])
    here.roll()
    assert here.store.look().totals() == expected
