"""Certificate extensions (RFC 5280 4.2), read from DER: a reader for each that we look into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from formats import names, oids
from formats.ber import (
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    UTF8_STRING,
    BerError,
    Element,
    Fields,
    context,
    read_der,
)
from formats.mailbox import Mailbox, MailboxError

MAX_EXTENSIONS: Final = 64
MAX_NAMES: Final = 1024
MAX_MAILBOXES: Final = 100  # international ones cost much to read

_RFC822_NAME: Final = context(1)
_OTHER_NAME: Final = context(0)
_URI: Final = context(6)
_KEY_USAGES: Final = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension; `value` is the content of its extnValue, an encoded value itself."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicConstraints:
    """Whether the subject is a CA, and how many CAs may follow below it (None: any number)."""

    ca: bool
    path_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeNames:
    """The mailboxes among the names, and the texts of those that should be mailboxes and are none."""

    mailboxes: tuple[Mailbox, ...] = ()
    odd: tuple[str, ...] = ()


def read_extensions(element: Element) -> dict[str, Extension]:
    """The list of extensions by identifier; BerError for a duplicate (RFC 5280 4.2) or an empty list."""
    found: dict[str, Extension] = {}
    for entry in element.fields(SEQUENCE).rest():
        fields = entry.fields(SEQUENCE)
        oid = fields.take(OID).oid()
        critical = fields.optional(BOOLEAN)
        value = fields.take(OCTET_STRING).octets()
        fields.end()
        if oid in found:
            raise BerError(f"the extension {oid} stands there twice")
        found[oid] = Extension(oid=oid, critical=critical is not None and critical.boolean(), value=value)
    if not 0 < len(found) <= MAX_EXTENSIONS:
        raise BerError(f"no extension, or more than {MAX_EXTENSIONS}")
    return found


def basic_constraints(value: bytes) -> BasicConstraints:
    """RFC 5280 4.2.1.9."""
    fields = read_der(value).fields(SEQUENCE)
    ca = fields.optional(BOOLEAN)
    length = fields.optional(INTEGER)
    fields.end()
    path_length = None if length is None else length.integer()
    if path_length is not None and path_length < 0:
        raise BerError("a negative path length")
    return BasicConstraints(ca=ca is not None and ca.boolean(), path_length=path_length)


def key_usage(value: bytes) -> frozenset[str]:
    """RFC 5280 4.2.1.3, by the names of its bits."""
    octets, _ = read_der(value).bit_string()
    return frozenset(
        name
        for position, name in enumerate(_KEY_USAGES)
        if position // 8 < len(octets) and octets[position // 8] & 0x80 >> position % 8
    )


def extended_key_usage(value: bytes) -> frozenset[str]:
    """RFC 5280 4.2.1.12, by identifiers."""
    usages = frozenset(usage.oid() for usage in read_der(value).fields(SEQUENCE).rest())
    if not usages:
        raise BerError("an extended key usage that names none")
    return usages


def subject_key_id(value: bytes) -> bytes:
    """RFC 5280 4.2.1.2."""
    return read_der(value).octets()


def authority_key_id(value: bytes) -> bytes | None:
    """RFC 5280 4.2.1.1; None where only issuer and serial are given."""
    fields = read_der(value).fields(SEQUENCE)
    key_id = fields.optional(context(0))
    for tag in (context(1), context(2)):  # issuer and serial, which nothing here goes by
        fields.optional(tag)
    fields.end()
    return None if key_id is None else _primitive(key_id)


def policies(value: bytes) -> tuple[str, ...]:
    """The policy identifiers in their order (RFC 5280 4.2.1.4)."""
    return tuple(policy.fields(SEQUENCE).take(OID).oid() for policy in read_der(value).fields(SEQUENCE).rest())


def alternative_names(value: bytes) -> AlternativeNames:
    """The mailboxes of a subjectAltName: rfc822Name, and SmtpUTF8Mailbox (RFC 9598 3)."""
    mailboxes: dict[Mailbox, None] = {}  # in their order, each once
    odd: list[str] = []
    texts = [(name, text) for name in _general_names(read_der(value)) if (text := _mailbox_text(name)) is not None]
    if len(texts) > MAX_MAILBOXES:
        raise BerError(f"more than {MAX_MAILBOXES} mailboxes")
    for name, text in texts:
        try:
            mailbox = Mailbox.parse(text)
        except MailboxError:
            odd.append(names.visible(text))
            continue
        if mailbox.is_ascii != (name.tag == _RFC822_NAME):  # RFC 9598 3: the local part decides the form
            odd.append(names.visible(text))
        else:
            mailboxes[mailbox] = None
    return AlternativeNames(mailboxes=tuple(mailboxes), odd=tuple(odd))


def distribution_urls(value: bytes) -> tuple[str, ...]:
    """The URLs of all distribution points (RFC 5280 4.2.1.13)."""
    urls: list[str] = []
    for point in read_der(value).fields(SEQUENCE).rest():
        name = point.fields(SEQUENCE).optional(context(0))
        full_name = None if name is None else name.fields().optional(context(0))
        if full_name is not None:
            urls.extend(_urls(full_name.fields()))
    return tuple(urls)


def access_urls(value: bytes) -> dict[str, tuple[str, ...]]:
    """The URLs of an authorityInfoAccess, by access method (RFC 5280 4.2.2.1)."""
    found: dict[str, tuple[str, ...]] = {}
    for description in read_der(value).fields(SEQUENCE).rest():
        fields = description.fields(SEQUENCE)
        method = fields.take(OID).oid()
        found[method] = (*found.get(method, ()), *_urls(fields))
    return found


def _urls(fields: Fields) -> Iterator[str]:
    return (name.text(tag=_URI) for name in fields.rest() if name.tag == _URI)


def _general_names(element: Element) -> list[Element]:
    found = element.fields(SEQUENCE).rest()
    if not 0 < len(found) <= MAX_NAMES:
        raise BerError(f"no alternative name, or more than {MAX_NAMES}")
    if any(not context(0) <= name.tag <= context(8) for name in found):
        raise BerError("an alternative name of no known kind")
    return found


def _mailbox_text(name: Element) -> str | None:
    if name.tag == _RFC822_NAME:
        return _primitive(name).decode("latin-1")  # beyond ASCII it is no mailbox, yet can be shown
    if name.tag != _OTHER_NAME:
        return None
    fields = name.fields()
    if fields.take(OID).oid() != oids.SMTP_UTF8_MAILBOX:
        return None
    wrapped = fields.take(context(0)).fields()
    value = wrapped.any()
    wrapped.end()
    fields.end()
    return value.text(tag=UTF8_STRING, kind=UTF8_STRING)


def _primitive(element: Element) -> bytes:
    if element.constructed:
        raise BerError("a constructed string, which DER forbids")
    return element.content
