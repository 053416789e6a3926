"""The bench serves what `mailseal serve` serves, and measures by routes that only it has."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.envelope import Envelope
from bench import yardsticks
from bench.client import Request
from bench.errors import Failed
from bench.within import ask, require
from services.words.problems import TITLES
from tests.campus import campus_on
from tests.database import opened
from tests.house.source import ROOT, room_files

AS_JSON = (("Content-Type", "application/json"),)
ECHO = Request(method="POST", path=yardsticks.ECHO, body=b'{"message":"aGVsbG8="}', headers=AS_JSON)


@pytest.fixture
def app(sqlite_template: Path, tmp_path: Path) -> Iterator[Envelope]:
    file = shutil.copyfile(sqlite_template, tmp_path / "mailseal.db")
    with opened(f"sqlite:///{file}") as database, campus_on(database, tmp_path) as campus:
        made = create_app(campus.context, titles=TITLES)
        yardsticks.mount(made)
        yield made


def options_of(file: str) -> dict[str, str]:
    """What a file gives uvicorn, but the application and a name that stands for a number."""
    calls = [node for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.Call)]
    (config,) = [call for call in calls if ast.unparse(call.func) == "uvicorn.Config"]
    given = {str(keyword.arg): ast.unparse(keyword.value) for keyword in config.keywords}
    given.pop("timeout_worker_healthcheck")
    return given


def test_uvicorn_runs_as_in_production() -> None:
    assert options_of("bench/served.py") == options_of("cli/serve.py")


def test_no_room_knows_the_bench() -> None:
    assert [
        path for path in room_files() if re.search(r"^\s*(from|import) bench\b", path.read_text(), re.MULTILINE)
    ] == []


def test_echo_answers_what_it_was_given(app: Envelope) -> None:
    status, body = asyncio.run(ask(app, ECHO))
    assert (status, json.loads(body)) == (200, json.loads(ECHO.body))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_static_answer_is_fixed(app: Envelope, method: str) -> None:
    assert asyncio.run(ask(app, Request(method=method, path=yardsticks.STATIC))) == (200, yardsticks.STATIC_BODY)


def test_calls_beside_them_are_still_there(app: Envelope) -> None:
    status, body = asyncio.run(ask(app, Request(method="POST", path="/v1/sign", body=b"{}", headers=AS_JSON)))
    assert (status, json.loads(body)["code"]) == (401, "unauthorized")


def test_what_is_no_success_ends_the_bench(app: Envelope) -> None:
    with pytest.raises(Failed, match="answered with 404"):
        asyncio.run(require(app, Request(method="GET", path="/nowhere")))
