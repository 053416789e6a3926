"""Header fields with a grammar: addresses, dates and content types, read strictly from bytes (RFC 5322, RFC 6532).

Where two readers could see two things, nothing is read: an address that must be guessed is the way to sign as
somebody else.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from formats.mailbox import Mailbox, MailboxError
from smime.content_type import ContentType, Disposition, read_content_type, read_disposition
from smime.errors import FieldMalformed
from smime.tokens import Kind, Token, readable, tokens, without_comments

__all__ = [
    "ContentType",
    "Disposition",
    "has_group",
    "names_another_address",
    "read_content_type",
    "read_date",
    "read_disposition",
    "read_mailboxes",
    "read_token",
    "write_date",
]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# RFC 5322 4.3; the one-letter zones mean nothing for sure.
_ZONES: Final = {
    "UT": 0,
    "GMT": 0,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}
_DATE: Final = re.compile(
    rf"\s*(?:(?:{'|'.join(_DAYS)})\s*,\s*)?([0-9]{{1,2}})\s+({'|'.join(_MONTHS)})\s+([0-9]{{4}})\s+"
    rf"([0-9]{{2}})\s*:\s*([0-9]{{2}})(?:\s*:\s*([0-9]{{2}}))?\s+([+-][0-9]{{4}}|{'|'.join(_ZONES)})\s*",
    re.IGNORECASE | re.ASCII,
)
_MIME_TOKEN: Final = re.compile(r"\s*([A-Za-z0-9!#$%&'*+^_`{|}~.-]+)\s*", re.ASCII)
_ENCODED_WORD: Final = re.compile(r"=\?[^?\s]+\?([bq])\?([^?\s]*)\?=", re.IGNORECASE)
_BETWEEN_WORDS: Final = re.compile(r"\?=[ \t]+(?==\?)")
_LOCAL: Final = r"[\w.!#$%&'*+/=?^`{|}~-]"
_ADDRESS: Final = re.compile(rf"(?<!{_LOCAL})({_LOCAL}+)[@\uff20\ufe6b]([\w-]+(?:\.[\w-]+)+)")


def read_mailboxes(value: bytes) -> tuple[Mailbox, ...]:
    """Every mailbox of an address list, those in groups included; none where only blanks and comments stand.

    FieldMalformed for what is not RFC 5322 3.4: routes, blanks inside an address and empty places in the list are
    refused, as is an encoded word in an address (RFC 2047 5), which is never decoded.
    """
    return _AddressList(tokens(readable(value))).read()


def has_group(value: bytes) -> bool:
    """Whether an address list that can be read names a group (RFC 5322 3.4)."""
    return any(token.kind is Kind.SPECIAL and token.text == ":" for token in tokens(readable(value)))


def names_another_address(value: bytes, mailboxes: Iterable[Mailbox]) -> bool:
    """Whether names or comments of an address list that can be read hold an address besides its mailboxes.

    Mail programs show the name and not the address; encoded words are decoded here as they are there.
    """
    text = _ENCODED_WORD.sub(_decoded_word, _BETWEEN_WORDS.sub("?=", readable(value)))
    return not {_key(*found) for found in _ADDRESS.findall(text)} <= {mailbox.key for mailbox in mailboxes}


def read_date(value: bytes) -> datetime:
    """The moment of a date-time in UTC (RFC 5322 3.3); two-digit years and one-letter zones are FieldMalformed."""
    match = _DATE.fullmatch(without_comments(readable(value)))
    if match is None:
        raise FieldMalformed("a date that cannot be read")
    day, month, year, hour, minute, second, zone = match.groups()
    try:
        return datetime(
            int(year),
            _MONTHS.index(month.title()) + 1,
            int(day),
            int(hour),
            int(minute),
            min(int(second or 0), 59),  # a leap second is written as 60
            tzinfo=timezone(_offset(zone)),
        ).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FieldMalformed("a date that no calendar has") from error


def write_date(moment: datetime) -> bytes:
    """A date-time in whole seconds (RFC 5322 3.3); never in the words of the process's locale."""
    at = moment.astimezone(UTC)
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} +0000"
    ).encode("ascii")


def read_token(value: bytes) -> str:
    """The one token of a field such as Content-Transfer-Encoding, in lower case."""
    match = _MIME_TOKEN.fullmatch(without_comments(readable(value)))
    if match is None:
        raise FieldMalformed("a field that is not one word")
    return match[1].lower()


def _key(local: str, domain: str) -> str:
    """The key of an address in a text, with which it is compared; some programs put it between apostrophes."""
    text = f"{local}@{domain}".strip("'")
    try:
        return Mailbox.parse(text).key
    except MailboxError:
        return text


def _decoded_word(match: re.Match[str]) -> str:
    """What an encoded word says (RFC 2047 2), read as UTF-8, since an address in it is ASCII; itself if broken."""
    octets = match[2].encode("utf-8")
    try:
        decoded = binascii.a2b_base64(octets) if match[1] in "bB" else binascii.a2b_qp(octets, header=True)
    except binascii.Error:
        return match[0]
    return decoded.decode("utf-8", errors="replace")


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(hours=_ZONES[zone.upper()])
    hours, minutes = int(zone[1:3]), int(zone[3:])
    if hours > 23 or minutes > 59:
        raise FieldMalformed("a date with a zone that no place has")
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


class _AddressList:
    """One pass over the tokens of an address list (RFC 5322 3.4)."""

    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.position = 0

    def read(self) -> tuple[Mailbox, ...]:
        if not self.tokens:
            return ()
        mailboxes = list(self.address())
        while self.position < len(self.tokens):
            self.expect(",")
            mailboxes += self.address()
        return tuple(mailboxes)

    def address(self) -> list[Mailbox]:
        """One mailbox, or those of a group (RFC 6854 allows groups in From)."""
        words = self.words()
        if self.at(":"):
            self.phrase(words, required=True)
            return self.group()
        return [self.mailbox(words)]

    def group(self) -> list[Mailbox]:
        self.expect(":")
        mailboxes: list[Mailbox] = []
        if not self.at(";"):
            mailboxes.append(self.mailbox(self.words()))
            while self.at(","):
                self.expect(",")
                mailboxes.append(self.mailbox(self.words()))
        self.expect(";")
        return mailboxes

    def mailbox(self, words: list[Token]) -> Mailbox:
        if not self.at("<"):
            return self.addr_spec(words)
        self.phrase(words, required=False)
        self.expect("<")
        mailbox = self.addr_spec(self.words())
        self.expect(">")
        return mailbox

    def addr_spec(self, words: list[Token]) -> Mailbox:
        local = words[0].text if len(words) == 1 and words[0].kind is Kind.QUOTED else self.dot_atom(words)
        if "=?" in local:
            raise FieldMalformed("an encoded word inside an address")
        self.expect("@")
        domain = self.dot_atom(self.words())
        try:
            return Mailbox.parse(f"{local}@{domain}")
        except MailboxError as error:
            raise FieldMalformed(error.detail) from error

    def dot_atom(self, words: list[Token]) -> str:
        """Atoms with single dots between them and nothing else, blanks included."""
        shape = [Kind.SPECIAL if index % 2 else Kind.ATOM for index in range(len(words) | 1)]
        if [word.kind for word in words] != shape or any(word.apart for word in words[1:]):
            raise FieldMalformed("an address that is not of the form local@domain")
        return "".join(word.text for word in words)

    def phrase(self, words: list[Token], *, required: bool) -> None:
        """A display name; dots are let through, since `John Q. Public` is everywhere (RFC 5322 4.1)."""
        if words[0].text == "." if words else required:
            raise FieldMalformed("a display name that begins with no word")

    def words(self) -> list[Token]:
        start = self.position
        while self.position < len(self.tokens) and (
            self.tokens[self.position].kind is not Kind.SPECIAL or self.tokens[self.position].text == "."
        ):
            self.position += 1
        return self.tokens[start : self.position]

    def at(self, special: str) -> bool:
        return (
            self.position < len(self.tokens)
            and self.tokens[self.position].kind is Kind.SPECIAL
            and self.tokens[self.position].text == special
        )

    def expect(self, special: str) -> None:
        if not self.at(special):
            raise FieldMalformed(f"an address list in which {special} is missing")
        self.position += 1
