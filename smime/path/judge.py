"""Judge a certification path: is this certificate vouched for, at this moment, for this use (RFC 5280 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from formats.certificate import Certificate
from smime.path import rules
from smime.path.chains import Anchor, Chain, build_chains
from smime.path.effort import Effort
from smime.path.evidence import BUDGET_EXHAUSTED, NOT_CHECKED, Archive, Evidence, RevocationResult
from smime.path.rules import Fault, Usage

MAX_UNCHECKED: Final = 3  # chains that can never be valid and are judged all the same, to tell why
REVOCATION_UNKNOWN: Final = "revocation_unknown"
COMPROMISED: Final = frozenset({"keyCompromise", "cACompromise", "aACompromise"})


class PathVerdict(StrEnum):
    """What a path is."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"


REASONS: Final = {
    "algorithm_refused": PathVerdict.INVALID,
    rules.PATH_INVALID: PathVerdict.INVALID,
    rules.USAGE_NOT_ALLOWED: PathVerdict.INVALID,
    rules.NO_TRUSTED_PATH: PathVerdict.INDETERMINATE,
    REVOCATION_UNKNOWN: PathVerdict.INDETERMINATE,
    rules.SIGNER_EXPIRED: PathVerdict.INDETERMINATE,
    "unsupported_algorithm": PathVerdict.INDETERMINATE,
    rules.POLICY_UNSUPPORTED: PathVerdict.INDETERMINATE,
}
"""What each reason makes of a path, worst first."""

_RANK: Final = {reason: rank for rank, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPolicy:
    """By which rules a path is judged.

    `required_eku`: purposes that every extendedKeyUsage in the chain must allow, None: it is not looked at.
    `key_usage_any_of`: the leaf's keyUsage, where it has one, must hold one of these; empty: any.
    `revocation`: `hard` (unknown is not valid), `soft` (unknown is a finding) or `off`. The rest are the initial
    inputs of RFC 5280 6.1.1 c to f; with any of them no path is valid, since policies are not processed.
    """

    at: datetime
    required_eku: frozenset[str] | None = None
    key_usage_any_of: frozenset[str] = frozenset()
    revocation: str = "hard"
    policies: tuple[str, ...] = ()
    require_explicit_policy: bool = False
    inhibit_policy_mapping: bool = False
    inhibit_any_policy: bool = False

    @property
    def asks_for_policies(self) -> bool:
        """Whether the outcome depends on certificate policies."""
        flags = self.require_explicit_policy or self.inhibit_policy_mapping or self.inhibit_any_policy
        return flags or bool(self.policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathResult:
    """What became of the best chain: `reasons` worst first, `findings` as slugs, `chain` from the leaf to the anchor.

    That the leaf itself is revoked or on hold counts in neither verdict nor reasons: it stands in `revocation`, and
    what follows depends on when the caller knows the leaf to have been used. An unknown status of the leaf counts as
    `policy.revocation` says, and so does everything that is known of the CAs above it. The chain is the leaf alone
    where none reaches an anchor; an anchor that is only a name and a key does not stand in it.
    """

    verdict: PathVerdict
    reasons: tuple[str, ...]
    findings: tuple[str, ...]
    chain: tuple[Certificate, ...]
    revocation: RevocationResult

    @property
    def reason(self) -> str | None:
        """The worst reason, None for a valid path."""
        return self.reasons[0] if self.reasons else None


def judge_path(
    leaf: Certificate,
    *,
    intermediates: Iterable[Certificate],
    anchors: Iterable[Anchor],
    evidence: Evidence,
    policy: PathPolicy,
    effort: Effort | None = None,
) -> PathResult:
    """The best result over all chains from the leaf to an anchor; the order of what is given does not matter.

    Several leaves of one message share one `effort`. It never refuses: what cannot be read, checked or tried within
    bounds is told by reasons and findings.

    (1) each chain within bounds is held against the rules and the evidence; the first valid one ends the search;
        of those whose signatures cannot be checked only the first three, since they are never valid
    (2) with none, the best of those that reach an anchor: checked signatures before unchecked ones, undecided
        before invalid, fewer reasons before more
    (3) with none of these, a signature that is wrong under the name of an issuer makes the path invalid
    (4) where something was left untried, nothing is said but that
    """
    effort = effort or Effort()
    effort.begin()
    at = policy.at.replace(microsecond=0)  # certificates and CRLs count whole seconds
    pool, trusted = tuple(intermediates), tuple(anchors)
    archive = Archive(evidence, issuers=(*trusted, *map(Anchor.of, pool)))
    best: tuple[tuple[int, ...], PathResult] | None = None
    unchecked = 0
    for chain in build_chains(leaf, intermediates=pool, anchors=trusted, effort=effort):  # (1)
        unchecked += not chain.is_checked
        if not chain.is_checked and unchecked > MAX_UNCHECKED:
            continue
        result = _judge_chain(chain, archive=archive, policy=policy, at=at, effort=effort)
        if result.verdict is PathVerdict.VALID:
            return result
        rank = _rank(chain, result)
        if best is None or rank < best[0]:  # (2)
            best = rank, result
    if effort.exhausted:  # (4)
        return _untried(leaf, best[1] if best else None)
    return best[1] if best is not None else _without_path(leaf, forged=effort.forged > 0)  # (3)


def _judge_chain(chain: Chain, *, archive: Archive, policy: PathPolicy, at: datetime, effort: Effort) -> PathResult:
    usage = Usage(purposes=policy.required_eku, key_usages=policy.key_usage_any_of)
    found = list(rules.faults(chain, at=at, usage=usage, effort=effort))
    if policy.asks_for_policies:
        found.append(Fault(reason=rules.POLICY_UNSUPPORTED, finding="policy_options"))
    statuses: tuple[RevocationResult, ...] = ()
    if policy.revocation != "off" and chain.is_checked:
        statuses = _statuses(chain, archive, at, effort)
    remarks = [finding for status in statuses for finding in status.findings]
    for position, status in enumerate(statuses):
        for reason, finding in _revocation_faults(position, status, at, hard=policy.revocation != "soft"):
            if reason is None:
                remarks.append(finding)
            else:
                found.append(Fault(reason=reason, finding=finding))
    reasons = [fault.reason for fault in found]
    findings = [*(fault.finding for fault in found), *remarks]
    return _result(reasons, findings, chain.members, statuses[0] if statuses else NOT_CHECKED)


def _statuses(chain: Chain, archive: Archive, at: datetime, effort: Effort) -> tuple[RevocationResult, ...]:
    issuers = [*map(Anchor.of, chain.certificates[1:]), chain.anchor]
    pairs = zip(chain.certificates, issuers, strict=True)
    return tuple(archive.status(one, issuer=issuer, at=at, effort=effort) for one, issuer in pairs)


def _revocation_faults(
    position: int, status: RevocationResult, at: datetime, *, hard: bool
) -> list[tuple[str | None, str]]:
    """The reason (None: only a finding) and finding that follow from the status of the leaf (0) or a CA above it."""
    if status.status == "unknown":
        finding = REVOCATION_UNKNOWN if position == 0 else "ca_revocation_unknown"
        untried = BUDGET_EXHAUSTED in status.findings  # else whoever fills a message with junk hides a revocation
        return [(REVOCATION_UNKNOWN if hard or untried else None, finding)]
    if position == 0 or status.status == "good":
        return []
    if status.status == "on_hold":
        return [(rules.PATH_INVALID, "ca_on_hold")]
    later = status.source == "record" and status.revoked_at is not None and status.revoked_at > at
    if later and status.reason not in COMPROMISED:
        return [(None, "ca_revoked_later")]
    return [(rules.PATH_INVALID, "ca_revoked")]


def _result(
    reasons: Iterable[str], findings: Iterable[str], chain: tuple[Certificate, ...], revocation: RevocationResult
) -> PathResult:
    ordered = tuple(sorted(dict.fromkeys(reasons), key=_RANK.__getitem__))
    return PathResult(
        verdict=REASONS[ordered[0]] if ordered else PathVerdict.VALID,
        reasons=ordered,
        findings=tuple(dict.fromkeys(findings)),
        chain=chain,
        revocation=revocation,
    )


def _rank(chain: Chain, result: PathResult) -> tuple[int, ...]:
    return (not chain.is_checked, result.verdict is PathVerdict.INVALID, len(result.reasons), len(chain.members))


def _untried(leaf: Certificate, best: PathResult | None) -> PathResult:
    findings = (BUDGET_EXHAUSTED, *(best.findings if best else ()))
    chain, revocation = (best.chain, best.revocation) if best else ((leaf,), NOT_CHECKED)
    return _result([rules.NO_TRUSTED_PATH], findings, chain, revocation)


def _without_path(leaf: Certificate, *, forged: bool) -> PathResult:
    if forged:
        return _result([rules.PATH_INVALID], ["certificate_signature_wrong"], (leaf,), NOT_CHECKED)
    return _result([rules.NO_TRUSTED_PATH], [], (leaf,), NOT_CHECKED)
