"""Mailbox, an address as certificates and mail bind it (RFC 5321 4.1.2, RFC 6531 3.3, RFC 9598).

MailboxError   Malformed: not a mailbox, pattern or mail domain
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, Self

import idna

from formats.errors import Malformed

MAX_LOCAL_OCTETS: Final = 64  # RFC 5321 4.5.3.1.1
MAX_DOMAIN_OCTETS: Final = 255  # RFC 5321 4.5.3.1.2
MAX_LABEL_OCTETS: Final = 63  # RFC 1035 2.3.4; a U-label has no more characters than its A-label
MAX_CHARACTERS: Final = 1024

_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff-]"
_DOT_STRING: Final = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*)"')
_PAIR: Final = re.compile(r"\\(.)")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class MailboxError(Malformed):
    """Not a mailbox, not a pattern of mailboxes, or not a mail domain."""

    code: ClassVar[str] = "mailbox_malformed"
    hint: ClassVar[str] = "give one plain address, such as registrar@campus.example, without name, comment or brackets"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox: the local part as it was written, the domain in lower-case A-labels.

    A quoted local part loses its quotes where it can, and else keeps them, with the fewest backslashes.
    """

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read exactly one Mailbox of RFC 5321 4.1.2: no name, comment, address literal or blank around it."""
        if len(text) > MAX_CHARACTERS:
            raise MailboxError("longer than any address")
        local, at, domain = text.rpartition("@")
        if not at:
            raise MailboxError("an address without @")
        return cls(_local(local), parse_domain(domain))

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def is_ascii(self) -> bool:
        """Whether the local part is ASCII, so that rfc822Name can hold it (RFC 9598 3)."""
        return self.local.isascii()

    @property
    def key(self) -> str:
        """The form in which mailboxes are compared: ASCII letters lower-case, nothing else touched (RFC 8550 3).

        Other letters are neither folded nor normalised (RFC 9598 5).
        """
        return f"{self.local.translate(_LOWER)}@{self.domain}"

    @property
    def key_without_detail(self) -> str:
        """The key of the mailbox that this one is a detail of (RFC 5233): alice+list@ and alice@ are read by one person."""
        is_quoted = self.local.startswith('"')
        local = _PAIR.sub(r"\1", self.local[1:-1]) if is_quoted else self.local
        before, _, _ = local.partition("+")
        return Mailbox(before.strip() or local, self.domain).key

    @property
    def unicode(self) -> str:
        """The form for people, with U-labels."""
        labels = (idna.ulabel(label) if label.startswith("xn--") else label for label in self.domain.split("."))
        return f"{self.local}@{'.'.join(labels)}"

    def same_as(self, other: Mailbox) -> bool:
        """Whether both name one mailbox, by `key`."""
        return self.key == other.key


@dataclass(frozen=True, slots=True)
class MailboxPattern:
    """One mailbox, or all of exactly one domain (`*@campus.example`; sub-domains are other domains)."""

    local: str | None
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a mailbox or `*@domain`; a star anywhere else in the local part is refused."""
        if text.startswith("*@"):
            return cls(None, parse_domain(text[2:]))
        mailbox = Mailbox.parse(text)
        if "*" in mailbox.local:
            raise MailboxError("a star stands only for a whole local part")
        return cls(mailbox.local, mailbox.domain)

    def __str__(self) -> str:
        return f"{'*' if self.local is None else self.local}@{self.domain}"

    def covers(self, mailbox: Mailbox) -> bool:
        """Whether the mailbox is the one, or one of those, meant here."""
        if self.local is None:
            return self.domain == mailbox.domain
        return Mailbox(self.local, self.domain).same_as(mailbox)

    def covers_pattern(self, other: MailboxPattern) -> bool:
        """Whether all that the other pattern covers is covered here."""
        if other.local is None:
            return self.local is None and self.domain == other.domain
        return self.covers(Mailbox(other.local, other.domain))


def parse_domain(text: str) -> str:
    """The mail domain in lower-case A-labels: IDNA2008 without mappings, at least two labels, not an address."""
    if len(text) > MAX_DOMAIN_OCTETS:
        raise MailboxError("a domain of more than 255 octets")
    labels = [_a_label(label) for label in text.translate(_LOWER).split(".")]
    domain = ".".join(labels)
    if len(labels) < 2:
        raise MailboxError("a domain of fewer than two labels")
    if labels[-1].isdigit():
        raise MailboxError("a network address instead of a domain")
    if len(domain) > MAX_DOMAIN_OCTETS:
        raise MailboxError("a domain of more than 255 octets")
    return domain


@lru_cache(maxsize=4096)
def _a_label(label: str) -> str:
    """Remembered: IDNA takes 0.1 ms, and the domains of many mailboxes are few."""
    if len(label) > MAX_LABEL_OCTETS:
        raise MailboxError("a domain label of more than 63 octets")
    if label.isascii() and not label.startswith("xn--"):
        if not _LABEL.fullmatch(label):
            raise MailboxError("a domain label that is empty, too long, or not of letters, digits and inner hyphens")
        return label
    # The standard library's codec is IDNA2003 and would map one domain to another (RFC 9598 4).
    # `ulabel` refuses an A-label that is not the canonical one of what it decodes to (RFC 5891 5.3).
    try:
        return idna.alabel(idna.ulabel(label)).decode("ascii")
    except (idna.IDNAError, UnicodeError, ValueError, IndexError) as error:
        raise MailboxError("a domain label that IDNA2008 does not allow") from error


def _local(text: str) -> str:
    if any(unicodedata.category(character)[0] in "CZ" for character in text if character != " "):
        # Besides controls: BOM, zero-width and bidi marks and odd blanks, which nobody can see.
        raise MailboxError("a local part with an invisible character")
    if quoted := _QUOTED.fullmatch(text):
        text = re.sub(r"\\(.)", r"\1", quoted[1])
        if not _DOT_STRING.fullmatch(text):
            text = '"' + re.sub(r'([\\"])', r"\\\1", text) + '"'
    elif not _DOT_STRING.fullmatch(text):
        raise MailboxError("a local part that is neither a dot-string nor a quoted string")
    if text == "*":
        raise MailboxError("a local part that reads as a pattern")  # never let an address widen into *@domain
    if len(text.encode("utf-8")) > MAX_LOCAL_OCTETS:
        raise MailboxError("a local part of more than 64 octets")
    return text
