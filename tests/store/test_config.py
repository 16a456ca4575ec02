"""Settings: what each takes, what it refuses, and where they are kept."""

import os

import pytest

from queuectl_lib.job.lifecycle import Policy
from queuectl_lib.store import config
from queuectl_lib.store.defaults import DEFAULTS
from queuectl_lib.words.errors import BadInput, StoreDamaged, StoreUnwritable
from tests.store.stores import read, write

GOOD = [
    ("max_retries", "0", 0), ("max_retries", "1000000000", 10 ** 9),
    ("backoff_base", "2", 2), ("backoff_base", "1", 1), ("backoff_base", "1.5", 1.5), ("backoff_base", "1000", 1000),
    ("backoff_max", "90", 90), ("backoff_max", "1h", 3600), ("backoff_max", "0", 0),
    ("backoff_jitter", "500ms", 0.5), ("backoff_jitter", "0", 0),
    ("timeout", "5m", 300), ("timeout", "none", None),
    ("kill_grace", "0", 0), ("kill_grace", "10s", 10),
    ("poll_interval", "100ms", 0.1), ("poll_interval", "1", 1),
    ("output_limit", "65536", 65536), ("output_limit", "64KB", 65536), ("output_limit", "8k", 8192), ("output_limit", "1 MB", 1024 ** 2),
    ("output_limit", "1g", 1024 ** 3), ("output_limit", "100000b", 100000),
    ("durability", "normal", "normal"), ("durability", "full", "full"), ("durability", "fast", "fast"),
    ("no_retry_exit_codes", "2,126, 127", (2, 126, 127)), ("no_retry_exit_codes", "none", ()), ("no_retry_exit_codes", "3 3", (3,)),
    ("retention", "7d", 604800), ("retention", "none", None),
    ("on_dead", "mail -s dead ops", "mail -s dead ops"), ("on_complete", "none", None), ("hook_timeout", "5s", 5),
]
BAD = [
    ("max_retries", ["-1", "1.5", "many", "", "1000000001", "true", "1e3"]),
    ("backoff_base", ["0.5", "0", "-2", "nan", "inf", "two", "1001", ""]),
    ("backoff_max", ["-1", "soon", "", "1y"]),
    ("backoff_jitter", ["-1", "soon", ""]),
    ("timeout", ["0", "-5", "soon", ""]),
    ("kill_grace", ["-1", "soon", ""]),
    ("poll_interval", ["0", "-1", "soon", ""]),
    ("output_limit", ["", "0", "8191", "1KB", "KB", "1TB", "1KM", "-1", "1.5MB", "2000GB", "٣MB", "²MB", "9" * 5000]),
    ("durability", ["", "Full", "none", "always"]),
    ("no_retry_exit_codes", ["0", "256", "-1", "x", "1-3"]),
    ("retention", ["0", "-1", "soon"]), ("on_dead", [" ", "a\0b"]), ("hook_timeout", ["0", "none", "soon"]),
]


@pytest.mark.parametrize("key, text, value", GOOD)
def test_a_good_value_is_kept(here, key, text, value):
    assert config.set(here.store, key, text) == value
    assert getattr(here.opened().config, key) == value
    assert config.stored_values(here.store.paths) == {key: value}


@pytest.mark.parametrize("key, text", [(key, text) for key, texts in BAD for text in texts])
def test_a_bad_value_is_refused_and_nothing_changes(here, key, text):
    with pytest.raises(BadInput, match="^%s: " % key):
        config.set(here.store, key, text)
    assert config.load(here.store.paths) == DEFAULTS
    assert not os.path.exists(here.store.paths.config)


@pytest.mark.parametrize("key, value, shown", [
    ("max_retries", 7, "7"), ("backoff_base", 1.5, "1.5"), ("backoff_max", 3600, "1 h"), ("timeout", None, "none"),
    ("timeout", 90, "1 min 30 s"), ("output_limit", 1024 ** 2, "1MB"), ("output_limit", 65536, "64KB"), ("output_limit", 8193, "8193"),
    ("durability", "fast", "fast"),
])
def test_values_are_shown_as_people_write_them(key, value, shown):
    assert config.KEYS[key].show(value) == shown


def test_the_defaults_are_those_of_the_contract(here):
    assert here.store.config == (
        3, 2, 3600, 0, None, 10, 1, 1024 ** 2, "normal", (), None, None, None, 30, {})
    assert here.store.config.policy == Policy(2, 3600, 0)


def test_every_key_has_a_default_that_it_takes_and_a_meaning():
    assert tuple(config.KEYS) + ("limits",) == DEFAULTS._fields
    for (name, key), default in zip(config.KEYS.items(), DEFAULTS):
        assert key.meaning and key.show(default)
        assert default is None or key.parse(default) == default, name


def test_dashes_and_underscores_are_the_same():
    assert config.key_named("max-retries") == config.key_named("max_retries") == "max_retries"


@pytest.mark.parametrize("name, said", [("max_retry", "did you mean max_retries?"), ("xyzzy", "unknown setting 'xyzzy'")])
def test_an_unknown_key_is_named_with_the_nearest_known_one(here, name, said):
    for action in (lambda: config.set(here.store, name, "1"), lambda: config.unset(here.store, name)):
        with pytest.raises(BadInput) as error:
            action()
        assert said in str(error.value)


def test_unset_gives_a_key_its_default_again_and_leaves_the_others(here):
    config.set(here.store, "max-retries", "7")
    config.set(here.store, "timeout", "5m")
    config.unset(here.store, "max-retries")
    config.unset(here.store, "kill_grace")
    assert config.stored_values(here.store.paths) == {"timeout": 300}
    assert here.opened().config.max_retries == 3


def test_a_store_reads_its_settings_once(here):
    assert here.store.config.max_retries == 3
    config.set(here.opened(), "max_retries", "7")
    assert here.store.config.max_retries == 3


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"7", b"null", b'{"max_retries": -1}', b'{"max_retries": []}', b'{"no_such": 1}',
                                    b'{"durability": {}}', b'{"output_limit": null}', b"\xff\xfe", b'{"timeout": NaN}',
                                    b'{"timeout": %s}' % (b"9" * 400), b'{"max_retries": %s}' % (b"9" * 5000),
                                    pytest.param(b"[" * 100000, id="deep")])
def test_a_damaged_file_is_named_and_left_alone(here, damage):
    write(here.store.paths.config, damage)
    actions = [lambda: here.store.config, lambda: config.set(here.store, "max_retries", "7"), lambda: here.add("a")]
    for action in actions:
        with pytest.raises(StoreDamaged, match=r"config\.json: .*: mend it, or run 'queuectl doctor --repair'"):
            action()
    assert read(here.store.paths.config) == damage


@pytest.mark.parametrize("damage, said", [
    (b'{"timeout": "5m",\n "max_retries": 7', r"config\.json: is not JSON \(line 2\):"),
    (b"\xff", r"config\.json: is not JSON:"),
    (b"[]", r"config\.json: is no JSON object:"),
    (b'{"retension": 7}', r"config\.json: unknown setting 'retension' \(did you mean retention\?\):"),
    (b'{"timeout": -5}', r"config\.json: timeout: not a duration"),
])
def test_what_is_wrong_in_it_is_said(here, damage, said):
    write(here.store.paths.config, damage)
    with pytest.raises(StoreDamaged, match=said):
        here.store.config


def flipped(data, place, bit):
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1:]


def test_no_flipped_bit_is_taken_for_another_value(here):
    config.set(here.store, "max_retries", "5")
    config.set(here.store, "no_retry_exit_codes", "2,126")
    path = here.store.paths.config
    whole = read(path)
    values = config.stored_values(here.store.paths)
    for place in range(len(whole)):
        for bit in range(8):
            write(path, flipped(whole, place, bit))
            try:
                assert config.stored_values(here.store.paths) == values
            except StoreDamaged as error:
                assert path in str(error)


def test_after_an_edit_by_hand_the_line_with_the_crc_is_to_be_taken_out(here):
    config.set(here.store, "max_retries", "5")
    path = here.store.paths.config
    edited = read(path).replace(b"5", b"6")
    write(path, edited)
    with pytest.raises(StoreDamaged, match='if you edited it, take that line out'):
        config.load(here.store.paths)
    write(path, b"".join(each for each in edited.splitlines(keepends=True) if b"crc" not in each))
    assert config.load(here.store.paths).max_retries == 6
    config.set(here.store, "timeout", "5m")
    assert b'"crc"' in read(path) and config.stored_values(here.store.paths) == {"max_retries": 6, "timeout": 300}


def test_a_file_written_by_hand_needs_no_crc(here):
    write(here.store.paths.config, b'{"max_retries": 7, "timeout": "5m"}')
    assert config.load(here.store.paths).timeout == 300


def test_a_file_that_may_not_be_read_is_named(here, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")
    write(here.store.paths.config, b"{}")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreUnwritable, match="config.json"):
        config.load(here.store.paths)


def test_the_file_is_private(here):
    config.set(here.store, "max_retries", "7")
    assert os.stat(here.store.paths.config).st_mode & 0o777 == 0o600


def test_a_queues_limit_is_a_key_of_its_own(here):
    assert config.set(here.store, "queue.mail.limit", "2") == 2
    assert here.opened().config.limits == {"mail": 2}
    assert config.value_of(here.opened().config, "queue.mail.limit") == 2
    config.unset(here.store, "queue.mail.limit")
    assert here.opened().config.limits == {}


@pytest.mark.parametrize("key, text", [("queue.mail.limit", "0"), ("queue.mail.limit", "many"), ("queue..limit", "2"),
                                       ("queue.a b.limit", "2"), ("queue.mail.limits", "2")])
def test_a_bad_limit_is_refused(here, key, text):
    with pytest.raises(BadInput):
        config.set(here.store, key, text)
