from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca import crl, hierarchy
from ca.errors import AuthorityRefused, KeyRefused, LintRefused, SubjectRefused
from ca.issuance import Issuer, StatusUrls
from ca.lint import Linter
from ca.reasons import Reason
from formats import algorithms, oids
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from tests.ca.golden import ADA, ARC, BASE, DOMAIN, NOW, ORGANIZATION, ROOT_URLS
from tests.openssl import Answer, openssl

FOREIGN = "permitted subtree violation"


def test_the_root_is_what_the_table_says(root: Certificate) -> None:
    assert {oid: extension.critical for oid, extension in root.extensions.items()} == {
        oids.SUBJECT_KEY_ID: False,
        oids.AUTHORITY_KEY_ID: False,
        oids.BASIC_CONSTRAINTS: True,
        oids.KEY_USAGE: True,
        oids.NAME_CONSTRAINTS: True,
    }
    assert root.is_self_issued
    assert root.is_ca
    assert root.basic_constraints is not None
    assert root.basic_constraints.path_length is None
    assert root.key_usage == frozenset({"keyCertSign", "cRLSign"})
    assert root.authority_key_id == root.subject_key_id
    assert root.not_before == NOW - timedelta(hours=24)
    assert root.not_after == root.not_before + timedelta(days=7305, seconds=-1)
    assert root.subject == f"CN=Campus Example Mail Root,O={ORGANIZATION},C=US"
    algorithms.verify(root.public_key, root.signature, root.tbs, algorithm=root.signature_algorithm)


def test_the_issuing_ca_is_what_the_table_says(root: Certificate, each_issuer: Issuer) -> None:
    certificate = each_issuer.certificate
    assert {oid: extension.critical for oid, extension in certificate.extensions.items()} == {
        oids.SUBJECT_KEY_ID: False,
        oids.AUTHORITY_KEY_ID: False,
        oids.BASIC_CONSTRAINTS: True,
        oids.KEY_USAGE: True,
        oids.EXTENDED_KEY_USAGE: False,
        oids.CERTIFICATE_POLICIES: False,
        oids.NAME_CONSTRAINTS: True,
        oids.CRL_DISTRIBUTION_POINTS: False,
        oids.AUTHORITY_INFO_ACCESS: False,
    }
    assert certificate.basic_constraints is not None
    assert certificate.basic_constraints.path_length == 0
    assert certificate.key_usage == frozenset({"keyCertSign", "cRLSign"})
    assert certificate.extended_key_usage == frozenset({oids.EMAIL_PROTECTION})
    assert certificate.policies == (f"{ARC}.1", f"{ARC}.2", f"{ARC}.3")
    assert certificate.crl_urls == (ROOT_URLS.crl,)
    assert certificate.ca_issuer_urls == (ROOT_URLS.issuer,)
    assert certificate.ocsp_urls == ()
    assert certificate.issuer_der == root.subject_der
    assert certificate.authority_key_id == root.subject_key_id
    assert certificate.not_after == certificate.not_before + timedelta(days=3652, seconds=-1)


@pytest.mark.parametrize(("choice", "critical"), [("critical", True), ("noncritical", False), ("off", None)])
def test_name_constraints_are_as_chosen(choice: str, critical: bool | None, make_issuing: Any) -> None:
    found = make_issuing(name_constraints=choice).certificate.extensions.get(oids.NAME_CONSTRAINTS)
    assert (None if found is None else found.critical) == critical


def test_refuses_another_word_for_the_constraints(make_issuing: Any) -> None:
    with pytest.raises(AuthorityRefused):
        make_issuing(name_constraints="none")


def test_an_issuing_ca_ends_with_its_root(make_issuing: Any, root: Certificate) -> None:
    late = root.not_after - timedelta(days=400)
    assert make_issuing(now=late).certificate.not_after == root.not_after


@pytest.mark.parametrize(
    "domains",
    [(), ("localhost",), ("campus example",), (".campus.example.edu",), ("192.0.2.1",), ("a..b",)],
    ids=str,
)
def test_refuses_mail_domains_that_are_none(domains: tuple[str, ...], make_issuing: Any) -> None:
    with pytest.raises(AuthorityRefused):
        make_issuing(mail_domains=domains)


def test_refuses_an_ocsp_url_in_a_ca_certificate(make_issuing: Any) -> None:
    urls = StatusUrls(crl=ROOT_URLS.crl, ocsp=f"{BASE}/ocsp/root", issuer=ROOT_URLS.issuer)
    with pytest.raises(AuthorityRefused):
        make_issuing(ca_urls=urls)


@pytest.mark.parametrize("key", ["rsa2048", "p521"])
def test_refuses_a_poor_key_for_an_authority(key: str, keys: dict[str, Any], linter: Linter) -> None:
    poor = keys["rsa2048"] if key == "rsa2048" else ec.generate_private_key(ec.SECP521R1())
    with pytest.raises(KeyRefused):
        hierarchy.make_root(poor, country="US", organization="Campus", common_name="Root", now=NOW, linter=linter)


def test_refuses_a_root_without_a_name(keys: dict[str, Any], linter: Linter) -> None:
    with pytest.raises(SubjectRefused):
        hierarchy.make_root(keys["p384"], country="US", organization="Campus", common_name="", now=NOW, linter=linter)


def test_the_linter_refuses_a_broken_issuing_ca(make_issuing: Any) -> None:
    broken = StatusUrls(crl=f"{BASE}/crl|root", ocsp=None, issuer=ROOT_URLS.issuer)
    with pytest.raises(LintRefused) as caught:
        make_issuing(ca_urls=broken)
    assert {finding.code for finding in caught.value.findings} == {"pkix.invalid_uri_syntax"}


# --- openssl judges whole chains --------------------------------------------------------------------------------------


@pytest.fixture
def verify(tmp_path: Path, root: Certificate, keys: dict[str, Any]) -> Any:
    """`openssl verify -crl_check_all` on a leaf of an issuer, with fresh CRLs."""

    def run(issuer: Issuer, leaf: Certificate, *, entries: tuple[bytes, ...] = ()) -> Answer:
        span: Any = {"number": 1, "this_update": NOW, "next_update": NOW + timedelta(hours=48)}
        crls = [
            crl.build_crl([], issuer=root, key=keys["rsa4096"], **span),
            crl.build_crl(entries, issuer=issuer.certificate, key=issuer.key, **span),
        ]
        files = {"root.pem": root.pem, "g1.pem": issuer.certificate.pem, "leaf.pem": leaf.pem}
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        for number, der in enumerate(crls):
            (tmp_path / "crl.der").write_bytes(der)
            out = openssl("crl", "-inform", "DER", "-in", tmp_path / "crl.der")
            (tmp_path / f"crl{number}.pem").write_bytes(out.out)
        (tmp_path / "crls.pem").write_bytes(b"".join((tmp_path / f"crl{n}.pem").read_bytes() for n in range(2)))
        return openssl(
            "verify", "-x509_strict", "-crl_check_all", "-CAfile", tmp_path / "root.pem", "-untrusted",
            tmp_path / "g1.pem", "-CRLfile", tmp_path / "crls.pem", "-attime", str(int(NOW.timestamp()) + 60),
            tmp_path / "leaf.pem",
        )  # fmt: skip

    return run


def test_openssl_accepts_a_mailbox_of_the_campus(each_issuer: Issuer, blueprint: Any, verify: Any) -> None:
    answer = verify(each_issuer, leaf(each_issuer, blueprint()))
    assert answer.ok, answer.text


@pytest.mark.parametrize("address", ["ada@dept.campus.example.edu", "ada@a.b.campus.example.edu"])
def test_openssl_accepts_a_mailbox_below_the_campus(address: str, issuer: Issuer, blueprint: Any, verify: Any) -> None:
    answer = verify(issuer, leaf(issuer, blueprint(mailboxes=(Mailbox.parse(address),))))
    assert answer.ok, answer.text


@pytest.mark.parametrize("address", ["ada@other.example.edu", "ada@notcampus.example.edu", "ada@example.edu"])
def test_openssl_refuses_a_foreign_mailbox(address: str, issuer: Issuer, blueprint: Any, verify: Any) -> None:
    answer = verify(issuer, leaf(issuer, blueprint(mailboxes=(ADA, Mailbox.parse(address)))))
    assert not answer.ok
    assert FOREIGN in answer.text


def test_openssl_accepts_a_foreign_mailbox_only_without_constraints(
    make_issuing: Any, blueprint: Any, verify: Any
) -> None:
    issuer = make_issuing(name_constraints="off")
    plan = blueprint(mailboxes=(Mailbox.parse("ada@other.example.edu"),))
    assert verify(issuer, leaf(issuer, plan)).ok


def test_openssl_accepts_an_internationalised_mailbox_of_the_campus(
    issuer: Issuer, blueprint: Any, verify: Any
) -> None:
    answer = verify(issuer, leaf(issuer, blueprint(mailboxes=(Mailbox.parse(f"jörg@{DOMAIN}"),))))
    assert answer.ok, answer.text


def test_openssl_accepts_person_and_role(issuer: Issuer, blueprint: Any, verify: Any) -> None:
    for profile in ("person", "role"):
        answer = verify(issuer, leaf(issuer, blueprint(profile)))
        assert answer.ok, answer.text


def test_openssl_sees_a_revocation_in_the_crl(each_issuer: Issuer, blueprint: Any, verify: Any) -> None:
    certificate = leaf(each_issuer, blueprint())
    entry = crl.encode_entry(certificate.serial, revoked_at=NOW, reason=Reason.KEY_COMPROMISE, invalidity_date=None)
    answer = verify(each_issuer, certificate, entries=(entry,))
    assert not answer.ok
    assert "certificate revoked" in answer.text


def test_openssl_accepts_the_purposes(tmp_path: Path, root: Certificate, issuer: Issuer, blueprint: Any) -> None:
    (tmp_path / "ca.pem").write_text(root.pem + issuer.certificate.pem)
    (tmp_path / "leaf.pem").write_text(leaf(issuer, blueprint()).pem)
    when = str(int(NOW.timestamp()) + 60)
    for purpose, wanted in (("smimesign", True), ("sslserver", False), ("sslclient", False)):
        answer = openssl(
            "verify", "-purpose", purpose, "-attime", when, "-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem"
        )
        assert answer.ok is wanted, f"{purpose}: {answer.text}"


def leaf(issuer: Issuer, plan: Any) -> Certificate:
    return issuer.issue(issuer.prepare(plan, serial=Serial.random(), now=NOW))
