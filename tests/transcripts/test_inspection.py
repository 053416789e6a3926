"""The commands that look and change nothing: doctor, audit export, --version."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served, serve
from tests.transcripts.commands import mailseal, mailseal_unread


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("service")) as served:
        yield served


def test_doctor_finds_a_demo_to_be_a_demo_and_nothing_worse(service: Served) -> None:
    ended = mailseal("doctor", "--json", environ=service.environ)
    assert ended.code == 1
    assert {one["severity"] for one in json.loads(ended.out)["findings"]} == {"warning"}
    told = mailseal("doctor", environ=service.environ)
    assert "warning: addresses: this is a demo" in told.out


def test_doctor_says_what_keeps_a_service_from_starting(tmp_path: Path) -> None:
    ended = mailseal("doctor", environ={"MAILSEAL_DATA": str(tmp_path)})
    assert ended.code == 1
    assert "failure: start: " in ended.out
    assert list(tmp_path.iterdir()) == []


def test_the_record_is_exported_line_by_line_and_as_a_table(service: Served, tmp_path: Path) -> None:
    wanted = {"mailbox": "record@campus.example", "key": "p256", "encryption_key": "p256"}
    service.post("/v1/identities", status=201, json=wanted)
    lines = mailseal("audit", "export", "--mailbox", "record@campus.example", environ=service.environ)
    assert lines.code == 0, lines.err
    entries = [json.loads(line) for line in lines.out.splitlines()]
    assert "identity.added" in {entry["action"] for entry in entries}
    assert {entry["mailbox"] for entry in entries} == {"record@campus.example"}

    out = tmp_path / "record.csv"
    table = mailseal(
        "audit", "export", "--mailbox", "record@campus.example", "--format", "csv", "--out", out,
        environ=service.environ,
    )  # fmt: skip
    assert (table.code, table.out) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["id"] for row in rows] == [entry["id"] for entry in entries]
    assert {row["actor_kind"] for row in rows} == {"api_key"}
    assert f"{len(rows)} entries" in table.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "export"),
        ("audit", "export", "--format", "csv"),
        ("api-keys", "list"),
        ("api-keys", "list", "--json"),
        ("root", "export"),
        ("doctor",),
        ("--version",),
    ],
    ids=" ".join,
)
def test_ends_quietly_when_nobody_reads_on(service: Served, arguments: tuple[str, ...]) -> None:
    """As a shell counts what SIGPIPE ended, and never as a yes or a no."""
    ended = mailseal_unread(*arguments, environ=service.environ)
    assert (ended.code, ended.err) == (141, "")


def test_what_is_in_brackets_is_shown_as_it_is(service: Served) -> None:
    service.post("/v1/api-keys", status=201, json={"name": "[/] [red]x", "scopes": ["audit:read"]})
    listed = mailseal("api-keys", "list", environ=service.environ)
    assert listed.code == 0, listed.err
    assert "[/] [red]x" in listed.out


def test_says_its_version() -> None:
    shown = mailseal("--version")
    assert (shown.code, shown.out.split()[0]) == (0, "mailseal")
