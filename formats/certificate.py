"""Certificate, a read-only view of an X.509 certificate (RFC 5280 4.1).

CertificateMalformed   Malformed: not a certificate in DER, or not one that can be relied on
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from formats import algorithms, extensions, names, oids, pem
from formats.ber import BIT_STRING, INTEGER, SEQUENCE, BerError, BerTooLarge, Element, Fields, context, read_der
from formats.errors import Malformed
from formats.extensions import AlternativeNames, BasicConstraints, Extension
from formats.mailbox import Mailbox
from formats.serial import Serial

MAX_SIZE: Final = 64 * 1024
MAX_ELEMENTS: Final = 10_000
MAX_DEPTH: Final = 20
LABELS: Final = ("CERTIFICATE", "X509 CERTIFICATE")  # the second: RFC 7468 5.3


class CertificateMalformed(Malformed):
    """Not a certificate in DER, or not one that can be relied on."""

    code: ClassVar[str] = "certificate_malformed"
    hint: ClassVar[str] = "send an X.509 certificate of at most 64 KiB, in DER or PEM"


_READERS: Final[Mapping[str, Callable[[bytes], Any]]] = MappingProxyType(
    {
        oids.BASIC_CONSTRAINTS: extensions.basic_constraints,
        oids.KEY_USAGE: extensions.key_usage,
        oids.EXTENDED_KEY_USAGE: extensions.extended_key_usage,
        oids.SUBJECT_KEY_ID: extensions.subject_key_id,
        oids.AUTHORITY_KEY_ID: extensions.authority_key_id,
        oids.CERTIFICATE_POLICIES: extensions.policies,
        oids.SUBJECT_ALT_NAME: extensions.alternative_names,
        oids.CRL_DISTRIBUTION_POINTS: extensions.distribution_urls,
        oids.AUTHORITY_INFO_ACCESS: extensions.access_urls,
    }
)


class Certificate:
    """What one certificate says; equal to another where the DER is the same.

    Once read, only `public_key`, `signature_algorithm` and `x509` can still refuse. Nothing is checked beyond the
    form: no signature, time or purpose.
    """

    def __init__(self, der: bytes) -> None:
        """Use `from_der` or `from_pem`."""
        self.der: Final = der
        root = read_der(der, max_depth=MAX_DEPTH, max_elements=MAX_ELEMENTS)
        outer = root.fields(SEQUENCE)
        tbs = outer.take(SEQUENCE)
        self.tbs: Final = tbs.raw
        self.signature_algorithm_der: Final = _algorithm(outer)
        self.signature: Final = outer.take(BIT_STRING).bits()
        outer.end()
        fields = tbs.fields()
        self.version: Final = _version(fields)
        self.serial: Final = Serial(fields.take(INTEGER).integer())
        self.inner_signature_algorithm_der: Final = _algorithm(fields)
        self._issuer: Final = fields.take(SEQUENCE)
        self.not_before, self.not_after = _validity(fields)
        self._subject: Final = fields.take(SEQUENCE)
        self.spki: Final = fields.take(SEQUENCE).raw
        self.extensions: Final = _extensions(fields, version=self.version)
        self._read: Final = {
            oid: _READERS[oid](extension.value) for oid, extension in self.extensions.items() if oid in _READERS
        }
        self.issuer: Final = names.text(self._issuer)
        self.subject: Final = names.text(self._subject)

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read one certificate of at most 64 KiB in DER; nothing may follow it."""
        if len(der) > MAX_SIZE:
            raise CertificateMalformed(f"a certificate of more than {MAX_SIZE} octets")
        try:
            return cls(bytes(der))
        except (BerError, BerTooLarge) as error:
            raise CertificateMalformed(f"not a certificate: {error.detail}") from error

    @classmethod
    def from_pem(cls, data: bytes | str) -> Self:
        """Read the one certificate in a PEM text; CertificateMalformed where there are none or several."""
        found = cls.read_many(data.encode("utf-8", "replace") if isinstance(data, str) else data)
        if len(found) != 1:
            raise CertificateMalformed("several certificates where one is expected")
        return found[0]

    @classmethod
    def read_many(cls, data: bytes) -> list[Self]:
        """Every certificate of a PEM text in its order, or the one in DER; PemError where the PEM is broken."""
        return [cls.from_der(der) for der in pem.unwrap(data, *LABELS)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.description()}>"

    @property
    def pem(self) -> str:
        """The PEM text, with a newline at its end."""
        return pem.encode(LABELS[0], self.der)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the DER, in lower-case hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def sha1(self) -> str:
        """The SHA-1 of the DER, in lower-case hexadecimal: a name that old programs show, never a proof."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest()

    @cached_property
    def subject_der(self) -> bytes:
        """The subject's Name as it is encoded."""
        return self._subject.raw

    @cached_property
    def issuer_der(self) -> bytes:
        """The issuer's Name as it is encoded."""
        return self._issuer.raw

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same, octet by octet."""
        return self.subject_der == self.issuer_der

    @property
    def algorithms_agree(self) -> bool:
        """Whether both signature algorithm fields are the same, octet by octet (RFC 5280 4.1.1.2)."""
        return self.signature_algorithm_der == self.inner_signature_algorithm_der

    @cached_property
    def public_key(self) -> PublicKeyTypes:
        """The subject's key; UnsupportedAlgorithm or AlgorithmRefused where it cannot be used here."""
        return algorithms.load_public_key(self.spki)

    @cached_property
    def signature_algorithm(self) -> algorithms.SignatureAlgorithm:
        """The algorithm of the issuer's signature; UnsupportedAlgorithm or AlgorithmRefused as when it is read."""
        try:
            return algorithms.read_signature_algorithm(read_der(self.signature_algorithm_der), digest=None)
        except BerError as error:
            raise algorithms.UnsupportedAlgorithm(
                f"a signature algorithm that cannot be read: {error.detail}"
            ) from error

    @cached_property
    def x509(self) -> x509.Certificate:
        """The same certificate as cryptography's object; CertificateMalformed where cryptography refuses it.

        Take the serial number from `serial`: cryptography warns when it is asked for one that is not positive.
        """
        if self.serial.value > 0:
            return _load(self.der)
        with warnings.catch_warnings():  # well-known roots have the serial 0; cryptography reads them, and warns
            warnings.filterwarnings("ignore", message="Parsed a serial number")
            return _load(self.der)

    @property
    def mailboxes(self) -> tuple[Mailbox, ...]:
        """The mailboxes that the subjectAltName binds, in its order."""
        return self._alternative_names.mailboxes

    @property
    def odd_names(self) -> tuple[str, ...]:
        """The names that stand where mailboxes belong and are none; never matched."""
        return self._alternative_names.odd

    @cached_property
    def subject_emails(self) -> tuple[str, ...]:
        """The emailAddress attributes of the subject: shown, never what an address is compared with."""
        return names.email_addresses(self._subject)

    @property
    def basic_constraints(self) -> BasicConstraints | None:
        """CA or not, and the path length below it."""
        found: BasicConstraints | None = self._read.get(oids.BASIC_CONSTRAINTS)
        return found

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints say that the subject is a CA."""
        return self.basic_constraints is not None and self.basic_constraints.ca

    @property
    def key_usage(self) -> frozenset[str] | None:
        """The names of the bits that are set, such as `digitalSignature`; None without the extension."""
        found: frozenset[str] | None = self._read.get(oids.KEY_USAGE)
        return found

    @property
    def extended_key_usage(self) -> frozenset[str] | None:
        """The identifiers of the purposes; None without the extension."""
        found: frozenset[str] | None = self._read.get(oids.EXTENDED_KEY_USAGE)
        return found

    @property
    def subject_key_id(self) -> bytes | None:
        """The subject's key identifier."""
        found: bytes | None = self._read.get(oids.SUBJECT_KEY_ID)
        return found

    @property
    def authority_key_id(self) -> bytes | None:
        """The issuer's key identifier."""
        found: bytes | None = self._read.get(oids.AUTHORITY_KEY_ID)
        return found

    @property
    def policies(self) -> tuple[str, ...]:
        """The identifiers of the certificate policies, in their order."""
        found: tuple[str, ...] = self._read.get(oids.CERTIFICATE_POLICIES, ())
        return found

    @property
    def crl_urls(self) -> tuple[str, ...]:
        """Where its CRLs are said to be; never fetched because a message says so."""
        found: tuple[str, ...] = self._read.get(oids.CRL_DISTRIBUTION_POINTS, ())
        return found

    @property
    def ocsp_urls(self) -> tuple[str, ...]:
        """Where OCSP is said to be answered."""
        return self._access.get(oids.OCSP, ())

    @property
    def ca_issuer_urls(self) -> tuple[str, ...]:
        """Where the issuer's certificate is said to be."""
        return self._access.get(oids.CA_ISSUERS, ())

    @property
    def smime_capabilities_der(self) -> bytes | None:
        """The SMIMECapabilities that the issuer vouches for (RFC 4262), as they are encoded."""
        found = self.extensions.get(oids.SMIME_CAPABILITIES)
        return None if found is None else found.value

    def covers(self, mailbox: Mailbox) -> bool:
        """Whether the certificate binds this mailbox."""
        return any(own.same_as(mailbox) for own in self.mailboxes)

    def description(self) -> str:
        """One line for people."""
        return f"{self.subject or '(no subject)'}, serial {self.serial}, until {self.not_after:%Y-%m-%d}"

    @property
    def _alternative_names(self) -> AlternativeNames:
        found: AlternativeNames = self._read.get(oids.SUBJECT_ALT_NAME, _NO_NAMES)
        return found

    @property
    def _access(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = self._read.get(oids.AUTHORITY_INFO_ACCESS, {})
        return found


_NO_NAMES: Final = AlternativeNames()


def _load(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise CertificateMalformed("a certificate that cryptography cannot read") from error


@lru_cache(maxsize=512)
def known(der: bytes) -> Certificate:
    """Read a certificate that comes again and again, such as a signer's of ours; the last 512 are remembered.

    Reading costs 0.2 ms, as much as everything else in signing a small message with P-256.
    """
    return Certificate.from_der(der)


def _algorithm(fields: Fields) -> bytes:
    element = fields.take(SEQUENCE)
    element.fields().any().oid()
    return element.raw


def _version(fields: Fields) -> int:
    wrapped = fields.optional(context(0))
    version = 1 if wrapped is None else 1 + _only(wrapped).integer()
    if version not in {1, 2, 3}:
        raise BerError("a certificate version other than 1, 2 or 3")
    return version


def _validity(fields: Fields) -> tuple[datetime, datetime]:
    validity = fields.take(SEQUENCE).fields()
    not_before, not_after = validity.any().time(), validity.any().time()
    validity.end()
    return not_before, not_after


def _extensions(fields: Fields, *, version: int) -> Mapping[str, Extension]:
    """What follows the key: unique identifiers are passed over (RFC 5280 4.1.2.8), extensions read."""
    for tag in (context(1), context(2)):
        fields.optional(tag)
    wrapped = fields.optional(context(3))
    fields.end()
    if wrapped is None:
        return MappingProxyType({})
    if version != 3:
        raise BerError("extensions in a certificate that is not of version 3")
    return MappingProxyType(extensions.read_extensions(_only(wrapped)))


def _only(wrapped: Element) -> Element:
    fields = wrapped.fields()
    inner = fields.any()
    fields.end()
    return inner
