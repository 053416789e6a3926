from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest

from cli import remote, terminal

SCOPES = ["messages:sign", "messages:verify", "certificates:read", "audit:read"]


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def on_terminal(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class _Output(io.StringIO):
    """A standard output that is a terminal, or is none."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def shown(scopes: list[str], *, on_terminal: bool) -> str:
    output = _Output(is_terminal=on_terminal)
    with redirect_stdout(output):
        terminal.show_rows(
            [{"id": "019a", "scopes": scopes, "mailboxes": SCOPES}], columns=("id", "scopes", "mailboxes")
        )
    return output.getvalue()


def test_long_scopes_are_shortened_for_people_alone(on_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    wide = shown(SCOPES, on_terminal=on_terminal)
    assert ("messages:sign, messages:verify and 2 more" in wide) is on_terminal
    assert wide.count(", ".join(SCOPES)) == (1 if on_terminal else 2)


def test_short_scopes_are_shown_whole(on_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert ", ".join(SCOPES[:3]) + "  " in shown(SCOPES[:3], on_terminal=on_terminal)


def test_a_shortened_list_still_shows_who_is_an_administrator() -> None:
    (row,) = remote.admin_first([{"id": "019a", "scopes": [*SCOPES, "admin"]}])
    assert row == {"id": "019a", "scopes": ["admin", *SCOPES]}
