"""Serial, the number of a certificate at its issuer (RFC 5280 4.1.2.2).

SerialError   Malformed: not a serial number in hexadecimal
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from formats.errors import Malformed

_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,40}", re.ASCII)


class SerialError(Malformed):
    """Not a serial number in hexadecimal."""

    code: ClassVar[str] = "serial_malformed"
    hint: ClassVar[str] = "give the serial number as up to 40 hexadecimal digits, without colons"


@dataclass(frozen=True, slots=True, order=True)
class Serial:
    """A serial number; `str()` is lower-case hexadecimal of even length.

    Ours are positive and of 16 octets. Foreign ones may be zero or negative, and are read (RFC 5280 4.1.2.2).
    """

    value: int

    @classmethod
    def random(cls) -> Self:
        """A fresh one: 126 bits from the system's generator below a fixed bit, so positive and always 16 octets."""
        return cls(1 << 126 | secrets.randbits(126))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read up to 40 hexadecimal digits (20 octets) of either case."""
        if not _HEX.fullmatch(text):
            raise SerialError("not a serial number of 1 to 40 hexadecimal digits")
        return cls(int(text, 16))

    def __str__(self) -> str:
        digits = f"{abs(self.value):x}"
        return f"{'-' if self.value < 0 else ''}{digits.zfill(len(digits) + len(digits) % 2)}"

    @property
    def octets(self) -> bytes:
        """The magnitude, big-endian, in as few octets as hold it, at least one."""
        magnitude = abs(self.value)
        return magnitude.to_bytes(max(1, (magnitude.bit_length() + 7) // 8), "big")
