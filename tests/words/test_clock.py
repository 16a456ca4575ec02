"""Moments and durations: what is understood, what is refused, what is shown."""

import time

import pytest

from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput

NIGHT = 1795317000123


@pytest.fixture
def zone(monkeypatch):
    """Sets the local time zone of a test."""
    def change(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()
    yield change
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_text_that_sorts_as_it_reads():
    assert clock.moment(NIGHT) == "2026-11-22T03:10:00.123Z"
    moments = [0, 999, 1000, NIGHT, NIGHT + 1, clock.LATEST]
    assert sorted(map(clock.moment, moments)) == list(map(clock.moment, moments))


def test_now_is_this_moment_in_milliseconds():
    before = int(time.time() * 1000)
    assert before <= clock.now() <= time.time() * 1000


@pytest.mark.parametrize("ms", [0, 1, 999, NIGHT, clock.LATEST])
def test_a_shown_moment_is_read_back(ms):
    assert clock.parse_moment(clock.moment(ms)) == ms


@pytest.mark.parametrize("text", [
    "2026-11-22T03:10:00.123Z",
    "2026-11-22t03:10:00.123z",
    "2026-11-22 03:10:00,123Z",
    "2026-11-22T03:10:00.123999Z",
    "2026-11-22T05:10:00.123+02:00",
    "2026-11-22T05:10:00.123+0200",
    "2026-11-21T21:40:00.123-05:30",
    "  2026-11-22T03:10:00.123 Z ",
    "1795317000.123",
    1795317000.123,
])
def test_one_moment_in_many_spellings(text):
    assert clock.parse_moment(text) == NIGHT


@pytest.mark.parametrize("zone_name", ["UTC", "EST5", "XYZ-5:30"])
@pytest.mark.parametrize("text, parts", [
    ("2026-11-22T03:10:07", (2026, 11, 22, 3, 10, 7)),
    ("2026-11-22 03:10", (2026, 11, 22, 3, 10, 0)),
    ("2026-11-22", (2026, 11, 22, 0, 0, 0)),
])
def test_a_bare_moment_is_local_time(zone, zone_name, text, parts):
    zone(zone_name)
    assert time.localtime(clock.parse_moment(text) / 1000)[:6] == parts


BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
HAVANA = "CST5CDT,M3.2.0/0,M11.1.0/1"


@pytest.mark.parametrize("zone_name, now, text, coming", [
    ("UTC", "2026-11-22T01:00:00Z", "03:00", "2026-11-22T03:00:00.000Z"),
    ("UTC", "2026-11-22T01:00:00Z", " 3:00 ", "2026-11-22T03:00:00.000Z"),
    ("UTC", "2026-11-22T23:59:59.999Z", "0:00", "2026-11-23T00:00:00.000Z"),
    ("UTC", "2026-12-31T03:00:00Z", "03:00", "2027-01-01T03:00:00.000Z"),
    ("UTC", "2026-11-22T03:00:30Z", "03:00", "2026-11-23T03:00:00.000Z"),
    (BERLIN, "2026-11-22T01:00:00Z", "03:00", "2026-11-22T02:00:00.000Z"),
    ("XYZ-5:30", "2026-11-22T01:00:00Z", "07:15", "2026-11-22T01:45:00.000Z"),
    # The clock leaps from two to three: half past two is when it leaps, that night and not the next.
    (BERLIN, "2026-03-28T22:00:00Z", "02:30", "2026-03-29T01:00:00.000Z"),
    (BERLIN, "2026-03-28T22:00:00Z", "02:00", "2026-03-29T01:00:00.000Z"),
    (BERLIN, "2026-03-28T22:00:00Z", "03:00", "2026-03-29T01:00:00.000Z"),
    (BERLIN, "2026-03-28T22:00:00Z", "03:01", "2026-03-29T01:01:00.000Z"),
    (BERLIN, "2026-03-28T22:00:00Z", "12:00", "2026-03-29T10:00:00.000Z"),
    (HAVANA, "2026-03-08T04:00:00Z", "00:30", "2026-03-08T05:00:00.000Z"),
    # From three back to two: half past two comes twice.
    (BERLIN, "2026-10-24T22:00:00Z", "02:30", "2026-10-25T00:30:00.000Z"),
    (BERLIN, "2026-10-25T00:30:00Z", "02:30", "2026-10-25T01:30:00.000Z"),
    (BERLIN, "2026-10-25T01:30:00Z", "02:30", "2026-10-26T01:30:00.000Z"),
    (BERLIN, "2026-10-25T00:30:00Z", "03:00", "2026-10-25T02:00:00.000Z"),
    (BERLIN, "2026-10-25T00:30:00Z", "12:00", "2026-10-25T11:00:00.000Z"),
])
def test_a_time_of_day_is_when_the_local_clock_next_shows_it(zone, zone_name, now, text, coming):
    zone(zone_name)
    assert clock.coming(text, clock.parse_moment(now)) == coming


@pytest.mark.parametrize("text", ["2026-11-22 03:10", "1795317000", "24:00", "3:60", "3:0", "003:00", "03:00Z", "03:00:00", "soon", ""])
def test_what_is_no_time_of_day_is_left_as_it_is(text):
    assert clock.coming(text, NIGHT) == text


@pytest.mark.parametrize("number, ms", [(0, 0), (90, 90000), ("90", 90000), (1.5, 1500), ("1795317000", 1795317000000)])
def test_a_number_is_seconds_since_1970(number, ms):
    assert clock.parse_moment(number) == ms


@pytest.mark.parametrize("bad", [
    "", "soon", "tomorrow", "03:10", "2026", "2026-11", "2026-13-01", "2026-02-30T00:00:00Z", "2026-02-30", "2027-02-29",
    "2026-11-22T24:00:00Z", "2026-11-22T03:60:00Z", "2026-11-22T03:10:00Q", "2026-11-22T03:10:00.1234567890Z",
    "-1", -1, True, None, [], float("nan"), float("inf"), 10 ** 30, "999999999999", "9999-12-31T23:59:59-23:59",
    "2026-11-22T03:10:00Z\n2026", "٢٠٢٦-11-22",
])
def test_what_is_no_moment_is_bad_input(bad):
    with pytest.raises(BadInput, match="not a moment"):
        clock.parse_moment(bad)


@pytest.mark.parametrize("text, seconds", [
    ("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("7d", 604800), ("1w", 604800), ("1.5h", 5400),
    ("250ms", 0.25), (" 5 m ", 300),
    ("1h30m", 5400), ("1d12h", 129600), ("2m30s", 150), ("1w2d3h4m5s", 788645), ("1h 30m", 5400), ("1 d 12 h", 129600), ("1h5s", 3605), ("0m90s", 90), (90, 90), (1.5, 1.5),
])
def test_durations_as_people_write_them(text, seconds):
    assert clock.parse_duration(text) == seconds


def test_whole_seconds_are_whole_numbers():
    assert isinstance(clock.parse_duration("1.5h"), int)


@pytest.mark.parametrize("bad", [
    "", "soon", "5x", "5M", "m", "-5", "-5m", "30m1h", "1h1h", "1h30", "1.5h30m", "1h-5m", "1m5ms", "h30m", "100y", "5 m m", "1e3", ".5", "5.", "5m\n5m", "٥m", "100000d", -1, True, None, [],
    float("nan"), float("inf"), "9" * 400,
])
def test_what_is_no_duration_is_bad_input(bad):
    with pytest.raises(BadInput, match="not a duration"):
        clock.parse_duration(bad)


@pytest.mark.parametrize("seconds, text", [
    (0, "0 ms"), (0.0004, "0 ms"), (0.012, "12 ms"), (0.0994, "99 ms"), (0.0996, "0.1 s"), (1.23, "1.2 s"), (3, "3 s"),
    (3.04, "3 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min"), (60, "1 min"), (200, "3 min 20 s"),
    (3599.6, "1 h"), (7500, "2 h 5 min"), (86399, "23 h 59 min"), (86400, "1 d"), (273600, "3 d 4 h"), (-200, "-3 min 20 s"),
])
def test_a_duration_as_a_person_says_it(seconds, text):
    assert clock.show_duration(seconds) == text
