"""What all tests share: two databases, no network but this machine's own, and how many tests ran on which database."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import socket_allow_hosts

from db.engine import Database
from tests.database import DATABASES, Server, migrate, opened, postgresql
from tests.fakes import FakeClock
from tests.interop import matrix

# A slow machine is no failure.
settings.register_profile("mailseal", deadline=None, max_examples=100)
settings.load_profile("mailseal")

ON_EACH_DATABASE = [pytest.param(name, id=name, marks=pytest.mark.database) for name in DATABASES]


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = Counter(
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "database" and (report.when == "call" or report.failed)
    )
    counts = ", ".join(f"{name} {ran[name]}" for name in DATABASES)
    terminalreporter.write_line(f"tests per database: {counts}")
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            if name == "shown" and report.when == "call":
                terminalreporter.write_line(value)
    outcomes = [(name, one) for name in ("passed", "failed", "error") for one in terminalreporter.stats.get(name, [])]
    for line in matrix.lines(outcomes):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server, started when the first test needs it."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema at head."""
    file = tmp_path_factory.mktemp("template") / "mailseal.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=ON_EACH_DATABASE)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of one test's own with the schema at head, on each of the two."""
    request.node.user_properties.append(("database", request.param))
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "mailseal.db")
        yield f"sqlite:///{tmp_path / 'mailseal.db'}"
    else:
        with request.getfixturevalue("postgresql_server").migrated() as url:
            yield url


@pytest.fixture(params=ON_EACH_DATABASE)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of one test's own without any schema, on each of the two; on SQLite not even the file is there."""
    request.node.user_properties.append(("database", request.param))
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'mailseal.db'}"
    else:
        with request.getfixturevalue("postgresql_server").database() as url:
            yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with the schema at head, on each of the two."""
    with opened(database_url) as one:
        yield one


@pytest.fixture
def clock() -> FakeClock:
    """A clock in the test's hand."""
    return FakeClock()
