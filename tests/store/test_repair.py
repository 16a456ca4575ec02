"""What a repair keeps, what it puts aside and what it says; and that it may be killed."""

import os
import stat

import pytest

from queuectl_lib.store import check, config, disk, header, journal, line, repair, store
from queuectl_lib.store.pauses import Pause
from queuectl_lib.words.errors import QueuectlError, StoreDamaged, StoreError
from queuectl_lib.words.finding import FAULT, REPAIRED, WARNING, WELL
from tests.store.stores import FAILURE, in_child, job, kill_myself, many, read, write


def ills(here):
    return [each for each in check.findings(here.store) if each.level != WELL]


def smash(path, text):
    """Overwrite a piece of the last line that holds this text, so that no single bit explains it."""
    lines = read(path).split(b"\n")
    number = max(number for number, each in enumerate(lines) if text in each)
    lines[number] = lines[number][:60] + b"\xff" * 30 + lines[number][90:]
    write(path, b"\n".join(lines))


def repaired(here):
    """What a repair says; afterwards nothing is wrong, and a second one has nothing to do."""
    done = repair.repair(here.store.paths)
    assert done and all(each.level == REPAIRED for each in done)
    assert ills(here) == []
    assert repair.repair(here.store.paths) == []
    return " | ".join("%s: %s" % (each.subject, each.text) for each in done)


@pytest.fixture
def busy(here):
    """Jobs in every place: archive, base, journal; one runs."""
    here.add("done", "waits", "other")
    here.run("done")
    here.roll()
    here.add("late")
    here.claim(here.worker())
    return here


def test_a_store_that_is_well_is_left_as_it_is(busy):
    before = read(busy.journal)
    assert ills(busy) == []
    assert repair.repair(busy.store.paths) == []
    assert read(busy.journal) == before
    assert not os.path.exists(busy.store.paths.damaged)


def test_a_job_whose_newest_line_is_lost_stands_as_its_line_before_says(busy):
    assert busy.find("waits").state == "processing"
    smash(busy.journal, b'"waits","state":"processing"')
    said = repaired(busy)
    assert "job waits is pending by its other lines, it may run again" in said
    assert busy.states() == {"done": "completed", "waits": "pending", "other": "pending", "late": "pending"}
    assert busy.opened().counts() == {"default": {"completed": 1, "pending": 3}}


def test_a_job_with_one_line_is_lost_with_it_and_named(busy):
    [lost] = [each for each in read(busy.journal).split(b"\n") if b'"late"' in each]
    smash(busy.journal, b'"late"')
    assert "job late is lost" in repaired(busy)
    assert sorted(busy.ids()) == ["done", "other", "waits"]
    aside, report = sorted(os.listdir(busy.store.paths.damaged))
    assert report == "report.1" and stat.S_IMODE(os.stat(busy.store.paths.damaged + "/report.1").st_mode) == 0o600
    data = read(busy.store.paths.damaged + "/" + aside)
    assert aside == "jobs.jsonl.1" and data.startswith(lost[:60] + b"\xff")
    assert stat.S_IMODE(os.stat(busy.store.paths.damaged + "/" + aside).st_mode) == 0o600


def test_check_and_repair_tell_the_same_of_bytes_that_are_set_right(here):
    here.add("a")
    here.flip(here.journal, read(here.journal).index(b'"a"') + 1)
    [fault] = ills(here)
    assert fault.text.endswith("; they can be set right")
    assert "nothing is lost" in repaired(here)


def test_check_and_repair_name_the_same_jobs(here):
    here.add("a", "b", "c")
    smash(here.journal, b'"a"')
    data = read(here.journal)
    at = data.index(b'{"id":"b"')
    write(here.journal, data[:at] + b"\0" * 80 + data[at + 80:])
    [fault] = ills(here)
    assert fault.text.endswith("(job a, 1 line that no job can be told from)")
    assert repaired(here).endswith("; job a is lost; 1 line that no job can be told from")


def test_a_job_behind_a_zeroed_header_is_not_among_the_damage(here):
    here.add("a")
    body = read(here.journal).index(b'{"id":"a"')
    write(here.journal, b"\0" * body + read(here.journal)[body:])
    header_lost, bytes_lost = ills(here)
    assert bytes_lost.text.endswith("(1 line that no job can be told from)")
    assert "; 1 line that no job can be told from" in repaired(here)
    assert here.ids() == ["a"]


def test_what_is_put_aside_never_overwrites_what_was(busy):
    for _ in range(3):
        busy.append(b"garbage\n")
        repaired(busy)
    assert sorted(os.listdir(busy.store.paths.damaged)) == ["jobs.jsonl.1", "jobs.jsonl.2", "jobs.jsonl.3",
                                                            "report.1", "report.2", "report.3"]


def test_what_was_found_is_written_down_before_a_kill_can_lose_it(busy, monkeypatch):
    smash(busy.journal, b'"late"')
    original = disk.write_file

    def killing(path, *arguments):
        original(path, *arguments)
        if path == busy.journal:
            kill_myself()

    monkeypatch.setattr(disk, "write_file", killing)
    assert in_child(lambda: repair.repair(busy.store.paths)) == -9
    assert ills(busy) == [] and repair.repair(busy.store.paths) == []
    assert read(busy.store.paths.damaged + "/report.1").endswith(b"(they are in damaged/jobs.jsonl.1): late\n")


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_of_a_batch_of_which_a_line_is_lost_the_others_are_kept(here, place):
    here.add("before")
    here.store.add([job(id) for id in ("first", "middle", "last")])
    here.add("behind")
    smash(here.journal, b'"%s"' % place.encode())
    repaired(here)
    assert set(here.ids()) == {"before", "first", "middle", "last", "behind"} - {place}


def test_of_a_batch_at_the_end_whose_last_line_is_lost_the_others_are_kept(here):
    here.store.add([job(id) for id in ("first", "middle", "last")])
    smash(here.journal, b'"last"')
    repaired(here)
    assert here.ids() == ["first", "middle"]


def test_a_segment_keeps_all_that_can_be_read(here):
    here.bulk(many(50))
    here.run("job-000", "job-001")
    smash(here.segment_files()[0], b'"job-020"')
    assert "job job-020 is lost" in repaired(here)
    assert len(here.ids()) == 49 and here.find("job-000").state == "completed"
    assert here.run_order() == ["job-%03d" % number for number in range(2, 50) if number != 20]


def test_where_bytes_were_taken_out_of_a_segment_only_those_jobs_are_lost(here):
    here.bulk(list(many(3, "a", queue="a")) + list(many(4, "b", queue="b")))
    here.store.remove(["b-001"])
    here.roll()
    path = here.segment_files()[0]
    data = read(path)
    at = data.index(b'{"id":"a-000"') + 40
    write(path, data[:at] + data[at + 50:])
    assert "job a-000 is lost" in repaired(here)
    here.roll()
    assert sorted(here.ids()) == ["a-001", "a-002", "b-000", "b-002", "b-003"]


@pytest.mark.parametrize("place", [5, 30, 50, 90])
def test_a_batch_is_kept_though_the_line_by_which_it_joined_is_damaged(here, place):
    here.add("before")
    here.bulk(many(3))
    here.store.remove(["job-001"])
    data = read(here.journal)
    at = data.index(b'{"segment":') + place
    write(here.journal, data[:at] + b"\xff" * 30 + data[at + 30:])
    assert "is kept" in repaired(here)
    here.roll()
    assert sorted(here.ids()) == ["before", "job-000", "job-002"]
    assert here.opened().counts() == {"default": {"pending": 3}}


def test_what_is_damaged_in_a_line_that_is_over_costs_no_job(here):
    here.bulk(many(5))
    here.run("job-000")
    here.roll()
    path = here.store.paths.segment("00000001")
    smash(path, b'"job-000"')
    assert "job job-000 is completed by its other lines" in repaired(here)
    assert len(here.ids()) == 5


def test_a_segment_that_lost_its_end_keeps_its_beginning(here):
    here.bulk(many(50))
    path = here.segment_files()[0]
    write(path, read(path)[:-300])
    repaired(here)
    assert len(here.ids()) == 49


def test_a_segment_that_is_missing_is_told_with_how_many_jobs_it_had(here):
    here.bulk(many(50))
    here.add("a")
    os.unlink(here.segment_files()[0])
    [fault] = ills(here)
    assert fault.subject == here.store.paths.base + "/00000001.jsonl"
    assert fault.level == FAULT and "up to 50 jobs" in fault.text and "restore it" in fault.advice
    assert "up to 50 jobs are lost" in repaired(here)
    assert here.ids() == ["a"]


def test_without_header_and_copy_all_is_built_from_the_lines(busy):
    jobs = {each.id: each for each in busy.opened().jobs()}
    smash(busy.journal, b'"queuectl":')
    write(busy.journal, b"\xff" * header.PAGE + read(busy.journal)[header.PAGE:])
    assert "jobs that were removed may be back" in repaired(busy)
    assert {each.id: each for each in busy.opened().jobs()} == jobs
    assert busy.store.pauses()["*"].reason == "rebuilt after damage: look, then queuectl resume"
    assert busy.claim(busy.worker()) is None
    assert busy.add("next")[0].order > max(each.order for each in jobs.values())
    busy.roll()
    assert set(busy.ids()) == set(jobs) | {"next"} and ills(busy) == []


def test_what_was_built_from_the_lines_names_no_segment_of_before(here):
    """Their numbers are given again: another job would be where it says that it is over."""
    here.add("runs")
    here.roll()
    claimed = here.claim(here.worker())
    write(here.journal, read(here.journal).replace(b'"generation"', b'"\xff\xff\xffration"'))
    assert "all was built" in repaired(here)
    here.add("new")
    here.roll()
    here.roll()
    assert here.states() == {"runs": "processing", "new": "pending"}
    assert here.finish(here.worker(claimed.worker), claimed)


def test_a_journal_that_is_gone_is_no_empty_store(busy):
    os.unlink(busy.journal)
    for action in (busy.opened, lambda: store.open_store(busy.root), lambda: busy.add("x")):
        with pytest.raises(StoreError, match="jobs.jsonl is missing|is not there"):
            action()
    assert not os.path.exists(busy.journal)
    assert "built from 2 segments" in repaired(busy)
    assert busy.states() == {"done": "completed", "waits": "pending", "other": "pending"}
    assert busy.claim(busy.worker()) is None


@pytest.mark.parametrize("trace", ["ballast", "worker.log", "damaged"])
def test_where_a_small_store_lost_its_journal_no_new_one_is_made(here, trace):
    here.add("a")
    if os.path.exists(here.store.paths.ballast):
        os.unlink(here.store.paths.ballast)
    os.unlink(here.journal)
    write(here.root + "/" + trace, b"{}")
    for action in (here.opened, lambda: store.open_store(here.root)):
        with pytest.raises(StoreDamaged, match="%s: restore it from a copy, or run 'queuectl doctor --repair'" % trace):
            action()
    os.unlink(here.root + "/" + trace)
    # As a founding leaves it that was killed.
    here.opened().add([job("b")])


def test_a_repair_without_journal_and_segments_makes_an_empty_store_and_says_so(here):
    here.add("a")
    os.unlink(here.journal)
    assert "it was missing, and there is no line of any job: the store is empty now" in repaired(here)
    here.add("b")
    assert here.run_order() == ["b"]


@pytest.mark.parametrize("edit, ids", [
    (lambda data: data + b'{"id": "typed", "command": "true"}\n', {"a", "b"}),
    (lambda data: data + b'{"id": "typed", "command": "true"}', {"a", "b"}),
    (lambda data: data + b"\n", {"a", "b"}),
    (lambda data: data.replace(b"\n", b"\r\n"), {"a", "b"}),
    (lambda data: data.replace(b'"command":"echo"', b'"command":"echo hello"'), {"a"}),
])
def test_what_an_editor_did_is_set_right_or_put_aside(here, edit, ids):
    here.add("a")
    here.add("b", command="echo")
    write(here.journal, edit(read(here.journal)))
    assert ills(here)
    repaired(here)
    assert set(here.ids()) == ids


def test_a_typed_job_is_told_with_where_it_is(here):
    here.add("a")
    here.append(b'{"id": "typed", "command": "true"}\n')
    said = repaired(here)
    assert "damaged/jobs.jsonl.1" in said and "job typed is lost" in said


def test_what_somebody_typed_or_changed_can_be_enqueued_from_where_it_lies(here):
    here.add("a")
    here.add("b", command="backup.sh")
    write(here.journal, read(here.journal).replace(b"backup.sh", b"backup-all.sh"))
    done = repair.repair(here.store.paths)[-1]
    assert "job b is lost" in done.text
    assert done.advice.endswith("queuectl enqueue --if-absent --file %s/damaged/jobs.jsonl.1" % here.root)


def test_a_file_that_is_not_the_stores_is_left_alone_by_a_roll_and_moved_by_a_repair(busy):
    path = busy.store.paths.base + "/copy of 00000001.jsonl"
    write(path, b"mine\n")
    busy.roll()
    busy.bulk(many(3))
    assert read(path) == b"mine\n"
    assert [each.level for each in ills(busy)] == [WARNING]
    repaired(busy)
    assert read(busy.store.paths.damaged + "/copy of 00000001.jsonl.1") == b"mine\n"


@pytest.mark.parametrize("text, kept", [
    (b"{", {}), (b"\xff\xff", {}),
    (b'{\n "crc": "00000000",\n "max_retries": 7,\n "timeout": 5\n}\n', {"max_retries": 7, "timeout": 5}),
    (b'{\n "max_retries": 7,\n "timeout": -5\n}\n', {"max_retries": 7}),
    (b'{\n "max_retries": 7,\n "tim#', {"max_retries": 7}),
    (b'{"retention": 86400, "timeout": -5, "max_retries": 7}', {"max_retries": 7, "retention": 86400}),
])
def test_settings_that_can_be_read_are_kept(here, text, kept):
    write(here.store.paths.config, text)
    assert [each.level for each in ills(here)] == [FAULT]
    assert "config.json" in repaired(here)
    assert config.stored_values(here.store.paths) == kept
    assert read(here.store.paths.damaged + "/config.json.1") == text


@pytest.mark.parametrize("text, said", [
    (b'{"retention": 86400, "timeout": -5, "retension": 7}',
     ("kept: retention; dropped: timeout: not a duration", "; unknown setting 'retension' (did you mean retention?)")),
    (b"{", ("no setting could be kept",)),
])
def test_of_settings_it_is_said_which_were_kept_and_which_dropped(here, text, said):
    write(here.store.paths.config, text)
    told = repaired(here)
    assert all(each in told for each in said)


def test_those_who_wait_for_a_job_that_is_lost_go_to_the_dlq(here):
    here.add("root")
    here.add("child", after=["root"])
    smash(here.journal, b'{"id":"root"')
    assert "child" in repaired(here)
    assert here.find("child").state == "dead"


def test_who_did_not_learn_that_another_one_completed_learns_it(here):
    here.add("root")
    here.add("child", after=["root"])
    here.roll()
    here.run("root")
    smash(here.journal, b'{"id":"child"')
    repaired(here)
    assert here.run_order() == ["child"]


def test_a_death_that_paused_its_queue_is_kept_with_the_pause(here):
    """One batch, and its last line goes into the new header."""
    here.store.change_pauses(lambda before: {"default": Pause(on_failure=True)})
    here.add("a", max_retries=0)
    here.run("a", outcome=FAILURE)
    here.flip(here.journal, header.PAGE + 50)
    repaired(here)
    here.add("b")
    assert here.states() == {"a": "dead", "b": "pending"}
    assert here.store.pauses()["default"].since is not None


def test_lines_of_a_batch_that_do_not_belong_where_they_lie_are_kept(here):
    here.store.add([job("a", queue="mail"), job("b")])
    here.roll()
    rewrite_sections(here, lambda sections: [each._replace(queue="other") for each in sections])
    assert "does not belong to its section" in repaired_from(here)
    assert sorted(here.run_order()) == ["a", "b"]


@pytest.mark.parametrize("kind", [header.READY, header.BLOCKED, header.DEAD])
def test_lines_that_are_sorted_by_other_things_and_lie_in_one_section_are_kept(here, kind):
    here.store.add([job("held", held=True), job("dead", max_retries=0), job("ready"), job("later", run_at=here.now / 1000 + 9)])
    here.run("dead", outcome=FAILURE)
    here.roll()
    rewrite_sections(here, lambda sections: [sections[0]._replace(kind=kind, end=max(each.end for each in sections))])
    assert "does not belong to its section" in repaired_from(here)
    assert here.states() == {"held": "pending", "dead": "dead", "ready": "pending", "later": "pending"}


def rewrite_sections(here, function):
    """Let the header say something else of the one segment there is."""
    live = journal.Journal(here.journal, writable=False)
    live.refresh()
    [entry] = live.header.segments
    wrong = entry._replace(sections=tuple(function(sorted(entry.sections, key=lambda each: each.start))))
    write(here.journal, header.encode(live.header._replace(segments=(wrong,)), live.body) + read(here.journal)[live.body:])


def repaired_from(here):
    """What is found before a repair."""
    found = " | ".join(each.text for each in ills(here))
    repaired(here)
    return found


def test_counts_that_do_not_fit_are_counted_anew(here):
    here.bulk(many(5))
    here.roll()
    live = journal.Journal(here.journal, writable=False)
    live.refresh()
    wrong = live.header._replace(counts={"default": {"pending": 7}})
    data = read(here.journal)
    write(here.journal, header.encode(wrong, live.body) + data[live.body:])
    [fault] = ills(here)
    assert "7 pending" in fault.text and "5 pending" in fault.text
    repaired(here)
    assert here.opened().counts() == {"default": {"pending": 5}}


def test_a_place_that_names_another_job_is_told(here):
    here.bulk(many(3))
    name = here.segments()[0].name
    here.append(line.encode_gone((name, 5, 50)))
    [fault] = ills(here)
    assert "bytes 5 to 50 of segment %s" % name in fault.text
    repaired(here)
    assert len(here.ids()) == 3


def test_a_job_that_stands_in_two_segments_is_told_and_counts_once(here):
    here.bulk(many(3))
    entry = header.as_dict(here.segments()[0])
    copy = dict(entry, name="00000009", counts={"default": {"pending": 3}})
    write(here.store.paths.base + "/00000009.jsonl", read(here.segment_files()[0]))
    write(here.store.paths.base + "/.00000009.index", read(here.indexes()[0]))
    here.append(line.encode_segment(copy))
    assert len(ills(here)) >= 3
    repaired(here)
    assert here.ids() == ["job-000", "job-001", "job-002"]


def test_a_newer_store_is_refused(here, monkeypatch):
    here.add("a")
    monkeypatch.setattr(header, "FORMAT", 2)
    write(here.journal, header.encode(header.EMPTY))
    monkeypatch.undo()
    [fault] = ills(here)
    assert "use the newer queuectl" in fault.text
    with pytest.raises(StoreError, match="use the newer queuectl"):
        repair.repair(here.store.paths)


@pytest.mark.parametrize("put", [os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_what_is_no_file_in_the_journals_place_is_told_and_left(here, put):
    os.unlink(here.journal)
    put(here.journal)
    assert [each.level for each in ills(here)] == [FAULT]
    with pytest.raises(StoreError, match="no plain file|is a link"):
        repair.repair(here.store.paths)
    assert os.path.isdir(here.journal) or os.path.islink(here.journal)


def test_a_segment_that_somebody_changed_from_end_to_end_is_told_in_few_words(here):
    here.bulk(many(3000))
    path = here.segment_files()[0]
    write(path, read(path).replace(b'"command":"true"', b'"command":"echo"'))
    found = ills(here)
    assert 1 <= len(found) <= 12
    assert all(len(each.text) < 1000 for each in repair.repair(here.store.paths))
    assert ills(here) == [] and here.ids() == []


STEPS = ["write_all", "sync", "replace", "sync_directory", "remove", "make_private_directory"]


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_leaves_a_store_that_can_be_repaired(busy, monkeypatch, step, times):
    jobs = {each.id: each for each in busy.opened().jobs()}
    for path in busy.segment_files() + [busy.journal]:
        busy.flip(path, 100)
    busy.flip(busy.journal, -20)
    left = [times]
    original = getattr(disk, step)

    def killing(*arguments):
        left[0] -= 1
        if not left[0]:
            kill_myself()
        return original(*arguments)

    monkeypatch.setattr(disk, step, killing)
    in_child(lambda: repair.repair(busy.store.paths))
    monkeypatch.setattr(disk, step, original)
    repair.repair(busy.store.paths)
    assert ills(busy) == []
    assert {each.id: each for each in busy.opened().jobs()} == jobs


def test_a_worker_goes_on_in_the_journal_that_a_repair_made(busy):
    desk = busy.worker()
    claimed = busy.claim(desk)
    busy.append(b"garbage\n")
    with pytest.raises(StoreDamaged):
        busy.finish(desk, claimed)
    repaired(busy)
    assert busy.finish(desk, claimed)
    assert busy.claim(desk).id == "late"


def test_a_damaged_job_keeps_no_other_from_running(here):
    """In a segment, where it is not met before its turn."""
    here.bulk(many(5))
    path = here.segment_files()[0]
    smash(path, b'"job-002"')
    desk = here.worker()
    ran = []
    for _ in range(20):
        try:
            claimed = here.claim(desk)
        except QueuectlError as error:
            assert "byte" in str(error)
            continue
        if claimed is not None:
            here.finish(desk, claimed)
            ran.append(claimed.id)
    assert ran == ["job-000", "job-001", "job-003", "job-004"]


def test_a_checkup_during_rolls_raises_no_false_alarm(here, monkeypatch):
    here.bulk(many(8))
    looks = []
    original = check.Checkup._open_segments

    def late(self):
        """What the header names is removed before it is opened."""
        looks.append(self)
        if len(looks) < 3:
            here.run(*here.ids("pending"))
            here.roll()
            here.bulk(many(8, prefix="more-%d" % len(looks)))
        original(self)

    monkeypatch.setattr(check.Checkup, "_open_segments", late)
    assert ills(here) == []
    assert len(looks) == 3
