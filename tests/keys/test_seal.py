from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keys.seal import Label, Sealed

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LABELS = st.builds(Label, key_id=TEXTS, owner=TEXTS, purpose=TEXTS, version=st.integers(1, 12))


@given(LABELS, LABELS)
def test_two_labels_encode_alike_only_if_they_are_equal(one: Label, other: Label) -> None:
    assert (one.octets == other.octets) == (one == other)


@given(TEXTS, TEXTS, TEXTS)
def test_text_cannot_move_from_one_part_to_the_next(a: str, b: str, c: str) -> None:
    moved = Label(key_id=a, owner=b + "x", purpose=c)
    assert moved.octets != Label(key_id=a, owner=b, purpose="x" + c).octets


def test_shows_sizes_and_not_bytes() -> None:
    sealed = Sealed(kek_id="0123456789abcdef", wrapped_key=b"wrapped", ciphertext=b"ciphertext")
    assert repr(sealed) == "<Sealed 10 octets under 0123456789abcdef>"
