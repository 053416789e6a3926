"""Distinguished names (X.501), read from DER: their text (RFC 4514) and the addresses inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from formats import oids
from formats.ber import OID, SEQUENCE, SET, BerError, Element

_SHORT: Final = {
    oids.COMMON_NAME: "CN",
    oids.SURNAME: "SN",
    oids.SERIAL_NUMBER: "serialNumber",
    oids.COUNTRY: "C",
    oids.LOCALITY: "L",
    oids.STATE_OR_PROVINCE: "ST",
    oids.STREET_ADDRESS: "STREET",
    oids.ORGANIZATION: "O",
    oids.ORGANIZATIONAL_UNIT: "OU",
    oids.TITLE: "title",
    oids.GIVEN_NAME: "GN",
    oids.PSEUDONYM: "pseudonym",
    oids.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    oids.DOMAIN_COMPONENT: "DC",
    oids.USER_ID: "UID",
    oids.EMAIL_ADDRESS: "emailAddress",
}
_SPECIAL: Final = re.compile(r'([,+"\\<>;])')


def attributes(name: Element) -> Iterator[list[tuple[str, Element]]]:
    """Each relative name in its order, as pairs of attribute type and value; BerError where it is none."""
    for relative in name.fields(SEQUENCE).rest():
        pairs: list[tuple[str, Element]] = []
        for attribute in relative.fields(SET).rest():
            fields = attribute.fields(SEQUENCE)
            pairs.append((fields.take(OID).oid(), fields.any()))
            fields.end()
        if not pairs:
            raise BerError("a relative name without attributes")
        yield pairs


def text(name: Element) -> str:
    """The name as RFC 4514 writes it, last relative name first; what cannot be seen is escaped."""
    relative = ["+".join(_pair(oid, value) for oid, value in pairs) for pairs in attributes(name)]
    return ",".join(reversed(relative))


def email_addresses(name: Element) -> tuple[str, ...]:
    """The text of each emailAddress attribute; those that are no text are left out."""
    found = (value for pairs in attributes(name) for oid, value in pairs if oid == oids.EMAIL_ADDRESS)
    return tuple(visible(address) for value in found if (address := _string(value)) is not None)


def visible(value: str) -> str:
    """The text with all that cannot be seen, or would break a line, written as backslash and hex pairs."""
    if value.isprintable():
        return value
    return "".join(character if character.isprintable() else _hex_pairs(character) for character in value)


def _pair(oid: str, value: Element) -> str:
    string = _string(value)
    shown = f"#{value.raw.hex()}" if string is None else _escape(string)
    return f"{_SHORT.get(oid, oid)}={shown}"


def _string(value: Element) -> str | None:
    try:
        return value.text()
    except BerError:
        return None


def _escape(value: str) -> str:
    """RFC 4514 2.4."""
    escaped = _SPECIAL.sub(r"\\\1", value)
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if value.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return visible(escaped)


def _hex_pairs(character: str) -> str:
    return "".join(f"\\{octet:02x}" for octet in character.encode("utf-8", "surrogatepass"))
