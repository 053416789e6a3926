"""`mailseal <noun> <verb>`: exit 0 is a yes, 1 a no, 2 could not run, 141 nobody reads on."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

# typer carries its click inside, and offers no public name for the error of a wrong command line.
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from cli import doctor, files, init, mistakes, remote, sealing, serve, terminal
from cli.audit import audit
from cli.terminal import COULD_NOT_RUN, NO, READER_GONE, ReaderGone, Stop
from formats.errors import NotReady, Refusal
from services.settings import SettingsWrong


def _version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"mailseal {metadata.version('mailseal')}")
        raise typer.Exit


app = typer.Typer(
    name="mailseal",
    help="A campus CA for S/MIME, and the service that signs, verifies, encrypts and decrypts mail.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What stands before every noun."""


app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("migrate")(init.migrate)
app.command("doctor")(doctor.doctor)
app.command("sign")(files.sign)
app.command("verify")(files.verify)
app.command("encrypt")(sealing.encrypt)
app.command("decrypt")(sealing.decrypt)
app.command("revoke")(remote.revoke)
app.add_typer(remote.certificates, name="certificates")
app.add_typer(remote.identities, name="identities")
app.add_typer(remote.api_keys, name="api-keys")
app.add_typer(remote.root, name="root")
app.add_typer(audit, name="audit")


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code. Nothing but our own words reaches the terminal."""
    try:
        returned = app(arguments, prog_name="mailseal", standalone_mode=False)
    except ReaderGone:
        return READER_GONE
    except typer.Exit as ended:
        return ended.exit_code
    except NoArgsIsHelpError as bare:
        terminal.say(bare.format_message())
        return COULD_NOT_RUN
    except (Stop, Refusal, ClickException, typer.Abort) as error:
        return _tell(error)
    return returned if isinstance(returned, int) else 0


def _tell(error: Exception) -> int:
    """Say what went wrong; returns the exit code."""
    match error:
        case Stop():
            terminal.fail(error.message, hint=error.hint)
            return error.exit_code
        case SettingsWrong():
            for line in error.errors:
                terminal.fail(line)
            terminal.fail("the settings cannot be used", hint=error.hint)
        case Refusal():
            terminal.fail(error.detail, hint=error.hint)
            return COULD_NOT_RUN if isinstance(error, NotReady) else NO
        case ClickException():
            message, hint = mistakes.told(error)
            terminal.fail(message, hint=hint)
        case _:
            terminal.fail("stopped before it was done")
    return COULD_NOT_RUN
