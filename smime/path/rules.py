"""The rules that a chain must keep, but for revocation (RFC 5280 6.1, with anchors after RFC 5937)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from formats import oids
from formats.ber import BerError, BerTooLarge
from formats.certificate import Certificate
from smime.path import constraints
from smime.path.chains import Chain
from smime.path.constraints import NameConstraints
from smime.path.effort import Effort

PATH_INVALID: Final = "path_invalid"
USAGE_NOT_ALLOWED: Final = "usage_not_allowed"
POLICY_UNSUPPORTED: Final = "policy_unsupported"
NO_TRUSTED_PATH: Final = "no_trusted_path"
SIGNER_EXPIRED: Final = "signer_expired"

_POLICY_EXTENSIONS: Final = frozenset({oids.POLICY_MAPPINGS, oids.POLICY_CONSTRAINTS, oids.INHIBIT_ANY_POLICY})
_UNDERSTOOD: Final = _POLICY_EXTENSIONS | {
    oids.BASIC_CONSTRAINTS,
    oids.KEY_USAGE,
    oids.EXTENDED_KEY_USAGE,
    oids.SUBJECT_ALT_NAME,
    oids.NAME_CONSTRAINTS,
    oids.CERTIFICATE_POLICIES,
    oids.CRL_DISTRIBUTION_POINTS,
    oids.SUBJECT_KEY_ID,
    oids.AUTHORITY_KEY_ID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the leaf is to be used for.

    Each purpose must be allowed by every extendedKeyUsage in the chain, and one of the key usages by the leaf's
    keyUsage, where these extensions are there; None and the empty set ask for nothing.
    """

    purposes: frozenset[str] | None = None
    key_usages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule that is not kept: the reason that follows, and the finding that says more."""

    reason: str
    finding: str


def faults(chain: Chain, *, at: datetime, usage: Usage, effort: Effort) -> tuple[Fault, ...]:
    """Every rule that the chain does not keep, each once.

    (1) signatures: the algorithms are known and strong, and named alike inside and outside (RFC 5280 4.1.1.2)
    (2) validity at the moment (6.1.3 a 2), the anchor's too
    (3) critical extensions are understood (6.1.4 o, 6.1.5 f); those about policies are, as not supported
    (4) names keep the constraints above them (6.1.3 b, c)
    (5) each issuer is a CA, may sign certificates, and has no more CAs below it than it says (6.1.4 k to n)
    (6) everybody may be used for what the leaf is used for
    """
    members = chain.members
    leaf, issuers = members[0], members[1:]
    found: list[Fault] = [Fault(reason=fault, finding=f"certificate_{fault}") for fault in chain.faults]  # (1)
    if not all(certificate.algorithms_agree for certificate in chain.certificates):
        found.append(Fault(reason=PATH_INVALID, finding="algorithms_differ"))
    found.extend(_validity(leaf, issuers, at))  # (2)
    for certificate in members:  # (3)
        found.extend(_extensions(certificate))
    found.extend(_names(chain, effort))  # (4)
    found.extend(_issuers(chain))  # (5)
    found.extend(_usage(leaf, issuers, usage))  # (6)
    return tuple(dict.fromkeys(found))


def _validity(leaf: Certificate, issuers: Iterable[Certificate], at: datetime) -> Iterator[Fault]:
    if at < leaf.not_before:
        yield Fault(reason=PATH_INVALID, finding="not_yet_valid")
    if at > leaf.not_after:
        yield Fault(reason=SIGNER_EXPIRED, finding="expired")
    for certificate in issuers:
        if at < certificate.not_before:
            yield Fault(reason=PATH_INVALID, finding="ca_not_yet_valid")
        if at > certificate.not_after:
            yield Fault(reason=PATH_INVALID, finding="ca_expired")


def _extensions(certificate: Certificate) -> Iterator[Fault]:
    for oid, extension in certificate.extensions.items():
        if oid in _POLICY_EXTENSIONS:
            yield Fault(reason=POLICY_UNSUPPORTED, finding="policy_extension")
        elif extension.critical and oid not in _UNDERSTOOD:
            yield Fault(reason=PATH_INVALID, finding="critical_extension_unknown")


def _names(chain: Chain, effort: Effort) -> Iterator[Fault]:
    """From the anchor down: first the names, then what the certificate asks of those below it.

    Self-issued certificates are exempt, but for the leaf (6.1.3 b).
    """
    above: list[NameConstraints] = []
    for position, certificate in reversed(tuple(enumerate(chain.members))):
        is_anchor = position == len(chain.certificates)
        if not is_anchor and (position == 0 or not certificate.is_self_issued):
            finding = constraints.fault(certificate, above, effort=effort)
            if finding is not None:
                reason = NO_TRUSTED_PATH if finding == constraints.UNSUPPORTED else PATH_INVALID
                yield Fault(reason=reason, finding=finding)
        try:
            own = constraints.read(certificate)
        except (BerError, BerTooLarge):
            yield Fault(reason=PATH_INVALID, finding=constraints.MALFORMED)
        else:
            above.extend([] if own is None else [own])


def _issuers(chain: Chain) -> Iterator[Fault]:
    """RFC 5280 6.1.4 k to n; an anchor of version 1 has no basicConstraints and is trusted all the same."""
    below = 0  # intermediates under this one that are not self-issued
    for position, certificate in enumerate(chain.members[1:], start=1):
        is_anchor = position == len(chain.certificates)
        basic = certificate.basic_constraints
        if not certificate.is_ca and not (is_anchor and certificate.version == 1):
            yield Fault(reason=PATH_INVALID, finding="issuer_not_a_ca")
        if basic is not None and basic.path_length is not None and below > basic.path_length:
            yield Fault(reason=PATH_INVALID, finding="path_too_long")
        if certificate.key_usage is not None and "keyCertSign" not in certificate.key_usage:
            yield Fault(reason=PATH_INVALID, finding="issuer_may_not_certify")
        below += not certificate.is_self_issued


def _usage(leaf: Certificate, issuers: Iterable[Certificate], usage: Usage) -> Iterator[Fault]:
    if leaf.is_ca:
        yield Fault(reason=USAGE_NOT_ALLOWED, finding="signer_is_a_ca")
    if usage.key_usages and leaf.key_usage is not None and not usage.key_usages & leaf.key_usage:
        yield Fault(reason=USAGE_NOT_ALLOWED, finding="key_usage_not_allowed")
    if not _allows(leaf, usage.purposes):
        yield Fault(reason=USAGE_NOT_ALLOWED, finding="extended_key_usage_not_allowed")
    if not all(_allows(issuer, usage.purposes) for issuer in issuers):
        yield Fault(reason=USAGE_NOT_ALLOWED, finding="ca_extended_key_usage_not_allowed")


def _allows(certificate: Certificate, purposes: frozenset[str] | None) -> bool:
    allowed = certificate.extended_key_usage
    if purposes is None or allowed is None:
        return True
    return oids.ANY_EXTENDED_KEY_USAGE in allowed or purposes <= allowed
