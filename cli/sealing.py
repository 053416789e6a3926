"""`mailseal encrypt` and `mailseal decrypt` on files, by the same engine, without server or database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from cli import terminal
from cli.files import P12, File, Out, PassphraseFile, read_certificates, read_mail, read_p12
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from services import start
from smime.cms.ciphers import ContentCipher
from smime.cms.enveloped import OpeningKey
from smime.cms.key_transport import KeyTransport
from smime.cms.recipients import require_sealable
from smime.decrypt import INNER_LEFT_OUT, INNER_TAKEN, open_sealed, read_sealed
from smime.encrypt import NamedRecipients, named_recipients, seal_message

ALGORITHMS: Final = {
    "compatible": (ContentCipher.AES256_CBC, KeyTransport.PKCS1),
    "modern": (ContentCipher.AES256_GCM, KeyTransport.OAEP),
}
FINDINGS: Final = {
    INNER_TAKEN: "Fields that were sealed with the message, such as its subject, stand in its header now.",
    INNER_LEFT_OUT: "Fields that were sealed with the message were left out: the header has them, or none may come so.",
}


def encrypt(
    file: File,
    cert: Annotated[
        list[Path],
        typer.Option("--cert", metavar="FILE...", help="A recipient's certificates, PEM or DER; may be repeated."),
    ],
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="ADDRESS...", help="A recipient; may be repeated; default: those in To and Cc."),
    ] = None,
    algorithms: Annotated[
        str, typer.Option("--algorithms", help="compatible, which everybody reads, or modern.")
    ] = "compatible",
    out: Out = None,
) -> None:
    """Seal a message to its recipients; one file holds no blind ones, who need messages of their own."""
    if algorithms not in ALGORITHMS:
        terminal.stop("--algorithms is not one of its choices", hint=f"choose one of {', '.join(ALGORITHMS)}")
    message = read_mail(file)
    named = named_recipients(message)
    recipients = _recipients(named.narrowed(map(Mailbox.parse, to)) if to else named)
    certificates = _sealable(cert)
    chosen = [one for mailbox in recipients for one in _of(mailbox, certificates)]
    cipher, transport = ALGORITHMS[algorithms]
    sealed = seal_message(message, certificates=chosen, cipher=cipher, transport=transport)
    terminal.write_out(sealed, out=out)


def decrypt(
    file: File,
    p12: P12,
    passphrase_file: PassphraseFile = None,
    out: Out = None,
) -> None:
    """Open a sealed message with the key in a .p12 file."""
    message = read_mail(file)
    key, certificate, _ = read_p12(p12, passphrase_file)
    sealed = read_sealed(message)
    opened = open_sealed(sealed, keys=[OpeningKey(certificate=certificate, key=key)])
    terminal.write_out(opened.data, out=out)
    for finding in opened.findings:
        terminal.note(f"{FINDINGS.get(finding, 'There is a finding without words')} ({finding})")
    if not sealed.enveloped.authenticated:
        terminal.note("its encryption does not show whether it was altered; `mailseal verify` judges a signature in it")


def _recipients(named: NamedRecipients) -> tuple[Mailbox, ...]:
    if named.blind:
        terminal.stop(
            f"{named.blind[0]} is not in To or Cc, and would be seen by the others",
            hint="seal a message of its own for each such recipient, without Bcc",
            exit_code=terminal.NO,
        )
    if not named.visible:
        terminal.stop("the message names no recipient", hint="add a To field", exit_code=terminal.NO)
    return named.visible


def _sealable(files: list[Path]) -> list[Certificate]:
    """The given certificates, each of which must be good for sealing today."""
    now = start.now()
    leaves = [one for one in read_certificates(files) if not one.is_ca]
    for one in leaves:
        require_sealable(one, at=now)
    return leaves


def _of(mailbox: Mailbox, certificates: list[Certificate]) -> list[Certificate]:
    fitting = [one for one in certificates if one.covers(mailbox)]
    if not fitting:
        terminal.stop(
            f"there is no certificate for {mailbox}",
            hint="give it with --cert; `mailseal certificates list --mailbox` finds those of the campus",
            exit_code=terminal.NO,
        )
    return fitting
