from __future__ import annotations

import pytest

from ca import reasons
from ca.errors import ReasonNotAllowed
from ca.reasons import Reason


def test_five_reasons_with_the_numbers_of_rfc_5280() -> None:
    assert {reason.value: reason.code for reason in Reason} == {
        "keyCompromise": 1,
        "affiliationChanged": 3,
        "superseded": 4,
        "cessationOfOperation": 5,
        "privilegeWithdrawn": 9,
    }


def test_reads_a_reason_by_its_name() -> None:
    assert reasons.parse("superseded") is Reason.SUPERSEDED


@pytest.mark.parametrize(
    "text", ["certificateHold", "removeFromCRL", "unspecified", "cACompromise", "keycompromise", "stolen", "", "1"]
)
def test_refuses_every_other_reason_and_names_the_allowed(text: str) -> None:
    with pytest.raises(ReasonNotAllowed) as caught:
        reasons.parse(text)
    assert all(reason.value in caught.value.detail for reason in Reason)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stolen", Reason.KEY_COMPROMISE),
        ("left", Reason.AFFILIATION_CHANGED),
        ("replaced", Reason.SUPERSEDED),
        ("stopped", Reason.CESSATION_OF_OPERATION),
        ("withdrawn", Reason.PRIVILEGE_WITHDRAWN),
        ("keyCompromise", Reason.KEY_COMPROMISE),
    ],
)
def test_reads_plain_words_for_people(word: str, reason: Reason) -> None:
    assert reasons.parse_word(word) is reason


def test_refuses_a_word_that_is_no_reason() -> None:
    with pytest.raises(ReasonNotAllowed):
        reasons.parse_word("bored")


def test_the_only_change_left_is_to_key_compromise() -> None:
    allowed = {(old, new) for old in Reason for new in Reason if reasons.may_upgrade(old, new)}
    assert allowed == {(old, Reason.KEY_COMPROMISE) for old in Reason if old is not Reason.KEY_COMPROMISE}
