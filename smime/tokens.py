"""Tokens, what structured header fields are made of (RFC 5322 3.2, RFC 6532 3)."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final, NamedTuple

from smime.errors import FieldMalformed

MAX_COMMENT_DEPTH: Final = 8

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLAIN: Final = re.compile(r'[^"(]+')
_IN_COMMENT: Final = re.compile(r"[^()\\]+|\\.|[()]")
_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t]+)
    |(?P<atom>[A-Za-z0-9!\#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff-]+)
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<special>[<>@,;:.])""",
    re.VERBOSE,
)


class Kind(Enum):
    """What a token is."""

    ATOM = auto()
    QUOTED = auto()
    SPECIAL = auto()


class Token(NamedTuple):
    """One token; `apart` where blanks or a comment stand before it. A quoted string keeps its quotes."""

    kind: Kind
    text: str
    apart: bool


_KINDS: Final[dict[str | None, Kind]] = {"atom": Kind.ATOM, "quoted": Kind.QUOTED, "special": Kind.SPECIAL}


def readable(value: bytes) -> str:
    """The text of an unfolded field value: UTF-8 without control characters, or FieldMalformed."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FieldMalformed("a header field that is not UTF-8") from error
    if _CONTROL.search(text):
        raise FieldMalformed("a control character in a header field")
    return text


def without_comments(text: str) -> str:
    """The text with a blank for every comment; what stands in quotes is left alone."""
    if "(" not in text:
        return text
    pieces: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == "(":
            position = _after_comment(text, position)
            pieces.append(" ")
            continue
        match = _PLAIN.match(text, position) or _QUOTED.match(text, position)
        if match is None:
            raise FieldMalformed("quotes that are not closed")
        pieces.append(match[0])
        position = match.end()
    return "".join(pieces)


def tokens(text: str) -> list[Token]:
    """Every token of an address field in its order; blanks and comments only part them."""
    found: list[Token] = []
    position = 0
    apart = False
    while position < len(text):
        if text[position] == "(":
            position = _after_comment(text, position)
            apart = True
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise FieldMalformed("a character that must stand in quotes, or quotes that are not closed")
        position = match.end()
        if match.lastgroup == "blank":
            apart = True
            continue
        found.append(Token(kind=_KINDS[match.lastgroup], text=match[0], apart=apart))
        apart = False
    return found


def unquoted(text: str) -> str:
    """What a quoted string stands for, without its quotes and backslashes."""
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _after_comment(text: str, position: int) -> int:
    """The position behind the comment that begins here."""
    depth = 0
    while match := _IN_COMMENT.match(text, position):
        position = match.end()
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return position
        if depth > MAX_COMMENT_DEPTH:
            raise FieldMalformed("comments within comments, too deep")
    raise FieldMalformed("a comment that is not closed")
