"""Keys and certificates, made once for all tests of this room."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from formats import ber
from formats.ber import Element

MakeCertificate = Callable[..., bytes]

READERS: list[Callable[[bytes], Element]] = [ber.read, ber.read_der]
ACCESSORS: list[Callable[[Element], Any]] = [
    Element.oid,
    Element.integer,
    Element.boolean,
    Element.octets,
    Element.bits,
    Element.bit_string,
    Element.null,
    Element.text,
    Element.time,
    lambda element: element.fields(ber.SET),
]

SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Campus Example"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Alice Lindgren"),
    ]
)


@pytest.fixture(scope="session")
def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def p384() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture(scope="session")
def rsa2048() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture(scope="session")
def rsa1024() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=1024)


@pytest.fixture(scope="session")
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def make_certificate(p256: ec.EllipticCurvePrivateKey) -> MakeCertificate:
    """Make the DER of a self-signed P-256 certificate with these extensions."""

    def make(
        *extensions: x509.ExtensionType,
        critical: tuple[type[x509.ExtensionType], ...] = (),
        subject: x509.Name = SUBJECT,
        issuer: x509.Name | None = None,
        not_before: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        not_after: datetime = datetime(2028, 1, 1, tzinfo=UTC),
    ) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
        builder = builder.serial_number(0x4A5B).public_key(p256.public_key())
        builder = builder.not_valid_before(not_before).not_valid_after(not_after)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, critical))
        return builder.sign(p256, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    return make


@pytest.fixture(scope="session")
def streamed_cms(
    tmp_path_factory: pytest.TempPathFactory, p256: ec.EllipticCurvePrivateKey, make_certificate: MakeCertificate
) -> bytes:
    """Return what `openssl cms -sign -stream` writes: indefinite lengths and a constructed OCTET STRING."""
    folder: Path = tmp_path_factory.mktemp("openssl")
    key = p256.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(key)
    certificate = x509.load_der_x509_certificate(make_certificate())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "message.txt").write_bytes(b"Content-Type: text/plain\r\n\r\nfees are due\r\n" * 200)
    words = "cms -sign -stream -nodetach -binary -outform DER -in message.txt -signer certificate.pem -inkey key.pem"
    done = subprocess.run(["openssl", *words.split()], cwd=folder, capture_output=True, check=True, timeout=60)
    return done.stdout
