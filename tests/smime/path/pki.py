"""Authorities, people and CRLs as crooked as a test wants them, all with P-256 keys unless it says otherwise."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from formats import der
from formats.ber import read_der
from formats.certificate import Certificate
from smime.path.chains import Anchor

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ALICE = "alice@campus.example"
ALL_NETWORKS = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
POINT = "http://pki.campus.example/g1.crl"

EMAIL_PROTECTION = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.4")
SERVER_AUTH = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")
ANY_PURPOSE = x509.ObjectIdentifier("2.5.29.37.0")

_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A certificate and its key."""

    certificate: Certificate
    key: PrivateKey = field(repr=False)

    @property
    def anchor(self) -> Anchor:
        return Anchor.of(self.certificate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """An entry of a CRL."""

    serial: int
    at: datetime = AT - 10 * DAY
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(*bits: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{argument: bit in bits for bit, argument in _USAGES.items()})


def mail_names(*mailboxes: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.RFC822Name(mailbox) for mailbox in mailboxes])


def issue(
    issuer: Node | None,
    *extensions: tuple[x509.ExtensionType, bool],
    subject: str | x509.Name,
    key: PrivateKey | None = None,
    signing_key: PrivateKey | None = None,
    issuer_name: x509.Name | None = None,
    not_before: datetime = AT - 100 * DAY,
    not_after: datetime = AT + 300 * DAY,
    serial: int | None = None,
    key_ids: bool = True,
) -> Node:
    """Issue a certificate with these extensions (and whether each is critical), self-signed without issuer."""
    key = key or new_key()
    subject = subject if isinstance(subject, x509.Name) else name(subject)
    above = issuer.certificate.x509.subject if issuer else subject
    signing_key = signing_key or (issuer.key if issuer else key)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name or above)
    builder = builder.public_key(key.public_key()).serial_number(serial or x509.random_serial_number())
    builder = builder.not_valid_before(not_before).not_valid_after(not_after)
    if key_ids:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer.key if issuer else key).public_key())
        builder = builder.add_extension(issuer_id, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    edwards = isinstance(signing_key, ed25519.Ed25519PrivateKey)
    made = builder.sign(signing_key, None if edwards else hashes.SHA256())
    return Node(certificate=view(made), key=key)


def authority(
    issuer: Node | None = None,
    *more: tuple[x509.ExtensionType, bool],
    subject: str | x509.Name = "Campus Root",
    path_length: int | None = None,
    bits: tuple[str, ...] | None = ("keyCertSign", "cRLSign"),
    key: PrivateKey | None = None,
    signing_key: PrivateKey | None = None,
    issuer_name: x509.Name | None = None,
    not_before: datetime = AT - 400 * DAY,
    not_after: datetime = AT + 4000 * DAY,
    serial: int | None = None,
    key_ids: bool = True,
) -> Node:
    """Issue a CA certificate."""
    basics: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=True, path_length=path_length), True)]
    if bits is not None:
        basics.append((usage(*bits), True))
    return issue(
        issuer,
        *basics,
        *more,
        subject=subject,
        key=key,
        signing_key=signing_key,
        issuer_name=issuer_name,
        not_before=not_before,
        not_after=not_after,
        serial=serial,
        key_ids=key_ids,
    )


def person(
    issuer: Node,
    *more: tuple[x509.ExtensionType, bool],
    subject: str | x509.Name = "Alice Lindgren",
    names: x509.SubjectAlternativeName | None = mail_names(ALICE),  # noqa: B008 - a constant
    bits: tuple[str, ...] | None = ("digitalSignature",),
    purposes: tuple[x509.ObjectIdentifier, ...] | None = (EMAIL_PROTECTION,),
    key: PrivateKey | None = None,
    signing_key: PrivateKey | None = None,
    issuer_name: x509.Name | None = None,
    not_before: datetime = AT - 100 * DAY,
    not_after: datetime = AT + 300 * DAY,
    serial: int | None = None,
    key_ids: bool = True,
) -> Node:
    """Issue a certificate for a person."""
    basics: list[tuple[x509.ExtensionType, bool]] = []
    if names is not None:
        basics.append((names, False))
    if bits is not None:
        basics.append((usage(*bits), True))
    if purposes is not None:
        basics.append((x509.ExtendedKeyUsage(purposes), False))
    return issue(
        issuer,
        *basics,
        *more,
        subject=subject,
        key=key,
        signing_key=signing_key,
        issuer_name=issuer_name,
        not_before=not_before,
        not_after=not_after,
        serial=serial,
        key_ids=key_ids,
    )


def crl(
    issuer: Node,
    *revoked: Revoked,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    number: int | None = 7,
    this_update: datetime = AT - DAY,
    next_update: datetime = AT + DAY,
    signing_key: PrivateKey | None = None,
    key_id: bool = True,
) -> bytes:
    """Sign a CRL, in DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.x509.subject)
    builder = builder.last_update(this_update).next_update(next_update)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at)
        for extension, critical in one.extensions:
            entry = entry.add_extension(extension, critical=critical)
        builder = builder.add_revoked_certificate(entry.build())
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    if key_id:
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(own, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(signing_key or issuer.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def revoke(*nodes: Node, reason: x509.ReasonFlags | None = None, at: datetime = AT - 10 * DAY) -> list[Revoked]:
    extensions = ((x509.CRLReason(reason), False),) if reason else ()
    return [Revoked(serial=node.certificate.serial.value, at=at, extensions=extensions) for node in nodes]


def scope(
    *,
    names: Sequence[x509.GeneralName] | None = None,
    users: bool = False,
    authorities: bool = False,
    attributes: bool = False,
    indirect: bool = False,
    reasons: frozenset[x509.ReasonFlags] | None = None,
) -> x509.IssuingDistributionPoint:
    return x509.IssuingDistributionPoint(
        full_name=names,
        relative_name=None,
        only_contains_user_certs=users,
        only_contains_ca_certs=authorities,
        only_some_reasons=reasons,
        indirect_crl=indirect,
        only_contains_attribute_certs=attributes,
    )


def points(*urls: str, reasons: frozenset[x509.ReasonFlags] | None = None) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                full_name=[x509.UniformResourceIdentifier(url)], relative_name=None, reasons=reasons, crl_issuer=None
            )
            for url in urls
        ]
    )


def unknown(value: bytes = b"\x05\x00", *, oid: str = "1.3.6.1.4.1.55555.9") -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def view(made: x509.Certificate) -> Certificate:
    return Certificate.from_der(made.public_bytes(serialization.Encoding.DER))


def resigned(node: Node, issuer: Node, *, tbs_algorithm: bytes | None = None, outer: bytes | None = None) -> Node:
    """Sign the same contents again, with other algorithm identifiers inside or outside."""
    fields = read_der(node.certificate.tbs).children
    inner = [child.raw for child in fields]
    if tbs_algorithm is not None:
        inner[2] = tbs_algorithm
    tbs = der.sequence(*inner)
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    outer = outer or node.certificate.signature_algorithm_der
    whole = der.sequence(tbs, outer, der.bits(signature))
    return Node(certificate=Certificate.from_der(whole), key=node.key)
