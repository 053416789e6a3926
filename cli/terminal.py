"""What a command shows: results on stdout, `error:` and `hint:` on stderr, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn, Protocol

import typer
from rich.console import Console
from rich.table import Table

NO = 1
COULD_NOT_RUN = 2
UNBROKEN = ("id", "serial", "encryption_serial")
PIPE_WIDTH = 1000


class Stop(Exception):
    """Ends the command: 1 for a no, 2 for what could not run."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = COULD_NOT_RUN) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class Named(Protocol):
    """Something with a text form."""

    def __str__(self) -> str: ...


def say(text: str) -> None:
    """Print a line of result."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a line of progress, away from the result."""
    typer.echo(f"mailseal: {text}", err=True)


def fail(message: str, *, hint: str = "") -> None:
    """Print what went wrong and what to do about it."""
    typer.echo(f"error: {_one_line(message)}", err=True)
    if hint:
        typer.echo(f"hint: {_one_line(hint)}", err=True)


def show_json(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_rows(rows: Sequence[Mapping[str, object]], *, columns: Sequence[str]) -> None:
    """Print rows as a table; nothing but a remark if there are none."""
    if not rows:
        note("none")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # What people copy or search for stays in one piece.
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column in UNBROKEN)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def write_out(octets: bytes, *, out: Path | None, binary: bool = False) -> None:
    """Write octets to a file or to stdout; binary ones never to a terminal."""
    if out is not None:
        try:
            out.write_bytes(octets)
        except OSError as error:
            stop(f"{out} cannot be written: {error.strerror}", hint="name another file with --out")
        return
    if binary and sys.stdout.isatty():
        stop("this would print binary to the terminal", hint="name a file with --out")
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


def write_lines(lines: Iterable[str], *, out: Path | None) -> int:
    """Write lines as they come, to a file or to stdout; returns how many."""
    count = 0
    try:
        with out.open("w", encoding="utf-8") if out is not None else nullcontext(sys.stdout) as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
    except OSError as error:
        stop(f"{out or 'the standard output'} cannot be written: {error.strerror}", hint="name another file with --out")
    return count


def read_file(path: Path, *, limit: int) -> bytes:
    """The content of a file of at most `limit` octets; `-` is standard input."""
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                content = file.read(limit + 1)
    except OSError as error:
        stop(f"{path} cannot be read: {error.strerror}")
    if len(content) > limit:
        stop(f"{path} has more than {limit} octets")
    return content


def stop(message: str, *, hint: str = "", exit_code: int = COULD_NOT_RUN) -> NoReturn:
    """End the command with an error."""
    raise Stop(message, hint=hint, exit_code=exit_code)


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
