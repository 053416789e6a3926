from __future__ import annotations

import csv
from typing import Any

import pytest

from cli import audit


def entry(**changes: Any) -> dict[str, Any]:
    """An audit entry as the API gives it."""
    return {
        "id": "019a",
        "at": "2026-03-02T08:30:00Z",
        "request_id": "r1",
        "action": "message.signed",
        "actor": {"kind": "api_key", "id": "019b", "name": "press"},
        "object": {"kind": "certificate", "id": "4a"},
        "mailbox": "press@campus.example",
        "details": {"form": "detached"},
        "signature_sha256": None,
    } | changes


def table(*entries: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(audit._table(entries)))


def test_a_row_holds_every_part_of_an_entry() -> None:
    (row,) = table(entry())
    assert row == {
        "id": "019a",
        "at": "2026-03-02T08:30:00Z",
        "action": "message.signed",
        "actor_kind": "api_key",
        "actor_id": "019b",
        "actor_name": "press",
        "object_kind": "certificate",
        "object_id": "4a",
        "mailbox": "press@campus.example",
        "details": '{"form": "detached"}',
        "signature_sha256": "",
        "request_id": "r1",
    }


def test_no_entries_are_a_header_alone() -> None:
    assert len(list(audit._table([]))) == 1


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_a_cell_is_never_a_formula(name: str) -> None:
    """Spreadsheets run what begins with = + - @, behind blanks too."""
    (row,) = table(entry(actor={"kind": "api_key", "id": "019b", "name": name}))
    assert row["actor_name"] == f"'{name}"


def test_a_name_with_commas_quotes_and_line_ends_is_one_cell() -> None:
    (row,) = table(entry(actor={"kind": "api_key", "id": "019b", "name": 'a, "b"\n=1'}))
    assert row["actor_name"] == 'a, "b"\n=1'
