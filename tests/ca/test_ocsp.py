from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as judge
from hypothesis import given, settings
from hypothesis import strategies as st

from ca import ocsp
from ca.errors import LintRefused, OcspRequestMalformed, ValidityRefused
from ca.issuance import Issuer
from ca.lint import Linter, require_clean
from ca.ocsp import Good, OcspRequest, Revoked, Status
from ca.reasons import Reason
from formats import der, oids
from formats.certificate import Certificate
from formats.errors import Refusal
from formats.serial import Serial
from tests.ca.golden import NOW
from tests.ca.ocsp_requests import cert_id, extension, nonce, request_for, request_of
from tests.openssl import openssl

Answer = Callable[..., bytes]
DER = serialization.Encoding.DER
SERIAL = Serial(0x4711)
REVOKED = Revoked(at=NOW - timedelta(hours=1), reason=Reason.KEY_COMPROMISE)


@pytest.fixture(scope="session")
def answer(delegate: Certificate, keys: dict[str, Any]) -> Answer:
    def build(request: OcspRequest, status: Status, **changes: Any) -> bytes:
        times = {"this_update": NOW, "next_update": NOW + timedelta(hours=24), "produced_at": NOW}
        return ocsp.build_ocsp_answer(
            request, status, **({"delegate": delegate, "key": keys["delegate"]} | times | changes)
        )

    return build


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digest", "oid", "size"), [("sha1", oids.SHA1, 20), ("sha256", oids.SHA256, 32)], ids=["SHA-1", "SHA-256"]
)
def test_reads_a_request_by_either_hash(
    digest: str, oid: str, size: int, each_issuer: Issuer, root: Certificate
) -> None:
    request = ocsp.read_ocsp_request(request_for(each_issuer.certificate, SERIAL, digest=digest))
    assert request.serial == SERIAL
    assert request.hash_oid == oid
    assert len(request.issuer_name_hash) == len(request.issuer_key_hash) == size
    assert ocsp.matches(request, each_issuer.certificate)
    assert not ocsp.matches(request, root)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=lambda algorithm: algorithm.name)
def test_reads_what_another_library_writes(algorithm: Any, issuer: Issuer, delegate: Certificate) -> None:
    builder = judge.OCSPRequestBuilder().add_certificate(delegate.x509, issuer.certificate.x509, algorithm)
    der_ = builder.add_extension(x509.OCSPNonce(bytes(16)), critical=False).build().public_bytes(DER)
    request = ocsp.read_ocsp_request(der_)
    assert request.serial == delegate.serial
    assert ocsp.matches(request, issuer.certificate)


def test_another_hash_is_read_and_never_matches(issuer: Issuer) -> None:
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL, digest="sha384"))
    assert not ocsp.matches(request, issuer.certificate)


@pytest.mark.parametrize("octets", [1, 15, 16, 32, 33, 128])
def test_takes_a_nonce_of_1_to_128_octets(octets: int, issuer: Issuer) -> None:
    ocsp.read_ocsp_request(request_of(cert_id(issuer.certificate, SERIAL), extensions=nonce(octets)))


@pytest.mark.parametrize("octets", [0, 129])
def test_another_nonce_is_malformed(octets: int, issuer: Issuer) -> None:
    # RFC 9654 2.1
    with pytest.raises(OcspRequestMalformed):
        ocsp.read_ocsp_request(request_of(cert_id(issuer.certificate, SERIAL), extensions=nonce(octets)))


def test_a_requestors_name_and_signature_are_passed_over(issuer: Issuer) -> None:
    # RFC 9919 3.1.2
    name = der.explicit(1, der.explicit(4, der.sequence()))
    signature = der.explicit(0, der.sequence(der.sequence(der.oid(oids.SHA256_WITH_RSA)), der.bits(bytes(8))))
    whole = request_of(cert_id(issuer.certificate, SERIAL), requestor=name, signature=signature)
    assert ocsp.read_ocsp_request(whole).serial == SERIAL


def test_an_unknown_extension_is_passed_over_unless_it_is_critical(issuer: Issuer) -> None:
    asked = cert_id(issuer.certificate, SERIAL)
    ocsp.read_ocsp_request(request_of(asked, extensions=extension("1.2.3", b"\x05\x00")))
    with pytest.raises(OcspRequestMalformed):
        ocsp.read_ocsp_request(request_of(asked, extensions=extension("1.2.3", b"\x05\x00", critical=True)))


@pytest.mark.parametrize("count", [0, 2])
def test_a_request_names_exactly_one_certificate(count: int, issuer: Issuer) -> None:
    with pytest.raises(OcspRequestMalformed):
        ocsp.read_ocsp_request(request_of(*[cert_id(issuer.certificate, SERIAL)] * count))


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\x30\x00", b"\x30\x80\x00\x00", bytes(4096), b"\x30" * 4097, b"0\x82" * 900]
)
def test_refuses_what_is_no_request(data: bytes) -> None:
    with pytest.raises(OcspRequestMalformed):
        ocsp.read_ocsp_request(data)


def test_refuses_more_than_4_kib(issuer: Issuer) -> None:
    large = request_of(cert_id(issuer.certificate, SERIAL), extensions=extension("1.2.3", bytes(4100)))
    with pytest.raises(OcspRequestMalformed, match="4096"):
        ocsp.read_ocsp_request(large)


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0, max_value=110), st.binary(max_size=3))
def test_nothing_but_our_own_errors_comes_out(at: int, patch: bytes) -> None:
    whole = request_of(_ANY_ID, extensions=nonce(16))
    with suppress(Refusal):
        ocsp.read_ocsp_request(whole[:at] + patch + whole[at + len(patch) :])


_ANY_ID = der.sequence(
    der.sequence(der.oid(oids.SHA1), der.null()), der.octets(bytes(20)), der.octets(bytes(20)), der.integer(5)
)


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_another_reader_sees_a_good_answer(digest: str, issuer: Issuer, delegate: Certificate, answer: Answer) -> None:
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL, digest=digest))
    read = judge.load_der_ocsp_response(answer(request, Good()))
    assert read.response_status is judge.OCSPResponseStatus.SUCCESSFUL
    assert read.certificate_status is judge.OCSPCertStatus.GOOD
    assert read.serial_number == SERIAL.value
    assert read.hash_algorithm.name == digest
    assert (read.issuer_name_hash, read.issuer_key_hash) == (request.issuer_name_hash, request.issuer_key_hash)
    assert read.responder_name is None
    assert read.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(delegate.x509.public_key()).digest
    assert [one.public_bytes(DER) for one in read.certificates] == [delegate.der]
    assert (read.this_update_utc, read.next_update_utc) == (NOW, NOW + timedelta(hours=24))
    assert read.produced_at_utc == NOW
    assert list(read.extensions) == []
    assert list(read.single_extensions) == []


@pytest.mark.parametrize("reason", [*Reason, None])
def test_the_reason_stands_in_the_revoked_info_alone(reason: Reason | None, issuer: Issuer, answer: Answer) -> None:
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL))
    read = judge.load_der_ocsp_response(answer(request, Revoked(at=NOW, reason=reason)))
    assert read.certificate_status is judge.OCSPCertStatus.REVOKED
    assert read.revocation_time_utc == NOW
    assert (read.revocation_reason and read.revocation_reason.value) == reason
    assert list(read.single_extensions) == []


def test_the_cert_id_is_echoed_as_it_was_sent(issuer: Issuer, answer: Answer) -> None:
    bare = _without_null(issuer)
    request = ocsp.read_ocsp_request(request_of(bare))
    assert request.cert_id_der == bare
    assert bare in answer(request, Good())


def test_a_nonce_is_not_echoed(issuer: Issuer, answer: Answer) -> None:
    request = ocsp.read_ocsp_request(request_of(cert_id(issuer.certificate, SERIAL), extensions=nonce(32)))
    assert der.oid(oids.OCSP_NONCE) not in answer(request, Good())


def test_fractions_of_a_second_are_cut(issuer: Issuer, answer: Answer) -> None:
    moment = NOW.replace(microsecond=999_999)
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL))
    times = {"this_update": moment, "produced_at": moment}
    read = judge.load_der_ocsp_response(answer(request, Revoked(at=moment, reason=None), **times))
    assert {read.this_update_utc, read.produced_at_utc, read.revocation_time_utc} == {NOW}


@pytest.mark.parametrize(
    "changes",
    [
        {"produced_at": NOW - timedelta(seconds=1)},
        {"next_update": NOW - timedelta(seconds=1)},
        {"next_update": NOW + timedelta(days=31)},
    ],
    ids=["produced before", "ends before", "outlives its signer"],
)
def test_refuses_times_out_of_order(changes: dict[str, Any], issuer: Issuer, answer: Answer) -> None:
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL))
    with pytest.raises(ValidityRefused):
        answer(request, Good(), **changes)


@pytest.mark.parametrize(
    ("error", "der_hex"),
    [
        ("malformed", "30030a0101"),
        ("internal", "30030a0102"),
        ("try_later", "30030a0103"),
        ("unauthorized", "30030a0106"),
    ],
)
def test_an_error_carries_no_response_bytes(error: Any, der_hex: str) -> None:
    assert ocsp.error_answer(error).hex() == der_hex


def test_the_linter_refuses_a_broken_twin(
    issuer: Issuer, delegate: Certificate, answer: Answer, linter: Linter
) -> None:
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL))
    sound = answer(request, Good())
    require_clean(linter.ocsp(sound))
    ends = der.explicit(0, der.generalized_time(NOW + timedelta(hours=24)))
    with pytest.raises(LintRefused) as caught:
        require_clean(linter.ocsp(sound.replace(ends, der.explicit(0, der.generalized_time(NOW - timedelta(days=1))))))
    assert {finding.code for finding in caught.value.findings} == {"pkix.ocsp_negative_validity_period"}


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize(("status", "shown"), [(Good(), ": good"), (REVOKED, ": revoked")], ids=["good", "revoked"])
def test_openssl_agrees(
    digest: str,
    status: Status,
    shown: str,
    *,
    tmp_path: Path,
    issuer: Issuer,
    root: Certificate,
    delegate: Certificate,
    answer: Answer,
) -> None:
    (tmp_path / "root.pem").write_text(root.pem)
    (tmp_path / "g1.pem").write_text(issuer.certificate.pem)
    (tmp_path / "leaf.pem").write_text(delegate.pem)
    made = openssl(
        "ocsp", f"-{digest}", "-issuer", tmp_path / "g1.pem", "-cert", tmp_path / "leaf.pem", "-reqout",
        tmp_path / "request.der",
    )  # fmt: skip
    assert made.ok, made.text
    request = ocsp.read_ocsp_request((tmp_path / "request.der").read_bytes())
    assert request.serial == delegate.serial
    assert ocsp.matches(request, issuer.certificate)
    (tmp_path / "answer.der").write_bytes(answer(request, status))
    read = openssl(
        "ocsp", f"-{digest}", "-issuer", tmp_path / "g1.pem", "-cert", tmp_path / "leaf.pem", "-respin",
        tmp_path / "answer.der", "-CAfile", tmp_path / "root.pem", "-attime", str(int(NOW.timestamp()) + 60),
        "-no_nonce", "-validity_period", "999999999",
    )  # fmt: skip
    assert "Response verify OK" in read.text, read.text
    assert shown in read.text
    assert ("keyCompromise" in read.text) == (status == REVOKED)


def _without_null(issuer: Issuer) -> bytes:
    """A CertID whose hash algorithm has no parameters, as some clients write it."""
    request = ocsp.read_ocsp_request(request_for(issuer.certificate, SERIAL))
    return der.sequence(
        der.sequence(der.oid(oids.SHA1)),
        der.octets(request.issuer_name_hash),
        der.octets(request.issuer_key_hash),
        der.integer(SERIAL.value),
    )
