from __future__ import annotations

import subprocess
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.algorithms import KeyKind, spki_der
from formats.errors import Refusal
from keys.errors import KeyFileMalformed, KeyFileTooLarge, KeyKindRefused, PassphraseWrong
from keys.software import PrivateKey, generate, load_pkcs8, read_pem_private, to_pem, to_pkcs8

PASSPHRASE = "correct horse"


def same(one: PrivateKey, other: PrivateKey) -> bool:
    return spki_der(one.public_key()) == spki_der(other.public_key())


def pem_of(key: PrivateKey, *, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: str | None = None) -> bytes:
    protection = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, form, protection)


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


@pytest.mark.parametrize("kind", list(KeyKind))
def test_makes_the_kind_that_was_asked_for(kind: KeyKind) -> None:
    key = generate(kind)
    assert KeyKind.of(key.public_key()) is kind
    if isinstance(key, rsa.RSAPrivateKey):
        assert key.public_key().public_numbers().e == 65537


@pytest.mark.parametrize("check", [True, False])
def test_loads_what_it_wrote(p256: ec.EllipticCurvePrivateKey, rsa2048: rsa.RSAPrivateKey, check: bool) -> None:
    for key in (p256, rsa2048):
        assert same(load_pkcs8(to_pkcs8(key), check=check), key)


def test_openssl_reads_what_it_wrote(rsa2048: rsa.RSAPrivateKey) -> None:
    text = openssl("pkey", "-inform", "DER", "-noout", "-text", given=to_pkcs8(rsa2048))
    assert b"Private-Key: (2048 bit" in text


def test_the_check_finds_an_rsa_key_whose_parts_do_not_belong_together(rsa2048: rsa.RSAPrivateKey) -> None:
    numbers = rsa2048.private_numbers()
    exponent = numbers.dmp1.to_bytes(128, "big")
    broken = to_pkcs8(rsa2048).replace(exponent, (numbers.dmp1 ^ 4).to_bytes(128, "big"))
    assert broken != to_pkcs8(rsa2048)
    with pytest.raises(KeyFileMalformed):
        load_pkcs8(broken, check=True)
    assert load_pkcs8(broken, check=False).key_size == 2048


def test_refuses_keys_of_other_kinds_curves_and_sizes() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    foreign = ec.generate_private_key(ec.SECP256K1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    for key in (weak, foreign, edwards):
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(KeyKindRefused):
            load_pkcs8(der, check=True)


@given(st.binary(max_size=64))
def test_refuses_other_bytes(data: bytes) -> None:
    with pytest.raises(KeyFileMalformed):
        load_pkcs8(data, check=True)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_reads_unencrypted_files_with_or_without_a_passphrase(
    p256: ec.EllipticCurvePrivateKey, rsa2048: rsa.RSAPrivateKey, form: PrivateFormat
) -> None:
    for key in (p256, rsa2048):
        for passphrase in (None, PASSPHRASE):
            assert same(read_pem_private(pem_of(key, form=form), passphrase), key)


def test_reads_der(p256: ec.EllipticCurvePrivateKey) -> None:
    assert same(read_pem_private(to_pkcs8(p256), None), p256)
    encrypted = p256.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode()))
    assert same(read_pem_private(encrypted, PASSPHRASE), p256)


@pytest.mark.parametrize("how", [("-v2", "aes-256-cbc", "-iter", "1000"), ("-scrypt", "-scrypt_N", "1024")])
def test_reads_what_openssl_encrypted(rsa2048: rsa.RSAPrivateKey, how: tuple[str, ...]) -> None:
    text = openssl("pkcs8", "-topk8", *how, "-passout", f"pass:{PASSPHRASE}", given=pem_of(rsa2048))
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in text
    assert same(read_pem_private(text, PASSPHRASE), rsa2048)


def test_reads_the_key_that_stands_beside_other_things(p256: ec.EllipticCurvePrivateKey) -> None:
    parameters = openssl("ecparam", "-name", "prime256v1")
    text = b"my key\n" + parameters + pem_of(p256, form=PrivateFormat.TraditionalOpenSSL)
    assert same(read_pem_private(text, None), p256)


@pytest.mark.parametrize("passphrase", [None, "", "wrong horse", "x" * 1025, "\ud800"])
def test_refuses_the_wrong_passphrase_and_none(p256: ec.EllipticCurvePrivateKey, passphrase: str | None) -> None:
    with pytest.raises(PassphraseWrong):
        read_pem_private(pem_of(p256, passphrase=PASSPHRASE), passphrase)


def test_reads_a_passphrase_beyond_ascii(p256: ec.EllipticCurvePrivateKey) -> None:
    assert same(read_pem_private(pem_of(p256, passphrase="grüße"), "grüße"), p256)


def test_refuses_several_keys_in_one_file(p256: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(KeyFileMalformed, match="more than one"):
        read_pem_private(pem_of(p256) * 2, None)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ],
)
def test_refuses_what_is_not_a_key_file(text: bytes) -> None:
    with pytest.raises(KeyFileMalformed):
        read_pem_private(text, None)


def test_refuses_a_huge_file() -> None:
    with pytest.raises(KeyFileTooLarge):
        read_pem_private(b" " * 70_000, None)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_but_a_refusal_comes_out_of_a_damaged_file(data: st.DataObject) -> None:
    key = DAMAGED
    octets = bytearray(key)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Refusal):
        read_pem_private(bytes(octets[: data.draw(st.integers(0, len(octets)))]), PASSPHRASE)


def test_a_traceback_with_variables_shows_neither_key_nor_passphrase(tmp_path: Path) -> None:
    octets = bytes(range(1, 100))
    encrypted = DAMAGED[:-1] + bytes([DAMAGED[-1] ^ 1])
    for der, passphrase in ((octets, None), (encrypted, b"never to be seen")):
        try:
            if passphrase is None:
                load_pkcs8(octets, check=True)
            else:
                read_pem_private(encrypted, passphrase.decode())
        except Refusal as refusal:
            stack = traceback.TracebackException.from_exception(refusal, capture_locals=True).stack
            inner = [str(frame.locals) for frame in stack if frame.name == "_load"]
            assert inner
            assert repr(der)[2:30] not in inner[0]
            assert "never to be seen" not in inner[0]


DAMAGED = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())
)


def test_pem_is_encrypted_under_the_passphrase() -> None:
    key = generate(KeyKind.P256)
    sealed = to_pem(key, passphrase="correct horse battery")
    assert b"ENCRYPTED PRIVATE KEY" in sealed
    assert same(read_pem_private(sealed, "correct horse battery"), key)
    with pytest.raises(PassphraseWrong):
        read_pem_private(sealed, "another")


def test_pem_without_passphrase_is_readable() -> None:
    key = generate(KeyKind.P256)
    plain = to_pem(key, passphrase=None)
    assert same(read_pem_private(plain, None), key)
