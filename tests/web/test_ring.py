"""The ring of what the event streams were told: everybody gets each message once and in order, or is told that some are gone."""

import threading
import time

from queuectl_lib.faces.web.ring import Ring

WRITERS = 4
READERS = 6
EACH = 200


def numbered(number):
    return b"%d\n" % number


def numbered_at_leisure(number):
    """Lets other threads go first: what wants a lock shows it."""
    time.sleep(0)
    return numbered(number)


def filled(count, **bounds):
    ring = Ring(**bounds)
    for _ in range(count):
        ring.publish(numbered)
    return ring


def test_what_came_after_a_number_is_told_in_order():
    ring = filled(3)
    assert ring.after(0) == (b"1\n2\n3\n", 3)
    assert ring.after(2) == (b"3\n", 3)
    assert ring.after(3) == (b"", 3)


def test_each_message_is_made_once_with_its_own_number_and_told_of():
    told = []
    ring = Ring(told=lambda: told.append(ring.last))
    assert [ring.publish(numbered) for _ in range(3)] == [1, 2, 3] and told == [1, 2, 3]


def test_who_is_further_behind_than_the_ring_reaches_is_told_so():
    ring = filled(10, most=4)
    assert ring.after(6) == (b"7\n8\n9\n10\n", 10)
    assert ring.after(5) is None


def test_a_number_that_was_never_given_is_not_gone_on_from():
    assert filled(3).after(4) is None


def test_no_more_is_kept_than_so_many_bytes():
    ring = Ring(most_bytes=100)
    for _ in range(50):
        ring.publish(lambda number: b"x" * 40)
    assert ring.after(48) == (b"x" * 80, 50) and ring.after(47) is None
    ring.publish(lambda number: b"y" * 1000)
    assert ring.after(50) == (b"y" * 1000, 51)


def test_who_is_far_behind_is_given_it_piece_by_piece():
    """A copy of all of it for each of many slow streams would be much."""
    ring = Ring()
    for _ in range(20):
        ring.publish(lambda number: b"%02d" % number + b"x" * 100000)
    ring.publish(lambda number: b"21" + b"y" * 1000000)
    got, number = b"", 0
    while number < ring.last:
        piece, number = ring.after(number)
        assert 0 < len(piece) <= 300000 or piece.startswith(b"21")
        got += piece
    assert got == b"".join(b"%02d" % each + b"x" * 100000 for each in range(1, 21)) + b"21" + b"y" * 1000000


def test_streams_that_keep_up_share_the_bytes():
    ring = filled(5)
    assert ring.after(2)[0] is ring.after(2)[0]


def test_a_message_that_cannot_be_made_leaves_no_gap():
    ring = filled(2)

    def fails(number):
        raise ValueError
    try:
        ring.publish(fails)
    except ValueError:
        pass
    assert ring.publish(numbered) == 3 and ring.after(0) == (b"1\n2\n3\n", 3)


def test_many_threads_at_once_lose_and_double_nothing():
    ring = Ring(most=WRITERS * EACH)
    found = [[] for _ in range(READERS)]
    begin = threading.Barrier(WRITERS + READERS)
    done = threading.Event()

    def write():
        begin.wait()
        for _ in range(EACH):
            ring.publish(numbered_at_leisure)

    def read(into):
        begin.wait()
        number = 0
        while not done.is_set() or number < ring.last:
            data, number = ring.after(number)
            into.append(data)

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    readers = [threading.Thread(target=read, args=(into,)) for into in found]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    for thread in readers:
        thread.join(60)
    expected = b"".join(numbered(number) for number in range(1, WRITERS * EACH + 1))
    assert [b"".join(each) == expected for each in found] == [True] * READERS


def test_of_a_short_ring_a_slow_reader_gets_what_is_whole_or_nothing():
    ring = Ring(most=8)
    ends = []
    torn = []
    done = threading.Event()

    def read():
        number = 0
        while not done.is_set() or number < ring.last:
            found = ring.after(number)
            if found is None:
                number = ring.last
                continue
            if [int(line) for line in found[0].split()] != list(range(number + 1, found[1] + 1)):
                torn.append(found)
            number = found[1]
        ends.append(number)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5000):
        ring.publish(numbered_at_leisure)
    done.set()
    reader.join(60)
    assert ends == [5000] and torn == []
