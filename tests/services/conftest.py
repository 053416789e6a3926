"""What the tests of the services share: a founded campus on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database
from tests.campus import Campus, campus_on


@pytest.fixture
def campus(database: Database, tmp_path: Path) -> Iterator[Campus]:
    """The demo campus, its clock in the test's hand."""
    with campus_on(database, tmp_path) as one:
        yield one
