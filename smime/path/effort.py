"""Effort, what judging a path may still cost; signature checks count, and each is made once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from formats import algorithms
from formats.algorithms import AlgorithmRefused, SignatureWrong, UnsupportedAlgorithm
from formats.ber import BerError, read_der

MAX_SIGNATURE_CHECKS: Final = 128
MAX_LINKS: Final = 64
MAX_ALGORITHM_OCTETS: Final = 1024  # RSASSA-PSS with all its parameters has 70
MAX_KEY_OCTETS: Final = 16 * 1024
MAX_COMPARISONS: Final = 250_000
MAX_CRL_OCTETS: Final = 256 * 1024 * 1024


class Outcome(StrEnum):
    """How a signature check ended; the value of those that refuse is the reason's slug."""

    GOOD = "good"
    WRONG = "path_invalid"
    REFUSED = "algorithm_refused"
    UNSUPPORTED = "unsupported_algorithm"
    UNTRIED = "no_trusted_path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What X.509 signs, certificate or CRL: the bytes, the AlgorithmIdentifier and the signature over them."""

    tbs: bytes
    algorithm_der: bytes
    signature: bytes


class Signer(Protocol):
    """A key that may have signed; asking for `public_key` may refuse, as an algorithm."""

    @property
    def spki(self) -> bytes:
        """The key's SubjectPublicKeyInfo, by which it is known again."""

    @property
    def public_key(self) -> PublicKeyTypes:
        """The key itself."""


class Effort:
    """What the judgements of one message may cost together; `exhausted` tells that something was left untried.

    The units: signatures checked, certificates put on top of a chain, names compared with name constraints, octets
    of CRLs searched. `forged` counts links whose names and key identifiers fit and whose signature does not.
    """

    __slots__ = ("_outcomes", "comparisons", "crl_octets", "exhausted", "forged", "links", "signature_checks")

    def __init__(self) -> None:
        self.signature_checks = MAX_SIGNATURE_CHECKS
        self.links = MAX_LINKS
        self.comparisons = MAX_COMPARISONS
        self.crl_octets = MAX_CRL_OCTETS
        self.exhausted = False
        self.forged = 0
        self._outcomes: dict[tuple[Signed, bytes], Outcome] = {}

    def begin(self) -> None:
        """Start another judgement with what is left."""
        self.exhausted = False
        self.forged = 0

    def follow_link(self) -> bool:
        """Take one link, if one is left."""
        return self._spend("links", 1)

    def compare(self, count: int) -> bool:
        """Take so many comparisons, if they are left."""
        return self._spend("comparisons", count)

    def search(self, octets: int) -> bool:
        """Take the search of so many octets of CRL, if they are left."""
        return self._spend("crl_octets", octets)

    def check(self, signed: Signed, *, signer: Signer) -> Outcome:
        """Whether the signer's key made the signature; only what is new costs."""
        known = self._outcomes.get((signed, signer.spki))
        if known is None:
            known = self._outcomes[signed, signer.spki] = self._tried(signed, signer)
        elif known is Outcome.UNTRIED:
            self.exhausted = True
        return known

    def _tried(self, signed: Signed, signer: Signer) -> Outcome:
        """What cannot be checked costs a check too, since reading algorithm and key is work."""
        if not self._spend("signature_checks", 1):
            return Outcome.UNTRIED
        if len(signed.algorithm_der) > MAX_ALGORITHM_OCTETS or len(signer.spki) > MAX_KEY_OCTETS:
            return Outcome.UNSUPPORTED
        try:
            algorithm = algorithms.read_signature_algorithm(read_der(signed.algorithm_der), digest=None)
            key = signer.public_key
            algorithms.check_public_key_strength(key)
        except AlgorithmRefused:
            return Outcome.REFUSED
        except (UnsupportedAlgorithm, BerError):
            return Outcome.UNSUPPORTED
        try:
            algorithms.verify(key, signed.signature, signed.tbs, algorithm=algorithm)
        except (SignatureWrong, AlgorithmRefused, UnsupportedAlgorithm):  # not of the kind that the algorithm needs
            return Outcome.WRONG
        return Outcome.GOOD

    def _spend(self, unit: str, count: int) -> bool:
        left = getattr(self, unit)
        if count > left:
            self.exhausted = True
            return False
        setattr(self, unit, left - count)
        return True
