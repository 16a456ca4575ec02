"""Every expected failure has one root and the exit code of the contract."""

import inspect

import pytest

from queuectl_lib.words import errors

EXIT_CODES = {
    "QueuectlError": 1, "NotDone": 1, "UnknownJob": 1, "DuplicateJob": 1,
    "BadInput": 2,
    "StoreError": 3, "StoreLocked": 3, "StoreDamaged": 3, "StorePlanted": 3, "StoreUnwritable": 3, "NewerFormat": 3,
    "DiskFull": 3,
}


def test_this_table_knows_every_error():
    classes = inspect.getmembers(errors, inspect.isclass)
    assert {name for name, _ in classes} == set(EXIT_CODES)


@pytest.mark.parametrize("name, code", sorted(EXIT_CODES.items()))
def test_each_error_has_its_exit_code_and_the_one_root(name, code):
    error = getattr(errors, name)("what is wrong: what to do")
    assert isinstance(error, errors.QueuectlError)
    assert error.exit_code == code
    assert str(error) == "what is wrong: what to do"


def test_whoever_catches_a_store_error_catches_all_of_them():
    for name in ("StoreLocked", "StoreDamaged", "StoreUnwritable", "NewerFormat", "DiskFull"):
        assert issubclass(getattr(errors, name), errors.StoreError)
