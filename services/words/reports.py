"""A verification report in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from smime.report import Report, Verdict

VERDICTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "valid": "valid: the body is signed by its sender and was not altered; subject, date and recipients are not protected.",
        "invalid": "invalid: do not trust this message.",
        "indeterminate": "indeterminate: it cannot be decided whether this message is genuine.",
        "not_signed": "not signed: anybody could have written this message.",
    }
)

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "message_altered": "The message was altered after it was signed.",
        "signature_wrong": "The signature was not made with the key of the certificate that it names.",
        "signature_malformed": "The signature cannot be read.",
        "signed_attributes_wrong": "What the signature says about itself is incomplete or contradicts itself.",
        "algorithm_refused": "The signature uses a method or key that is too weak to be believed.",
        "signer_revoked": "The signer's certificate was revoked.",
        "path_invalid": "The signer's certificate was not rightly issued by an authority that is trusted here.",
        "usage_not_allowed": "The signer's certificate is not for signing mail.",
        "address_mismatch": "The sender's address is not one of those in the signer's certificate.",
        "from_ambiguous": "The message names several senders in a way that hides who it is from.",
        "from_unparseable": "The sender's address cannot be read without guessing.",
        "from_absent": "The message names no sender.",
        "no_trusted_path": "No authority that is trusted here vouches for the signer's certificate.",
        "revocation_unknown": "It is not known whether the signer's certificate was revoked.",
        "signer_expired": "The signer's certificate has expired, and nothing proves that it was signed before.",
        "signer_revoked_later": "The signer's certificate was revoked after the time at which the message claims to be signed.",
        "signer_on_hold": "The signer's certificate is suspended.",
        "address_absent": "The signer's certificate names no mail address.",
        "coverage_partial": "Only a part of the message is signed.",
        "unsupported_algorithm": "The signature uses a method that is not known here.",
        "message_encrypted": "The message is encrypted; whether it is signed shows only once it is decrypted.",
        "engines_disagree": "Two independent judgements of this message differ.",
        "test_certificate": "The signer's certificate is for tests only.",
        "policy_unsupported": "The signer's certificate depends on certificate policies, which are not judged here yet.",
    }
)

_OF_AN_AUTHORITY: Final = "It is not known whether the certificate of an authority above the signer was revoked."


def sentences(report: Report) -> list[str]:
    """The verdict and each reason as a sentence, worst first."""
    first = VERDICTS[str(report.verdict.value)]
    reasons = [f"{why(reason, report) or 'There is a reason without words'} ({reason})" for reason in report.reasons]
    named = [] if report.verdict is not Verdict.VALID else [_signers(report)]
    return [first, *reasons, *named]


def why(reason: str, report: Report) -> str | None:
    """A reason of this report as a sentence, which blames the signer's certificate for nothing that is above it."""
    if reason == "revocation_unknown":
        seen = {finding for signer in report.signers for finding in signer.findings}
        if "ca_revocation_unknown" in seen and "revocation_unknown" not in seen:
            return _OF_AN_AUTHORITY
    return REASONS.get(reason)


def _signers(report: Report) -> str:
    names = sorted({mailbox for signer in report.signers for mailbox in signer.mailboxes})
    return f"Signed by {', '.join(names)}." if names else "Signed."
