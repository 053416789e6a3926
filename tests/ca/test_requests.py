from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ca import keycheck, requests
from ca.errors import KeyRefused, MailboxesRefused, RequestMalformed, RequestSignatureWrong, RequestTooLarge
from ca.issuance import Blueprint, Issuer
from formats import algorithms, der, oids
from formats.errors import Refusal
from formats.mailbox import Mailbox
from formats.serial import Serial
from tests.ca.golden import ADA, NOW, SUBJECTS

DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM
KEY = ec.generate_private_key(ec.SECP256R1())


def csr(
    *asked: tuple[x509.ExtensionType, bool], key: Any = KEY, digest: Any = None, subject: x509.Name | None = None
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or x509.Name([]))
    for extension, critical in asked:
        builder = builder.add_extension(extension, critical=critical)
    chosen = digest or (None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return builder.sign(key, chosen).public_bytes(DER)


def san(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName(list(names)), False


ADA_SAN = san(x509.RFC822Name(str(ADA)))


def test_reads_key_and_mailboxes() -> None:
    request = requests.read_request(csr(ADA_SAN))
    assert request.mailboxes == (ADA,)
    assert request.spki == algorithms.spki_der(KEY.public_key())
    assert request.public_key == KEY.public_key()


def test_reads_pem_and_der_alike() -> None:
    whole = csr(ADA_SAN)
    pem = x509.load_der_x509_csr(whole).public_bytes(PEM)
    assert requests.read_request(b"made by hand\n" + pem) == requests.read_request(whole)
    assert requests.read_request(pem.replace(b"CERTIFICATE REQ", b"NEW CERTIFICATE REQ")).der == whole


def test_reads_what_openssl_writes(tmp_path: Path) -> None:
    out = tmp_path / "csr.pem"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-subj", "/CN=Ada",
         "-addext", f"subjectAltName=email:{ADA}", "-out", out],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert requests.read_request(out.read_bytes()).mailboxes == (ADA,)


def test_a_request_without_names_asks_for_none() -> None:
    assert requests.read_request(csr()).mailboxes == ()


def test_the_address_in_the_subject_is_not_believed() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "dean@campus.example.edu")])
    assert requests.read_request(csr(subject=subject)).mailboxes == ()


def test_reads_an_internationalised_mailbox() -> None:
    name = x509.OtherName(x509.ObjectIdentifier(oids.SMTP_UTF8_MAILBOX), der.utf8("jörg@campus.example.edu"))
    assert requests.read_request(csr(san(name))).mailboxes == (Mailbox.parse("jörg@campus.example.edu"),)


def test_nothing_is_copied_but_key_and_addresses(issuer: Issuer, blueprint: Any) -> None:
    greedy = csr(
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),
        (x509.KeyUsage(**dict.fromkeys(KEY_USAGES, True)), True),
        (x509.OCSPNoCheck(), False),
        san(
            x509.RFC822Name(str(ADA)), x509.DNSName("www.campus.example.edu"), x509.UniformResourceIdentifier("ldap:x")
        ),
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root CA")]),
    )
    request = requests.read_request(greedy)
    plan: Blueprint = blueprint(public_key=request.public_key, mailboxes=request.mailboxes, subject=SUBJECTS["mailbox"])
    certificate = issuer.issue(issuer.prepare(plan, serial=Serial.random(), now=NOW))
    plain = issuer.issue(issuer.prepare(blueprint(), serial=Serial.random(), now=NOW))

    assert certificate.subject == plain.subject
    assert certificate.extensions.keys() == plain.extensions.keys()
    for oid in plain.extensions.keys() - {oids.SUBJECT_KEY_ID}:
        assert certificate.extensions[oid] == plain.extensions[oid]


KEY_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@pytest.mark.parametrize("position", [40, 90, -1])
def test_refuses_a_tampered_request(position: int) -> None:
    tampered = bytearray(csr(ADA_SAN))
    tampered[position] ^= 1
    with pytest.raises((RequestSignatureWrong, RequestMalformed, KeyRefused)):
        requests.read_request(bytes(tampered))


def test_refuses_a_request_whose_address_was_exchanged() -> None:
    exchanged = csr(ADA_SAN).replace(b"ada@campus", b"eve@campus")
    with pytest.raises(RequestSignatureWrong):
        requests.read_request(exchanged)


def test_refuses_a_request_signed_by_another_key() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    spki, foreign = (algorithms.spki_der(key.public_key()) for key in (KEY, other))
    with pytest.raises(RequestSignatureWrong):
        requests.read_request(csr(ADA_SAN).replace(spki, foreign))


def test_refuses_a_weak_digest(keys: dict[str, Any]) -> None:
    sha256, sha1 = der.oid(oids.SHA256_WITH_RSA), der.oid(oids.SHA1_WITH_RSA)
    with pytest.raises(RequestSignatureWrong, match="weak"):
        requests.read_request(csr(key=keys["rsa2048"]).replace(sha256, sha1))


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
        rsa.generate_private_key(public_exponent=3, key_size=2048),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["RSA-1024", "e=3", "P-521", "Ed25519"],
)
def test_a_poor_key_is_read_and_then_refused_for_what_it_is(key: Any) -> None:
    with pytest.raises(KeyRefused):
        keycheck.check_key(requests.read_request(csr(key=key)).public_key)


def test_refuses_exponent_one(keys: dict[str, Any]) -> None:
    numbers = keys["rsa2048"].public_key().public_numbers()
    spki = der.sequence(
        der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null()),
        der.bits(der.sequence(der.integer(numbers.n), der.integer(1))),
    )
    body = der.sequence(der.integer(0), der.sequence(), spki, der.implicit(0, b"", constructed=True))
    signed = der.sequence(body, algorithms.RSA_SHA256.identifier, der.bits(bytes(256)))
    with pytest.raises(KeyRefused):
        requests.read_request(signed)


@pytest.mark.parametrize("name", ["not an address", "ada@localhost", "a@b@campus.example.edu", "*@campus.example.edu"])
def test_refuses_a_name_that_should_be_a_mailbox_and_is_none(name: str) -> None:
    value = der.sequence(der.implicit(1, name.encode(), constructed=False))
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oids.SUBJECT_ALT_NAME), value)
    with pytest.raises(MailboxesRefused):
        requests.read_request(csr((extension, False)))


def test_refuses_more_than_32_kib() -> None:
    with pytest.raises(RequestTooLarge):
        requests.read_request(b"0" * (32 * 1024 + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x30\x00",
        b"\x30\x80\x00\x00",
        b"-----BEGIN CERTIFICATE REQUEST-----\n!!\n-----END CERTIFICATE REQUEST-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        b"\x30\x82" * 5000,
        csr(ADA_SAN) + b"\x00",
        x509.load_der_x509_csr(csr()).public_bytes(PEM) * 2,
    ],
    ids=["empty", "text", "empty sequence", "indefinite", "base64", "certificate", "deep", "trailing", "two"],
)
def test_refuses_what_is_not_one_request(data: bytes) -> None:
    with pytest.raises(RequestMalformed):
        requests.read_request(data)


def test_refuses_two_requests_for_extensions() -> None:
    attribute = der.sequence(
        der.oid(oids.EXTENSION_REQUEST),
        der.set_of(der.sequence(der.sequence(der.oid(oids.KEY_USAGE), der.octets(der.named_bits(0))))),
    )
    body = der.sequence(
        der.integer(0),
        der.sequence(),
        algorithms.spki_der(KEY.public_key()),
        der.implicit(0, attribute * 2, constructed=True),
    )
    signature = algorithms.sign(KEY, body, algorithm=algorithms.ECDSA_SHA256)
    with pytest.raises(RequestMalformed, match="several"):
        requests.read_request(der.sequence(body, algorithms.ECDSA_SHA256.identifier, der.bits(signature)))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(0, b"")
@given(st.integers(min_value=0, max_value=300), st.binary(max_size=4))
def test_nothing_but_our_own_errors_comes_out(at: int, patch: bytes) -> None:
    whole = csr(ADA_SAN)
    with suppress(Refusal):
        requests.read_request(whole[:at] + patch + whole[at + len(patch) :])
