"""RSASSA-PSS-params (RFC 4055 3.1), read and written; whether they will do is for others to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from formats import der, oids
from formats.ber import INTEGER, NULL, OID, SEQUENCE, BerError, Element, Fields, context

_DEFAULT_SALT: Final = 20
_DEFAULT_TRAILER: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PssParameters:
    """The parameters by identifiers, defaults filled in; `salt` in octets."""

    digest: str
    mask: str
    mask_digest: str
    salt: int
    trailer: int


def read(element: Element) -> PssParameters:
    """Read the parameters; BerError where they are malformed."""
    fields = element.fields(SEQUENCE)
    digest = _hash(_tagged(fields, 0))
    mask, mask_digest = _mask(_tagged(fields, 1))
    salt, trailer = _tagged(fields, 2), _tagged(fields, 3)
    fields.end()
    return PssParameters(
        digest=digest,
        mask=mask,
        mask_digest=mask_digest,
        salt=_DEFAULT_SALT if salt is None else salt.integer(tag=INTEGER),
        trailer=_DEFAULT_TRAILER if trailer is None else trailer.integer(tag=INTEGER),
    )


def write(digest: str, *, salt: int) -> bytes:
    """The AlgorithmIdentifier of PSS with one digest for message and mask, and the default trailer left out."""
    identifier = der.sequence(der.oid(digest), der.null())  # NULL: RFC 4055 6, and what every producer writes
    mask = der.sequence(der.oid(oids.MGF1), identifier)
    parameters = (der.explicit(0, identifier), der.explicit(1, mask), der.explicit(2, der.integer(salt)))
    return der.sequence(der.oid(oids.RSASSA_PSS), der.sequence(*parameters))


def _tagged(fields: Fields, n: int) -> Element | None:
    outer = fields.optional(context(n))
    if outer is None:
        return None
    wrapped = outer.fields()
    inner = wrapped.any()
    wrapped.end()
    return inner


def _hash(element: Element | None) -> str:
    if element is None:
        return oids.SHA1
    fields = element.fields(SEQUENCE)
    oid = fields.take(OID).oid()
    parameters = fields.optional(NULL)
    if parameters is not None:
        parameters.null()
    fields.end()
    return oid


def _mask(element: Element | None) -> tuple[str, str]:
    if element is None:
        return oids.MGF1, oids.SHA1
    fields = element.fields(SEQUENCE)
    oid = fields.take(OID).oid()
    digest = fields.any_optional()
    fields.end()
    if digest is None:
        raise BerError("a mask generation function without its digest")
    return oid, _hash(digest)
