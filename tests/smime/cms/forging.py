"""SignedData put together by hand, rightly signed whatever it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from formats import algorithms, der, oids
from formats.algorithms import Digest, SignatureAlgorithm
from formats.certificate import Certificate
from smime.cms import attributes
from tests.smime.campus import NOW, Person


def attribute(oid: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(*values))


def usual_attributes(content: bytes, *, digest: Digest = Digest.SHA256, time: datetime = NOW) -> list[bytes]:
    return [
        attributes.content_type(oids.DATA),
        attributes.message_digest(digest.digest(content)),
        attributes.signing_time(time),
    ]


def issuer_and_serial(certificate: Certificate) -> bytes:
    return der.sequence(certificate.issuer_der, der.integer(certificate.serial.value))


def signer_info(
    signer: Person,
    attributes_: Sequence[bytes] | None,
    *,
    content: bytes = b"",
    algorithm: SignatureAlgorithm | None = None,
    digest: bytes | None = None,
    identifier: bytes | None = None,
    id_: bytes | None = None,
    unsigned: Sequence[bytes] = (),
    embedded: bytes | None = None,
    signature: bytes | None = None,
) -> bytes:
    """Sign the attributes (or, without any, the content), and embed them, or `embedded` in their place."""
    algorithm = algorithm or algorithms.signature_algorithm_for(signer.key)
    encoded = der.set_of(*attributes_) if attributes_ is not None else content
    signature = signature or algorithms.sign(signer.key, encoded, algorithm=algorithm)
    parts = [der.integer(1), id_ or issuer_and_serial(signer.certificate), digest or algorithm.digest.identifier]
    if attributes_ is not None:
        parts.append(embedded if embedded is not None else b"\xa0" + encoded[1:])
    parts += [identifier or algorithm.identifier, der.octets(signature)]
    if unsigned:
        parts.append(b"\xa1" + der.set_of(*unsigned)[1:])
    return der.sequence(*parts)


def signed_data(
    infos: Sequence[bytes],
    *,
    content: bytes | None = None,
    content_type: str = oids.DATA,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
) -> bytes:
    """Wrap signer infos into a ContentInfo."""
    inner = [der.oid(content_type)]
    if content is not None:
        inner.append(der.explicit(0, der.octets(content)))
    parts = [der.integer(1), der.set_of(Digest.SHA256.identifier), der.sequence(*inner)]
    if certificates:
        parts.append(der.implicit(0, b"".join(certificates), constructed=True))
    if crls:
        parts.append(der.implicit(1, b"".join(crls), constructed=True))
    parts.append(der.encode(0x11, b"".join(infos), constructed=True))
    return der.sequence(der.oid(oids.SIGNED_DATA), der.explicit(0, der.sequence(*parts)))
