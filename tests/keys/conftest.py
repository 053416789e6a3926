from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from formats.algorithms import KeyKind
from formats.certificate import Certificate
from keys.pkcs12 import Format, generate_passphrase, write_pkcs12
from keys.software import PrivateKey, generate

MAILBOX = "notices@campus.example"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """One .p12 file and all that went into it."""

    data: bytes
    passphrase: str
    key: PrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...]


@pytest.fixture(scope="session")
def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def other_p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def rsa2048() -> rsa.RSAPrivateKey:
    key = generate(KeyKind.RSA2048)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.fixture(scope="session")
def issuing(other_p256: ec.EllipticCurvePrivateKey) -> Certificate:
    return _certify(other_p256, name="Example University S/MIME CA G1", signer=other_p256)


@pytest.fixture(scope="session")
def certify(other_p256: ec.EllipticCurvePrivateKey) -> Callable[[PrivateKey], Certificate]:
    return lambda key: _certify(key, name=MAILBOX, signer=other_p256)


@pytest.fixture(scope="session")
def wrapped(
    p256: ec.EllipticCurvePrivateKey,
    rsa2048: rsa.RSAPrivateKey,
    certify: Callable[[PrivateKey], Certificate],
    issuing: Certificate,
) -> Callable[[Format, str], Wrapped]:
    keys: dict[str, PrivateKey] = {"ec": p256, "rsa": rsa2048}
    made: dict[tuple[Format, str], Wrapped] = {}

    def one(form: Format, kind: str) -> Wrapped:
        if (form, kind) not in made:
            key = keys[kind]
            certificate, passphrase = certify(key), generate_passphrase()
            data = write_pkcs12(
                key,
                certificate=certificate,
                chain=(issuing,),
                passphrase=passphrase,
                format=form,
                friendly_name=MAILBOX,
            )
            made[form, kind] = Wrapped(
                data=data, passphrase=passphrase, key=key, certificate=certificate, chain=(issuing,)
            )
        return made[form, kind]

    return one


def _certify(key: PrivateKey, *, name: str, signer: ec.EllipticCurvePrivateKey) -> Certificate:
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example University S/MIME CA G1")])
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=365))
        .sign(signer, hashes.SHA256())
    )
    return Certificate.from_der(built.public_bytes(Encoding.DER))
