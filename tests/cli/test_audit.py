from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import audit

# Full-width and small forms of = + - @, and the sign of minus.
WIDE = ("\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufe62", "\ufe63", "\ufe6b", "\u2212")


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
    return list(csv.DictReader(io.StringIO("\r\n".join(audit._table(entries)), newline="")))


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


def named(name: str) -> dict[str, Any]:
    return entry(actor={"kind": "api_key", "id": "019b", "name": name})


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(1)", " =1", "\u3000=1", "\t1", "\r1", "\n1", *WIDE]
)
def test_a_cell_is_never_a_formula(name: str) -> None:
    """Spreadsheets run what begins with = + - @, behind blanks too, and in some languages the wide forms."""
    (row,) = table(named(name))
    assert row["actor_name"] == f"'{name}"


@pytest.mark.parametrize("end", ["\t", "\r", "\n", "\r\n"])
def test_no_formula_follows_what_could_end_a_cell(end: str) -> None:
    (row,) = table(named(f"a{end}=1{end} \uff1d2 = 3"))
    assert row["actor_name"] == f"a{end}'=1{end}' \uff1d2 = 3"
    (row,) = table(named(f"{end}=1"))
    assert row["actor_name"] == f"'{end}'=1"


@given(st.text(alphabet=st.sampled_from("=-@ \t\r\na'\u200b\u202e\uff1d"), max_size=8))
def test_wherever_a_cell_is_cut_no_formula_is_left(name: str) -> None:
    (row,) = table(named(name))
    for part in re.split(r"[\t\r\n]", row["actor_name"]):
        assert not part.strip().startswith(("=", "-", "@", "\uff1d"))


def test_a_name_with_commas_quotes_and_line_ends_is_one_cell() -> None:
    (row,) = table(named('a, "b"\nc'))
    assert row["actor_name"] == 'a, "b"\nc'


@pytest.mark.parametrize(
    "mark", ["\u202e", "\u2066", "\u200b", "\u00ad", "\ufe0f", "\u2028", "\x7f", "\x9b", "\U000e0041"]
)
def test_what_nobody_sees_is_written_as_an_escape(mark: str) -> None:
    line = audit._object(named(f"a{mark}陳b"))
    assert mark not in line
    assert "\\u" in line
    assert "陳" in line
    assert json.loads(line) == named(f"a{mark}陳b")
    (row,) = table(named(f"a{mark}陳b"))
    assert json.loads(f'"{row["actor_name"]}"') == f"a{mark}陳b"
    assert mark not in row["actor_name"]
