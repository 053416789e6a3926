import pytest

from services import credential


def test_a_new_one_is_well_formed_and_never_the_same() -> None:
    made = {credential.new() for _ in range(100)}
    assert len(made) == 100
    assert all(credential.is_well_formed(one) and len(one) == 57 for one in made)


def test_a_mistyped_one_is_not() -> None:
    made = credential.new()
    for position in range(len(made)):
        other = "A" if made[position] != "A" else "B"
        assert not credential.is_well_formed(made[:position] + other + made[position + 1 :])


@pytest.mark.parametrize("text", ["", " ", "ms_live_", "ms_live_" + "0" * 49 + "0", "ms_live_" + "z" * 49, "é" * 57])
def test_neither_is_anything_else(text: str) -> None:
    assert not credential.is_well_formed(text)
