"""`mailseal audit export`: the record of who did what, for auditors and spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli import client, terminal
from services.words import visible

audit = typer.Typer(help="The record of who did what.", no_args_is_help=True)

_COLUMNS: Final = (
    "id",
    "at",
    "action",
    "actor_kind",
    "actor_id",
    "actor_name",
    "object_kind",
    "object_id",
    "mailbox",
    "details",
    "signature_sha256",
    "request_id",
)
# A spreadsheet takes a cell that begins like this for a formula; in some languages it reads the wide forms likewise.
_SIGN: Final = "[-=+@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
# Some programs take a tab or a line end for the end of a cell, within quotes too.
_FORMULA: Final = re.compile(rf"(?:\A|(?<=[\t\r\n]))(?=[^\S\t\r\n]*{_SIGN})|\A(?=[\t\r\n])")
_WITHIN_QUOTES: Final = frozenset("\t\r\n")


class Format(StrEnum):
    """How the record is written: one JSON object a line, or a table with commas."""

    JSONL = "jsonl"
    CSV = "csv"


@audit.callback()
def _nouns() -> None:
    """Keep `export` a verb of its own, though it is the only one."""


@audit.command("export")
def export(
    since: Annotated[datetime | None, typer.Option(help="From this time on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this time, UTC.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as message.signed.")] = None,
    mailbox: Annotated[str | None, typer.Option(help="Only for this mailbox.")] = None,
    form: Annotated[Format, typer.Option("--format", help="jsonl or csv.")] = Format.JSONL,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """Write the audit entries that the key may read, newest first."""
    query = {"since": _wire(since), "until": _wire(until), "action": action, "mailbox": mailbox}
    with client.connect() as service:
        entries = client.every_item(service, "/v1/audit", query=query)
        count = terminal.write_lines(_table(entries) if form is Format.CSV else map(_object, entries), out=out)
    terminal.note(f"{count - (form is Format.CSV)} entries")


def _object(entry: dict[str, Any]) -> str:
    return visible.escaped(json.dumps(entry, ensure_ascii=False))


def _table(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield ",".join(_COLUMNS)
    for entry in entries:
        line = io.StringIO()
        # Only the letters of the line's end are quoted within a cell, so both of them are named.
        csv.writer(line, lineterminator="\r\n").writerow([_cell(entry, column) for column in _COLUMNS])
        yield line.getvalue().removesuffix("\r\n")


def _cell(entry: dict[str, Any], column: str) -> str:
    """The cell of a column; `actor_name` is the name of the actor."""
    of, _, part = column.partition("_")
    value = entry[of].get(part) if of in {"actor", "object"} else entry.get(column)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else str(value or "")
    return _harmless(text)


def _harmless(text: str) -> str:
    """The text with an apostrophe before whatever could be taken for a formula, and with nothing hidden in it."""
    shown = "".join(one if one in _WITHIN_QUOTES else visible.escaped(one) for one in text)
    return _FORMULA.sub("'", shown)


def _wire(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
