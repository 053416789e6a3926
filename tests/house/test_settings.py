import re

from services.settings import READ_ELSEWHERE, Settings, variable
from tests.house.source import ROOT


def test_every_setting_is_documented_and_nothing_else() -> None:
    documented = re.findall(r"^\| `(MAILSEAL_[A-Z_]+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted([*map(variable, Settings.model_fields), *READ_ELSEWHERE])
