from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca.errors import (
    AuthorityRefused,
    IssuerKeyWrong,
    KeyRefused,
    LintRefused,
    MailboxesRefused,
    PreparedSpent,
    ValidityRefused,
)
from ca.issuance import Issuer, StatusUrls
from ca.lint import Linter
from formats import oids
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from tests.ca.golden import ADA, BASE, CAMPUS, NOW, SUBJECTS, URLS

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def prepare(issuer: Issuer, plan: Any, now: Any = NOW) -> Any:
    return issuer.prepare(plan, serial=Serial.random(), now=now)


def test_what_is_issued_is_what_was_prepared(issuer: Issuer, blueprint: Any) -> None:
    serial = Serial.random()
    prepared = issuer.prepare(blueprint(), serial=serial, now=NOW)
    certificate = issuer.issue(prepared)
    assert certificate.tbs == prepared.tbs
    assert certificate.serial == prepared.serial == serial
    assert (certificate.not_before, certificate.not_after) == (prepared.not_before, prepared.not_after)
    assert certificate.subject == prepared.subject
    assert certificate.issuer_der == issuer.certificate.subject_der


def test_a_prepared_certificate_is_redeemed_once(issuer: Issuer, blueprint: Any) -> None:
    prepared = prepare(issuer, blueprint())
    issuer.issue(prepared)
    with pytest.raises(PreparedSpent):
        issuer.issue(prepared)


def test_a_copy_of_a_prepared_certificate_is_no_second_right(issuer: Issuer, blueprint: Any) -> None:
    prepared = prepare(issuer, blueprint())
    copy = replace(prepared)
    issuer.issue(prepared)
    with pytest.raises(PreparedSpent):
        issuer.issue(copy)


def test_of_many_threads_one_redeems(issuer: Issuer, blueprint: Any) -> None:
    prepared = prepare(issuer, blueprint())

    def redeem(_: int) -> bool:
        try:
            issuer.issue(prepared)
        except PreparedSpent:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(redeem, range(16))) == 1


def test_another_issuer_does_not_redeem_and_the_right_stays(issuer: Issuer, blueprint: Any, make_issuing: Any) -> None:
    prepared = prepare(issuer, blueprint())
    with pytest.raises(PreparedSpent):
        make_issuing("ca-rsa3072").issue(prepared)
    assert issuer.issue(prepared).tbs == prepared.tbs


def test_no_key_and_no_bytes_are_shown(issuer: Issuer, blueprint: Any) -> None:
    assert "key=" not in repr(issuer)
    assert "PrivateKey" not in repr(issuer)
    shown = repr(prepare(issuer, blueprint()))
    assert "lookalike" not in shown
    assert "tbs" not in shown
    assert "ticket" not in shown


def test_an_issuer_is_refused_a_key_that_is_not_its_own(issuer: Issuer) -> None:
    with pytest.raises(IssuerKeyWrong):
        replace(issuer, key=ec.generate_private_key(ec.SECP384R1()))


# --- validity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 30, 824])
def test_days_are_of_86400_seconds_and_both_ends_count(days: int, issuer: Issuer, blueprint: Any) -> None:
    prepared = prepare(issuer, blueprint(days=days), now=NOW.replace(microsecond=999_999))
    assert prepared.not_before == NOW - timedelta(hours=1)
    assert prepared.not_after == prepared.not_before + days * DAY - SECOND


@pytest.mark.parametrize("days", [0, -1, 825, 10**9])
def test_refuses_days_beyond_the_profile(days: int, issuer: Issuer, blueprint: Any) -> None:
    with pytest.raises(ValidityRefused):
        prepare(issuer, blueprint(days=days))


def test_takes_an_end_instead_of_days(issuer: Issuer, blueprint: Any) -> None:
    end = NOW + 100 * DAY
    assert prepare(issuer, blueprint(not_after=end)).not_after == end


@pytest.mark.parametrize("after", [-DAY, timedelta(0), 824 * DAY, 11 * 365 * DAY])
def test_refuses_an_end_that_is_over_or_too_late(after: timedelta, issuer: Issuer, blueprint: Any) -> None:
    with pytest.raises(ValidityRefused):
        prepare(issuer, blueprint(not_after=NOW + after))


def test_refuses_days_and_an_end_together(issuer: Issuer, blueprint: Any) -> None:
    with pytest.raises(ValidityRefused):
        prepare(issuer, blueprint(days=3, not_after=NOW + 3 * DAY))


def test_a_default_life_ends_with_the_issuer_and_an_asked_for_one_is_refused(issuer: Issuer, blueprint: Any) -> None:
    late = issuer.certificate.not_after - 10 * DAY
    assert prepare(issuer, blueprint(), now=late).not_after == issuer.certificate.not_after
    with pytest.raises(ValidityRefused):
        prepare(issuer, blueprint(days=30), now=late)


def test_nothing_begins_before_its_issuer(issuer: Issuer, blueprint: Any) -> None:
    early = issuer.certificate.not_before + timedelta(minutes=1)
    assert prepare(issuer, blueprint(), now=early).not_before == issuer.certificate.not_before


def test_nothing_is_issued_after_the_issuers_end(issuer: Issuer, blueprint: Any) -> None:
    with pytest.raises(ValidityRefused):
        prepare(issuer, blueprint(), now=issuer.certificate.not_after + DAY)


# --- mailboxes and keys -----------------------------------------------------------------------------------------------


def test_several_mailboxes_keep_their_order_and_spelling(issuer: Issuer, blueprint: Any) -> None:
    mailboxes = tuple(Mailbox.parse(f"{local}@campus.example.edu") for local in ("Zoe.O'Hara", "ada", "jörg"))
    certificate = issuer.issue(prepare(issuer, blueprint(mailboxes=mailboxes)))
    assert certificate.mailboxes == mailboxes
    assert not certificate.odd_names


@pytest.mark.parametrize(
    "mailboxes",
    [(), (ADA, ADA), (ADA, Mailbox.parse("ADA@campus.example.edu"))],
    ids=["none", "twice", "twice in another case"],
)
def test_refuses_no_mailbox_or_one_named_twice(mailboxes: Any, issuer: Issuer, blueprint: Any) -> None:
    with pytest.raises(MailboxesRefused):
        prepare(issuer, blueprint(mailboxes=mailboxes))


def test_refuses_more_mailboxes_than_a_certificate_may_name(issuer: Issuer, blueprint: Any) -> None:
    many = tuple(Mailbox.parse(f"a{number}@campus.example.edu") for number in range(101))
    with pytest.raises(MailboxesRefused):
        prepare(issuer, blueprint(mailboxes=many))


def test_an_empty_subject_makes_the_alternative_name_critical(issuer: Issuer, blueprint: Any) -> None:
    long = Mailbox.parse(f"{'a' * 60}@campus.example.edu")
    certificate = issuer.issue(prepare(issuer, blueprint(mailboxes=(long,))))
    assert certificate.subject == ""
    assert certificate.extensions[oids.SUBJECT_ALT_NAME].critical
    ordinary = issuer.issue(prepare(issuer, blueprint()))
    assert not ordinary.extensions[oids.SUBJECT_ALT_NAME].critical


def test_the_one_door_checks_the_key_itself(issuer: Issuer, blueprint: Any) -> None:
    with pytest.raises(KeyRefused):
        prepare(issuer, blueprint(public_key=ec.generate_private_key(ec.SECP521R1()).public_key()))


# --- broken twins, refused by prepare ---------------------------------------------------------------------------------


def codes(issuer: Issuer, plan: Any) -> set[str]:
    with pytest.raises(LintRefused) as caught:
        prepare(issuer, plan)
    assert all(finding.code in caught.value.detail for finding in caught.value.findings)
    return {finding.code for finding in caught.value.findings}


def test_the_smime_linter_refuses_an_organization_of_another_country(issuer: Issuer, blueprint: Any) -> None:
    plan = blueprint("role", subject=replace(SUBJECTS["role"], country="DE"))
    assert codes(issuer, plan) == {"cabf.smime.org_identifier_and_country_name_attribute_inconsistent"}


def test_the_smime_linter_refuses_a_made_up_organization_identifier(issuer: Issuer, blueprint: Any) -> None:
    plan = blueprint("person", subject=replace(SUBJECTS["person"], organization_id="CAMPUS-1"))
    assert codes(issuer, plan) == {"cabf.invalid_subject_organization_identifier_format"}


def test_the_smime_linter_refuses_a_name_without_letters(issuer: Issuer, blueprint: Any) -> None:
    plan = blueprint("person", subject=replace(SUBJECTS["person"], given_name="-"))
    assert "cabf.insignificant_attribute_value_present" in codes(issuer, plan)


def test_the_smime_linter_refuses_an_internal_domain_that_no_demo_uses(issuer: Issuer, blueprint: Any) -> None:
    plan = blueprint(mailboxes=(Mailbox.parse("ada@campus.internal"),))
    assert codes(issuer, plan) == {"cabf.internal_domain_name"}


def test_the_pkix_linter_refuses_a_url_that_is_none(make_issuing: Any, blueprint: Any) -> None:
    broken = make_issuing(urls=replace(URLS, crl=f"{BASE}/crl|g1"))
    assert "pkix.invalid_uri_syntax" in codes(broken, blueprint())


def test_the_chain_linter_refuses_an_issuer_whose_policy_it_is_not(issuer: Issuer, blueprint: Any) -> None:
    other = replace(issuer, policy_arc="1.3.6.1.4.1.55555.2", linter=Linter(policy_arc="1.3.6.1.4.1.55555.2"))
    assert "own.policies_of_issuer" in codes(other, blueprint())


def test_the_first_allowance_is_for_our_own_policies_only(issuer: Issuer, blueprint: Any) -> None:
    other = replace(issuer, linter=Linter(policy_arc="1.3.6.1.4.1.99999"))
    assert codes(other, blueprint()) == {"cabf.smime.no_required_reserved_policy_oid"}


def test_a_refused_certificate_leaves_no_right_behind(issuer: Issuer, blueprint: Any) -> None:
    before = len(issuer._open)
    codes(issuer, blueprint("role", subject=replace(SUBJECTS["role"], country="DE")))
    assert len(issuer._open) == before


@pytest.mark.parametrize("url", ["https://x.example/a", "ldap://x.example/a", "http://x.example/a b", "http://", "x"])
def test_status_urls_are_plain_http(url: str) -> None:
    for field in ("crl", "ocsp", "issuer"):
        with pytest.raises(AuthorityRefused):
            replace(StatusUrls(crl=f"{BASE}/a", ocsp=None, issuer=f"{BASE}/b"), **{field: url})


# --- the OCSP delegate ------------------------------------------------------------------------------------------------


def test_a_delegate_is_what_the_table_says(issuer: Issuer, delegate: Certificate) -> None:
    assert {oid: extension.critical for oid, extension in delegate.extensions.items()} == {
        oids.BASIC_CONSTRAINTS: True,
        oids.KEY_USAGE: True,
        oids.EXTENDED_KEY_USAGE: False,
        oids.OCSP_NO_CHECK: False,
        oids.SUBJECT_KEY_ID: False,
        oids.AUTHORITY_KEY_ID: False,
    }
    assert not delegate.is_ca
    assert delegate.key_usage == frozenset({"digitalSignature"})
    assert delegate.extended_key_usage == frozenset({oids.OCSP_SIGNING})
    assert delegate.extensions[oids.OCSP_NO_CHECK].value == b"\x05\x00"
    assert delegate.subject == f"CN=Campus Example S/MIME CA G1 OCSP,O={CAMPUS['organization']},C=US"
    assert delegate.not_after - delegate.not_before == 30 * DAY - SECOND


@pytest.mark.parametrize("days", [0, 91])
def test_refuses_a_delegate_that_lives_too_long(days: int, issuer: Issuer, keys: dict[str, Any]) -> None:
    with pytest.raises(ValidityRefused):
        issuer.prepare_delegate(keys["delegate"].public_key(), serial=Serial.random(), now=NOW, days=days)


def test_a_delegates_life_ends_with_its_issuer(issuer: Issuer, keys: dict[str, Any]) -> None:
    late = issuer.certificate.not_after - DAY
    prepared = issuer.prepare_delegate(keys["delegate"].public_key(), serial=Serial.random(), now=late, days=30)
    assert prepared.not_after == issuer.certificate.not_after


def test_a_long_ca_name_leaves_the_delegate_a_short_one(make_issuing: Any, keys: dict[str, Any]) -> None:
    issuer = make_issuing(common_name="x" * 64)
    prepared = issuer.prepare_delegate(keys["delegate"].public_key(), serial=Serial.random(), now=NOW, days=30)
    assert prepared.subject.startswith("CN=OCSP responder,")
