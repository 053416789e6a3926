from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keys.seal import Label, Sealed
from keys.shelf import Shelf

SEALED = Sealed(kek_id="k", wrapped_key=b"w", ciphertext=b"c")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def label(key_id: str) -> Label:
    return Label(key_id=key_id, owner="role", purpose="sign")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(clock: Clock) -> Shelf:
    return Shelf(size=2, seconds=10, monotonic=clock)


def put(shelf: Shelf, *key_ids: str, key: ec.EllipticCurvePrivateKey) -> None:
    for each in key_ids:
        shelf.put(label(each), sealed=SEALED, key=key)


def kept(shelf: Shelf, *key_ids: str) -> list[str]:
    return [each for each in key_ids if shelf.find(label(each), sealed=SEALED) is not None]


def test_gives_back_the_same_object(shelf: Shelf, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", key=p256)
    assert shelf.find(label("a"), sealed=SEALED) is p256


def test_gives_up_what_was_used_longest_ago(shelf: Shelf, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", "b", key=p256)
    assert kept(shelf, "a") == ["a"]
    put(shelf, "c", key=p256)
    assert kept(shelf, "a", "b", "c") == ["a", "c"]
    assert len(shelf) == 2


def test_keeps_a_key_until_its_time_and_no_longer(shelf: Shelf, clock: Clock, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", key=p256)
    clock.now += 9.9
    assert kept(shelf, "a") == ["a"]
    clock.now += 0.1
    assert kept(shelf, "a") == []
    assert len(shelf) == 0


def test_use_does_not_lengthen_the_time(shelf: Shelf, clock: Clock, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", key=p256)
    for _ in range(4):
        clock.now += 2.5
        found = kept(shelf, "a")
    assert found == []


def test_what_is_over_time_goes_when_another_comes(
    shelf: Shelf, clock: Clock, p256: ec.EllipticCurvePrivateKey
) -> None:
    put(shelf, "a", key=p256)
    clock.now += 10
    put(shelf, "b", key=p256)
    assert len(shelf) == 1


def test_does_not_take_a_key_for_that_of_a_row_with_other_bytes(shelf: Shelf, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", key=p256)
    other = Sealed(kek_id="k", wrapped_key=b"w", ciphertext=b"C")
    assert shelf.find(label("a"), sealed=other) is None


def test_forgets_by_key_id_alone(shelf: Shelf, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", "b", key=p256)
    shelf.forget("a")
    shelf.forget("never seen")
    assert kept(shelf, "a", "b") == ["b"]


def test_is_neither_shown_nor_copied(shelf: Shelf, p256: ec.EllipticCurvePrivateKey) -> None:
    put(shelf, "a", key=p256)
    assert repr(shelf) == "<Shelf of 1 keys>"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(shelf)
