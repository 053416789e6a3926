from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from smime.path.chains import Anchor
from smime.path.effort import Effort, Outcome, Signed
from tests.smime.path import pki
from tests.smime.path.pki import Node


@pytest.fixture(scope="module")
def root() -> Node:
    return pki.authority()


def signed(node: Node) -> Signed:
    certificate = node.certificate
    return Signed(
        tbs=certificate.tbs,
        algorithm_der=certificate.signature_algorithm_der,
        signature=certificate.signature,
    )


def test_each_check_is_made_and_paid_once(root: Node) -> None:
    effort = Effort()
    before = effort.signature_checks
    for _ in range(3):
        assert effort.check(signed(root), signer=root.anchor) is Outcome.GOOD
    assert before - effort.signature_checks == 1


def test_another_key_is_wrong(root: Node) -> None:
    assert Effort().check(signed(root), signer=pki.authority().anchor) is Outcome.WRONG


def test_key_of_another_kind_is_wrong_and_not_weak(root: Node) -> None:
    other = pki.authority(key=rsa.generate_private_key(public_exponent=65_537, key_size=2048))
    assert Effort().check(signed(root), signer=other.anchor) is Outcome.WRONG


@pytest.mark.parametrize("algorithm", [b"", b"\x30\x00", b"\x30\x03\x06\x01\x2a"])
def test_algorithm_that_cannot_be_read_is_unsupported(root: Node, algorithm: bytes) -> None:
    odd = Signed(tbs=root.certificate.tbs, algorithm_der=algorithm, signature=root.certificate.signature)
    assert Effort().check(odd, signer=root.anchor) is Outcome.UNSUPPORTED


def test_what_is_left_untried_is_told_each_time(root: Node) -> None:
    effort = Effort()
    effort.signature_checks = 0
    for _ in range(2):
        effort.begin()
        assert not effort.exhausted
        assert effort.check(signed(root), signer=root.anchor) is Outcome.UNTRIED
        assert effort.exhausted


def test_what_is_not_left_is_not_taken() -> None:
    effort = Effort()
    effort.crl_octets = 10
    assert not effort.search(11)
    assert effort.exhausted
    assert effort.search(10)
    assert not effort.search(1)


def test_what_cannot_be_checked_costs_a_check(root: Node) -> None:
    effort = Effort()
    effort.signature_checks = 1
    odd, other = (Signed(tbs=tbs, algorithm_der=b"\x30\x00", signature=b"") for tbs in (b"one", b"other"))
    assert effort.check(odd, signer=root.anchor) is Outcome.UNSUPPORTED
    assert effort.check(odd, signer=root.anchor) is Outcome.UNSUPPORTED
    assert effort.check(other, signer=root.anchor) is Outcome.UNTRIED


def test_algorithm_or_key_of_great_length_is_not_read(root: Node) -> None:
    good = signed(root)
    long = Signed(tbs=good.tbs, algorithm_der=good.algorithm_der + bytes(1024), signature=good.signature)
    assert Effort().check(long, signer=root.anchor) is Outcome.UNSUPPORTED
    key = Anchor(subject_der=root.certificate.subject_der, spki=bytes(16 * 1024 + 1))
    assert Effort().check(good, signer=key) is Outcome.UNSUPPORTED
