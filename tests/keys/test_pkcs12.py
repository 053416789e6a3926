from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import ber, der
from formats.algorithms import spki_der
from formats.certificate import Certificate
from keys.errors import KeyFileMalformed, KeyFileTooLarge, KeyKindRefused, PassphraseRefused, PassphraseWrong
from keys.pkcs12 import ALPHABET, Format, generate_passphrase, read_pkcs12, write_pkcs12
from keys.software import PrivateKey
from tests.keys.conftest import MAILBOX, NOW, Wrapped

Wrap = Callable[[Format, str], Wrapped]
Certify = Callable[[PrivateKey], Certificate]

FORMATS = [(Format.MODERN, "ec"), (Format.MODERN, "rsa"), (Format.COMPATIBLE, "ec"), (Format.COMPATIBLE, "rsa")]


def openssl(wrapped: Wrapped, tmp_path: Path, *arguments: str) -> str:
    file = tmp_path / "file.p12"
    file.write_bytes(wrapped.data)
    command = ["openssl", "pkcs12", "-in", str(file), "-passin", f"pass:{wrapped.passphrase}", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return done.stdout + done.stderr


def cheap(
    key: PrivateKey | None, certificate: Certificate | None, *chain: Certificate, passphrase: str, rounds: int = 1000
) -> bytes:
    protection = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).hmac_hash(hashes.SHA256())
    return pkcs12.serialize_key_and_certificates(
        b"a foreign file",
        key,
        certificate.x509 if certificate else None,
        [each.x509 for each in chain],
        protection.build(passphrase.encode()),
    )


def test_passphrases_are_five_groups_of_unmistakable_letters_and_digits() -> None:
    assert re.fullmatch(rf"[{ALPHABET}]{{5}}(-[{ALPHABET}]{{5}}){{4}}", generate_passphrase())
    assert not set("0o1il") & set(ALPHABET)
    assert ALPHABET.lower() == ALPHABET


def test_passphrases_carry_112_bits_and_more() -> None:
    # SBR 6.1.2; the MAC's rounds add next to nothing.
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert 25 * math.log2(len(ALPHABET)) > 112


def test_every_letter_comes_up_and_no_passphrase_comes_twice() -> None:
    made = [generate_passphrase() for _ in range(200)]
    assert len(set(made)) == 200
    assert set("".join(made)) == {*ALPHABET, "-"}


@pytest.mark.parametrize(("form", "kind"), FORMATS)
def test_reads_what_it_wrote(wrapped: Wrap, form: Format, kind: str) -> None:
    file = wrapped(form, kind)
    key, certificate, chain = read_pkcs12(file.data, file.passphrase)
    assert spki_der(key.public_key()) == spki_der(file.key.public_key())
    assert certificate == file.certificate
    assert chain == file.chain


@pytest.mark.parametrize(("form", "kind"), FORMATS)
def test_openssl_reads_key_and_certificates(wrapped: Wrap, form: Format, kind: str, tmp_path: Path) -> None:
    text = openssl(wrapped(form, kind), tmp_path, "-nodes")
    assert text.count("BEGIN CERTIFICATE") == 2
    assert text.count("BEGIN PRIVATE KEY") == 1


def test_modern_is_what_apple_reads(wrapped: Wrap, tmp_path: Path) -> None:
    # Apple's reader since 2024 knows AES-256-CBC and HMAC-SHA-256 only.
    text = openssl(wrapped(Format.MODERN, "rsa"), tmp_path, "-info", "-noout")
    assert "MAC: sha256" in text
    assert text.count("PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256") == 2


def test_compatible_is_what_older_programs_read(wrapped: Wrap, tmp_path: Path) -> None:
    text = openssl(wrapped(Format.COMPATIBLE, "rsa"), tmp_path, "-info", "-noout")
    assert "MAC: sha1" in text
    assert text.count("pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 20000") == 2


@pytest.mark.parametrize("form", list(Format))
def test_key_and_certificate_carry_one_local_key_id_and_the_mailbox(
    wrapped: Wrap, form: Format, tmp_path: Path
) -> None:
    text = openssl(wrapped(form, "ec"), tmp_path, "-nodes")
    ids = re.findall(r"localKeyID: ([0-9A-F ]+)", text)
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert text.count(f"friendlyName: {MAILBOX}") == 2


@pytest.mark.parametrize(("form", "kind"), FORMATS)
def test_nss_reads_both_formats(wrapped: Wrap, form: Format, kind: str, tmp_path: Path) -> None:
    if shutil.which("pk12util") is None:
        assert not os.environ.get("MAILSEAL_REQUIRE_ALL"), "pk12util is missing"
        pytest.skip("pk12util of libnss3-tools is not installed")
    file = wrapped(form, kind)
    (tmp_path / "file.p12").write_bytes(file.data)
    (tmp_path / "passphrase").write_text(file.passphrase)
    database = f"sql:{tmp_path}"
    subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], capture_output=True, check=True)
    command = ["pk12util", "-d", database, "-w", str(tmp_path / "passphrase")]
    listed = subprocess.run([*command, "-l", str(tmp_path / "file.p12")], capture_output=True, check=True, text=True)
    assert len(re.findall(r"^Certificate\b", listed.stdout, re.MULTILINE)) == 2
    assert f"Friendly Name: {MAILBOX}" in listed.stdout
    imported = subprocess.run([*command, "-i", str(tmp_path / "file.p12")], capture_output=True, check=True, text=True)
    assert "PKCS12 IMPORT SUCCESSFUL" in imported.stdout


@pytest.mark.parametrize("passphrase", ["", "short", "ü" * 30, "x" * 257, "a passphrase with a newline\n"])
def test_writes_no_file_with_a_passphrase_that_programs_read_differently(
    p256: ec.EllipticCurvePrivateKey, certify: Certify, passphrase: str
) -> None:
    with pytest.raises(PassphraseRefused) as refused:
        write_pkcs12(
            p256,
            certificate=certify(p256),
            chain=(),
            passphrase=passphrase,
            format=Format.COMPATIBLE,
            friendly_name=MAILBOX,
        )
    assert not passphrase or passphrase not in refused.value.detail


def test_writes_no_file_with_a_certificate_of_another_key(
    p256: ec.EllipticCurvePrivateKey, rsa2048: rsa.RSAPrivateKey, certify: Certify
) -> None:
    with pytest.raises(KeyFileMalformed, match="does not belong"):
        write_pkcs12(
            p256,
            certificate=certify(rsa2048),
            chain=(),
            passphrase=generate_passphrase(),
            format=Format.COMPATIBLE,
            friendly_name=MAILBOX,
        )


@pytest.mark.parametrize("wrong", ["", "wrong", "ü", "x" * 1025, "\ud800"])
@pytest.mark.parametrize("form", list(Format))
def test_refuses_the_wrong_passphrase(wrapped: Wrap, form: Format, wrong: str) -> None:
    with pytest.raises(PassphraseWrong):
        read_pkcs12(wrapped(form, "ec").data, wrong)


def test_a_passphrase_counts_with_its_hyphens(wrapped: Wrap) -> None:
    file = wrapped(Format.COMPATIBLE, "ec")
    with pytest.raises(PassphraseWrong):
        read_pkcs12(file.data, file.passphrase.replace("-", ""))


def test_reads_a_foreign_file_with_a_passphrase_beyond_ascii(
    p256: ec.EllipticCurvePrivateKey, certify: Certify
) -> None:
    certificate = certify(p256)
    assert read_pkcs12(cheap(p256, certificate, passphrase="grüße"), "grüße")[1:] == (certificate, ())


def test_reads_what_openssl_wrote(wrapped: Wrap, tmp_path: Path) -> None:
    file = wrapped(Format.COMPATIBLE, "rsa")
    (tmp_path / "all.pem").write_text(openssl(file, tmp_path, "-nodes"))
    command = ["openssl", "pkcs12", "-export", "-in", str(tmp_path / "all.pem"), "-passout", "pass:abc"]
    written = subprocess.run(command, capture_output=True, check=True).stdout
    key, certificate, chain = read_pkcs12(written, "abc")
    assert spki_der(key.public_key()) == file.certificate.spki
    assert (certificate, chain) == (file.certificate, file.chain)


def test_refuses_a_file_without_key_or_certificate(p256: ec.EllipticCurvePrivateKey, certify: Certify) -> None:
    certificate = certify(p256)
    for data in (
        cheap(None, certificate, passphrase="abc"),
        cheap(p256, None, passphrase="abc"),
        cheap(None, None, certificate, passphrase="abc"),
    ):
        with pytest.raises(KeyFileMalformed, match="without a private key"):
            read_pkcs12(data, "abc")


def test_refuses_a_key_that_is_not_used_here(certify: Certify) -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(KeyKindRefused):
        read_pkcs12(cheap(key, certify(key), passphrase="abc"), "abc")


def test_refuses_a_file_that_is_no_pfx_to_the_library(wrapped: Wrap) -> None:
    file = wrapped(Format.COMPATIBLE, "ec")
    parts = ber.read(file.data).fields(ber.SEQUENCE).rest()
    with pytest.raises(KeyFileMalformed):
        read_pkcs12(der.sequence(*(part.raw for part in parts), der.integer(1)), file.passphrase)


def test_refuses_a_certificate_that_is_too_large_to_be_read(p256: ec.EllipticCurvePrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "large")])
    large = (
        x509.CertificateBuilder(name, name, p256.public_key(), 1, NOW, NOW + timedelta(days=1))
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), bytes(70_000)), critical=False)
        .sign(p256, hashes.SHA256())
    )
    protection = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1000).build(b"abc")
    with pytest.raises(KeyFileMalformed):
        read_pkcs12(pkcs12.serialize_key_and_certificates(b"", p256, large, None, protection), "abc")


def test_refuses_a_huge_file_and_one_that_asks_for_hours(wrapped: Wrap) -> None:
    with pytest.raises(KeyFileTooLarge):
        read_pkcs12(bytes(300_000), "abc")
    file = wrapped(Format.MODERN, "ec")
    costly = file.data.replace((600_000).to_bytes(3, "big"), (8_000_000).to_bytes(3, "big"))
    with pytest.raises(KeyFileTooLarge):
        read_pkcs12(costly, file.passphrase)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_nothing_but_a_refusal_comes_out_of_a_damaged_file(
    p256: ec.EllipticCurvePrivateKey, certify: Certify, data: st.DataObject
) -> None:
    octets = bytearray(cheap(p256, certify(p256), passphrase="abc"))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        key, certificate, _ = read_pkcs12(bytes(octets[: data.draw(st.integers(0, len(octets)))]), "abc")
    except (KeyFileMalformed, KeyFileTooLarge, PassphraseWrong):
        return
    assert spki_der(key.public_key()) == certificate.spki


def test_the_file_does_not_show_its_passphrase(wrapped: Wrap) -> None:
    file = replace(wrapped(Format.COMPATIBLE, "ec"))
    assert file.passphrase.encode() not in file.data
    assert file.passphrase.encode("utf-16-be") not in file.data
