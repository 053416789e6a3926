from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import TooManyRequests
from api.pace import Pace, network_of


class Hand:
    """A clock in seconds that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(paced: Pace, key: str, *, at_most: int = 1000) -> int:
    """How often the key may act now."""
    for count in range(at_most):
        try:
            paced.take(key)
        except TooManyRequests:
            return count
    return at_most


def test_lets_a_burst_pass_and_then_the_pace() -> None:
    hand = Hand()
    paced = Pace(per_minute=60, burst=5, clock=hand)
    assert taken(paced, "a") == 5
    hand.now += 1
    assert taken(paced, "a") == 1
    hand.now += 2.5
    assert taken(paced, "a") == 2
    hand.now += 0.5
    assert taken(paced, "a") == 1


def test_never_lets_more_than_a_burst_pass_after_a_rest() -> None:
    hand = Hand()
    paced = Pace(per_minute=60, burst=5, clock=hand)
    assert taken(paced, "a") == 5
    hand.now += 3600
    assert taken(paced, "a") == 5


def test_one_key_does_not_slow_another() -> None:
    paced = Pace(per_minute=1, burst=2, clock=Hand())
    assert (taken(paced, "a"), taken(paced, "b"), taken(paced, "a")) == (2, 2, 0)


@pytest.mark.parametrize(("per_minute", "seconds"), [(1, 60), (7, 9), (60, 1), (6000, 1)])
def test_says_in_how_many_whole_seconds_the_next_one_passes(per_minute: int, seconds: int) -> None:
    hand = Hand()
    paced = Pace(per_minute=per_minute, burst=1, clock=hand)
    paced.take("a")
    with pytest.raises(TooManyRequests) as refused:
        paced.take("a")
    assert refused.value.retry_after == seconds
    hand.now += seconds
    paced.take("a")


def test_what_is_refused_does_not_lengthen_the_wait() -> None:
    hand = Hand()
    paced = Pace(per_minute=60, burst=1, clock=hand)
    paced.take("a")
    assert taken(paced, "a") == 0
    assert taken(paced, "a") == 0
    hand.now += 1
    assert taken(paced, "a") == 1


def test_remembers_a_bounded_number_of_keys_and_forgets_who_rested_longest() -> None:
    paced = Pace(per_minute=1, burst=1, clock=Hand(), keys=3)
    for key in "abc":
        paced.take(key)
    paced.take("d")
    assert len(paced._buckets) == 3
    assert [taken(paced, key) for key in "dcb"] == [0, 0, 0]
    assert taken(paced, "a") == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("testclient", "unknown"),
        ("192.0.2.77:80", "unknown"),
    ],
)
def test_network_of_an_address(address: str | None, network: str) -> None:
    assert network_of(address) == network


@given(st.text(max_size=60))
def test_network_of_any_text_is_a_short_key(text: str) -> None:
    assert len(network_of(text)) < 50


def test_what_was_done_already_counts_even_when_it_was_one_too_many() -> None:
    hand = Hand()
    pace = Pace(per_minute=60, burst=1, clock=hand)
    pace.ask("a")
    pace.ask("a")
    for _ in range(3):
        pace.count("a")
    with pytest.raises(TooManyRequests) as refusal:
        pace.ask("a")
    assert refusal.value.retry_after == 3
    hand.now += 2.9
    with pytest.raises(TooManyRequests):
        pace.ask("a")
    hand.now += 0.2
    pace.ask("a")
    pace.ask("b")
