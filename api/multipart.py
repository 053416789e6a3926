"""Multipart form (RFC 7578), read from the stream into memory: no plaintext ever reaches the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from api.errors import BodyTooLarge, MultipartMalformed, ParameterTwice, UnknownParameter

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # there only for type checkers

PARTS: Final = 1_100
# The headers of one part: so many lines of so many octets, with so many parameters in the one that names it.
LINES: Final = 8
LINE_OCTETS: Final = 1024
PARAMETERS: Final = 32
# What has come after this many octets is read in a thread.
ON_THE_LOOP: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Budget:
    """How many octets the parts of some names may have together, and whether a name may stand several times."""

    names: frozenset[str]
    octets: int
    repeats: bool = False


@dataclass(slots=True)
class _Part:
    name: str = ""
    content: bytearray = field(default_factory=bytearray)
    budget: int = 0


class _Form:
    """The callbacks of the parser; each is called many times with pieces of one buffer."""

    def __init__(self, budgets: tuple[Budget, ...]) -> None:
        self.parts: list[tuple[str, bytes]] = []
        self.complete = False
        self._budgets = budgets
        self._left = [budget.octets for budget in budgets]
        self._part = _Part()
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._seen: set[str] = set()

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_piece(0),
            "on_header_value": self._header_piece(1),
            "on_header_end": self._end_header,
            "on_headers_finished": self._name_part,
            "on_part_data": self._add,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) >= PARTS:
            raise _too_many_parts()
        self._part = _Part()
        self._disposition = b""

    def _header_piece(self, index: int) -> Callable[[bytes, int, int], None]:
        def add(data: bytes, start: int, end: int) -> None:
            self._header[index].extend(data[start:end])

        return add

    def _end_header(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _name_part(self) -> None:
        if self._disposition.count(b";") > PARAMETERS:
            raise MultipartMalformed("the Content-Disposition of a part has too many parameters")
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise MultipartMalformed("a part of the form has no name")
        self._part = _Part(name=name, budget=self._budget_of(name))
        self._seen.add(name)

    def _budget_of(self, name: str) -> int:
        for index, budget in enumerate(self._budgets):
            if name in budget.names:
                if name in self._seen and not budget.repeats:
                    raise ParameterTwice(f"the form holds {name} twice", pointers=(f"/{name}",))
                return index
        raise UnknownParameter(f"this call knows no parameter {name[:40]!r}")

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._left[self._part.budget] -= end - start
        if self._left[self._part.budget] < 0:
            octets = self._budgets[self._part.budget].octets
            raise BodyTooLarge(f"the part {self._part.name!r} is limited to {octets} octets")
        self._part.content += memoryview(data)[start:end]

    def _end(self) -> None:
        self.parts.append((self._part.name, bytes(self._part.content)))

    def _finish(self) -> None:
        self.complete = True


class _Reader:
    """Feeds the parser, whose cost is small but where it steps octet by octet: at a delimiter, and in blanks behind one."""

    def __init__(self, form: _Form, *, boundary: bytes) -> None:
        self._form = form
        self._parser = MultipartParser(boundary, form.callbacks(), max_header_count=LINES, max_header_size=LINE_OCTETS)
        self._delimiter = b"\r\n--" + boundary
        self._delimiters = 0
        self._in_blanks = False

    def read(self, chunk: bytes) -> None:
        # No part holds its delimiter (RFC 2046 5.1.1), so that there are as many of them as parts.
        self._delimiters += chunk.count(self._delimiter)
        if self._delimiters > PARTS + 1:
            raise _too_many_parts()
        self._parser.write(chunk)
        was_in_blanks, self._in_blanks = self._in_blanks, self._parser.state is MultipartState.BOUNDARY_PADDING
        if was_in_blanks and self._in_blanks:
            raise MultipartMalformed("a boundary of the form is followed by blanks without end")

    def finish(self) -> list[tuple[str, bytes]]:
        self._parser.finalize()
        if not self._form.complete:
            raise MultipartMalformed("the form is cut short: its closing boundary is missing")
        return self._form.parts


async def read_form(
    chunks: AsyncIterator[bytes], *, content_type: str, budgets: tuple[Budget, ...]
) -> list[tuple[str, bytes]]:
    """The parts in their order; MultipartMalformed also when the end is missing, UnknownParameter outside the budgets.

    ParameterTwice for a second part of a name that may stand once, before any of it is read.
    """
    _, options = parse_options_header(content_type if len(content_type) <= LINE_OCTETS else "")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MultipartMalformed("Content-Type names no boundary")
    count = 0
    try:
        reader = _Reader(_Form(budgets), boundary=boundary)
        async for chunk in chunks:
            count += len(chunk)
            if count > ON_THE_LOOP:
                await asyncio.to_thread(reader.read, chunk)
            else:
                reader.read(chunk)
        return reader.finish()
    except FormParserError:
        raise MultipartMalformed("the form cannot be read") from None


def _too_many_parts() -> BodyTooLarge:
    return BodyTooLarge(f"the form has more than {PARTS} parts")


def grouped(parts: list[tuple[str, bytes]]) -> Mapping[str, tuple[bytes, ...]]:
    """The contents of the parts by name."""
    groups: dict[str, list[bytes]] = {}
    for name, content in parts:
        groups.setdefault(name, []).append(content)
    return {name: tuple(contents) for name, contents in groups.items()}
