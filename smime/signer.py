"""Signer, what it takes to sign in somebody's name: certificate, chain and private key."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from formats.certificate import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A certificate with its private key.

    `chain` begins with the certificate's issuer and leaves the root out, which nobody believes because a message
    brings it. `encryption_certificate` is the one that answers should be sealed to, None where it is `certificate`
    itself or there is none.
    """

    certificate: Certificate
    chain: tuple[Certificate, ...]
    key: PrivateKeyTypes = field(repr=False, compare=False)
    encryption_certificate: Certificate | None = None
