"""Recipients with the keys that mail is sealed to, made once."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.smime.campus import Authority, Person, person

ENCIPHERING = {"key_encipherment": True}
AGREEING = {"key_agreement": True}


@pytest.fixture(scope="session")
def bob(issuing: Authority) -> Person:
    """Bob is sealed to with RSA-3072."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=3072)
    return person(issuing, key, mailboxes=("bob@campus.example",), usage=ENCIPHERING)


@pytest.fixture(scope="session")
def carol(issuing: Authority) -> Person:
    """Carol is sealed to with P-256."""
    return person(issuing, ec.generate_private_key(ec.SECP256R1()), mailboxes=("carol@campus.example",), usage=AGREEING)


@pytest.fixture(scope="session")
def dave(issuing: Authority) -> Person:
    """Dave is sealed to with P-384."""
    return person(issuing, ec.generate_private_key(ec.SECP384R1()), mailboxes=("dave@campus.example",), usage=AGREEING)


@pytest.fixture
def recipient(request: pytest.FixtureRequest) -> Person:
    """The person whose name the test gives."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Person)
    return found
