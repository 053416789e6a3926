from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from db.engine import Database
from tests.api.door import Door, door_of
from tests.api.made_up import Client, application
from tests.campus import Campus, campus_on


@pytest.fixture
def client() -> Client:
    return Client(application())


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries:
        yield entries  # type: ignore[misc]  # structlog's entries are mutable mappings


@pytest.fixture
def campus(database: Database, tmp_path: Path) -> Iterator[Campus]:
    """The demo campus on each database, its clock in the test's hand."""
    with campus_on(database, tmp_path) as one:
        yield one


@pytest.fixture
def door(campus: Campus) -> Door:
    """The API of the campus for an administrator of everything."""
    return door_of(campus)
