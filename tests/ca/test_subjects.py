from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from ca import subjects
from ca.errors import SubjectRefused
from ca.profiles import PROFILES
from ca.subjects import Subject
from formats import ber, names
from formats.mailbox import Mailbox
from tests.ca.golden import ADA, CAMPUS, SUBJECTS

PERSON = SUBJECTS["person"]
GRACE = Mailbox.parse("grace@campus.example.edu")


def named(subject: Subject, profile: str, *mailboxes: Mailbox) -> x509.Name:
    return subjects.to_name(subject, profile=PROFILES[profile], mailboxes=mailboxes or (ADA,))


def test_attributes_stand_in_the_fixed_order_one_in_each_relative_name() -> None:
    whole = replace(PERSON, title="Professor", serial_number="42", common_name="Ada Lovelace")
    name = named(whole, "person")
    assert [attribute.rfc4514_attribute_name for attribute in name] == [
        "C", "O", "2.5.4.97", "2.5.4.4", "2.5.4.42", "2.5.4.12", "2.5.4.5", "CN",
    ]  # fmt: skip
    assert all(len(list(relative)) == 1 for relative in name.rdns)


def test_country_and_serial_number_are_printable_and_the_rest_utf8() -> None:
    name = ber.read_der(named(replace(PERSON, serial_number="42"), "person").public_bytes())
    tags = {oid: value.tag for pairs in names.attributes(name) for oid, value in pairs}
    printable = {oid for oid, tag in tags.items() if tag == ber.PRINTABLE_STRING}
    assert printable == {"2.5.4.6", "2.5.4.5"}
    assert set(tags.values()) == {ber.PRINTABLE_STRING, ber.UTF8_STRING}


@pytest.mark.parametrize(
    ("profile", "subject"),
    [
        ("mailbox", Subject(organization="Campus")),
        ("mailbox", Subject(given_name="Ada")),
        ("mailbox", Subject(title="Professor")),
        ("mailbox", Subject(country="US")),
        ("role", Subject(**CAMPUS, surname="Lovelace")),
        ("role", Subject(**CAMPUS, title="Dean")),
        ("role", Subject(**CAMPUS, pseudonym="Registrar")),
    ],
)
def test_refuses_an_attribute_that_the_profile_does_not_have(profile: str, subject: Subject) -> None:
    with pytest.raises(SubjectRefused, match="has no"):
        named(subject, profile)


@pytest.mark.parametrize("missing", ["country", "organization", "organization_id"])
@pytest.mark.parametrize("profile", ["person", "role"])
def test_refuses_a_subject_without_its_organization(profile: str, missing: str) -> None:
    with pytest.raises(SubjectRefused, match=f"needs {missing}"):
        named(replace(SUBJECTS[profile], **{missing: None}), profile)


@pytest.mark.parametrize("given", [{}, {"given_name": "Ada", "surname": "Lovelace", "pseudonym": "Countess"}])
def test_a_person_has_a_name_or_a_pseudonym_and_never_both(given: dict[str, str]) -> None:
    with pytest.raises(SubjectRefused, match="not both"):
        named(Subject(**CAMPUS, **given), "person")


@pytest.mark.parametrize(
    ("profile", "subject", "common_name"),
    [
        ("mailbox", SUBJECTS["mailbox"], str(ADA)),
        ("role", SUBJECTS["role"], str(ADA)),
        ("person", PERSON, "Ada Lovelace"),
        ("person", Subject(**CAMPUS, surname="Plato"), "Plato"),
        ("person", Subject(**CAMPUS, pseudonym="Countess"), "Countess"),
    ],
)
def test_the_common_name_is_made_where_none_is_given(profile: str, subject: Subject, common_name: str) -> None:
    assert list(named(subject, profile))[-1].value == common_name


def test_an_address_that_no_common_name_can_hold_leaves_the_subject_empty() -> None:
    assert list(named(Subject(), "mailbox", Mailbox.parse(f"{'a' * 60}@campus.example.edu"))) == []


@pytest.mark.parametrize("common_name", ["Ada Lovelace", "Prof. Ada K. Lovelace", "LOVELACE, Ada", str(ADA)])
def test_a_person_may_write_their_name_in_their_own_way(common_name: str) -> None:
    name = named(replace(PERSON, common_name=common_name), "person")
    assert list(name)[-1].value == common_name


@pytest.mark.parametrize("common_name", ["The President", "Ada", "ada lovelace@evil.example", str(GRACE)])
def test_refuses_a_common_name_that_is_another_persons(common_name: str) -> None:
    with pytest.raises(SubjectRefused, match="common name"):
        named(replace(PERSON, common_name=common_name), "person")


@pytest.mark.parametrize("profile", ["mailbox", "role"])
@pytest.mark.parametrize("common_name", ["Office of the Registrar", str(GRACE)])
def test_refuses_a_common_name_that_is_no_mailbox_of_the_certificate(profile: str, common_name: str) -> None:
    with pytest.raises(SubjectRefused, match="common name"):
        named(replace(SUBJECTS[profile], common_name=common_name), profile)


@pytest.mark.parametrize(
    "change",
    [
        {"country": "us"},
        {"country": "USA"},
        {"country": "ÄÖ"},
        {"organization": ""},
        {"organization": "x" * 65},
        {"organization": " Campus"},
        {"organization": "Campus\n"},
        {"organization": "Cam\u202epus"},
        {"organization": "Cam\0pus"},
        {"organization": "Cam\ud800pus"},
        {"given_name": "x" * 65},
        {"serial_number": "4_2"},
        {"serial_number": "\uff14\uff12"},
        {"title": "\ufeff"},
    ],
)
def test_refuses_values_that_are_too_long_blank_or_invisible(change: dict[str, str]) -> None:
    with pytest.raises(SubjectRefused):
        named(replace(PERSON, **change), "person")


def test_an_authority_has_country_organization_and_common_name() -> None:
    name = subjects.authority_name(country="US", organization="Campus", common_name="Campus CA G1")
    assert name.rfc4514_string() == "CN=Campus CA G1,O=Campus,C=US"


@pytest.mark.parametrize("common_name", ["", "x" * 65, "CA\u200b"])
def test_refuses_an_authority_name_out_of_bounds(common_name: str) -> None:
    with pytest.raises(SubjectRefused):
        subjects.authority_name(country="US", organization="Campus", common_name=common_name)
