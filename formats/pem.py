"""PEM, the textual encoding (RFC 7468): read laxly around the blocks, strictly inside them.

PemError      Malformed: a block is broken, or none has the label that was asked for
PemTooLarge   TooLarge: more text or more blocks than we are willing to read
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from formats.errors import Malformed, TooLarge

MAX_SIZE: Final = 16 * 1024 * 1024
MAX_BLOCKS: Final = 1000

_LABEL: Final = rb"[!-,.-~](?:[ -]?[!-,.-~]){0,63}"
_BEGIN: Final = re.compile(rb"-----BEGIN (" + _LABEL + rb")-----")
_SOMEWHERE: Final = re.compile(rb"(?:^|[\r\n])[ \t]*-----BEGIN ")


class PemError(Malformed):
    """A block is broken, or none has the label that was asked for."""

    code: ClassVar[str] = "pem_malformed"
    hint: ClassVar[str] = "send the PEM text whole, from -----BEGIN to -----END, or the DER bytes"


class PemTooLarge(TooLarge):
    """More text or more blocks than we are willing to read."""

    code: ClassVar[str] = "pem_too_large"
    hint: ClassVar[str] = "send fewer blocks at a time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One PEM block; the bytes stay out of `repr`, since they may be a private key."""

    label: str
    der: bytes

    def __repr__(self) -> str:
        return f"<Block {self.label!r}, {len(self.der)} octets>"


def read_blocks(data: bytes, *, max_blocks: int = MAX_BLOCKS) -> list[Block]:
    """Every block in its order; text before, between and behind them is passed over (RFC 7468 2)."""
    if len(data) > MAX_SIZE:
        raise PemTooLarge(f"more than {MAX_SIZE} octets of PEM")
    blocks: list[Block] = []
    lines = map(bytes.strip, data.splitlines())
    for line in lines:
        if not line.startswith((b"-----BEGIN", b"-----END")):
            continue
        begin = _BEGIN.fullmatch(line)
        if begin is None:
            raise PemError("a BEGIN line that cannot be read, or an END line without one")
        if len(blocks) >= max_blocks:
            raise PemTooLarge(f"more than {max_blocks} PEM blocks")
        body = _body(lines, b"-----END " + begin[1] + b"-----")
        blocks.append(Block(label=begin[1].decode("ascii"), der=_decode(body)))
    return blocks


def encode(label: str, der: bytes) -> str:
    """The PEM text of one value, in lines of 64 characters, with a newline at its end."""
    text = binascii.b2a_base64(der, newline=False).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


def is_pem(data: bytes) -> bool:
    """Whether a BEGIN line stands in what is not plainly DER."""
    if data[:1] == b"0" and data[1:2] >= b"\x80":  # SEQUENCE and a long length: no text begins so
        return False
    return _SOMEWHERE.search(data) is not None


def unwrap(data: bytes, *labels: str) -> list[bytes]:
    """The DER inside every PEM block with one of these labels, or `data` itself where it is not PEM."""
    if not is_pem(data):
        if not data:
            raise PemError("no bytes at all")
        return [data]
    found = [block.der for block in read_blocks(data) if block.label in labels]
    if not found:
        raise PemError(f"no PEM block with the label {' or '.join(labels)}")
    return found


def _body(lines: Iterator[bytes], last: bytes) -> list[bytes]:
    body: list[bytes] = []
    for line in lines:
        if line == last:
            return body
        if line.startswith(b"-----"):
            raise PemError("a BEGIN line that is not followed by its own END line")
        body.append(line)
    raise PemError("a block without its END line")


def _decode(lines: list[bytes]) -> bytes:
    """The strict base64 of the lines; blanks inside a line are passed over."""
    text = b"".join(lines).translate(None, b" \t\v\f")
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise PemError("a block that is not base64; an encrypted key in the old PEM form cannot be read") from error
    if not der:
        raise PemError("an empty block")
    return der
