"""The ordinary campus and every case bent from it, made once for all tests of this room."""

from __future__ import annotations

import pytest

from tests.smime.path.scenarios import SCENARIOS, Campus, Case, campus


@pytest.fixture(scope="session", name="campus")
def campus_() -> Campus:
    return campus()


@pytest.fixture(scope="session")
def cases(campus: Campus) -> dict[str, Case]:
    return {name: make(campus) for name, make in SCENARIOS.items()}
