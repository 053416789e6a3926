"""The mail of the bench: 10 KiB of plain text from a department."""

from __future__ import annotations

from typing import Final

MAILBOX: Final = "notices@campus.example"
OCTETS: Final = 10 * 1024
_HEADER: Final = (
    f"From: {MAILBOX}\r\nTo: all@campus.example\r\nSubject: Library\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
).encode("ascii")
_LINE: Final = b"The library is closed on Friday, and opens again on Monday at eight.\r\n"


def mail() -> bytes:
    """A mail of at least 10 KiB that needs no new encoding."""
    return _HEADER + _LINE * -(-(OCTETS - len(_HEADER)) // len(_LINE))
