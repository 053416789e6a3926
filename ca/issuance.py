"""Issuance: an issuer prepares a certificate, has it linted, and only then signs exactly that (SBR 4.3.1.2)."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from ca import conformance, extensions, keycheck, profiles, signatures, subjects
from ca.conformance import Expected
from ca.errors import AuthorityRefused, IssuerKeyWrong, MailboxesRefused, PreparedSpent, ValidityRefused
from ca.keycheck import CertifiableKey
from ca.lint import Linter, require_clean
from ca.profiles import Profile, Use
from ca.subjects import Subject
from formats import algorithms, der, oids
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial

BACKDATE: Final = timedelta(hours=1)
DELEGATE_MAX_DAYS: Final = 90
MAX_MAILBOXES: Final = 100
_HTTP_URL: Final = re.compile(r"http://[!-~]{1,1000}")
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUrls:
    """Where an authority's CRL, OCSP answers and certificate are: written into all that it issues."""

    crl: str
    ocsp: str | None
    issuer: str

    def __post_init__(self) -> None:
        """SBR 7.1.2.3: plain http, so that checking one certificate never needs another."""
        if not all(_HTTP_URL.fullmatch(url) for url in (self.crl, self.ocsp, self.issuer) if url is not None):
            raise AuthorityRefused("a status URL that does not begin with http://, or holds other than visible ASCII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What a certificate shall be. Without `days` and `not_after` it lives as long as the profile says."""

    profile: Profile
    use: Use
    public_key: PublicKeyTypes
    mailboxes: tuple[Mailbox, ...]
    subject: Subject
    days: int | None = None
    not_after: datetime | None = None


class _Ticket:
    """The right to redeem one prepared certificate once; known only to the issuer that gave it out."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A certificate that was built, linted and checked, and not yet signed; its issuer redeems it once.

    `lookalike` is the same TBS signed by a throw-away key: to be kept, never to be given out. `subject` is the text
    of RFC 4514.
    """

    serial: Serial
    not_before: datetime
    not_after: datetime
    subject: str
    lookalike: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    ticket: _Ticket = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Issuer:
    """A CA certificate with its key; `chain` begins with the certificate itself and ends with the root."""

    id: str
    certificate: Certificate
    key: PrivateKeyTypes = field(repr=False)
    chain: tuple[Certificate, ...]
    urls: StatusUrls
    policy_arc: str
    linter: Linter = field(repr=False)
    _open: weakref.WeakSet[_Ticket] = field(init=False, repr=False, default_factory=weakref.WeakSet)

    def __post_init__(self) -> None:
        if algorithms.spki_der(signatures.public_half(self.key)) != self.certificate.spki:
            raise IssuerKeyWrong(f"the key of the authority {self.id} is not the one in its certificate")

    def prepare(self, blueprint: Blueprint, *, serial: Serial, now: datetime) -> Prepared:
        """Build a certificate for people, lint it and hold it against the blueprint; LintRefused with all findings."""
        profile, public_key = blueprint.profile, keycheck.certifiable(blueprint.public_key)
        _check_mailboxes(blueprint.mailboxes)
        not_before, not_after = self._validity(blueprint, now=now)
        name = subjects.to_name(blueprint.subject, profile=profile, mailboxes=blueprint.mailboxes)
        bits = profiles.key_usage(blueprint.use, public_key)
        builder = self._builder(name, public_key, serial=serial, not_before=not_before, not_after=not_after)
        builder = self._add_leaf_extensions(builder, blueprint, bits=bits, empty_subject=not list(name))
        expected = Expected(
            issuer=self.certificate,
            serial=serial,
            not_before=not_before,
            not_after=not_after,
            subject_der=name.public_bytes(),
            spki=algorithms.spki_der(public_key),
            mailboxes=blueprint.mailboxes,
            key_usage=bits,
            extended_key_usage=frozenset({oids.EMAIL_PROTECTION}),
            policies=(profile.policy(self.policy_arc),),
            crl_urls=(self.urls.crl,),
            ocsp_urls=(self.urls.ocsp,) if self.urls.ocsp else (),
            issuer_urls=(self.urls.issuer,),
            criticality=_leaf_criticality(blueprint.use, empty_subject=not list(name)),
            values={oids.SMIME_CAPABILITIES: extensions.CAPABILITIES},
            longest=profile.max_days * _DAY,
        )
        return self._prepared(builder, profile=profile, expected=expected)

    def prepare_delegate(self, public_key: PublicKeyTypes, *, serial: Serial, now: datetime, days: int) -> Prepared:
        """Build, lint and check the certificate of an OCSP responder of this issuer (RFC 6960 4.2.2.2, SBR 4.9.9)."""
        key = keycheck.certifiable(public_key)
        if not 1 <= days <= DELEGATE_MAX_DAYS:
            raise ValidityRefused(f"an OCSP responder lives 1 to {DELEGATE_MAX_DAYS} days")
        not_before = self._begin(now)
        not_after = min(not_before + days * _DAY - _SECOND, self.certificate.not_after)
        name = self._delegate_name()
        builder = _add(
            self._builder(name, key, serial=serial, not_before=not_before, not_after=not_after),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (extensions.key_usage({"digitalSignature"}), True),
            (extensions.extended_key_usage(oids.OCSP_SIGNING), False),
            (x509.OCSPNoCheck(), False),
        )
        expected = Expected(
            issuer=self.certificate,
            serial=serial,
            not_before=not_before,
            not_after=not_after,
            subject_der=name.public_bytes(),
            spki=algorithms.spki_der(key),
            key_usage=frozenset({"digitalSignature"}),
            extended_key_usage=frozenset({oids.OCSP_SIGNING}),
            criticality=_DELEGATE_CRITICALITY,
            values={oids.OCSP_NO_CHECK: der.null(), oids.BASIC_CONSTRAINTS: der.sequence()},
            longest=DELEGATE_MAX_DAYS * _DAY,
        )
        return self._prepared(builder, profile=None, expected=expected)

    def issue(self, prepared: Prepared) -> Certificate:
        """Sign what was prepared here, once: PreparedSpent a second time, or where another issuer prepared it."""
        try:
            self._open.remove(prepared.ticket)
        except KeyError:
            raise PreparedSpent("the certificate was redeemed before, or was prepared by another issuer") from None
        return signatures.sign_tbs(prepared.tbs, key=self.key, public_key=self.certificate.public_key)

    def _validity(self, blueprint: Blueprint, *, now: datetime) -> tuple[datetime, datetime]:
        """SBR 6.3.2: whole days of 86,400 seconds, both ends counted; what nobody asked for ends with the issuer."""
        profile, ends = blueprint.profile, self.certificate.not_after
        not_before = self._begin(now)
        if blueprint.not_after is not None:
            if blueprint.days is not None:
                raise ValidityRefused("both days and an end are given")
            not_after = _whole_seconds(blueprint.not_after)
        elif blueprint.days is not None:
            if not 1 <= blueprint.days <= profile.max_days:
                raise ValidityRefused(f"the profile {profile.name} allows 1 to {profile.max_days} days")
            not_after = not_before + blueprint.days * _DAY - _SECOND
        else:
            not_after = min(not_before + profile.default_days * _DAY - _SECOND, ends)
        if not now < not_after <= ends or not_after - not_before + _SECOND > profile.max_days * _DAY:
            raise ValidityRefused(f"it would be over already, or end after its issuer ({ends:%Y-%m-%d}) or the limit")
        return not_before, not_after

    def _begin(self, now: datetime) -> datetime:
        """One hour ago, for readers whose clocks run late; not before the issuer's own beginning."""
        return max(_whole_seconds(now - BACKDATE), self.certificate.not_before)

    def _builder(
        self, name: x509.Name, key: CertifiableKey, *, serial: Serial, not_before: datetime, not_after: datetime
    ) -> x509.CertificateBuilder:
        """What every certificate of this issuer begins with."""
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.certificate.x509.subject)
            .public_key(key)
            .serial_number(serial.value)
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(extensions.authority_key_id(self.certificate.subject_key_id or b""), critical=False)
            .add_extension(extensions.subject_key_id(algorithms.spki_der(key)), critical=False)
        )

    def _add_leaf_extensions(
        self, builder: x509.CertificateBuilder, blueprint: Blueprint, *, bits: frozenset[str], empty_subject: bool
    ) -> x509.CertificateBuilder:
        wanted: list[tuple[x509.ExtensionType, bool]] = [
            (extensions.key_usage(bits), True),
            (extensions.extended_key_usage(oids.EMAIL_PROTECTION), False),
            (extensions.policies([blueprint.profile.policy(self.policy_arc)]), False),
            (extensions.subject_alt_name(blueprint.mailboxes), empty_subject),  # RFC 5280 4.2.1.6
            (extensions.crl_distribution_point(self.urls.crl), False),
            (extensions.authority_info_access(ocsp=self.urls.ocsp, issuer=self.urls.issuer), False),
        ]
        if blueprint.use is not Use.SIGN:
            wanted.append((extensions.smime_capabilities(), False))
        return _add(builder, *wanted)

    def _delegate_name(self) -> x509.Name:
        own = {attribute.oid: str(attribute.value) for attribute in self.certificate.x509.subject}
        name = f"{own.get(NameOID.COMMON_NAME, '')} OCSP"
        return subjects.authority_name(
            country=own.get(NameOID.COUNTRY_NAME, ""),
            organization=own.get(NameOID.ORGANIZATION_NAME, ""),
            common_name=name if len(name) <= subjects.MAX_COMMON_NAME else "OCSP responder",
        )

    def _prepared(self, builder: x509.CertificateBuilder, *, profile: Profile | None, expected: Expected) -> Prepared:
        lookalike = Certificate.from_der(signatures.lookalike(builder, issuer_key=self.certificate.public_key))
        findings = self.linter.certificate(lookalike.der, profile=profile, issuer=self.certificate)
        require_clean(findings + conformance.check(lookalike, expected=expected))
        ticket = _Ticket()
        self._open.add(ticket)
        return Prepared(
            serial=expected.serial,
            not_before=expected.not_before,
            not_after=expected.not_after,
            subject=lookalike.subject,
            lookalike=lookalike.der,
            tbs=lookalike.tbs,
            ticket=ticket,
        )


_DELEGATE_CRITICALITY: Final[Mapping[str, bool]] = {
    oids.AUTHORITY_KEY_ID: False,
    oids.SUBJECT_KEY_ID: False,
    oids.BASIC_CONSTRAINTS: True,
    oids.KEY_USAGE: True,
    oids.EXTENDED_KEY_USAGE: False,
    oids.OCSP_NO_CHECK: False,
}


def _leaf_criticality(use: Use, *, empty_subject: bool) -> dict[str, bool]:
    critical = {
        oids.AUTHORITY_KEY_ID: False,
        oids.SUBJECT_KEY_ID: False,
        oids.KEY_USAGE: True,
        oids.EXTENDED_KEY_USAGE: False,
        oids.CERTIFICATE_POLICIES: False,
        oids.SUBJECT_ALT_NAME: empty_subject,
        oids.CRL_DISTRIBUTION_POINTS: False,
        oids.AUTHORITY_INFO_ACCESS: False,
    }
    return critical if use is Use.SIGN else critical | {oids.SMIME_CAPABILITIES: False}


def _check_mailboxes(mailboxes: tuple[Mailbox, ...]) -> None:
    if not 1 <= len(mailboxes) <= MAX_MAILBOXES:
        raise MailboxesRefused(f"a certificate names 1 to {MAX_MAILBOXES} mailboxes")
    if len({mailbox.key for mailbox in mailboxes}) < len(mailboxes):
        raise MailboxesRefused("a mailbox is named twice")


def _add(builder: x509.CertificateBuilder, *wanted: tuple[x509.ExtensionType, bool]) -> x509.CertificateBuilder:
    for extension, critical in wanted:
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
