"""What the papers claim to be shown by a test is shown by one that exists."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.house.source import ROOT

PAPERS = ("STANDARDS.md", "docs/threat-model.md")
STATES = {"done", "part", "not"}
_CLAIM = re.compile(r"`([a-z0-9_/]+)::([^`]+)`")


def read(paper: str) -> str:
    return (ROOT / paper).read_text(encoding="utf-8")


@cache
def names_in(file: str) -> frozenset[str]:
    path = ROOT / "tests" / f"{file}.py"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE))


def rows() -> list[tuple[str, str, str]]:
    """Requirement, state and where it is shown, of each row of STANDARDS.md."""
    found = []
    for line in read("STANDARDS.md").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] != "text":
            found.append((f"{cells[0]}: {cells[1]}", cells[2], cells[3]))
    return found


@pytest.mark.parametrize("paper", PAPERS)
def test_every_test_that_is_named_exists(paper: str) -> None:
    claims = _CLAIM.findall(read(paper))
    assert len(claims) > 5
    assert [f"{file}::{name}" for file, name in claims if name not in names_in(file)] == []


def test_every_standard_is_done_in_part_or_not_and_what_is_done_is_shown() -> None:
    assert len(rows()) > 50
    assert [requirement for requirement, state, _ in rows() if state not in STATES] == []
    assert [requirement for requirement, state, shown in rows() if state == "done" and not _CLAIM.search(shown)] == []
