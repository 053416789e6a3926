from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca import crl
from ca.errors import IssuerKeyWrong, LintRefused, ValidityRefused
from ca.issuance import Issuer
from ca.lint import Linter, require_clean
from ca.reasons import Reason
from formats import ber, der, oids
from formats.serial import Serial
from tests.ca.golden import NOW
from tests.openssl import openssl

SPAN: Any = {"this_update": NOW, "next_update": NOW + timedelta(hours=48)}


def build(issuer: Issuer, *entries: bytes, number: int = 7, **changes: Any) -> bytes:
    return crl.build_crl(
        entries, **({"number": number, "issuer": issuer.certificate, "key": issuer.key} | SPAN | changes)
    )


def entry(reason: Reason = Reason.SUPERSEDED, serial: Serial | None = None, **changes: Any) -> bytes:
    filled: Any = {"revoked_at": NOW, "reason": reason, "invalidity_date": None} | changes
    return crl.encode_entry(serial or Serial.random(), **filled)


def test_another_reader_sees_what_was_written(each_issuer: Issuer) -> None:
    serials = [Serial.random() for _ in Reason]
    entries = [entry(reason, serial) for reason, serial in zip(Reason, serials, strict=True)]
    read = x509.load_der_x509_crl(build(each_issuer, *entries, number=2**40))

    assert read.is_signature_valid(each_issuer.certificate.public_key)  # type: ignore[arg-type]  # RSA or EC
    assert read.issuer == each_issuer.certificate.x509.subject
    assert read.last_update_utc == NOW
    assert read.next_update_utc == NOW + timedelta(hours=48)
    assert read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2**40
    key_id = read.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert key_id == x509.AuthorityKeyIdentifier(each_issuer.certificate.subject_key_id, None, None)
    assert [revoked.serial_number for revoked in read] == [serial.value for serial in serials]
    assert [revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason.value for revoked in read] == list(
        Reason
    )
    assert not any(extension.critical for extension in read.extensions)


def test_an_empty_list_is_absent(issuer: Issuer) -> None:
    # RFC 5280 5.1.2.6: version, algorithm, issuer, two times, extensions; no seventh.
    tbs = ber.read_der(build(issuer)).children[0]
    assert [child.tag for child in tbs.children] == [
        ber.INTEGER, ber.SEQUENCE, ber.SEQUENCE, ber.UTC_TIME, ber.UTC_TIME, ber.context(0),
    ]  # fmt: skip
    assert list(x509.load_der_x509_crl(build(issuer))) == []


def test_times_from_2050_are_generalized(issuer: Issuer) -> None:
    late = datetime(2050, 1, 1, tzinfo=UTC)
    tbs = ber.read_der(build(issuer, this_update=late - timedelta(seconds=1), next_update=late)).children[0]
    assert [child.tag for child in tbs.children[3:5]] == [ber.UTC_TIME, ber.GENERALIZED_TIME]
    assert [child.tag for child in ber.read_der(entry(revoked_at=late)).children[:2]] == [
        ber.INTEGER,
        ber.GENERALIZED_TIME,
    ]


def test_an_entry_holds_the_invalidity_date(issuer: Issuer) -> None:
    since = NOW - timedelta(days=3)
    (revoked,) = x509.load_der_x509_crl(build(issuer, entry(invalidity_date=since)))
    assert revoked.revocation_date_utc == NOW
    assert revoked.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc == since


def test_an_invalidity_date_never_lies_after_the_revocation() -> None:
    assert entry(serial=Serial(5), invalidity_date=NOW + timedelta(days=1)) == entry(
        serial=Serial(5), invalidity_date=NOW
    )


def test_openssl_reads_and_verifies(tmp_path: Path, each_issuer: Issuer) -> None:
    (tmp_path / "ca.pem").write_text(each_issuer.certificate.pem)
    serial = Serial.random()
    (tmp_path / "crl.der").write_bytes(build(each_issuer, entry(Reason.KEY_COMPROMISE, serial)))
    answer = openssl(
        "crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-text", "-noout", "-CAfile", tmp_path / "ca.pem"
    )
    assert answer.ok
    assert "verify OK" in answer.text
    assert f"Serial Number: {str(serial).upper()}" in answer.text
    assert "Key Compromise" in answer.text
    assert "X509v3 CRL Number" in answer.text


def test_refuses_a_key_that_is_not_the_issuers(issuer: Issuer) -> None:
    with pytest.raises(IssuerKeyWrong):
        build(issuer, key=ec.generate_private_key(ec.SECP384R1()))


def test_refuses_a_next_update_that_is_not_later(issuer: Issuer) -> None:
    with pytest.raises(ValidityRefused):
        build(issuer, next_update=NOW)


@pytest.mark.parametrize("number", [-1, 1 << 159])
def test_refuses_a_number_of_more_than_20_octets(number: int, issuer: Issuer) -> None:
    with pytest.raises(ValidityRefused):
        build(issuer, number=number)


@pytest.mark.parametrize(
    ("whole", "broken", "code"),
    [
        (der.time(SPAN["next_update"]), der.time(NOW - timedelta(days=9)), "pkix.crl_negative_validity_period"),
        (der.oid(oids.CRL_NUMBER), der.oid("2.5.29.99"), "pkix.crl_number_missing"),
    ],
)
def test_the_linter_refuses_a_broken_twin(
    whole: bytes, broken: bytes, code: str, *, issuer: Issuer, linter: Linter
) -> None:
    sound = build(issuer, entry())
    require_clean(linter.crl(sound))
    with pytest.raises(LintRefused) as caught:
        require_clean(linter.crl(sound.replace(whole, broken)))
    assert code in {finding.code for finding in caught.value.findings}


def test_a_hundred_thousand_entries_stay_in_their_order(issuer: Issuer) -> None:
    stored = [entry(serial=Serial(number), reason=Reason.SUPERSEDED) for number in range(1, 1001)] * 100
    tbs = ber.read_der(build(issuer, *stored), max_elements=2_000_000).children[0]
    assert tbs.children[5].content == b"".join(stored)
