"""Transfer encodings: how a body is made fit for the way, and back (RFC 2045 6)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from smime.errors import MessageMalformed

IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})
MAX_LINE: Final = 998  # RFC 5322 2.1.1

_LINE: Final = 76  # RFC 2045 6.7 (5) and 6.8
_OCTETS_OF_LINE: Final = _LINE // 4 * 3
_BLOCK: Final = 64 * 1024
_BLANKS: Final = b" \t\r\n"
_LITERAL: Final = frozenset(range(0x20, 0x7F)) - {ord("=")} | {ord("\t")}
_QUOTED: Final = tuple(bytes([octet]) if octet in _LITERAL else b"=%02X" % octet for octet in range(256))
_PLAIN_LINE: Final = re.compile(rb"(?:[ -<>-~\t]{0,69}[!-<>-~])?")
_BLANK_BEFORE_BREAK: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r\n|\Z)")


def is_safe(body: bytes) -> bool:
    """Whether a body survives every relay as it is (RFC 8551 3.1.3).

    ASCII without NUL, lines of at most 998 octets that end in CRLF, no blank at a line's end (RFC 3676, relays cut
    it off), no line that begins with `From ` (mbox puts a > before it) or is a lone dot (the end of SMTP's DATA).
    """
    breaks = body.count(b"\r\n")
    return (
        body.isascii()
        and b"\0" not in body
        and body.count(b"\r") == breaks
        and body.count(b"\n") == breaks
        and not any(mark in body for mark in (b" \r\n", b"\t\r\n", b"\r\nFrom ", b"\r\n.\r\n"))
        and not body.startswith((b"From ", b".\r\n"))
        and not body.endswith((b" ", b"\t", b"\r\n."))
        and body != b"."
        and _has_short_lines(body)
    )


def encode_base64(octets: bytes) -> bytes:
    """Base64 in lines of 76 characters, each with its CRLF."""
    lines = [
        binascii.b2a_base64(octets[at : at + _OCTETS_OF_LINE], newline=False)
        for at in range(0, len(octets), _OCTETS_OF_LINE)
    ]
    return b"\r\n".join([*lines, b""])


def encode_quoted_printable(text: bytes) -> bytes:
    """Quoted-printable in lines of at most 76 characters; CRLF stays a line break, a lone CR or LF is encoded."""
    return b"".join(b"\r\n".join(map(_quoted, block.split(b"\r\n"))) for block in _blocks(text))


def decode(body: bytes, *, encoding: str) -> bytes:
    """The octets that a body stands for; MessageMalformed where it breaks its encoding, or that is not known."""
    if encoding in IDENTITY:
        return body
    if encoding == "base64":
        return _decode_base64(body)
    if encoding == "quoted-printable":
        # RFC 2045 6.7 (3)
        return b"".join(binascii.a2b_qp(_BLANK_BEFORE_BREAK.sub(b"", block)) for block in _blocks(body))
    raise MessageMalformed("a transfer encoding that is not known")


def _decode_base64(body: bytes) -> bytes:
    # Strictly: what one reader skips as noise another would take for the end of the data.
    try:
        return binascii.a2b_base64(body.translate(None, _BLANKS), strict_mode=True)
    except binascii.Error as error:
        raise MessageMalformed("a body that is not base64") from error


def _blocks(text: bytes) -> Iterator[bytes]:
    """The text in pieces, cut behind line breaks, so that a million short lines are never held as a million objects."""
    position = 0
    while (end := text.find(b"\r\n", position + _BLOCK)) >= 0:
        yield text[position : end + 2]
        position = end + 2
    yield text[position:]


def _quoted(line: bytes) -> bytes:
    """One line of text, in several of quoted-printable with soft breaks where it is too long."""
    if len(line) <= _BLOCK:
        return _quoted_piece(line)
    return b"=\r\n".join(_quoted_piece(line[at : at + _BLOCK]) for at in range(0, len(line), _BLOCK))


def _quoted_piece(line: bytes) -> bytes:
    if _PLAIN_LINE.fullmatch(line):
        return _armoured(line)
    quoted = b"".join(map(_QUOTED.__getitem__, line))
    if quoted.endswith((b" ", b"\t")):
        quoted = quoted[:-1] + b"=%02X" % quoted[-1]
    armoured = _armoured(quoted)
    return armoured if len(armoured) <= _LINE else b"=\r\n".join(_broken(quoted))


def _armoured(line: bytes) -> bytes:
    """Hide a start that mbox, SMTP or an enclosing multipart would take for theirs."""
    if line.startswith((b"From ", b"--")) or line == b".":
        return b"=%02X" % line[0] + line[1:]
    return line


def _broken(quoted: bytes) -> Iterator[bytes]:
    """A long line in pieces; wherever it breaks, no piece has a start that must be hidden."""
    quoted = quoted.replace(b"From ", b"=46rom ")
    if b"--" in quoted:
        quoted = quoted.replace(b"-", b"=2D")
    if quoted.endswith(b"."):
        quoted = quoted[:-1] + b"=2E"
    position = 0
    while len(quoted) - position >= _LINE:  # the last has room for a soft break too
        cut = position + _LINE - 1
        inside = quoted.find(b"=", cut - 2, cut)  # a quoted octet that would be cut in its middle
        cut = inside if inside >= 0 else cut
        yield quoted[position:cut]
        position = cut
    yield quoted[position:]


def _has_short_lines(body: bytes) -> bool:
    """Whether each line has at most 998 octets, found by leaps of that size."""
    position = 0
    while len(body) - position > MAX_LINE:
        last = body.rfind(b"\r\n", position, position + MAX_LINE + 2)
        if last < 0:
            return False
        position = last + 2
    return True
