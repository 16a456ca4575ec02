"""What a user may write into a job, what is refused, and what is made of it."""

import json
import os
import random

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput

NOW = 1795317000123
NOW_TEXT = "2026-11-22T03:10:00.123Z"
DEFAULTS = record.Defaults(max_retries=3, timeout=60, cwd="/srv", env=None)


def create(defaults=DEFAULTS, **fields):
    return record.create(dict({"command": "true"}, **fields), NOW, defaults)


def test_a_command_is_all_a_job_needs():
    job = record.create({"command": "tar -cf backup.tar ."}, NOW, DEFAULTS, id="nightly")
    given = {name: value for name, value in job._asdict().items() if value is not None}
    assert given == {
        "id": "nightly", "state": "pending", "queue": "default", "priority": 0, "attempts": 0, "max_retries": 3, "timeout": 60,
        "command": "tar -cf backup.tar .", "cwd": "/srv", "created_at": NOW_TEXT, "updated_at": NOW_TEXT,
        "history": ({"at": NOW_TEXT, "state": "pending"},)}


def test_a_job_is_a_value_that_cannot_be_changed():
    with pytest.raises(AttributeError):
        create().state = "dead"


GOOD = [
    ("id", "nightly", "nightly"),
    ("command", " true ", " true "),
    ("command", "echo 'a\nb'", "echo 'a\nb'"),
    ("command", "echo 日本語 \udcff", "echo 日本語 \udcff"),
    ("command", "x" * 131071, "x" * 131071),
    ("queue", "mail.high-1", "mail.high-1"),
    ("queue", None, "default"),
    ("priority", -10 ** 9, -10 ** 9),
    ("priority", 10 ** 9, 10 ** 9),
    ("priority", None, 0),
    ("max_retries", 0, 0),
    ("max_retries", 10 ** 9, 10 ** 9),
    ("max_retries", None, 3),
    ("timeout", 5, 5),
    ("timeout", 0.25, 0.25),
    ("timeout", "5m", 300),
    ("timeout", None, None),
    ("timeout", "none", None),
    ("run_at", "2026-11-22T05:10:00+02:00", "2026-11-22T03:10:00.000Z"),
    ("run_at", 1795317000, "2026-11-22T03:10:00.000Z"),
    ("run_at", None, None),
    ("cwd", "/srv/a/../b", "/srv/b"),
    ("cwd", None, "/srv"),
    ("env", {}, None),
    ("env", {"A": "1", "B_C": "x=y\n"}, {"A": "1", "B_C": "x=y\n"}),
    ("env", None, None),
]


@pytest.mark.parametrize("field, value, kept", GOOD)
def test_good_values_are_kept(field, value, kept):
    assert getattr(create(**{field: value}), field) == kept


BAD = [
    ("id", "", "id: "), ("id", "../x", "id: "), ("id", "a\x1b", "id: "), ("id", 7, "id: "), ("id", "a" * 129, "id: "),
    ("command", None, "needs a command"), ("command", "", "empty"), ("command", " \t\n", "empty"), ("command", "a\0b", "NUL"),
    ("command", 7, "not a number"), ("command", ["ls"], "not a list"), ("command", True, "not true or false"),
    ("command", "x" * 131072, "longer"), ("command", "é" * 65536, "longer"), ("command", "é" * 65000 + "\ud800", "surrogate"),
    ("queue", "", "queue: "), ("queue", "a b", "queue: "), ("queue", 7, "queue: "), ("queue", "../../etc", "queue: "),
    ("priority", "1", "priority: "), ("priority", 1.0, "priority: "), ("priority", True, "priority: "),
    ("priority", 10 ** 9 + 1, "priority: "), ("priority", -10 ** 400, "priority: "),
    ("max_retries", -1, "max_retries: "), ("max_retries", "3", "max_retries: "), ("max_retries", False, "max_retries: "),
    ("max_retries", 2.5, "max_retries: "), ("max_retries", 10 ** 9 + 1, "max_retries: "),
    ("timeout", 0, "timeout: "), ("timeout", -5, "timeout: "), ("timeout", "soon", "timeout: "), ("timeout", True, "timeout: "),
    ("timeout", float("nan"), "timeout: "), ("timeout", float("inf"), "timeout: "), ("timeout", [5], "timeout: "),
    ("run_at", "tomorrow", "run_at: "), ("run_at", "2026-02-30", "run_at: "), ("run_at", True, "run_at: "), ("run_at", -1, "run_at: "),
    ("run_at", {}, "run_at: "),
    ("cwd", "", "cwd: "), ("cwd", "a\0b", "cwd: "), ("cwd", 7, "cwd: "),
    ("env", "A=1", "env: "), ("env", ["A=1"], "env: "), ("env", {"A": 1}, "env: A: "), ("env", {"A": None}, "env: A: "),
    ("env", {"": "x"}, "env: "), ("env", {"A=B": "x"}, "env: "), ("env", {"A\0": "x"}, "env: "), ("env", {"A": "\0"}, "env: A: "),
    ("env", [], "env: "), ("env", 0, "env: "),
    ("timeout", 10 ** 400, "timeout: "), pytest.param("run_at", 10 ** 5000, "run_at: ", id="late"),
    pytest.param("priority", 10 ** 5000, "more than 18 digits", id="huge"),
    ("slots", [[]], "not a list"),
]


@pytest.mark.parametrize("field, value, said", BAD)
def test_bad_values_are_refused_and_the_field_is_named(field, value, said):
    with pytest.raises(BadInput) as error:
        create(**{field: value})
    assert said in str(error.value)
    assert field in str(error.value)


@pytest.mark.parametrize("field, value", [("command", "\ud800"), ("cwd", "/srv/\ud800"), ("env", {"A": "\ud800"}), ("env", {"\ud800": "a"})])
def test_a_text_the_system_could_never_be_given_is_refused(field, value):
    with pytest.raises(BadInput, match=field + ".*surrogate"):
        create(**{field: value})


@pytest.mark.parametrize("value", [None, 7, "true", True, ["true"], [{"command": "true"}]])
def test_only_an_object_is_a_job(value):
    with pytest.raises(BadInput, match="a job is a JSON object"):
        record.create(value, NOW, DEFAULTS)


@pytest.mark.parametrize("alias, value, field, kept", [
    ("run_timeout", "5m", "timeout", 300),
    ("available_at", 1795317000, "run_at", "2026-11-22T03:10:00.000Z"),
])
def test_names_of_other_queues_are_understood(alias, value, field, kept):
    assert getattr(create(**{alias: value}), field) == kept


@pytest.mark.parametrize("field, meant", [
    ("comand", "did you mean command?"), ("priorty", "did you mean priority?"), ("max_retrys", "did you mean max_retries?"),
    ("xyzzy", "'xyzzy'"), ("", "unknown field"),
])
def test_an_unknown_field_is_named_with_the_nearest_known_one(field, meant):
    with pytest.raises(BadInput, match="unknown field") as error:
        create(**{field: "x"})
    assert meant in str(error.value)


OURS = {"state": "dead", "attempts": 9, "created_at": "yesterday", "updated_at": 7, "started_at": "", "finished_at": {}, "worker": "1.a",
        "exit_code": "x", "signal": -1, "error": [], "duration": "long", "stdout": 7, "stderr": None, "stdout_size": -1,
        "stderr_size": -1, "stdout_file": "../../etc/passwd", "stderr_file": "x", "history": "none", "order": -7, "next_run_at": "soon",
        "was": 1, "due": 2, "over": 3, "more": 1, "crc": "00000000"}


def test_fields_that_are_ours_are_ignored_whatever_they_hold():
    assert create(**OURS) == create()


def run_once(job):
    claimed = lifecycle.claim(job._replace(id="nightly", order=4096), "1.a", NOW)
    outcome = lifecycle.Outcome(3, None, None, 0.5, lifecycle.Output("out\n", 4, None), None)
    return lifecycle.finish(claimed, outcome, NOW + 500, lifecycle.Policy(2, 3600, 0), None)


def test_a_printed_job_can_be_fed_back():
    first = create(queue="mail", priority=-3, timeout="5m", run_at=1795317000, env={"A": "1"}, max_retries=7)
    printed = json.loads(json.dumps(record.public(run_once(first))))
    assert record.create(printed, NOW, DEFAULTS) == first._replace(id="nightly")


def test_a_printed_job_shows_every_public_field_in_the_contracts_order():
    shown = record.public(run_once(create()))
    assert tuple(shown) == record.PUBLIC
    assert shown["timeout"] == 60 and shown["signal"] is None
    assert isinstance(shown["history"], list)
    assert [entry["state"] for entry in shown["history"]] == ["pending", "processing", "failed"]


def test_every_field_but_the_stores_own_is_public():
    assert set(record.Job._fields) - set(record.PUBLIC) == {"order"}


def test_a_default_holds_for_what_a_job_leaves_out():
    defaults = record.Defaults(9, 5, "mail", -1, NOW_TEXT, "/tmp", {"A": "1"}, ["a", "b"], True, NOW_TEXT, 2, 5)
    job = create(defaults)
    assert tuple(getattr(job, name) for name in defaults._fields) == tuple(defaults)
    assert create(defaults, timeout=None).timeout is None
    assert create(defaults, priority=0).priority == 0


def test_variables_of_one_job_go_over_those_given_for_all():
    defaults = DEFAULTS._replace(env={"A": "1", "B": "2"})
    assert create(defaults, env={"B": "3"}).env == {"A": "1", "B": "3"}
    assert defaults.env == {"A": "1", "B": "2"}


def test_a_given_id_goes_before_a_made_up_one():
    assert record.create({"command": "true", "id": "mine"}, NOW, DEFAULTS, id="made-up").id == "mine"


def test_a_relative_directory_is_meant_from_here():
    assert create(cwd="sub").cwd == os.path.join(os.getcwd(), "sub")


def test_moments_are_stored_as_text_that_sorts():
    late = create(run_at="9999-12-31T23:59:59Z")
    assert late.run_at > create(run_at=clock.moment(NOW)).run_at


SOME = {
    "id": [None, "a", "a.b-c", "", "a/b", 7],
    "command": ["true", "echo 'é' \udcff", " x\n", "", " ", None, 3, "a\0b", "\ud800"],
    "queue": [None, "default", "mail", "b.c", "no queue", 5],
    "priority": [None, 0, 7, -10 ** 9, 10 ** 10, True, "5", 1.5],
    "max_retries": [None, 0, 9, -1],
    "timeout": [None, "none", 5, 5.0, "2m", -1],
    "run_at": [None, 1800000000, "2026-12-01T00:00:00Z", "never"],
    "cwd": [None, "/tmp", "", 5],
    "env": [None, {}, {"B": "2", "A": "1"}, {"A": 1}],
    "attempts": [5],
    "comand": ["true"],
}


def some_fields(chance, names):
    given = {"command": chance.choice(SOME["command"][:3])}
    for name in chance.sample(names, chance.randrange(len(names))):
        given[name] = chance.choice(SOME[name] if chance.random() < 0.3 else SOME[name][:3])
    return given


def made(create, *args):
    try:
        return create(*args)
    except BadInput as error:
        return str(error)


def test_a_plain_job_is_what_it_would_be_with_other_fields_about():
    """queuectl's own fields are ignored, but with one of them a job is not plain."""
    chance = random.Random(5)
    plain = sorted(record.PLAIN)
    for _ in range(5000):
        fields = some_fields(chance, plain)
        job = made(record.create, fields, NOW, DEFAULTS)
        assert job == made(record.create, dict(fields, attempts=5), NOW, DEFAULTS), fields
        assert isinstance(job, (record.Job, str))


def test_one_maker_makes_of_many_jobs_what_it_would_make_of_each_alone():
    chance = random.Random(6)
    defaults = DEFAULTS._replace(env={"A": "0"}, queue="mail", priority=3)
    maker = record.Maker(NOW, defaults)
    for number in range(5000):
        fields = some_fields(chance, sorted(SOME))
        assert made(maker.create, fields, "id-%d" % number) == made(record.create, fields, NOW, defaults, "id-%d" % number)
    assert made(maker.create, ["command"]) == made(record.create, ["command"], NOW, defaults)


@pytest.mark.parametrize("env", [{"A": ["hunter2"]}, {"A": "hunter2\0"}, {"A=hunter2": "x"}, {"A": "hunter2\ud800"}])
def test_no_value_of_a_variable_is_quoted(env):
    with pytest.raises(BadInput) as error:
        create(env=env)
    assert "hunter2" not in str(error.value) and "A" in str(error.value)
