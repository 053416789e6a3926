import re

import pytest

import db.errors
from formats.errors import Refusal

OURS = [leaf for leaf in vars(db.errors).values() if isinstance(leaf, type) and leaf.__module__ == "db.errors"]


@pytest.mark.parametrize("leaf", OURS, ids=lambda leaf: leaf.__name__)
def test_every_error_is_drawn_in_the_tree(leaf: type[Exception]) -> None:
    assert re.search(rf"── {leaf.__name__}\b", db.errors.__doc__ or "")


@pytest.mark.parametrize("leaf", [leaf for leaf in OURS if issubclass(leaf, Refusal)], ids=lambda leaf: leaf.__name__)
def test_every_refusal_has_a_code_and_says_what_to_do(leaf: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z_]+", leaf.code)
    assert leaf.hint[0].islower() or leaf.hint[0] == "`"
    assert not leaf.hint.endswith(".")
