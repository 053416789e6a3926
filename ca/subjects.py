"""Subject, the distinguished name of whom a certificate is for (SBR 7.1.4.2, RFC 5280 appendix A.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.errors import SubjectRefused
from ca.profiles import Profile
from formats.mailbox import Mailbox

MAX_COMMON_NAME: Final = 64  # ub-common-name

# In the order in which the name is written: attribute, type, upper bound in characters (RFC 5280 A.1; X.520 for
# names of persons, whose ub-name there is 64).
_ORDER: Final = (
    ("country", NameOID.COUNTRY_NAME, 2),
    ("organization", NameOID.ORGANIZATION_NAME, 64),
    ("organization_id", NameOID.ORGANIZATION_IDENTIFIER, 64),
    ("surname", NameOID.SURNAME, 64),
    ("given_name", NameOID.GIVEN_NAME, 64),
    ("pseudonym", NameOID.PSEUDONYM, 64),
    ("title", NameOID.TITLE, 64),
    ("serial_number", NameOID.SERIAL_NUMBER, 64),
    ("common_name", NameOID.COMMON_NAME, MAX_COMMON_NAME),
)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_PRINTABLE: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The attributes of a subject; None leaves one out. `country` is ISO 3166-1 in capitals."""

    country: str | None = None
    organization: str | None = None
    organization_id: str | None = None
    given_name: str | None = None
    surname: str | None = None
    pseudonym: str | None = None
    title: str | None = None
    serial_number: str | None = None
    common_name: str | None = None


def to_name(subject: Subject, *, profile: Profile, mailboxes: Sequence[Mailbox]) -> x509.Name:
    """The name in its fixed order, one value per RDN; SubjectRefused for what the profile does not allow or misses.

    Without a common name, a person gets their name or pseudonym, the others their first mailbox, where it fits
    into the 64 characters of RFC 5280.
    """
    given = {field.name for field in fields(subject) if getattr(subject, field.name) is not None}
    _check_attributes(given, profile=profile)
    common_name = subject.common_name or _common_name(subject, profile=profile, mailboxes=mailboxes)
    if subject.common_name is not None:
        _check_common_name(subject, profile=profile, mailboxes=mailboxes)
    values = [
        (attribute, oid, bound, common_name if attribute == "common_name" else getattr(subject, attribute))
        for attribute, oid, bound in _ORDER
    ]
    return x509.Name(
        [
            x509.NameAttribute(oid, _checked(attribute, value, bound=bound))
            for attribute, oid, bound, value in values
            if value is not None
        ]
    )


def authority_name(*, country: str, organization: str, common_name: str) -> x509.Name:
    """The name of a CA or OCSP responder: country, organization, common name (SBR 7.1.4.3)."""
    values = {"country": country, "organization": organization, "common_name": common_name}
    return x509.Name(
        [
            x509.NameAttribute(oid, _checked(attribute, values[attribute], bound=bound))
            for attribute, oid, bound in _ORDER
            if attribute in values
        ]
    )


def _check_attributes(given: set[str], *, profile: Profile) -> None:
    if excess := sorted(given - profile.allowed):
        raise SubjectRefused(f"the profile {profile.name} has no {excess[0]}", pointers=(f"/subject/{excess[0]}",))
    if missing := sorted(profile.required - given):
        raise SubjectRefused(f"the profile {profile.name} needs {missing[0]}", pointers=(f"/subject/{missing[0]}",))
    filled = [names for names in profile.one_of if names & given]
    if profile.one_of and len(filled) != 1:
        raise SubjectRefused(
            f"the profile {profile.name} needs a given name and surname, or a pseudonym, and not both",
            pointers=("/subject",),
        )


def _common_name(subject: Subject, *, profile: Profile, mailboxes: Sequence[Mailbox]) -> str | None:
    if profile.one_of:
        personal = " ".join(part for part in (subject.given_name, subject.surname) if part)
        name = subject.pseudonym or personal
    else:
        name = str(mailboxes[0]) if mailboxes else ""
    return name if 0 < len(name) <= MAX_COMMON_NAME else None


def _check_common_name(subject: Subject, *, profile: Profile, mailboxes: Sequence[Mailbox]) -> None:
    """SBR 7.1.4.2.2 (a): a mailbox of the certificate; for a person also their name or pseudonym."""
    name = subject.common_name
    if name is None or name in {str(mailbox) for mailbox in mailboxes}:
        return
    if not profile.one_of:
        raise SubjectRefused(
            "the common name is not one of the certificate's mailboxes", pointers=("/subject/common_name",)
        )
    parts = [subject.pseudonym] if subject.pseudonym else [subject.given_name, subject.surname]
    if "@" in name or not all(part.casefold() in name.casefold() for part in parts if part):
        raise SubjectRefused(
            "the common name does not hold the person's name or pseudonym", pointers=("/subject/common_name",)
        )


def _checked(attribute: str, value: str, *, bound: int) -> str:
    fault = None
    if not 0 < len(value) <= bound:
        fault = f"is not of 1 to {bound} characters"
    elif value != value.strip() or not value.isprintable():
        fault = "has blanks at an end, or characters that cannot be seen"
    elif attribute == "country" and not _COUNTRY.fullmatch(value):
        fault = "is not two capital letters"
    elif attribute == "serial_number" and not _PRINTABLE.fullmatch(value):
        fault = "has characters that a PrintableString cannot hold"
    if fault:
        raise SubjectRefused(f"the subject's {attribute} {fault}", pointers=(f"/subject/{attribute}",))
    return value
