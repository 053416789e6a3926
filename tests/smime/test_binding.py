from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from formats.certificate import Certificate
from formats.mailbox import Mailbox
from smime.binding import Addresses, Sender, bind, unchecked
from smime.report import AddressBinding
from tests.smime.campus import ALICE, Authority, Person, name, person

MATCH, MISMATCH, ABSENT, NOT_CHECKED = (
    AddressBinding.MATCH,
    AddressBinding.MISMATCH,
    AddressBinding.ABSENT,
    AddressBinding.NOT_CHECKED,
)


def sender(*mailboxes: str) -> Sender:
    return Sender(mailboxes=tuple(Mailbox.parse(one) for one in mailboxes))


@pytest.fixture(scope="module")
def nameless(issuing: Authority, alice_key: ec.EllipticCurvePrivateKey) -> Certificate:
    return person(issuing, alice_key, mailboxes=()).certificate


@pytest.fixture(scope="module")
def old(issuing: Authority, alice_key: ec.EllipticCurvePrivateKey) -> Certificate:
    """A certificate of the old kind: the address stands in the subject alone."""
    return person(issuing, alice_key, mailboxes=(), subject=name("Alice", email=ALICE)).certificate


@pytest.mark.parametrize("text", [ALICE, "ALICE@Campus.EXAMPLE", '"alice"@campus.example'])
def test_the_signer_named_in_from_matches(alice: Person, text: str) -> None:
    """RFC 8550 3: without regard to case."""
    bound = bind(sender(text), [alice.certificate])
    assert (bound.signers, bound.reasons) == ((MATCH,), ())


@pytest.mark.parametrize("text", ["bob@campus.example", "alice@sub.campus.example", "alice@campus.example.example"])
def test_another_mailbox_does_not_match(alice: Person, text: str) -> None:
    bound = bind(sender(text), [alice.certificate])
    assert (bound.signers, bound.reasons) == ((MISMATCH,), ("address_mismatch",))


def test_every_sender_must_be_named(alice: Person, mallory: Person) -> None:
    both = sender(ALICE, "mallory@campus.example")
    assert bind(both, [alice.certificate]).reasons == ("address_mismatch",)
    assert bind(both, [alice.certificate, mallory.certificate]).reasons == ()


def test_a_further_signer_is_shown_as_somebody_else(alice: Person, mallory: Person) -> None:
    bound = bind(sender(ALICE), [mallory.certificate, alice.certificate])
    assert (bound.signers, bound.reasons) == ((MISMATCH, MATCH), ())


def test_a_certificate_without_addresses_decides_nothing(nameless: Certificate) -> None:
    bound = bind(sender(ALICE), [nameless])
    assert (bound.signers, bound.reasons) == ((ABSENT,), ("address_absent",))


def test_the_subject_counts_where_there_is_no_other_address(old: Certificate) -> None:
    assert Addresses.of(old).in_subject
    assert bind(sender(ALICE), [old]).signers == (MATCH,)
    assert bind(sender("bob@campus.example"), [old]).reasons == ("address_mismatch",)


def test_the_subject_does_not_count_beside_other_addresses(
    issuing: Authority, alice_key: ec.EllipticCurvePrivateKey
) -> None:
    both = person(issuing, alice_key, subject=name("Alice", email="rector@campus.example")).certificate
    assert not Addresses.of(both).in_subject
    assert bind(sender("rector@campus.example"), [both]).reasons == ("address_mismatch",)


def test_an_address_in_the_subject_that_cannot_be_read_is_there_all_the_same(
    issuing: Authority, alice_key: ec.EllipticCurvePrivateKey
) -> None:
    odd = person(issuing, alice_key, mailboxes=(), subject=name("Alice", email="not an address")).certificate
    assert bind(sender(ALICE), [odd]).reasons == ("address_mismatch",)


@pytest.mark.parametrize("text", ["not an address", "alice@campus.example\0"])
def test_an_address_that_cannot_be_read_matches_nobody(
    issuing: Authority, alice_key: ec.EllipticCurvePrivateKey, text: str
) -> None:
    odd = person(issuing, alice_key, mailboxes=(text,), subject=name("Alice", email=ALICE)).certificate
    assert bind(sender(ALICE), [odd]).reasons == ("address_mismatch",)


@pytest.mark.parametrize(
    ("fault", "binding"),
    [
        ("from_absent", AddressBinding.ABSENT),
        ("from_ambiguous", AddressBinding.AMBIGUOUS),
        ("from_unparseable", AddressBinding.UNPARSEABLE),
    ],
)
def test_a_from_field_at_fault_binds_nobody(alice: Person, fault: str, binding: AddressBinding) -> None:
    bound = bind(Sender(fault=fault), [alice.certificate])
    assert (bound.signers, bound.reasons) == ((binding,), (fault,))


def test_nobody_is_never_covered(alice: Person) -> None:
    assert bind(Sender(), [alice.certificate]).reasons == ("from_absent",)


def test_a_signer_without_certificate_covers_nobody(alice: Person) -> None:
    assert bind(sender(ALICE), [None]).signers == (NOT_CHECKED,)
    assert bind(sender("bob@campus.example"), [None, alice.certificate]).reasons == ("address_mismatch",)


def test_what_is_not_asked_is_not_checked() -> None:
    assert unchecked(2).signers == (NOT_CHECKED, NOT_CHECKED)
    assert unchecked(2).reasons == ()
