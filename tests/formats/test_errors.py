from __future__ import annotations

import re

import pytest

from formats import algorithms, ber, certificate, der, mailbox, pem, serial
from formats.errors import KINDS, Malformed, NotReady, Refusal, TooMany, leaves

OURS: list[type[Refusal]] = [
    algorithms.AlgorithmRefused,
    ber.BerError,
    ber.BerTooLarge,
    certificate.CertificateMalformed,
    der.DerError,
    mailbox.MailboxError,
    pem.PemError,
    pem.PemTooLarge,
    serial.SerialError,
    algorithms.SignatureWrong,
    algorithms.UnsupportedAlgorithm,
]


def test_leaves_are_found_in_the_order_of_their_codes() -> None:
    found = [leaf for leaf in leaves() if leaf.__module__.startswith("formats.")]
    assert found == sorted(OURS, key=lambda leaf: leaf.code)
    assert set(leaves(Malformed)) <= set(leaves())
    assert ber.BerTooLarge not in leaves(Malformed)


@pytest.mark.parametrize("leaf", OURS)
def test_every_leaf_has_one_kind_a_stable_code_and_a_hint(leaf: type[Refusal]) -> None:
    assert len([kind for kind in KINDS if issubclass(leaf, kind)]) == 1
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", leaf.code)
    assert leaf.hint[0].islower()
    assert not leaf.hint.endswith(".")


def test_kinds_have_no_code_of_their_own() -> None:
    assert len(KINDS) == 9
    assert not any("code" in vars(kind) for kind in KINDS)


def test_refusal_carries_detail_and_pointers() -> None:
    refusal = mailbox.MailboxError("an address without @", pointers=("/mailboxes/0",))
    assert (str(refusal), refusal.detail, refusal.pointers) == ("an address without @",) * 2 + (("/mailboxes/0",),)
    assert mailbox.MailboxError("x").pointers == ()


def test_what_passes_says_after_how_long() -> None:
    assert TooMany.retry_after > 0
    assert NotReady.retry_after > 0
