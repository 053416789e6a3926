"""CertificateRequest, PKCS#10 (RFC 2986): of all that it asks, only the key and the addresses are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ca.errors import KeyRefused, MailboxesRefused, RequestMalformed, RequestSignatureWrong, RequestTooLarge
from formats import algorithms, extensions, oids, pem
from formats.ber import BIT_STRING, INTEGER, OID, SEQUENCE, SET, BerError, BerTooLarge, Element, context, read_der
from formats.mailbox import Mailbox

MAX_SIZE: Final = 32 * 1024
MAX_ATTRIBUTES: Final = 32
LABELS: Final = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")  # the second: RFC 7468 7


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A key whose holder signed the request, and the mailboxes of its subjectAltName; nothing else is believed."""

    public_key: PublicKeyTypes
    spki: bytes
    mailboxes: tuple[Mailbox, ...]
    der: bytes


def read_request(data: bytes) -> CertificateRequest:
    """Read one request of at most 32 KiB in DER or PEM and check that its own key signed it.

    The key's quality is another question: ca.keycheck. A name in the subjectAltName that should be a mailbox and is
    none is refused (MailboxesRefused); other kinds of names, other extensions and the subject are passed over.
    """
    der = _unwrap(data)
    try:
        outer = read_der(der, max_depth=20, max_elements=2000).fields(SEQUENCE)
        body = outer.take(SEQUENCE)
        algorithm = outer.take(SEQUENCE)
        signature = outer.take(BIT_STRING).bits()
        outer.end()
        spki, attributes = _read_body(body)
        names = _alternative_names(attributes)
    except (BerError, BerTooLarge) as error:
        raise RequestMalformed(f"not a certificate request: {error.detail}") from error
    public_key = _load_key(spki)
    _check_signature(public_key, signature, body.raw, algorithm=algorithm)
    if names.odd:
        raise MailboxesRefused("the request asks for an address that is none")
    return CertificateRequest(public_key=public_key, spki=spki, mailboxes=names.mailboxes, der=der)


def _unwrap(data: bytes) -> bytes:
    if len(data) > MAX_SIZE:
        raise RequestTooLarge(f"a certificate request of more than {MAX_SIZE} octets")
    try:
        found = pem.unwrap(data, *LABELS)
    except (pem.PemError, pem.PemTooLarge) as error:
        raise RequestMalformed(error.detail) from error
    if len(found) != 1:
        raise RequestMalformed("several certificate requests where one is expected")
    return found[0]


def _read_body(body: Element) -> tuple[bytes, Element | None]:
    fields = body.fields()
    if fields.take(INTEGER).integer() != 0:
        raise BerError("a version other than 1")
    fields.take(SEQUENCE)  # the subject
    spki = fields.take(SEQUENCE).raw
    attributes = fields.optional(context(0))
    fields.end()
    return spki, attributes


def _alternative_names(attributes: Element | None) -> extensions.AlternativeNames:
    """Of the one extensionRequest (RFC 2985 5.4.2), the one subjectAltName."""
    found: list[Element] = []
    entries = [] if attributes is None else attributes.fields().rest()
    if len(entries) > MAX_ATTRIBUTES:
        raise BerError(f"more than {MAX_ATTRIBUTES} attributes")
    for entry in entries:
        fields = entry.fields(SEQUENCE)
        oid = fields.take(OID).oid()
        values = fields.take(SET).fields()
        fields.end()
        if oid == oids.EXTENSION_REQUEST:
            found.append(values.take(SEQUENCE))
            values.end()
    if len(found) > 1:
        raise BerError("several requests for extensions")
    asked = extensions.read_extensions(found[0]) if found else {}
    names = asked.get(oids.SUBJECT_ALT_NAME)
    return extensions.AlternativeNames() if names is None else extensions.alternative_names(names.value)


def _load_key(spki: bytes) -> PublicKeyTypes:
    try:
        return algorithms.load_public_key(spki)
    except (algorithms.UnsupportedAlgorithm, algorithms.AlgorithmRefused) as error:
        raise KeyRefused(error.detail) from error


def _check_signature(public_key: PublicKeyTypes, signature: bytes, body: bytes, *, algorithm: Element) -> None:
    try:
        named = algorithms.read_signature_algorithm(algorithm, digest=None)
        algorithms.verify(public_key, signature, body, algorithm=named)
    except BerError as error:
        raise RequestMalformed(f"not a certificate request: {error.detail}") from error
    except (algorithms.SignatureWrong, algorithms.UnsupportedAlgorithm, algorithms.AlgorithmRefused) as error:
        raise RequestSignatureWrong(f"the request's own signature does not hold: {error.detail}") from error
