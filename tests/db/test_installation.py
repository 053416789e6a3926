from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from db import installation
from db.engine import Database
from db.errors import AlreadyThere, StatementRefused
from tests.db.rows import INSTALLATION


def test_installation_comes_back_as_it_was_stored(database: Database) -> None:
    with database.write() as write:
        assert installation.find(write) is None
        installation.insert(write, INSTALLATION)
    with database.read() as read:
        assert installation.find(read) == INSTALLATION


def test_of_many_foundings_at_once_one_stands(database: Database) -> None:
    def found(number: int) -> bool:
        try:
            with database.write() as write:
                installation.insert(write, replace(INSTALLATION, campus_name=f"Campus {number}"))
        except AlreadyThere:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        stood = list(pool.map(found, range(6)))
    with database.read() as read:
        installed = installation.find(read)
    assert installed is not None
    assert stood == [installed.campus_name == f"Campus {number}" for number in range(6)]


def test_name_constraints_are_one_of_three(database: Database) -> None:
    with pytest.raises(StatementRefused), database.write() as write:
        installation.insert(write, replace(INSTALLATION, name_constraints="perhaps"))
