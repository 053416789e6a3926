"""Visible: text of others on its way into our own, without anything that nobody sees or that turns what is read."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

from formats.mailbox import Mailbox

# Default_Ignorable_Code_Point of Unicode, which the standard library does not know: soft hyphen, joiners, fillers,
# variation selectors, tags. The blank of Braille is none of it, and looks like nothing all the same.
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Those of them that turn the direction of reading, or end its turning.
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_ATEXT: Final = frozenset("!#$%&'*+-/=?^_`{|}~.")


def is_hidden(character: str) -> bool:
    """Whether nobody sees it, or it changes how its neighbours are read: controls, line ends, marks of direction."""
    return bool(_IGNORABLE.match(character)) or _is_control(character)


def plain(text: str, *, limit: int) -> str:
    """One line of at most `limit` characters that shows all that it holds; what parts words becomes a blank."""
    return " ".join("".join(map(_seen, text[:limit])).split())


def escaped(text: str) -> str:
    r"""The text with all that is hidden in it as JSON writes it, such as \u202e; within JSON it means the same."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(json.dumps(one)[1:-1] if is_hidden(one) else one for one in text)


def address(mailbox: Mailbox) -> str:
    """The address for people: what may hide or deceive, a blank among them, stands as backslash and hex pairs.

    A quoted local part may hold whole sentences, which are none of ours.
    """
    local, _, domain = mailbox.unicode.rpartition("@")
    if any(map(is_hidden, domain)):  # IDNA2008 allows joiners in some places
        domain = mailbox.domain
    if local.startswith('"'):
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
        return f'"{_in_pairs(local)}"@{domain}'
    return f"{_in_pairs(local)}@{domain}"


def _seen(character: str) -> str:
    if _is_control(character) or _TURNING.match(character):
        return " "
    return "" if _IGNORABLE.match(character) else character


def _is_control(character: str) -> bool:
    """Controls, line ends, and what no Unicode has a meaning for; a format's mark counts unless it is ignorable."""
    category = unicodedata.category(character)
    return category in {"Zl", "Zp"} or (category[0] == "C" and not _IGNORABLE.match(character))


def _in_pairs(local: str) -> str:
    return "".join(character if _is_of_words(character) else _hex_pairs(character) for character in local)


def _is_of_words(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in _ATEXT
    return unicodedata.category(character)[0] in "LNM" and not is_hidden(character)


def _hex_pairs(character: str) -> str:
    return "".join(f"\\{octet:02x}" for octet in character.encode())
