"""The golden set: every object that this room makes lints clean, here and with pkilint's own commands."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pkilint.bin import lint_cabf_smime_cert, lint_crl, lint_ocsp_response, lint_pkix_cert
from pkilint.bin import lint_pkix_signer_signee_cert_chain as lint_chain

from ca import crl, ocsp, profiles
from ca.issuance import Blueprint, Issuer
from ca.lint import Linter
from ca.ocsp import Good, Revoked
from ca.profiles import Use
from ca.reasons import Reason
from formats import oids
from formats.certificate import Certificate
from formats.serial import Serial
from tests.ca.golden import ADA, ARC, NOW, SUBJECTS
from tests.ca.ocsp_requests import request_for

Judge = Callable[..., set[str]]
ALLOWED = "cabf.smime.no_required_reserved_policy_oid"


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    """The codes that one of pkilint's commands reports; arguments in bytes are given as files."""

    def run(main: Callable[[list[str]], int], *arguments: str | bytes) -> set[str]:
        shown = [one if isinstance(one, str) else _file(tmp_path, one) for one in arguments]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the commands leave the file open that they read
            main(["lint", "-s", "WARNING", "-f", "CSV", *shown])
            gc.collect()
        lines = [line for line in capsys.readouterr().out.splitlines() if line]
        return {line.split(",")[3] for line in lines[1:]}  # node_path,validator,severity,code,message

    return run


def _file(folder: Path, der: bytes) -> str:
    file = folder / f"{len(list(folder.iterdir()))}.der"
    file.write_bytes(der)
    return str(file)


@pytest.mark.parametrize("key", ["rsa3072", "p256", "p384"])
@pytest.mark.parametrize("use", list(Use))
@pytest.mark.parametrize("profile", ["mailbox", "person", "role"])
def test_every_profile_use_and_key_is_issued_as_the_tables_say(
    profile: str, use: Use, key: str, each_issuer: Issuer, blueprint: Callable[..., Blueprint]
) -> None:
    plan = blueprint(profile, key=key, use=use)
    certificate = each_issuer.issue(each_issuer.prepare(plan, serial=Serial.random(), now=NOW))

    encrypts = "keyEncipherment" if key == "rsa3072" else "keyAgreement"
    bits = {Use.SIGN: ["digitalSignature"], Use.ENCRYPT: [encrypts], Use.DUAL: ["digitalSignature", encrypts]}
    assert certificate.key_usage == frozenset(bits[use])
    assert certificate.extended_key_usage == frozenset({oids.EMAIL_PROTECTION})
    assert certificate.policies == (f"{ARC}.{profiles.profile(profile).policy_suffix}",)
    assert certificate.mailboxes == (ADA,)
    assert certificate.crl_urls == ("http://pki.campus.example.edu/crl/g1.crl",)
    assert certificate.ocsp_urls == ("http://pki.campus.example.edu/ocsp/g1",)
    assert certificate.ca_issuer_urls == ("http://pki.campus.example.edu/ca/g1.crt",)
    assert certificate.not_before == NOW - timedelta(hours=1)
    assert certificate.not_after == certificate.not_before + timedelta(days=397, seconds=-1)
    assert certificate.authority_key_id == each_issuer.certificate.subject_key_id
    assert certificate.basic_constraints is None
    assert (certificate.smime_capabilities_der is None) == (use is Use.SIGN)


def test_subjects_have_the_fixed_order(issuer: Issuer, blueprint: Callable[..., Blueprint]) -> None:
    shown = {
        name: issuer.prepare(blueprint(name), serial=Serial.random(), now=NOW).subject
        for name in ("mailbox", "person", "role")
    }
    campus = r"organizationIdentifier=NTRUS\+CA-1234567,O=Campus Example University,C=US"
    assert shown == {
        "mailbox": f"CN={ADA}",
        "person": f"CN=Ada Lovelace,GN=Ada,SN=Lovelace,{campus}",
        "role": f"CN={ADA},{campus}",
    }


def test_the_commands_of_pkilint_find_nothing_but_the_first_allowance_in_a_certificate(
    issuer: Issuer, blueprint: Callable[..., Blueprint], judge: Judge
) -> None:
    for name in SUBJECTS:
        profile = profiles.profile(name)
        certificate = issuer.issue(issuer.prepare(blueprint(name), serial=Serial.random(), now=NOW))
        der = certificate.der
        assert judge(lint_cabf_smime_cert.main, "-t", profile.smime_type, der) == {ALLOWED}
        assert judge(lint_pkix_cert.main, der) == set()
        assert judge(lint_chain.main, issuer.certificate.der, der) == set()


def test_the_commands_of_pkilint_find_nothing_in_authorities_and_delegate(
    root: Certificate,
    each_issuer: Issuer,
    keys: dict[str, Any],
    judge: Judge,
) -> None:
    prepared = each_issuer.prepare_delegate(keys["delegate"].public_key(), serial=Serial.random(), now=NOW, days=30)
    delegate = each_issuer.issue(prepared)
    for certificate in (root, each_issuer.certificate, delegate):
        assert judge(lint_pkix_cert.main, certificate.der) == set()
    for upper, lower in ((root, each_issuer.certificate), (each_issuer.certificate, delegate)):
        assert judge(lint_chain.main, upper.der, lower.der) == set()


@pytest.mark.parametrize("count", [0, 5])
@pytest.mark.parametrize("kind", ["PKIX", "BR"])
def test_crls_lint_clean(kind: str, count: int, *, each_issuer: Issuer, linter: Linter, judge: Judge) -> None:
    reasons = list(Reason)[:count]
    entries = [
        crl.encode_entry(Serial.random(), revoked_at=NOW, reason=reason, invalidity_date=NOW - timedelta(days=1))
        for reason in reasons
    ]
    der = crl.build_crl(
        entries,
        number=7,
        issuer=each_issuer.certificate,
        key=each_issuer.key,
        this_update=NOW,
        next_update=NOW + timedelta(hours=48),
    )
    assert linter.crl(der) == ()
    assert judge(lint_crl.main, "-t", "CRL", "-p", kind, der) == set()


def test_the_roots_crl_lints_clean(root: Certificate, keys: dict[str, Any], linter: Linter, judge: Judge) -> None:
    der = crl.build_crl(
        [], number=1, issuer=root, key=keys["rsa4096"], this_update=NOW, next_update=NOW + timedelta(days=180)
    )
    assert linter.crl(der) == ()
    for kind in ("PKIX", "BR"):
        assert judge(lint_crl.main, "-t", "ARL", "-p", kind, der) == set()


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize(
    "status", [Good(), Revoked(at=NOW, reason=Reason.KEY_COMPROMISE), Revoked(at=NOW, reason=None)]
)
def test_ocsp_answers_lint_clean(
    status: ocsp.Status,
    digest: str,
    *,
    issuer: Issuer,
    delegate: Certificate,
    keys: dict[str, Any],
    linter: Linter,
    judge: Judge,
) -> None:
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, Serial.random(), digest=digest))
    der = ocsp.build_ocsp_answer(
        request,
        status,
        delegate=delegate,
        key=keys["delegate"],
        this_update=NOW,
        next_update=NOW + timedelta(hours=24),
        produced_at=NOW,
    )
    assert linter.ocsp(der) == ()
    assert judge(lint_ocsp_response.main, der) == set()


@pytest.mark.parametrize("error", ["malformed", "unauthorized", "try_later", "internal"])
def test_ocsp_errors_lint_clean(error: Any, linter: Linter) -> None:
    assert linter.ocsp(ocsp.error_answer(error)) == ()
