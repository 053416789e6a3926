"""Multipart form (RFC 7578), read from the stream into memory: no plaintext ever reaches the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.errors import BodyTooLarge, MultipartMalformed, UnknownParameter

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # there only for type checkers

PARTS: Final = 1_100


@dataclass(frozen=True, slots=True)
class Budget:
    """How many octets the parts of some names may have together."""

    names: frozenset[str]
    octets: int


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
            raise BodyTooLarge(f"the form has more than {PARTS} parts")
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
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise MultipartMalformed("a part of the form has no name")
        for index, budget in enumerate(self._budgets):
            if name in budget.names:
                self._part = _Part(name=name, budget=index)
                return
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


async def read_form(
    chunks: AsyncIterator[bytes], *, content_type: str, budgets: tuple[Budget, ...]
) -> list[tuple[str, bytes]]:
    """The parts in their order; MultipartMalformed also when the end is missing, UnknownParameter outside the budgets."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MultipartMalformed("Content-Type names no boundary")
    form = _Form(budgets)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise MultipartMalformed("the form cannot be read") from None
    if not form.complete:
        raise MultipartMalformed("the form is cut short: its closing boundary is missing")
    return form.parts


def grouped(parts: list[tuple[str, bytes]]) -> Mapping[str, tuple[bytes, ...]]:
    """The contents of the parts by name."""
    groups: dict[str, list[bytes]] = {}
    for name, content in parts:
        groups.setdefault(name, []).append(content)
    return {name: tuple(contents) for name, contents in groups.items()}
