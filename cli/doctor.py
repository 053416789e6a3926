"""`mailseal doctor` looks over the installation of this machine, and says what is wrong and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import init, terminal
from services import doctor as examining


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Look over the installation: exit 0 if all is well, 1 if anything was found."""
    settings, is_demo = init.settings_of_this_machine()
    found = examining.examine(settings, demo=is_demo)
    if as_json:
        terminal.show_json(
            {
                "looked_at": list(found.looked_at),
                "findings": [
                    {"severity": one.severity.value, "about": one.about, "detail": one.detail, "hint": one.hint}
                    for one in found.findings
                ],
            }
        )
    else:
        for one in found.findings:
            terminal.say(f"{one.severity.value}: {one.about}: {one.detail}")
            terminal.say(f"  {one.hint}")
        number = len(found.findings)
        told = f"{number or 'no'} finding{'' if number == 1 else 's'}"
        terminal.note(f"looked at {', '.join(found.looked_at)}: {told}")
    return 0 if found.is_well else terminal.NO
