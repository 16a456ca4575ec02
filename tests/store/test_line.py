"""A job is one line; a line that is not what was written is noticed."""

import json
import random

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import cursor, line, pieces
from queuectl_lib.store.alike import Alike
from queuectl_lib.words.errors import BadInput, StoreDamaged
from tests.store.stores import FAILURE, ODD, POLICY, START, SUCCESS, job

OVER = ("00000007", 120, 560)


def new():
    return job("nightly")._replace(order=4096)


def delayed():
    return job("nightly", run_at=START / 1000 + 60, queue="mail", priority=-3)._replace(order=0)


def running():
    return lifecycle.claim(new(), "1.a", START)


def failed():
    return lifecycle.finish(running(), FAILURE, START, POLICY, random)


def odd():
    """A job whose every text holds what is awkward."""
    output = lifecycle.Output(ODD, 4, None)
    claimed = lifecycle.claim(job("nightly", command=ODD, cwd="/" + ODD, env={"A": ODD})._replace(order=1), "1.a", START)
    return lifecycle.finish(claimed, SUCCESS._replace(error=ODD, stdout=output, stderr=output), START, POLICY, random)


def dead():
    return failed()._replace(state="dead", next_run_at=None)


JOBS = [new, delayed, running, failed, odd, dead]


def decoded(data):
    assert data.endswith(b"\n") and data.count(b"\n") == 1
    return line.decode(data[:-1], "jobs.jsonl", 0)


@pytest.mark.parametrize("make", JOBS)
@pytest.mark.parametrize("was, over, more", [(None, None, False), (("pending", "default"), OVER, False), (None, None, True)])
def test_a_job_is_read_as_it_was_written(make, was, over, more):
    assert decoded(line.encode(make(), was, over, more)) == (make(), over)


@pytest.mark.parametrize("make", JOBS)
@pytest.mark.parametrize("was, over, more", [(None, None, False), (("failed", "a.b-c"), OVER, True)])
def test_what_is_sliced_out_of_the_bytes_is_what_json_says(make, was, over, more):
    data = line.encode(make(), was, over, more)
    head = line.HEAD.match(data).groups()
    fields = json.loads(data)
    assert [text and text.decode() for text in head] == [
        fields["id"], fields["state"], was and fields["was"][0], was and fields["was"][1], fields["queue"],
        str(fields["priority"]), str(fields["order"]), "null" if fields["due"] is None else str(fields["due"]),
        over and fields["over"][0], over and str(fields["over"][1]), over and str(fields["over"][2]),
        '","'.join(fields["waits_for"]) if "waits_for" in fields else None, str(fields["slots"]) if "slots" in fields else None,
        None, ',"more":1' if more else None]


def test_a_line_is_plain_ascii_json_without_nulls():
    data = line.encode(odd(), None)
    data.decode("ascii")
    assert None not in [value for name, value in json.loads(data).items() if name not in ("was", "due")]


@pytest.mark.parametrize("make, due", [
    (new, 0), (delayed, START + 60000), (running, None), (failed, START + 2000), (dead, None),
])
def test_a_line_says_when_its_job_is_due(make, due):
    assert json.loads(line.encode(make(), None))["due"] == due


@pytest.mark.parametrize("make", [new, odd])
def test_a_flip_of_any_single_bit_is_noticed(make):
    data = line.encode(make(), ("pending", "default"), OVER)[:-1]
    assert line.is_whole(data)
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            assert not line.is_whole(bytes(flipped)), (place, bit)


def test_no_line_is_shorter_than_who_looks_for_two_in_one_thinks():
    job = record.create({"id": "a", "command": "x", "queue": "q"}, 0, record.Defaults(cwd=""))._replace(order=0)
    assert len(line.encode(job, None)) >= cursor.SHORTEST


def test_a_line_cut_anywhere_is_not_whole():
    data = line.encode(new(), None)[:-1]
    assert [end for end in range(len(data)) if line.is_whole(data[:end])] == []


def test_a_damaged_line_is_named_by_file_and_place():
    data = line.encode(new(), None)
    with pytest.raises(StoreDamaged, match=r"base/00000001\.jsonl: the line at byte 4096 "):
        line.decode(data[1:-1], "base/00000001.jsonl", 4096)


def test_the_longest_line_fits_and_one_byte_more_is_bad_input():
    room = line.LONGEST - len(line.encode(new()._replace(stdout=""), None))
    assert len(line.encode(new()._replace(stdout="x" * room), None)) == line.LONGEST
    with pytest.raises(BadInput, match="nightly is too big: 1048577 bytes"):
        line.encode(new()._replace(stdout="x" * (room + 1)), None)


def test_a_job_that_just_fits_can_be_run_to_its_end(here):
    room = line.LONGEST - len(line.encode(job("big", env={"A": ""})._replace(order=1 << 40), None))
    here.add("big", env={"A": "x" * room})
    here.run("big")
    here.roll()
    assert here.find("big").state == "completed"


def test_every_entry_of_a_journal_is_told_with_its_place():
    lines = [line.encode(new(), None), line.encode_gone(OVER), line.encode_removed(dead(), OVER)]
    entries, end = pieces.scan(b"".join(lines), 4096, "jobs.jsonl")
    assert [(offset, length) for _, offset, length in entries] == [
        (4096, len(lines[0]) - 1), (4096 + len(lines[0]), len(lines[1]) - 1),
        (4096 + len(lines[0]) + len(lines[1]), len(lines[2]) - 1)]
    assert end == 4096 + sum(map(len, lines))
    assert entries[0][0][0] == b"nightly"
    assert entries[1][0]["gone"] == list(OVER)
    assert entries[2][0][1] == line.REMOVED and entries[2][0][2] == b"dead"


def test_a_batch_counts_only_as_a_whole():
    alone = line.encode(new(), None)
    first, second, last = (line.encode(new(), None, more=more) for more in (True, True, False))
    assert pieces.scan(alone + first + second, 0, "x")[1] == len(alone)
    assert len(pieces.scan(alone + first + second, 0, "x")[0]) == 1
    assert len(pieces.scan(alone + first + second + last, 0, "x")[0]) == 4


@pytest.mark.parametrize("cut", [1, 2, 20, 200])
def test_an_unfinished_last_line_is_not_there_yet(cut):
    data = line.encode(new(), None)
    entries, end = pieces.scan(data + data[:-cut], 0, "jobs.jsonl")
    assert len(entries) == 1 and end == len(data)


def test_a_damaged_line_between_good_ones_stops_a_scan():
    data = line.encode(new(), None)
    with pytest.raises(StoreDamaged, match="at byte %d " % len(data)):
        pieces.scan(data + b"garbage\n" + data, 0, "jobs.jsonl")


def settled_lines():
    """Of jobs that wait for no moment: running, ended, removed, some of them from a segment."""
    running = lifecycle.claim(new(), "1.a", START)
    return [line.encode(running, ("pending", "default")), line.encode(dead(), ("processing", "default"), OVER),
            line.encode_removed(dead(), OVER), line.encode(running._replace(id="a", queue="other"), None)]


def test_lines_of_jobs_that_wait_for_nothing_are_told_by_id_and_place():
    data = b"".join(settled_lines())
    ids, offsets = pieces.settled(data, 4096)
    assert list(zip(ids, offsets)) == [(head[0], offset) for head, offset, _ in pieces.scan(data, 4096, "x")[0]]


@pytest.mark.parametrize("other", [
    line.encode(new(), None), line.encode_gone(OVER), b"garbage\n", b'{"id":"a"}\n', b"\n",
    settled_lines()[0][:-1], settled_lines()[1].replace(b',"attempts"', b',"more":1,"attempts"'),
    line.encode(lifecycle.claim(new(), "1.a", START), ("pending", "default"), more=True)])
def test_among_other_lines_they_are_not(other):
    first, *rest = settled_lines()
    assert pieces.settled(first + b"".join(rest) + other, 0) is None
    if other.endswith(b"\n"):
        assert pieces.settled(first + other + b"".join(rest), 0) is None


TRICKY = 'x,"max_retries":9,"timeout":1'


@pytest.mark.parametrize("make", JOBS)
def test_what_no_run_changes_can_be_copied_from_an_earlier_line(make):
    before = make()._replace(error=TRICKY, stdout=TRICKY, command=TRICKY, env={"A": TRICKY})
    after = lifecycle.claim(before, "2.b", START + 1)
    fixed = line.fixed_part(line.encode(before, None, OVER)[:-1])
    assert line.encode(after, ("failed", "default"), fixed=fixed) == line.encode(after, ("failed", "default"))


def test_jobs_encoded_one_after_the_other_have_the_lines_they_would_have_alone():
    chance = random.Random(3)
    variables = [None, {}, {"A": "1", "command": ODD}, {"B": "2", "A": "1"}, {"A": "1", "B": "2"}]
    commands = ["true", ODD, '","order":0', ',"command":""', "x" * 1000]
    alike = Alike()
    model = job()
    for number in range(3000):
        if chance.random() < 0.3:
            model = job(command=chance.choice(commands), now=START + chance.randrange(3), env=chance.choice(variables),
                        cwd=chance.choice(["/srv", "/" + ODD, '/","order":0,"command":"","']), max_retries=chance.choice([0, 3]),
                        timeout=chance.choice([None, 5, 1.5]), run_at=chance.choice([None, START / 1000, START / 1000 + 9]))
        new = model._replace(command=chance.choice(commands), queue=chance.choice("ab"), priority=chance.randrange(-3, 3))
        data = alike.encode(new, "id-%d" % number, 4096 * number)
        assert data == line.encode(new._replace(id="id-%d" % number, order=4096 * number), None)


def test_a_line_that_is_too_long_is_refused_however_it_is_encoded():
    long = job(cwd="/" + "x" * line.LONGEST)
    with pytest.raises(BadInput, match="job id-1 is too big"):
        Alike().encode(long, "id-1", 0)
