from __future__ import annotations

import pytest

from services.words.problems import TITLES


@pytest.mark.parametrize("code", ["cms_malformed", "cms_too_large"])
def test_what_comes_when_opening_too_is_not_called_a_signature(code: str) -> None:
    assert "signature" not in TITLES[code]
    assert "sealed" in TITLES[code]
