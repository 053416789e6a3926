"""Keys and certificates of a small campus, made once for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from smime.trust import Trust
from tests.smime.campus import Authority, OpenSsl, Person, authority, good, person, trust_in


@pytest.fixture(scope="session")
def root() -> Authority:
    return authority("Campus Root")


@pytest.fixture(scope="session")
def issuing(root: Authority) -> Authority:
    return authority("Campus S/MIME CA G1", issuer=root, path_length=0)


@pytest.fixture(scope="session")
def alice_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def alice(issuing: Authority, alice_key: ec.EllipticCurvePrivateKey) -> Person:
    """Alice signs with P-256."""
    return person(issuing, alice_key)


@pytest.fixture(scope="session")
def alice_p384(issuing: Authority) -> Person:
    return person(issuing, ec.generate_private_key(ec.SECP384R1()))


@pytest.fixture(scope="session")
def alice_rsa(issuing: Authority) -> Person:
    return person(issuing, rsa.generate_private_key(public_exponent=65_537, key_size=2048))


@pytest.fixture(scope="session")
def alice_rsa1024(issuing: Authority) -> Person:
    return person(issuing, rsa.generate_private_key(public_exponent=65_537, key_size=1024))


@pytest.fixture(scope="session")
def mallory(issuing: Authority) -> Person:
    """Mallory has a rightful certificate for another mailbox of the same campus."""
    return person(issuing, ec.generate_private_key(ec.SECP256R1()), mailboxes=("mallory@campus.example",))


@pytest.fixture(scope="session")
def trust(root: Authority, issuing: Authority, alice: Person, mallory: Person) -> Trust:
    """Believe the root; nobody is revoked."""
    people = [good(issuing, one.certificate) for one in (alice, mallory)]
    return trust_in(root, records=[*people, good(root, issuing.certificate)])


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    return OpenSsl(tmp_path)
