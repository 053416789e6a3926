"""Chains from a certificate up to an anchor, found within bounds (RFC 5280 6.1.1, RFC 4158)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from formats.algorithms import load_public_key
from formats.ber import BerError, BerTooLarge
from formats.certificate import Certificate
from smime.path import names
from smime.path.effort import Effort, Outcome, Signed
from smime.path.names import DistinguishedName

MAX_DEPTH: Final = 10
MAX_NAME_OCTETS: Final = 4096

Identity = tuple[DistinguishedName, bytes]
_Priority = tuple[int, int, bool, str, bytes, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An authority that is trusted: a name and a key (DER), which need not sign themselves.

    Where it is given as a certificate, the certificate's validity, key usage and constraints count (RFC 5937).
    It vouches for what it issued; it is not itself a certificate that could be judged.
    """

    subject_der: bytes
    spki: bytes
    certificate: Certificate | None = None

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """The anchor that this certificate describes; never refuses, a key that is unknown here signs nothing."""
        return cls(subject_der=certificate.subject_der, spki=certificate.spki, certificate=certificate)

    @property
    def public_key(self) -> PublicKeyTypes:
        """The key; UnsupportedAlgorithm or AlgorithmRefused where it cannot be used here."""
        return self.certificate.public_key if self.certificate is not None else load_public_key(self.spki)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A leaf, the intermediates above it in order, and the anchor that issued the last of them.

    `faults` are the links whose signature could not be checked, for want of a known or strong enough algorithm;
    every other signature is good.
    """

    certificates: tuple[Certificate, ...]
    anchor: Anchor
    faults: tuple[Outcome, ...] = ()

    @property
    def is_checked(self) -> bool:
        """Whether every signature was checked, and is good."""
        return not self.faults

    @property
    def members(self) -> tuple[Certificate, ...]:
        """All certificates, the anchor's at the end where it has one."""
        above = self.anchor.certificate
        return self.certificates if above is None else (*self.certificates, above)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """An issuer that may be put on top of a chain."""

    identity: Identity
    anchor: Anchor
    intermediate: Certificate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partial:
    """A chain that has not reached an anchor; `misfits` counts key identifiers that are missing or differ."""

    certificates: tuple[Certificate, ...]
    identities: frozenset[Identity]
    misfits: int = 0
    faults: tuple[Outcome, ...] = ()


def build_chains(
    leaf: Certificate, *, intermediates: Iterable[Certificate], anchors: Iterable[Anchor], effort: Effort
) -> Iterator[Chain]:
    """Every chain within bounds, those with fitting key identifiers first, then shorter ones; input order is nothing.

    (1) the most promising link is tried next, so that junk under an issuer's name is tried last
    (2) a link whose signature is wrong is not followed
    (3) an anchor ends the chain
    (4) issuers are found by name; no name and key stands in a chain twice (RFC 4158 5.2), none grows beyond
        `MAX_DEPTH`
    """
    candidates = _by_name(intermediates, anchors)
    waiting: list[tuple[_Priority, _Partial, _Candidate]] = []
    partial = _Partial(certificates=(leaf,), identities=frozenset({(_name(leaf.subject_der), leaf.spki)}))
    count = _await(waiting, partial, candidates, 0)
    while waiting:
        _, partial, candidate = heapq.heappop(waiting)  # (1)
        outcome = _link(partial.certificates[-1], candidate, effort)
        if outcome in {Outcome.WRONG, Outcome.UNTRIED}:  # (2)
            continue
        faults = partial.faults if outcome is Outcome.GOOD else (*partial.faults, outcome)
        if candidate.intermediate is None:  # (3)
            yield Chain(certificates=partial.certificates, anchor=candidate.anchor, faults=faults)
        elif effort.follow_link():  # (4)
            longer = _Partial(
                certificates=(*partial.certificates, candidate.intermediate),
                identities=partial.identities | {candidate.identity},
                misfits=partial.misfits + _misfit(partial.certificates[-1], candidate),
                faults=faults,
            )
            count = _await(waiting, longer, candidates, count)


def _await(
    waiting: list[tuple[_Priority, _Partial, _Candidate]],
    partial: _Partial,
    candidates: dict[DistinguishedName, tuple[_Candidate, ...]],
    count: int,
) -> int:
    """Enter every link that may be tried on top of the chain; the count goes up with each and keeps them apart."""
    child, depth = partial.certificates[-1], len(partial.certificates)
    for candidate in candidates.get(_name(child.issuer_der), ()):
        above = candidate.intermediate
        if candidate.identity in partial.identities or (above is not None and depth >= MAX_DEPTH):
            continue
        count += 1
        misfits = partial.misfits + _misfit(child, candidate)
        priority = (misfits, depth, above is not None, above.sha256 if above else "", candidate.anchor.spki, count)
        heapq.heappush(waiting, (priority, partial, candidate))
    return count


def _by_name(
    intermediates: Iterable[Certificate], anchors: Iterable[Anchor]
) -> dict[DistinguishedName, tuple[_Candidate, ...]]:
    found: dict[DistinguishedName, dict[tuple[Anchor, bool], _Candidate]] = {}
    for anchor in anchors:
        _enter(found, anchor, None)
    for certificate in intermediates:
        _enter(found, Anchor.of(certificate), certificate)
    return {name: tuple(candidates.values()) for name, candidates in found.items()}


def _enter(
    found: dict[DistinguishedName, dict[tuple[Anchor, bool], _Candidate]],
    anchor: Anchor,
    intermediate: Certificate | None,
) -> None:
    name = _name(anchor.subject_der)
    if name:  # RFC 5280 4.1.2.4: an issuer has a name
        candidate = _Candidate(identity=(name, anchor.spki), anchor=anchor, intermediate=intermediate)
        found.setdefault(name, {})[anchor, intermediate is None] = candidate


def _misfit(child: Certificate, candidate: _Candidate) -> int:
    """0 where the key identifiers agree, 1 where one is missing, 2 where they differ: a hint, no proof."""
    certificate = candidate.anchor.certificate
    wanted, own = child.authority_key_id, certificate.subject_key_id if certificate else None
    if wanted is None or own is None:
        return 1
    return 0 if wanted == own else 2


def _link(child: Certificate, candidate: _Candidate, effort: Effort) -> Outcome:
    signed = Signed(tbs=child.tbs, algorithm_der=child.signature_algorithm_der, signature=child.signature)
    outcome = effort.check(signed, signer=candidate.anchor)
    if outcome is Outcome.WRONG and _misfit(child, candidate) < 2:
        effort.forged += 1
    return outcome


@lru_cache(maxsize=256)
def _name(der: bytes) -> DistinguishedName:
    """The name as it is compared, read once for all chains; none where it is longer than any issuer's."""
    if len(der) > MAX_NAME_OCTETS:
        return ()
    try:
        return names.distinguished(der)
    except (BerError, BerTooLarge):
        return ()
