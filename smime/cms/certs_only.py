"""Certs-only message (RFC 8551 3.8): a SignedData without content and without signers that carries certificates."""

from __future__ import annotations

from collections.abc import Iterable

from formats import ber, der, oids
from formats.certificate import Certificate


def write_certs_only(certificates: Iterable[Certificate]) -> bytes:
    """The certificates as a degenerate SignedData in DER, each once; version 1, since all are X.509 (RFC 5652 5.1)."""
    held = der.set_of(*(one.der for one in dict.fromkeys(certificates)))
    content = der.sequence(
        der.integer(1),
        der.set_of(),
        der.sequence(der.oid(oids.DATA)),
        der.implicit(0, ber.read_der(held).content, constructed=True),
        der.set_of(),
    )
    return der.sequence(der.oid(oids.SIGNED_DATA), der.explicit(0, content))
