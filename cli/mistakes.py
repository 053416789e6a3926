"""Mistakes: what is wrong with a command line, in plain words."""

from __future__ import annotations

import re
from typing import Final

# typer carries its click inside, and offers no public name for the errors of a wrong command line.
from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    ClickException,
    MissingParameter,
    NoSuchOption,
    UsageError,
)

# What typer says of a value, and what we say; `{name}` is the option or argument.
_VALUES: Final = (
    (re.compile(r"valid datetime"), "{name} is not a time", "write it in UTC, like 2026-03-02T08:30:00 or 2026-03-02"),
    (re.compile(r"valid integer"), "{name} is not a whole number", "give digits alone, such as 4"),
    (re.compile(r"greater than or equal to (\S+)"), "{name} is too small", "give {0} or more"),
    (re.compile(r"less than or equal to (\S+)"), "{name} is too large", "give {0} or less"),
    (re.compile(r"is not one of (.+?)\.?$"), "{name} is not one of its choices", "choose one of {0}"),
)
_SURPLUS: Final = re.compile(r"unexpected extra arguments?(?:\(s\))? \((.*)\)")


def told(error: ClickException) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    context = error.ctx if isinstance(error, UsageError) else None
    see = f"see {context.command_path if context else 'mailseal'} --help"
    match error:
        case MissingParameter():
            return f"{_name(error)} is missing", see
        case BadParameter():
            return _about_value(error, see=see)
        case NoSuchOption():
            meant = f"did you mean {' or '.join(error.possibilities)}? " if error.possibilities else ""
            return f"there is no option {error.option_name}", meant + see
        case BadOptionUsage():
            takes_none = "does not take" in error.message
            return f"{error.option_name} {'takes no value' if takes_none else 'needs a value after it'}", see
    if surplus := _SURPLUS.search(error.message):
        return f"there is one argument too many: {surplus[1]}", f"put quotes around what holds blanks; {see}"
    return error.format_message(), see


def _about_value(error: BadParameter, *, see: str) -> tuple[str, str]:
    for said, ours, hint in _VALUES:
        if found := said.search(error.message):
            return ours.format(name=_name(error)), hint.format(*(text.replace("'", "") for text in found.groups()))
    return error.format_message(), see


def _name(error: BadParameter) -> str:
    if error.param is None:
        return "a value"
    name = error.param.opts[0]
    return name if name.startswith("-") else error.param.metavar or name
