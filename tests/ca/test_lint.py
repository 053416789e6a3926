from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pkilint import loader

from ca import lint, profiles
from ca.errors import Finding, LintRefused
from ca.issuance import Issuer, StatusUrls
from ca.lint import ALLOWANCES, Linter, Policies, require_clean
from ca.profiles import PROFILES
from formats import der, oids
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from tests.ca.golden import ARC, NOW

RESERVED = "cabf.smime.no_required_reserved_policy_oid"
INTERNAL = "cabf.internal_domain_name"


@pytest.fixture(scope="module")
def leaf(issuer: Issuer, blueprint: Any) -> Certificate:
    return issuer.issue(issuer.prepare(blueprint(), serial=Serial.random(), now=NOW))


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings}


def mutated(certificate: Certificate, old: bytes, new: bytes) -> bytes:
    """The certificate with other bytes of the same length; linters do not look at the signature."""
    assert len(old) == len(new)
    assert certificate.der.count(old) >= 1
    return certificate.der.replace(old, new)


def test_there_are_three_allowances_and_no_more() -> None:
    not_critical = "pkix.certificate_name_constraints_extension_not_critical"
    assert [allowance.code for allowance in ALLOWANCES] == [RESERVED, INTERNAL, not_critical]
    assert all(allowance.reason for allowance in ALLOWANCES)


@pytest.mark.parametrize(
    ("asserted", "applies"),
    [
        ((f"{ARC}.1",), True),
        ((), False),
        (("2.5.29.32.0",), False),
        ((f"{ARC}.1", "1.2.3"), False),
        ((f"{ARC}9.1",), False),
    ],
)
def test_the_first_is_for_certificates_with_our_own_policies(asserted: tuple[str, ...], applies: bool) -> None:
    finding = Finding(code=RESERVED, severity="ERROR", where="", message="")
    assert ALLOWANCES[0].applies(finding, Policies(asserted=asserted, arc=ARC)) is applies


@pytest.mark.parametrize(
    ("name", "applies"),
    [
        ("campus.example", True),
        ("pki.campus.example", True),
        ("mail.test", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("campus.internal", False),
        ("campus.example.lan", False),
        ("notexample", False),
        ("x.localhost.lan", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_the_second_is_for_reserved_names_only(name: str, applies: bool) -> None:
    finding = Finding(code=INTERNAL, severity="ERROR", where="", message=f'Internal domain name: "{name}"')
    assert ALLOWANCES[1].applies(finding, Policies(asserted=(f"{ARC}.1",), arc=ARC)) is applies


def test_a_demo_certificate_lints_clean(issuer: Issuer, blueprint: Any) -> None:
    for address in ("ada@campus.example", "ada@dept.campus.example", "jörg@campus.test"):
        issuer.prepare(blueprint(mailboxes=(Mailbox.parse(address),)), serial=Serial.random(), now=NOW)


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_is_linted_as_its_own_type(name: str, linter: Linter, leaf: Certificate) -> None:
    found = codes(linter.certificate(leaf.der, profile=profiles.profile(name), issuer=None))
    assert ("cabf.smime.missing_required_attribute" in found) == (name != "mailbox")


def test_the_smime_linter_sees_a_purpose_too_many(linter: Linter, leaf: Certificate) -> None:
    broken = mutated(leaf, der.oid(oids.EMAIL_PROTECTION), der.oid(oids.SERVER_AUTH))
    found = codes(linter.certificate(broken, profile=PROFILES["mailbox"], issuer=None))
    assert "cabf.smime.emailprotection_eku_missing" in found
    assert codes(linter.certificate(broken, profile=None, issuer=None)) == set()


def test_the_pkix_linter_sees_an_identifier_that_is_missing(linter: Linter, root: Certificate) -> None:
    broken = mutated(root, der.oid(oids.SUBJECT_KEY_ID), der.oid("2.5.29.99"))
    assert "pkix.certificate_skid_ca_missing" in codes(linter.certificate(broken, profile=None, issuer=None))


def test_the_chain_linter_sees_another_issuer(linter: Linter, root: Certificate, leaf: Certificate) -> None:
    assert linter.certificate(leaf.der, profile=None, issuer=None) == ()
    assert "pkix.issuer_and_subject_key_identifier_not_equal" in codes(
        linter.certificate(leaf.der, profile=None, issuer=root)
    )


def test_a_finding_says_where_and_how_bad(linter: Linter, leaf: Certificate) -> None:
    findings = linter.certificate(leaf.der, profile=PROFILES["role"], issuer=None)
    finding = next(one for one in findings if one.code == "cabf.smime.missing_required_attribute")
    assert finding.severity == "ERROR"
    assert finding.where.startswith("certificate.tbsCertificate.subject")
    assert finding.message


def test_findings_are_named_in_the_refusal() -> None:
    findings = tuple(Finding(code=f"a.{n}", severity="ERROR", where="", message="") for n in (2, 1, 1))
    require_clean(())
    with pytest.raises(LintRefused, match=r"a\.1, a\.2") as caught:
        require_clean(findings)
    assert caught.value.findings == findings


@pytest.mark.parametrize("data", [b"", b"x", b"\x30\x00", b"\x30\x80\x00\x00", bytes(100)])
def test_what_cannot_be_read_is_a_finding(data: bytes, linter: Linter) -> None:
    assert codes(linter.crl(data)) == {"own.unreadable"}
    assert codes(linter.ocsp(data)) == {"own.unreadable"}
    assert codes(linter.certificate(data, profile=PROFILES["mailbox"], issuer=None)) == {"own.unreadable"}


def test_a_validator_that_stumbles_is_a_finding_and_leaves_no_traceback(
    make_issuing: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(LintRefused, match=r"base\.unhandled_exception"):
        make_issuing(ca_urls=StatusUrls(crl="http://[::", ocsp=None, issuer="http://x.example.edu/a"))
    assert not caplog.records
    assert "Traceback" not in capfd.readouterr().err


def test_each_kind_of_linter_is_built_once_and_shared_by_threads(leaf: Certificate, issuer: Issuer) -> None:
    fresh = Linter(policy_arc=ARC)
    assert fresh._containers == {}

    def run(_: int) -> tuple[Finding, ...]:
        return fresh.certificate(leaf.der, profile=PROFILES["mailbox"], issuer=issuer.certificate)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(run, range(8))) == {()}
    warm = dict(fresh._containers)
    run(0)
    assert set(warm) == {"MAILBOX-STRICT", "pkix", "decoders", "chain"}
    assert all(fresh._containers[kind] is container for kind, container in warm.items())


def test_only_what_is_worse_than_a_notice_counts(linter: Linter, leaf: Certificate) -> None:
    # pkilint reports the method of the subject key identifier as INFO in each of ours.
    root = loader.load_der_certificate(leaf.der, "leaf").root
    raw = lint._smime_container("MAILBOX-STRICT").validate(root)
    severities = {str(one.finding.severity) for result in raw for one in result.finding_descriptions}
    assert "INFO" in severities
    assert linter.certificate(leaf.der, profile=PROFILES["mailbox"], issuer=None) == ()
