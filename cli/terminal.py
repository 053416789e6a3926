"""What a command shows: results on stdout, `error:` and `hint:` on stderr, and the exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from formats.errors import Malformed
from services.words import visible

NO = 1
COULD_NOT_RUN = 2
# As a shell counts a program that SIGPIPE ended.
READER_GONE = 128 + 13
UNBROKEN = ("id", "serial", "encryption_serial")
PIPE_WIDTH = 1000
# A terminal shows a long list of these by its first ones; whoever wants all of them asks for JSON.
SHORTENED = ("scopes",)
SHOWN_OF_LONG = 2


class Stop(Exception):
    """Ends the command: 1 for a no, 2 for what could not run."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = COULD_NOT_RUN) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class ReaderGone(Exception):
    """Whoever read the result has enough of it, as `head` has."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let it be seen: rich would end the process with 1, which is our no."""
        raise BrokenPipeError


def say(text: str) -> None:
    """Print a line of result."""
    with _to_reader():
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
    say("\n".join(map(visible.escaped, json.dumps(value, indent=2, ensure_ascii=False).split("\n"))))


def show_rows(rows: Sequence[Mapping[str, object]], *, columns: Sequence[str]) -> None:
    """Print rows as a table; nothing but a remark if there are none."""
    if not rows:
        note("none")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # What people copy or search for stays in one piece.
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column in UNBROKEN)
    is_terminal = sys.stdout.isatty()
    shortened = SHORTENED if is_terminal else ()
    for row in rows:
        table.add_row(*(_cell(row.get(column), is_short=column in shortened) for column in columns))
    with _to_reader():
        _Console(width=None if is_terminal else PIPE_WIDTH).print(table)


def write_out(octets: bytes, *, out: Path | None, binary: bool = False) -> None:
    """Write octets to a file or to stdout; binary ones never to a terminal."""
    if out is not None:
        try:
            out.write_bytes(octets)
        except OSError as error:
            stop(f"{out} cannot be written: {_reason(error)}", hint="name another file with --out")
        return
    if binary and sys.stdout.isatty():
        stop("this would print binary to the terminal", hint="name a file with --out")
    with _to_reader():
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()


def write_lines(lines: Iterable[str], *, out: Path | None) -> int:
    """Write lines as they come, to a file or to stdout; returns how many."""
    count = 0
    try:
        with _to_reader(), out.open("w", encoding="utf-8") if out is not None else nullcontext(sys.stdout) as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
            file.flush()
    except OSError as error:
        stop(f"{out or 'the standard output'} cannot be written: {_reason(error)}", hint="name another file with --out")
    return count


def hint(text: str) -> None:
    """Print what to do, beside a result that is no error."""
    typer.echo(f"hint: {_one_line(text)}", err=True)


@contextmanager
def reading(path: Path, *, what: str, give: str) -> Iterator[None]:
    """Whatever is read within is the content of this file: what cannot be read ends the command, in plain words."""
    try:
        yield
    except Malformed:
        stop(f"{path} is not {what}", hint=give)


def is_there() -> bool:
    """Whether somebody can be asked, even where the standard input is a file."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True


def read_file(path: Path, *, limit: int) -> bytes:
    """The content of a file of at most `limit` octets; `-` is standard input."""
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                content = file.read(limit + 1)
    except OSError as error:
        stop(f"{path} cannot be read: {_reason(error)}", hint="check the name, and that you may read it")
    if len(content) > limit:
        stop(f"{path} has more than {limit} octets", hint="is it the right file? so large a one is not read")
    return content


def stop(message: str, *, hint: str = "", exit_code: int = COULD_NOT_RUN) -> NoReturn:
    """End the command with an error."""
    raise Stop(message, hint=hint, exit_code=exit_code)


@contextmanager
def _to_reader() -> Iterator[None]:
    """Whatever is printed within goes to the standard output; ReaderGone if nobody reads it any more.

    It is told apart from a refusal here, because click ends the command with 1 for it, which is our no.
    """
    try:
        yield
    except BrokenPipeError:
        # What is still buffered would be written, and fail, when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGone from None


def _cell(value: object, *, is_short: bool) -> Text:
    """As it is: rich would take what stands in brackets for a style."""
    if isinstance(value, list | tuple):
        cut = is_short and len(value) > SHOWN_OF_LONG + 1
        first = ", ".join(map(str, value[:SHOWN_OF_LONG] if cut else value))
        return Text(visible.escaped(f"{first} and {len(value) - SHOWN_OF_LONG} more" if cut else first))
    return Text("" if value is None else visible.escaped(str(value)))


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
