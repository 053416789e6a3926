"""Source, the bytes of a message: as they were given, and with CRLF at the end of every line (RFC 8551 3.1.1)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final

_BLOCK: Final = 4096


@dataclass(frozen=True, eq=False)
class Source:
    """The bytes of a message; `raw` is what everything reads, `given` counts for binary bodies alone."""

    given: bytes = field(repr=False)

    @cached_property
    def raw(self) -> bytes:
        """The message with CRLF for every bare LF; a lone CR is no line end and stays."""
        if self.given.count(b"\n") == self.given.count(b"\r\n"):
            return self.given
        return self.given.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def as_given(self, start: int, end: int) -> bytes:
        """A slice of `raw` as it was given: in a binary body a bare LF is no line break (RFC 2045 2.9)."""
        if self.raw is self.given:
            return self.raw[start:end]
        return self.given[self._position(start) : self._position(end)]

    def _position(self, position: int) -> int:
        """Where a position of `raw` lies in `given`: in the same line, at the same place."""
        block = position // _BLOCK
        lines = self._raw_lines[block] + self.raw.count(b"\n", block * _BLOCK, position)
        column = position - self.raw.rfind(b"\n", 0, position) - 1
        return self._line_start(lines) + column

    def _line_start(self, lines: int) -> int:
        """The position in `given` behind so many lines."""
        if lines == 0:
            return 0
        block = bisect_left(self._given_lines, lines) - 1
        position = block * _BLOCK
        for _ in range(lines - self._given_lines[block]):
            position = self.given.index(b"\n", position) + 1
        return position

    # How many lines end before each block: found once, so that a thousand parts do not count from the top each.
    @cached_property
    def _raw_lines(self) -> list[int]:
        return _lines_before_blocks(self.raw)

    @cached_property
    def _given_lines(self) -> list[int]:
        return _lines_before_blocks(self.given)


def _lines_before_blocks(octets: bytes) -> list[int]:
    counts = (octets.count(b"\n", at, at + _BLOCK) for at in range(0, len(octets), _BLOCK))
    return list(accumulate(counts, initial=0))
