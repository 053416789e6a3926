from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ca import signatures
from ca.errors import AuthorityRefused, IssuerKeyWrong, KeyRefused
from ca.issuance import Issuer
from formats import algorithms
from formats.certificate import Certificate
from formats.serial import Serial
from tests.ca.golden import NOW


def test_a_lookalike_has_the_very_tbs_and_verifies_under_no_key_of_ours(each_issuer: Issuer, blueprint: Any) -> None:
    prepared = each_issuer.prepare(blueprint(), serial=Serial.random(), now=NOW)
    lookalike, real = Certificate.from_der(prepared.lookalike), each_issuer.issue(prepared)
    assert lookalike.tbs == real.tbs == prepared.tbs
    assert lookalike.signature_algorithm_der == real.signature_algorithm_der
    verify_under(each_issuer.certificate, real)
    with pytest.raises(algorithms.SignatureWrong):
        verify_under(each_issuer.certificate, lookalike)


def test_the_signature_is_checked_before_a_certificate_leaves(issuer: Issuer, blueprint: Any) -> None:
    prepared = issuer.prepare(blueprint(), serial=Serial.random(), now=NOW)
    foreign = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(IssuerKeyWrong):
        signatures.sign_tbs(prepared.tbs, key=foreign, public_key=issuer.certificate.public_key)


def test_an_authority_signs_with_rsa_or_a_nist_curve() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(KeyRefused):
        signatures.public_half(key)
    with pytest.raises(AuthorityRefused):
        signatures.lookalike(x509.CertificateBuilder(), issuer_key=key.public_key())


def verify_under(issuer: Certificate, certificate: Certificate) -> None:
    algorithms.verify(
        issuer.public_key, certificate.signature, certificate.tbs, algorithm=certificate.signature_algorithm
    )
