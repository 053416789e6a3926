from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography import x509

from ca import key_ids
from formats import algorithms


@pytest.mark.parametrize("key", ["rsa2048", "p256", "p384"])
def test_identifiers_are_made_from_the_bits_of_the_key(key: str, keys: dict[str, Any]) -> None:
    public_key = keys[key].public_key()
    spki = algorithms.spki_der(public_key)
    assert key_ids.sha1_key_hash(spki) == x509.SubjectKeyIdentifier.from_public_key(public_key).digest
    # RFC 7093 2 (1): the leftmost 160 bits of the SHA-256 of the subjectPublicKey's bits.
    assert key_ids.subject_key_id(spki) == hashlib.sha256(key_ids.key_bits(spki)).digest()[:20]
    assert spki.endswith(key_ids.key_bits(spki))
