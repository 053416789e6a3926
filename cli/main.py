"""`mailseal <noun> <verb>`: exit 0 is a yes, 1 a no, 2 could not run."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

# typer carries its click inside, and offers no public name for the error of a wrong command line.
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from cli import doctor, files, init, remote, sealing, serve, terminal
from cli.audit import audit
from cli.terminal import COULD_NOT_RUN, NO, Stop
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
        returned = app(arguments, standalone_mode=False)
    except Stop as stopped:
        terminal.fail(stopped.message, hint=stopped.hint)
        return stopped.exit_code
    except SettingsWrong as refusal:
        for error in refusal.errors:
            terminal.fail(error)
        terminal.fail("the settings cannot be used", hint=refusal.hint)
        return COULD_NOT_RUN
    except Refusal as refusal:
        terminal.fail(refusal.detail, hint=refusal.hint)
        return COULD_NOT_RUN if isinstance(refusal, NotReady) else NO
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        terminal.fail("stopped", hint="where nobody can be asked, `init` takes --yes")
        return COULD_NOT_RUN
    except NoArgsIsHelpError as bare:
        terminal.say(bare.format_message())
        return COULD_NOT_RUN
    except ClickException as error:
        path = getattr(getattr(error, "ctx", None), "command_path", "mailseal")
        terminal.fail(error.format_message(), hint=f"see {path} --help")
        return COULD_NOT_RUN
    return returned if isinstance(returned, int) else 0
