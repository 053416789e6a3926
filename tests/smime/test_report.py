from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from smime.path import judge as path
from smime.report import REASONS, Report, Verdict, as_json, verdict_of, wire, worst_first
from smime.trust import Trust
from tests.smime.campus import Person, verdict
from tests.smime.mails import HEAD, signed_mail

SIGNER_FIELDS = {
    "verdict",
    "integrity",
    "signature",
    "address_binding",
    "certificate",
    "subject",
    "serial",
    "sha256",
    "mailboxes",
    "chain",
    "revocation",
    "time",
    "algorithm",
    "findings",
}


def written(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(as_json(report, summary=["It is so."])))
    return found


def test_the_fields_are_fixed(alice: Person, trust: Trust) -> None:
    found = written(verdict(signed_mail(alice), trust))
    assert set(found) == {"verdict", "reasons", "summary", "message", "signers", "checked_at", "policy"}
    assert found["message"] == {
        "from": ["alice@campus.example"],
        "coverage": "full",
        "signed_part": "",
        "nested": [],
        "findings": [],
    }
    assert found["verdict"] == "valid"
    assert found["summary"] == ["It is so."]
    assert found["checked_at"] == "2026-11-24T12:00:00Z"
    (signer,) = found["signers"]
    assert set(signer) == SIGNER_FIELDS


def test_a_valid_signer_is_told_in_full(alice: Person, trust: Trust) -> None:
    (signer,) = as_json(verdict(signed_mail(alice), trust), summary=[])["signers"]
    certificate = alice.certificate
    assert signer["certificate"] == certificate.pem
    assert signer["serial"] == str(certificate.serial)
    assert signer["sha256"] == certificate.sha256
    assert signer["mailboxes"] == ["alice@campus.example"]
    assert len(signer["chain"]) == 2
    assert signer["revocation"]["status"] == "good"
    assert signer["algorithm"]["signature"] == "ecdsa-sha256"
    assert signer["algorithm"]["key"] == {"algorithm": "EC", "bits": 256, "curve": "P-256"}


def test_a_message_without_signature_has_all_the_fields_too(trust: Trust) -> None:
    found = written(verdict(HEAD + b"\r\nhello\r\n", trust))
    assert found["verdict"] == "not_signed"
    assert found["signers"] == []
    assert found["reasons"] == []


def test_invalid_weighs_more_than_indeterminate() -> None:
    assert verdict_of([]) is Verdict.VALID
    assert verdict_of(["signer_expired"]) is Verdict.INDETERMINATE
    assert verdict_of(["signer_expired", "message_altered"]) is Verdict.INVALID


def test_reasons_come_worst_first_and_once() -> None:
    assert worst_first(["coverage_partial", "signer_revoked", "message_altered", "signer_revoked"]) == (
        "message_altered",
        "signer_revoked",
        "coverage_partial",
    )


def test_every_invalid_reason_stands_before_the_indeterminate_ones() -> None:
    verdicts = list(REASONS.values())
    assert verdicts == sorted(verdicts, key=lambda one: one is not Verdict.INVALID)


@pytest.mark.parametrize("reason", path.REASONS)
def test_the_path_means_the_same_by_its_reasons(reason: str) -> None:
    assert REASONS[reason].value == path.REASONS[reason].value


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    assert wire(datetime(2026, 1, 1, 1, 0, 0, 999, tzinfo=timezone(timedelta(hours=8)))) == "2025-12-31T17:00:00Z"
    assert wire(datetime(999, 1, 1, tzinfo=UTC)) == "0999-01-01T00:00:00Z"
    assert wire(None) is None
