from __future__ import annotations

import re

from formats.errors import KINDS, leaves
from keys import errors

OURS = [leaf for leaf in leaves() if leaf.__module__ == "keys.errors"]


def test_every_leaf_has_a_slug_and_a_hint_and_stands_in_the_tree() -> None:
    assert len(OURS) == 11
    for leaf in OURS:
        assert re.fullmatch(r"[a-z0-9_]{3,40}", leaf.code)
        assert leaf.hint[0].islower()
        assert not leaf.hint.endswith(".")
        assert leaf.__bases__[0] in KINDS
        assert f"── {leaf.__name__} " in (errors.__doc__ or "")


def test_no_two_leaves_share_a_code() -> None:
    assert len({leaf.code for leaf in OURS}) == len(OURS)
