"""Names in certificates: distinguished names as RFC 5280 7.1 compares them, and all that a certificate binds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from formats import names as attributes_of
from formats import oids
from formats.ber import (
    BMP_STRING,
    IA5_STRING,
    NUMERIC_STRING,
    OID,
    PRINTABLE_STRING,
    SEQUENCE,
    T61_STRING,
    UNIVERSAL_STRING,
    UTF8_STRING,
    VISIBLE_STRING,
    BerError,
    Element,
    context,
    read_der,
)
from formats.certificate import Certificate
from formats.extensions import MAX_MAILBOXES
from formats.mailbox import Mailbox, MailboxError

RelativeName = frozenset[tuple[str, str | bytes]]
DistinguishedName = tuple[RelativeName, ...]

_STRINGS: Final = frozenset(
    {
        UTF8_STRING,
        NUMERIC_STRING,
        PRINTABLE_STRING,
        T61_STRING,
        IA5_STRING,
        VISIBLE_STRING,
        UNIVERSAL_STRING,
        BMP_STRING,
    }
)
_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_NUMERIC_HOST: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# Without user information, which readers of certificates take for the host or not.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9._-]+)(?::[0-9]*)?(?:[/?#].*)?")


class Form(StrEnum):
    """The forms of names that name constraints are applied to here."""

    EMAIL = "rfc822Name"
    DNS = "dNSName"
    DIRECTORY = "directoryName"
    URI = "uniformResourceIdentifier"
    IP = "iPAddress"


FORMS: Final = {
    context(1): Form.EMAIL,
    context(2): Form.DNS,
    context(4): Form.DIRECTORY,
    context(6): Form.URI,
    context(7): Form.IP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One name that a certificate binds.

    `form` is a Form, or for those that are not looked into the tag, with the type of an otherName. `value` is None
    where it cannot be read: no constraint on the form is then met.
    """

    form: str
    value: Mailbox | DistinguishedName | str | bytes | None = None


def distinguished(der: bytes) -> DistinguishedName:
    """The name in the form in which names are compared; BerError where it is none (RFC 5280 7.1)."""
    return _relative_names(read_der(der))


def bound_by(certificate: Certificate) -> tuple[Name, ...]:
    """Every name in subject and subjectAltName (RFC 5280 6.1.3 b, c), emailAddress attributes included.

    RFC 5280 4.2.1.10 puts emailAddress under rfc822 constraints where there is no subjectAltName; here it always is.
    """
    extension = certificate.extensions.get(oids.SUBJECT_ALT_NAME)
    return _bound(certificate.subject_der, None if extension is None else extension.value)


@lru_cache(maxsize=64)
def _bound(subject_der: bytes, alternative_names: bytes | None) -> tuple[Name, ...]:
    """Read once what is held against constraints in many chains."""
    return tuple(_names(subject_der, alternative_names))


def _names(subject_der: bytes, alternative_names: bytes | None) -> Iterator[Name]:
    subject = read_der(subject_der)
    if subject.children:
        yield Name(form=Form.DIRECTORY, value=_relative_names(subject))
    pairs = (pair for attributes in attributes_of.attributes(subject) for pair in attributes)
    emails = [value for oid, value in pairs if oid == oids.EMAIL_ADDRESS]
    for value in emails[:MAX_MAILBOXES]:
        yield Name(form=Form.EMAIL, value=_mailbox(value, kind=value.tag))
    if len(emails) > MAX_MAILBOXES:  # unread, so that they meet no constraint
        yield Name(form=Form.EMAIL)
    if alternative_names is not None:
        yield from map(general_name, read_der(alternative_names).fields(SEQUENCE).rest())


def general_name(element: Element) -> Name:
    """One GeneralName of a certificate; SmtpUTF8Mailbox counts as rfc822Name (RFC 9598 6)."""
    form = FORMS.get(element.tag)
    if element.tag == context(0):
        return _other_name(element)
    if form is None:
        return Name(form=form_key(element))
    try:
        return Name(form=form, value=_value(element, form))
    except BerError:
        return Name(form=form)


def form_key(element: Element) -> str:
    """The form of a GeneralName that is not looked into: its tag, and the type of an otherName."""
    number = element.tag - context(0)
    if number == 0:
        return f"0:{element.fields().take(OID).oid()}"
    return str(number)


def _value(element: Element, form: Form) -> Mailbox | DistinguishedName | str | bytes | None:
    if form is Form.EMAIL:
        return _mailbox(element, kind=IA5_STRING)
    if form is Form.DIRECTORY:
        return _relative_names(element.fields().any())
    if form is Form.IP:
        octets = element.octets(tag=element.tag)
        return octets if len(octets) in {4, 16} else None
    return _host(element, form)


def _other_name(element: Element) -> Name:
    form = form_key(element)
    if form != f"0:{oids.SMTP_UTF8_MAILBOX}":
        return Name(form=form)
    fields = element.fields()
    fields.any()
    return Name(form=Form.EMAIL, value=_mailbox(fields.any().fields().any(), kind=UTF8_STRING))


def _mailbox(element: Element, *, kind: int) -> Mailbox | None:
    try:
        return Mailbox.parse(element.text(tag=element.tag, kind=kind))
    except (BerError, MailboxError):
        return None


def _host(element: Element, form: Form) -> str | None:
    """The host of a dNSName or URI in lower case, None where it is none (RFC 5280 4.2.1.10: then nothing is met)."""
    text = element.text(tag=element.tag)
    if form is Form.URI:
        match = _URI.fullmatch(text)
        text = match[1] if match else ""
        if _NUMERIC_HOST.fullmatch(text.lower()):  # an address, which no constraint on hosts can be held against
            return None
    host = text.lower()
    return host if len(host) <= 255 and _HOST.fullmatch(host) else None


def _relative_names(name: Element) -> DistinguishedName:
    return tuple(frozenset((oid, _prepared(value)) for oid, value in pairs) for pairs in attributes_of.attributes(name))


def _prepared(value: Element) -> str | bytes:
    """Strings of every type folded in case and blanks after RFC 4518 2; all else octet by octet."""
    if value.tag not in _STRINGS:
        return value.raw
    try:
        text = value.text()
    except BerError:
        return value.raw
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.lower().split())
