"""What a person sees of something long, and that nothing of it stays."""

import itertools

import pytest

from queuectl_lib.faces.progress import Bar


class Screen:
    """A terminal's line as it looks after what was written, and every look it had."""

    def __init__(self, width=80):
        self.width = width
        self.line = ""
        self.looks = []

    def text(self, written):
        for piece in written.split("\r"):
            self.line = piece + self.line[len(piece):]
        assert len(self.line) < self.width
        self.looks.append(self.line.rstrip())

    def flush(self):
        pass


def bar(screen, share=lambda: None, step=0.05):
    """A Bar for which a moment passes whenever it looks at the clock."""
    return Bar(screen, "jobs", share, clock=itertools.count(0, step).__next__)


def test_the_items_come_through_and_the_line_is_gone_at_the_end():
    screen = Screen()
    with bar(screen) as shown:
        assert list(shown.watched(range(100))) == list(range(100))
        assert screen.looks[-1].startswith("100 jobs, ")
    assert screen.line.strip() == ""


def test_count_rate_share_and_the_time_left_are_shown():
    screen = Screen()
    with Bar(screen, "jobs", lambda: 0.43, clock=iter([0, 9, 10]).__next__) as shown:
        next(shown.watched(range(3)))
        shown = screen.looks[-1]
    assert shown == "[########............]  43 %  1 jobs, 0 a second, 13 s left"


def test_nothing_stays_of_a_longer_line():
    screen = Screen()
    shares = iter([0.43, None])
    with Bar(screen, "jobs", lambda: next(shares), clock=itertools.count(0, 10).__next__) as shown:
        watched = shown.watched(range(3))
        next(watched), next(watched)
        assert screen.looks[-1] == "2 jobs, 0 a second"


def test_a_remark_stands_on_a_line_of_its_own(capsys):
    screen = Screen()
    with bar(screen, step=1) as shown:
        shown.tell("job a: pending")
        assert screen.looks[-1] == "job a: pending"
        shown.note("it is held")
        assert screen.line.strip() == "" and capsys.readouterr().err == "queuectl: it is held\n"
        shown.tell("job a: held")
        assert screen.looks[-1] == "job a: held"
    assert screen.line.strip() == ""


def test_what_nobody_would_see_is_not_drawn():
    screen = Screen()
    with bar(screen, step=0.001) as shown:
        list(shown.watched(range(100)))
    assert screen.looks == []


def test_it_is_not_drawn_more_often_than_anybody_can_read():
    screen = Screen()
    with bar(screen, step=0.01) as shown:
        list(shown.watched(range(1000)))
    assert 10 < len(screen.looks) < 150


@pytest.mark.parametrize("width", [1, 10, 15, 20, 30, 40, 60, 200])
def test_on_a_narrow_terminal_there_is_less_but_nothing_cut(width):
    screen = Screen(width)
    with bar(screen, lambda: 0.5) as shown:
        list(shown.watched(range(100)))
    for look in screen.looks:
        assert look == "" or look.endswith(("jobs", "a second", "left"))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_line_is_gone_also_when_it_ends_badly(error):
    screen = Screen()
    with pytest.raises(error):
        with bar(screen) as shown:
            for number in shown.watched(range(100)):
                if number == 50:
                    assert screen.line.strip()
                    screen.line += "^C"
                    raise error
    assert screen.line.strip() == ""


def test_where_nobody_looks_the_items_are_passed_on_as_they_are():
    items = [1, 2]
    with Bar(None, "jobs", None) as shown:
        assert shown.watched(items) is items


def test_a_terminal_that_went_away_stops_nothing():
    screen = Screen()

    def gone(text):
        raise OSError(5, "Input/output error")
    screen.text = gone
    with bar(screen) as shown:
        assert len(list(shown.watched(range(100)))) == 100


def test_what_takes_long_and_tells_nothing_meanwhile_is_said_at_once():
    screen = Screen()
    with Bar(screen, "jobs", None, clock=lambda: 0) as shown:
        shown.tell("soon over")
        assert screen.looks == []
        shown.tell("reading", at_once=True)
        assert screen.line == "reading"
    assert screen.line.strip() == ""
    with Bar(None, "jobs", None) as shown:
        shown.tell("reading", at_once=True)
