import re

import pytest

from formats.errors import KINDS, Refusal, leaves
from services.words.problems import TITLES
from tests.house.source import ROOT, import_everything

import_everything()
LEAVES = [leaf for leaf in leaves() if not leaf.__module__.startswith("tests.")]


def test_there_are_leaves_of_every_kind() -> None:
    assert [kind for kind in KINDS if not any(issubclass(leaf, kind) for leaf in LEAVES)] == []


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.code)
def test_code_is_a_slug_and_hint_says_what_to_do(leaf: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{2,40}", leaf.code)
    assert len(leaf.hint) > 10
    assert not leaf.hint.endswith(".")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.code)
def test_code_has_a_title(leaf: type[Refusal]) -> None:
    assert TITLES[leaf.code]


def test_no_title_is_without_an_error() -> None:
    assert set(TITLES) == {leaf.code for leaf in LEAVES}


def test_codes_are_unique() -> None:
    codes = [leaf.code for leaf in LEAVES]
    assert sorted(set(codes)) == sorted(codes)


def test_every_code_is_documented_and_nothing_else() -> None:
    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted({leaf.code for leaf in LEAVES})
