"""Seal a mail: to whom it goes, and the mail in which only they can read the body (RFC 8551 3.3, 3.4)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header
from types import MappingProxyType
from typing import Final

from formats.certificate import Certificate
from formats.mailbox import Mailbox
from smime import canonical, transfer
from smime.cms.ciphers import ContentCipher
from smime.cms.enveloped import seal_content
from smime.cms.key_transport import KeyTransport
from smime.entity import Field
from smime.errors import FieldMalformed, MessageMalformed
from smime.headers import read_mailboxes
from smime.message import Message
from smime.plaintext import whole, write_plaintext

_VISIBLE: Final = ("to", "cc")
_BLIND: Final = ("bcc",)
# Who else reads along must not show (RFC 5322 3.6.3, 3.6.6), and programs write that into more fields than Bcc.
_TELLING: Final = (
    *("bcc", "resent-bcc", "x-bcc", "apparently-to", "delivered-to", "envelope-to", "x-envelope-to"),
    *("x-delivered-to", "x-original-to", "x-rcpt-to", "x-failed-recipients"),
)
# What the sender shows to everybody, whoever stands in it, and what they have written by hand.
_SHOWN: Final = frozenset({"from", "sender", "reply-to", "to", "cc"})
_WRITTEN: Final = frozenset({"subject", "comments", "keywords", "message-id", "in-reply-to", "references", "date"})
_ENCODED: Final = re.compile(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", re.IGNORECASE)
# An ASCII character as addresses of the web hold it (RFC 3986 2.1).
_PERCENT: Final = re.compile(r"%([0-7][0-9A-Fa-f])")
# Blanks, comments and quotes that may stand around the @ of an address.
_AROUND_AT: Final = re.compile(r"[\s\"]{0,9}(?:\([^()@]{0,80}\)[\s\"]{0,9})?@\s{0,9}")
# A DKIM signature is stale, since the body changes.
_DROPPED: Final[Mapping[str, str]] = MappingProxyType(
    {**dict.fromkeys(_TELLING, "bcc-dropped"), "dkim-signature": "dkim-dropped"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRecipients:
    """To whom a message goes, each mailbox once: those that its readers see, and those that nobody may see."""

    visible: tuple[Mailbox, ...]
    blind: tuple[Mailbox, ...]

    @property
    def all(self) -> tuple[Mailbox, ...]:
        """All of them, those that are seen first."""
        return (*self.visible, *self.blind)

    def narrowed(self, to: Iterable[Mailbox]) -> NamedRecipients:
        """Only these; whoever is not among those that are seen is blind."""
        seen = {mailbox.key for mailbox in self.visible}
        wanted = _once(to)
        return NamedRecipients(
            visible=tuple(mailbox for mailbox in wanted if mailbox.key in seen),
            blind=tuple(mailbox for mailbox in wanted if mailbox.key not in seen),
        )


def named_recipients(message: Message) -> NamedRecipients:
    """The mailboxes in To and Cc, and those in Bcc that are not there too.

    MessageMalformed for one of these fields twice, FieldMalformed for one that cannot be read.
    """
    visible, blind = _once(_mailboxes(message, _VISIBLE)), _once(_mailboxes(message, _BLIND))
    seen = NamedRecipients(visible=visible, blind=())
    return seen.narrowed((*visible, *blind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message ready to be sealed, to these and to those: its header as everybody sees it, and its plaintext.

    `changes` are slugs of what the header leaves out.
    """

    header: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)
    changes: tuple[str, ...]


def prepare(message: Message, *, blind: Iterable[Mailbox] = ()) -> Letter:
    """The message with its Content fields and body as plaintext, everything with CRLF; the body is left as it was given.

    The other header fields stay as they are and in their order, without those that tell who else gets it, as Bcc does:
    by their name, or because a mailbox of `blind` stands in them. From, To, Subject and the like are what the sender
    shows; who stands in an address field of these is not hidden anywhere.
    """
    shown = [_spelled(one) for one in message.fields if one.name in _SHOWN]
    wanted = {form for mailbox in blind for form in _forms(mailbox)}
    forms = {form for form in wanted if not any(_stands_in(text, form) for text in shown)}
    reasons = [(one, _reason(one, forms)) for one in canonical.outer_fields(message.root)]
    lines = [whole(one) for one, reason in reasons if reason is None]
    if not message.root.get("mime-version"):
        lines.append(b"MIME-Version: 1.0\r\n")
    slugs = [reason for _, reason in reasons if reason is not None]
    if message.root.get("content-length"):  # an mbox's count of the old body
        slugs.append("content-length-dropped")
    return Letter(header=b"".join(lines), plaintext=write_plaintext(message.root), changes=tuple(dict.fromkeys(slugs)))


def _reason(one: Field, blind: Collection[str]) -> str | None:
    """The slug under which a field is left out."""
    if one.name in _DROPPED:
        return _DROPPED[one.name]
    if not blind or one.name in _SHOWN | _WRITTEN:
        return None
    text = _spelled(one)
    is_told = "@" in text and any(_stands_in(text, form) for form in blind)
    return "bcc-dropped" if is_told else None


def _forms(mailbox: Mailbox) -> tuple[str, ...]:
    """How a mailbox may be written, in lower case; the last one as a return path holds it (VERP)."""
    plain = (mailbox.key.lower(), mailbox.unicode.lower())
    return (*plain, f"{plain[0].replace('@', '=')}@")


def _spelled(one: Field) -> str:
    """All that a field may be read as, in lower case: as it stands, with what is encoded in it, and without blanks."""
    text = one.raw.decode("utf-8", "replace").replace("\r\n", "")
    readings = [text, _PERCENT.sub(_octet, text), _ENCODED.sub(_decoded, text)]
    return "\n".join(_AROUND_AT.sub("@", reading) if "@" in reading else reading for reading in readings).lower()


def _octet(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _decoded(word: re.Match[str]) -> str:
    """One encoded word (RFC 2047 2); as it stands where that cannot be done."""
    try:
        ((content, charset),) = decode_header(word[0])
        return content.decode(charset or "ascii", "replace") if isinstance(content, bytes) else content
    except (ValueError, LookupError, MessageError):
        return word[0]


def _stands_in(text: str, form: str) -> bool:
    """Whether it is there as an address of its own, and not as a part of a longer one."""
    if form not in text:
        return False
    if form.endswith("@"):
        return re.search(rf"(?<![\w.-]){re.escape(form)}", text) is not None
    return re.search(rf"(?<![\w.+-]){re.escape(form)}(?!-|\w|\.\w)", text) is not None


def seal(
    letter: Letter,
    *,
    certificates: Sequence[Certificate],
    cipher: ContentCipher = ContentCipher.AES256_CBC,
    transport: KeyTransport = KeyTransport.PKCS1,
) -> bytes:
    """The letter sealed to these certificates.

    RecipientsMissing without certificates, TooManyRecipients for more than 1,000.
    """
    sealed = seal_content(letter.plaintext, certificates=certificates, cipher=cipher, transport=transport)
    kind = b"authEnveloped-data" if cipher.is_authenticated else b"enveloped-data"
    return b"".join([letter.header, *_wrapped(sealed, kind)])


def seal_message(
    message: Message,
    *,
    certificates: Sequence[Certificate],
    cipher: ContentCipher = ContentCipher.AES256_CBC,
    transport: KeyTransport = KeyTransport.PKCS1,
) -> bytes:
    """A message without blind recipients, prepared and sealed."""
    return seal(prepare(message), certificates=certificates, cipher=cipher, transport=transport)


def _wrapped(sealed: bytes, kind: bytes) -> Iterator[bytes]:
    yield b"Content-Type: application/pkcs7-mime; smime-type=" + kind + b';\r\n name="smime.p7m"\r\n'
    yield b"Content-Transfer-Encoding: base64\r\n"
    yield b'Content-Disposition: attachment; filename="smime.p7m"\r\n\r\n'
    yield transfer.encode_base64(sealed)


def _mailboxes(message: Message, names: Sequence[str]) -> Iterator[Mailbox]:
    for name in names:
        found = message.root.get(name)
        if len(found) > 1:
            raise MessageMalformed(f"the field {name} twice")
        for one in found:
            try:
                yield from read_mailboxes(one.value)
            except FieldMalformed as error:
                raise FieldMalformed(f"{name.title()} cannot be read: {error.detail}") from error


def _once(mailboxes: Iterable[Mailbox]) -> tuple[Mailbox, ...]:
    return tuple({mailbox.key: mailbox for mailbox in reversed(tuple(mailboxes))}.values())[::-1]
