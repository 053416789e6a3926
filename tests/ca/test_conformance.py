from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pkilint.cabf.smime import smime_key

from ca import conformance, profiles
from ca.conformance import KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, Expected
from ca.issuance import Issuer
from ca.profiles import Use
from formats import der, oids
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from tests.ca.golden import ADA, ARC, NOW, URLS

Change = Callable[[Expected], Expected]


@pytest.fixture(scope="module")
def leaf(issuer: Issuer, blueprint: Any) -> Certificate:
    return issuer.issue(issuer.prepare(blueprint(use=Use.DUAL), serial=Serial.random(), now=NOW))


@pytest.fixture(scope="module")
def expected(leaf: Certificate, issuer: Issuer) -> Expected:
    """What the leaf was meant to be, put together without the room's own procedure."""
    return Expected(
        issuer=issuer.certificate,
        serial=leaf.serial,
        not_before=NOW - timedelta(hours=1),
        not_after=NOW - timedelta(hours=1) + timedelta(days=397, seconds=-1),
        subject_der=leaf.subject_der,
        spki=leaf.spki,
        mailboxes=(ADA,),
        key_usage=frozenset({"digitalSignature", "keyAgreement"}),
        extended_key_usage=frozenset({oids.EMAIL_PROTECTION}),
        policies=(f"{ARC}.1",),
        crl_urls=(URLS.crl,),
        ocsp_urls=(URLS.ocsp or "",),
        issuer_urls=(URLS.issuer,),
        criticality={oid: extension.critical for oid, extension in leaf.extensions.items()},
        values={oids.SMIME_CAPABILITIES: leaf.smime_capabilities_der or b""},
        longest=timedelta(days=397),
    )


def codes(certificate: Certificate, expected: Expected) -> set[str]:
    return {finding.code for finding in conformance.check(certificate, expected=expected)}


def test_a_certificate_that_is_what_was_meant_has_no_finding(leaf: Certificate, expected: Expected) -> None:
    assert conformance.check(leaf, expected=expected) == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"serial": Serial.random()}, "own.serial"),
        ({"not_before": NOW}, "own.validity"),
        ({"not_after": NOW}, "own.validity"),
        ({"longest": timedelta(days=397, seconds=-1)}, "own.validity_too_long"),
        ({"subject_der": der.sequence()}, "own.subject"),
        ({"spki": b""}, "own.key"),
        ({"mailboxes": (Mailbox.parse("eve@campus.example.edu"),)}, "own.mailboxes"),
        ({"mailboxes": ()}, "own.mailboxes"),
        ({"mailboxes": (ADA, ADA)}, "own.mailboxes"),
        ({"mailboxes": (Mailbox.parse("Ada@campus.example.edu"),)}, "own.mailboxes"),
        ({"key_usage": frozenset({"digitalSignature"})}, "own.key_usage"),
        ({"extended_key_usage": None}, "own.extended_key_usage"),
        ({"extended_key_usage": frozenset({oids.EMAIL_PROTECTION, oids.CLIENT_AUTH})}, "own.extended_key_usage"),
        ({"policies": ()}, "own.policies"),
        ({"policies": (f"{ARC}.2",)}, "own.policies"),
        ({"crl_urls": ()}, "own.crl_url"),
        ({"crl_urls": (URLS.crl, URLS.crl)}, "own.crl_url"),
        ({"ocsp_urls": ()}, "own.access_url"),
        ({"issuer_urls": ()}, "own.access_url"),
        ({"values": {oids.SMIME_CAPABILITIES: der.sequence()}}, "own.extension_value"),
        ({"issuer": None}, "own.authority_key_id"),
        ({"issuer": None}, "own.issuer"),
        ({"issuer": None}, "own.signature_algorithm"),
    ],
)
def test_every_point_is_looked_at(change: dict[str, Any], code: str, leaf: Certificate, expected: Expected) -> None:
    assert code in codes(leaf, replace(expected, **change))


def test_an_extension_too_many_too_few_or_of_another_criticality_is_found(
    leaf: Certificate, expected: Expected
) -> None:
    whole = dict(expected.criticality)
    fewer = {oid: critical for oid, critical in whole.items() if oid != oids.SMIME_CAPABILITIES}
    assert codes(leaf, replace(expected, criticality=fewer)) == {"own.extension_unexpected"}
    assert codes(leaf, replace(expected, criticality=whole | {oids.NAME_CONSTRAINTS: True})) == {"own.extension_absent"}
    flipped = whole | {oids.KEY_USAGE: False}
    assert codes(leaf, replace(expected, criticality=flipped)) == {"own.extension_criticality"}


def rebuilt(leaf: Certificate, old: bytes, new: bytes) -> Certificate:
    assert len(old) == len(new)
    assert old in leaf.der
    return Certificate.from_der(leaf.der.replace(old, new))


def test_status_urls_are_http(leaf: Certificate, expected: Expected) -> None:
    ftp = rebuilt(leaf, b"http://pki.campus.example.edu/crl", b"ftps://pki.campus.example.edu/crl")
    assert codes(ftp, expected) == {"own.url_scheme", "own.crl_url"}


def test_the_key_identifier_is_made_from_the_key(leaf: Certificate, expected: Expected) -> None:
    key_id = leaf.subject_key_id or b""
    assert codes(rebuilt(leaf, key_id, bytes(20)), expected) == {"own.subject_key_id"}


def test_both_signature_algorithms_are_the_standards_encoding(leaf: Certificate, expected: Expected) -> None:
    algorithm = SIGNATURE_ALGORITHMS["p384"]
    outer = Certificate.from_der(leaf.der.replace(leaf.tbs, leaf.tbs.replace(algorithm, SIGNATURE_ALGORITHMS["p256"])))
    assert "own.signature_algorithm" in codes(outer, expected)
    both = rebuilt(leaf, algorithm, SIGNATURE_ALGORITHMS["p256"])
    assert codes(both, expected) == {"own.signature_algorithm"}


def test_a_unit_or_an_address_in_the_subject_is_found(leaf: Certificate, expected: Expected) -> None:
    unit = rebuilt(leaf, der.oid(oids.COMMON_NAME), der.oid(oids.ORGANIZATIONAL_UNIT))
    assert "own.subject_attribute" in codes(unit, replace(expected, subject_der=unit.subject_der))


def test_a_policy_that_the_issuer_may_not_assert_is_found(leaf: Certificate, expected: Expected) -> None:
    foreign = rebuilt(leaf, der.oid(f"{ARC}.1"), der.oid(f"{ARC}.9"))
    assert codes(foreign, replace(expected, policies=(f"{ARC}.9",))) == {"own.policies_of_issuer"}


def test_a_certificate_that_outlives_its_issuer_is_found(expected: Expected, issuer: Issuer, root: Certificate) -> None:
    # The issuing CA held against an issuer that ends before it: itself under one of its own leaves' lives.
    assert "own.validity_of_issuer" in codes(root, replace(expected, issuer=issuer.certificate))


def test_a_short_serial_is_found(leaf: Certificate, expected: Expected) -> None:
    short = Serial((1 << 64) - 1)
    assert "own.serial" in codes(leaf, replace(expected, serial=short))


def test_the_encodings_are_those_of_the_linter() -> None:
    assert set(SIGNATURE_ALGORITHMS.values()) <= smime_key.ALLOWED_SIGNATURE_ALGORITHM_ENCODINGS
    assert set(KEY_ALGORITHMS.values()) <= smime_key.ALLOWED_SPKI_ENCODINGS
    assert set(SIGNATURE_ALGORITHMS) == set(KEY_ALGORITHMS)
    assert profiles.LONGEST_DAYS < 825
