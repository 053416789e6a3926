"""The matrix program x deed, counted from the tests that ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

PROPERTY = "program"
# A test's cell is the file in which it stands.
COLUMNS = {
    "test_verifies": "verifies",
    "test_opens": "opens",
    "test_signs": "signs",
    "test_seals": "seals",
    "test_refuses_revoked": "revoked",
}


def lines(outcomes: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """The matrix in lines, from (outcome, report) pairs; nothing if no such test ran."""
    passed, all_of = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for outcome, report in outcomes:
        if report.when == "call" or outcome != "passed":
            for program, column in _cells(report):
                all_of[program, column] += 1
                passed[program, column] += outcome == "passed"
    if not all_of:
        return
    columns = list(COLUMNS.values())
    yield f"{'mail programs':<18}" + "".join(f"{column:>12}" for column in columns)
    for program in sorted({program for program, _ in all_of}):
        shown = (_shown(passed[program, column], all_of[program, column]) for column in columns)
        yield f"{program:<18}" + "".join(f"{cell:>12}" for cell in shown)


def _cells(report: Any) -> Iterator[tuple[str, str]]:
    for name, value in getattr(report, "user_properties", []):
        if name == PROPERTY:
            program, column = value
            yield program, column


def _shown(passed: int, ran: int) -> str:
    if not ran:
        return "not run"
    return f"ok {passed}" if passed == ran else f"FAILED {ran - passed}/{ran}"
