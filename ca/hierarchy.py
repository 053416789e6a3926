"""Hierarchy: the mail root, and the S/MIME issuing CA under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from ca import conformance, extensions, keycheck, signatures, subjects
from ca.conformance import Expected
from ca.errors import AuthorityRefused, KeyRefused
from ca.issuance import StatusUrls
from ca.keycheck import CertifiableKey
from ca.lint import Linter, require_clean
from ca.profiles import PROFILES
from formats import algorithms, der, oids
from formats.certificate import Certificate
from formats.mailbox import MailboxError, parse_domain
from formats.serial import Serial

NAME_CONSTRAINTS: Final = ("critical", "noncritical", "off")
BACKDATE: Final = timedelta(hours=24)
ROOT_LIFE: Final = timedelta(days=20 * 365 + 5)
ISSUING_LIFE: Final = timedelta(days=10 * 365 + 2)
MIN_RSA_BITS: Final = 3072
MAX_DOMAINS: Final = 100
_SECOND: Final = timedelta(seconds=1)
_KEY_USAGE: Final = frozenset({"keyCertSign", "cRLSign"})
_KEY_IDS: Final = {oids.AUTHORITY_KEY_ID: False, oids.SUBJECT_KEY_ID: False}


def make_root(
    key: PrivateKeyTypes, *, country: str, organization: str, common_name: str, now: datetime, linter: Linter
) -> Certificate:
    """The self-signed mail root, for 20 years from 24 hours ago, linted before it is signed.

    It excludes every DNS name and IP address, critically: even its key cannot certify a web site. It names no CRL and
    no issuer, being its own.
    """
    public_key = _authority_key(signatures.public_half(key))
    spki = algorithms.spki_der(public_key)
    name = subjects.authority_name(country=country, organization=organization, common_name=common_name)
    not_before = _whole_seconds(now - BACKDATE)
    constraints = extensions.no_server_name_constraints()
    expected = Expected(
        issuer=None,
        serial=Serial.random(),
        not_before=not_before,
        not_after=not_before + ROOT_LIFE - _SECOND,
        subject_der=name.public_bytes(),
        spki=spki,
        key_usage=_KEY_USAGE,
        criticality=_KEY_IDS | {oids.BASIC_CONSTRAINTS: True, oids.KEY_USAGE: True, oids.NAME_CONSTRAINTS: True},
        values={
            oids.BASIC_CONSTRAINTS: der.sequence(der.boolean(True)),
            oids.NAME_CONSTRAINTS: constraints.value,
        },
        longest=ROOT_LIFE,
    )
    subject_key_id = extensions.subject_key_id(spki)
    builder = _builder(name, name, public_key, expected=expected)
    builder = (
        builder.add_extension(extensions.authority_key_id(subject_key_id.digest), critical=False)
        .add_extension(subject_key_id, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(extensions.key_usage(_KEY_USAGE), critical=True)
        .add_extension(constraints, critical=True)
    )
    return _made(builder, key=key, signer=public_key, expected=expected, linter=linter)


def make_issuing_ca(
    public_key: PublicKeyTypes,
    *,
    root: Certificate,
    root_key: PrivateKeyTypes,
    country: str,
    organization: str,
    common_name: str,
    mail_domains: tuple[str, ...],
    name_constraints: str,
    policy_arc: str,
    urls: StatusUrls,
    now: datetime,
    linter: Linter,
) -> Certificate:
    """An S/MIME issuing CA under the root, for 10 years from 24 hours ago, linted before it is signed.

    (1) the key and the mail domains are good enough
    (2) what it shall say: no CA below it, e-mail only, its domains and theirs below, the root's CRL and certificate
    (3) build that, lint a look-alike, hold it against (2), sign

    `urls` are the root's own. CA certificates name no OCSP responder: their status is in the root's CRL.
    """
    # (1) key and domains
    ca_key = _authority_key(public_key)
    domains = _domains(mail_domains, needed=name_constraints != "off")
    if name_constraints not in NAME_CONSTRAINTS:
        raise AuthorityRefused(f"the name constraints are not one of {', '.join(NAME_CONSTRAINTS)}")
    if urls.ocsp is not None:
        raise AuthorityRefused("a CA certificate names no OCSP responder")
    # (2) what it shall say
    name = subjects.authority_name(country=country, organization=organization, common_name=common_name)
    not_before = max(_whole_seconds(now - BACKDATE), root.not_before)
    policies = tuple(profile.policy(policy_arc) for profile in PROFILES.values())
    constraints = extensions.mail_name_constraints(domains)
    constrained = {oids.NAME_CONSTRAINTS: name_constraints == "critical"} if name_constraints != "off" else {}
    expected = Expected(
        issuer=root,
        serial=Serial.random(),
        not_before=not_before,
        not_after=min(not_before + ISSUING_LIFE - _SECOND, root.not_after),
        subject_der=name.public_bytes(),
        spki=algorithms.spki_der(ca_key),
        key_usage=_KEY_USAGE,
        extended_key_usage=frozenset({oids.EMAIL_PROTECTION}),
        policies=policies,
        crl_urls=(urls.crl,),
        issuer_urls=(urls.issuer,),
        criticality=_KEY_IDS | _ISSUING_CRITICALITY | constrained,
        values={
            oids.BASIC_CONSTRAINTS: der.sequence(der.boolean(True), der.integer(0)),
            oids.NAME_CONSTRAINTS: constraints.value,
        },
        longest=ISSUING_LIFE,
    )
    # (3) build, lint, check, sign
    builder = (
        _builder(name, root.x509.subject, ca_key, expected=expected)
        .add_extension(extensions.authority_key_id(root.subject_key_id or b""), critical=False)
        .add_extension(extensions.subject_key_id(expected.spki), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(extensions.key_usage(_KEY_USAGE), critical=True)
        .add_extension(extensions.extended_key_usage(oids.EMAIL_PROTECTION), critical=False)
        .add_extension(extensions.policies(policies), critical=False)
        .add_extension(extensions.crl_distribution_point(urls.crl), critical=False)
        .add_extension(extensions.authority_info_access(ocsp=None, issuer=urls.issuer), critical=False)
    )
    if constrained:
        builder = builder.add_extension(constraints, critical=constrained[oids.NAME_CONSTRAINTS])
    return _made(builder, key=root_key, signer=root.public_key, expected=expected, linter=linter)


_ISSUING_CRITICALITY: Final = {
    oids.BASIC_CONSTRAINTS: True,
    oids.KEY_USAGE: True,
    oids.EXTENDED_KEY_USAGE: False,
    oids.CERTIFICATE_POLICIES: False,
    oids.CRL_DISTRIBUTION_POINTS: False,
    oids.AUTHORITY_INFO_ACCESS: False,
}


def _authority_key(public_key: PublicKeyTypes) -> CertifiableKey:
    key = keycheck.certifiable(public_key)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise KeyRefused(f"an authority's RSA key has at least {MIN_RSA_BITS} bits")
    return key


def _domains(mail_domains: tuple[str, ...], *, needed: bool) -> tuple[str, ...]:
    """The domains in A-labels (RFC 5280 7.5), each once."""
    try:
        domains = tuple(dict.fromkeys(parse_domain(domain) for domain in mail_domains))
    except MailboxError as error:
        raise AuthorityRefused(f"a mail domain that is none: {error.detail}") from error
    if len(domains) > MAX_DOMAINS or (needed and not domains):
        raise AuthorityRefused(f"an issuing CA is constrained to 1 to {MAX_DOMAINS} mail domains")
    return domains


def _builder(name: x509.Name, issuer: x509.Name, key: CertifiableKey, *, expected: Expected) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(expected.serial.value)
        .not_valid_before(expected.not_before)
        .not_valid_after(expected.not_after)
    )


def _made(
    builder: x509.CertificateBuilder,
    *,
    key: PrivateKeyTypes,
    signer: PublicKeyTypes,
    expected: Expected,
    linter: Linter,
) -> Certificate:
    lookalike = Certificate.from_der(signatures.lookalike(builder, issuer_key=signer))
    findings = linter.certificate(lookalike.der, profile=None, issuer=expected.issuer)
    require_clean(findings + conformance.check(lookalike, expected=expected))
    return signatures.sign_tbs(lookalike.tbs, key=key, public_key=signer)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
