"""`mailseal init` makes the campus CA; `mailseal migrate` brings the database's schema to this version's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli import terminal
from services import founding, start
from services.charter import Plan
from services.founding import Founded, FoundingDeclined
from services.settings import Settings, data_folder, load_settings


def init(
    demo: Annotated[bool, typer.Option("--demo", help="Make a demonstration CA that nobody should trust.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to what will be permanent without being asked.")] = False,
) -> None:
    """Make the campus CA; safe to repeat and to interrupt."""
    settings, is_demo = settings_of_this_machine(demo=demo)
    found(settings, demo=is_demo, yes=yes)


def migrate() -> None:
    """Bring the database's schema to the one that this version needs."""
    settings, _ = settings_of_this_machine()
    file = settings.resolved_database_url.removeprefix("sqlite:///")
    if file != settings.resolved_database_url and not Path(file).exists():
        terminal.stop(
            f"there is no CA yet, and no database {file}",
            hint="run `mailseal init`, which makes database and schema too",
        )
    start.migrate(settings)
    terminal.note("the schema is at head")


def settings_of_this_machine(*, demo: bool = False) -> tuple[Settings, bool]:
    """The settings, and whether they are those of a demo: asked for, or written into the data folder by `init`."""
    is_demo = demo or founding.is_demo(data_folder(os.environ))
    return load_settings(os.environ, demo=is_demo), is_demo


def found(settings: Settings, *, demo: bool, yes: bool) -> Founded:
    """Make the CA or find it made, and say what was made."""
    try:
        founded = founding.found(
            settings, demo=demo, progress=terminal.note, agree=lambda plan: demo or yes or _ask(plan)
        )
    except FoundingDeclined:
        terminal.stop("no CA was made", hint="run mailseal init again when the settings are right", exit_code=1)
    if founded.made:
        _tell(founded)
    else:
        terminal.note("the CA is there")
    return founded


def _ask(plan: Plan) -> bool:
    terminal.say("This will be permanent in every certificate:")
    for label, value in (
        ("campus", plan.campus_name),
        ("country", plan.country),
        ("organization identifier", plan.organization_id),
        ("mail domains", ", ".join(plan.mail_domains)),
        ("status URL", plan.status_url),
        ("policy arc", plan.policy_arc),
        ("root", plan.root_name),
        ("issuing CA", plan.issuing_name),
        ("name constraints", plan.name_constraints),
    ):
        terminal.say(f"  {label:<24} {value}")
    try:
        return typer.confirm("Make this CA?", default=False)
    except typer.Abort:
        terminal.stop("nobody said yes, and no CA was made", hint="where nobody can be asked, `init` takes --yes")


def _tell(founded: Founded) -> None:
    terminal.note(f"made {founded.root.subject}")
    terminal.note(f"root SHA-256 {founded.root.sha256}")
    terminal.note(f"first admin API key in {founded.admin_key_file}")
    terminal.note(
        "back up the database and the key-encryption key, apart from each other: neither is worth anything alone"
    )
    if founded.passphrase_file is not None:
        terminal.note(f"the encrypted root key is {founded.root_key_file}, its passphrase {founded.passphrase_file}")
        terminal.note("move both off this machine, to two different places")
