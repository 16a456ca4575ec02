"""Lines are cut out of what arrives, and gathered into groups; nothing that was read is ever left behind."""

import pytest

from queuectl_lib.faces import gathering
from queuectl_lib.faces.gathering import Cutter, Intake


class Arriving:
    """Stands in for arriving.Arrivals: what comes when, by a clock that only waiting moves."""

    def __init__(self, *coming):
        """coming: (seconds from now on, bytes), in order; behind them nothing comes."""
        self.now = 0.0
        self.asked = 0
        self._is_waiting = False
        self._coming = list(coming)

    def next(self, seconds=None):
        self.asked += 1
        self._is_waiting = True
        return self.rest(seconds)

    def rest(self, seconds=None):
        """An error that comes is raised."""
        at, _ = self._coming[0] if self._coming and self._is_waiting else (float("inf"), None)
        if seconds is not None and at > self.now + seconds:
            self.now += seconds
            return None
        assert self._coming, "it would wait for ever"
        self.now = max(self.now, at)
        data = self._coming.pop(0)[1]
        # A nudge brings nothing.
        self._is_waiting = data is None
        if isinstance(data, OSError):
            raise data
        return data

    def nudge(self):
        pass


def cut(*pieces):
    """(number, bytes, whole?) of all lines in these pieces, the last one ended or not."""
    cutter = Cutter()
    found = [line for piece in pieces for line in cutter.cut(piece)]
    return [tuple(line) for line in found + cutter.rest()]


def groups(arriving, most=1000, intake=None):
    """[(when, numbers)] of all groups."""
    intake = Intake(arriving, lambda: arriving.now) if intake is None else intake
    found = []
    while intake.gather(most):
        found.append((round(arriving.now, 3), [line.number for line in intake.take(most)]))
    return found


@pytest.mark.parametrize("pieces", [[b"a\n\nb\n"], [b"a", b"\n", b"\n", b"b\n"], [b"a\n \r\nb"], [b"\xef\xbb\xbfa\n\n", b"b\n"]])
def test_lines_have_the_numbers_that_an_editor_shows(pieces):
    assert cut(*pieces) == [(1, b"a", True), (3, b"b", True)]


def test_what_is_too_long_comes_in_pieces_none_of_which_can_be_a_job(monkeypatch):
    monkeypatch.setattr(gathering, "LONGEST", 10)
    assert cut(b"a\n012345", b"6789abc", b'{"command":', b'"x"}\nb\n{"') == [
        (1, b"a", True), (2, b"0123456789abc", False), (2, b'{"command":', False), (2, b'"x"}', False), (3, b"b", True), (4, b'{"', True)]


def test_a_group_is_what_comes_within_a_moment_of_its_first_line():
    arriving = Arriving((1, b"1\n2\n"), (1.05, b"3\n"), (1.09, b"4"), (2, b"\n"), (2.2, b"5\n"), (9, b"6\n"), (9, b""))
    assert groups(arriving) == [(1.1, [1, 2, 3]), (2.1, [4]), (2.3, [5]), (9, [6])]


def test_a_large_group_is_taken_at_once_and_the_rest_comes_after_it():
    arriving = Arriving((1, b"1\n2\n3\n4\n5\n"), (1, b"6\n"), (1, b""))
    assert groups(arriving, most=2) == [(1, [1, 2]), (1, [3, 4]), (1, [5, 6])]


def test_of_long_lines_fewer_are_a_group(monkeypatch):
    monkeypatch.setattr(gathering, "LARGEST", 10)
    arriving = Arriving((1, b"123456789\n"), (1.01, b"2\n34\n"), (1.02, b"5\n"), (2, b"6\n"), (2, b""))
    assert groups(arriving) == [(1.01, [1, 2, 3]), (1.12, [4]), (2, [5])]


@pytest.mark.parametrize("wait", [lambda intake: intake.gather(9), lambda intake: intake.rest(9), lambda intake: intake.end()])
def test_an_error_ends_it_whoever_meets_it(wait):
    """Somebody who rests may have asked for lines before."""
    error = OSError("gone")
    arriving = Arriving((0, b"1\n2"), (0.2, error))
    intake = Intake(arriving, lambda: arriving.now)
    assert intake.gather(9) and len(intake.take(9)) == 1 and intake.error is None
    arriving.now = 0.2
    wait(intake)
    assert intake.error is error
    assert intake.gather(9) and [line.data for line in intake.take(9)] == [b"2"] and not intake.gather(9)


def test_what_was_read_waits_no_longer_when_it_was_kept_waiting():
    arriving = Arriving((0, b"1\n2\n3\n"))
    intake = Intake(arriving, lambda: arriving.now)
    assert intake.gather(2) and len(intake.take(1)) == 1
    intake.rest(5)
    asked = arriving.asked
    assert intake.gather(1000) and arriving.asked == asked


def test_who_rests_reads_no_further():
    arriving = Arriving((0, b"1\n"), (9, b"2\n"), (9, b""))
    intake = Intake(arriving, lambda: arriving.now)
    intake.gather(1)
    asked = arriving.asked
    intake.rest(1)
    assert arriving.asked == asked and len(intake) == 1


def leaving(arriving):
    intake = Intake(arriving, lambda: arriving.now)
    intake.leave()
    return groups(arriving, intake=intake), arriving.now


def test_who_leaves_takes_along_what_comes_within_a_second():
    assert leaving(Arriving((0, b"1\n"), (0.4, b"2\n"), (0.9, b"3\n4"), (1.2, b"5\n"))) == ([(0.4, [1, 2]), (1.0, [3, 4])], 1.0)
    assert leaving(Arriving((0, b"1\n"), (0.2, b"")))[1] == 0.2
    assert leaving(Arriving()) == ([], 1.0)


def test_who_leaves_takes_no_more_along_than_a_pipe_holds():
    chunk = (b"x" * 1023 + b"\n") * 64
    found, now = leaving(Arriving(*[(0, chunk)] * 1000))
    assert sum(len(numbers) for _, numbers in found) == 1024


def test_a_signal_that_comes_while_it_is_busy_is_not_taken_for_silence():
    """A nudge stays where it was put until somebody waits."""
    arriving = Arriving((0, None), (0, b"1\n"), (0, b""))
    assert leaving(arriving)[0] == [(0, [1])]


def test_what_came_while_nobody_waited_counts_as_read_in_the_end():
    arriving = Arriving((0, b"1\n"), (0.5, b"2\n3"))
    intake = Intake(arriving, lambda: arriving.now)
    intake.gather(9)
    arriving.now = 1
    intake.end()
    assert [line.number for line in intake.take(9)] == [1, 2, 3]


def test_half_a_line_counts_as_one_in_the_end():
    arriving = Arriving((0, b"1\n2"))
    intake = Intake(arriving, lambda: arriving.now)
    intake.gather(1)
    intake.end()
    assert [line.data for line in intake.take(9)] == [b"1", b"2"]
    assert not intake.gather(1)
