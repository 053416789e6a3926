"""`mailseal sign` and `mailseal verify` on files, by the same engine, without server or database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import terminal
from formats import pem
from formats.certificate import Certificate
from keys import pkcs12
from keys.software import PrivateKey
from services.words import reports
from smime import report as reporting
from smime import verify as craft
from smime.message import read_message
from smime.path.chains import Anchor
from smime.path.evidence import Evidence
from smime.report import Verdict
from smime.sign import Form, sign_message
from smime.signer import Signer
from smime.trust import Options, Trust

MESSAGE_OCTETS = 64 * 1024 * 1024
FILE_OCTETS = 32 * 1024 * 1024
MESSAGE_LIMIT = 25 * 1024 * 1024

Message = Annotated[Path, typer.Argument(metavar="FILE", help="The message; - is standard input.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")]


def sign(
    file: Message,
    p12: Annotated[Path, typer.Option("--p12", help="The file with key and certificate.")],
    passphrase_file: Annotated[
        Path | None, typer.Option("--passphrase-file", help="The file with its passphrase; else it is asked.")
    ] = None,
    form: Annotated[Form, typer.Option("--as", help="How the signature is packed.")] = Form.DETACHED,
    out: Out = None,
) -> None:
    """Sign a message with the key in a .p12 file."""
    message = read_message(terminal.read_file(file, limit=MESSAGE_OCTETS), limit=MESSAGE_LIMIT)
    key, certificate, chain = read_p12(p12, passphrase_file)
    for sender in message.senders():
        if not certificate.covers(sender):
            terminal.stop(
                f"the certificate is not for {sender}", hint="use the .p12 of the From address", exit_code=terminal.NO
            )
    signer = Signer(
        certificate=certificate,
        # RFC 8551 2.3: the root is known to those who trust it.
        chain=tuple(issuer for issuer in chain if not issuer.is_self_issued),
        key=key,
        encryption_certificate=None,
    )
    signed = sign_message(message, signer=signer, form=form, now=datetime.now(UTC), date="refuse")
    terminal.write_out(signed.data, out=out)


def verify(
    file: Message,
    anchor: Annotated[list[Path], typer.Option("--anchor", help="A root to trust, PEM or DER; may be repeated.")],
    cert: Annotated[
        list[Path] | None, typer.Option("--cert", help="A further certificate for the chain; may be repeated.")
    ] = None,
    crl: Annotated[list[Path] | None, typer.Option("--crl", help="A CRL, PEM or DER; may be repeated.")] = None,
    revocation: Annotated[
        str, typer.Option("--revocation", help="hard: unknown is not valid; soft: it is told; off.")
    ] = "hard",
    at: Annotated[datetime | None, typer.Option("--at", help="Judge as of this time, UTC.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the signed bytes here if valid.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Verify a message: exit 0 if it is valid, 1 if not."""
    if revocation not in {"hard", "soft", "off"}:
        terminal.stop("revocation is hard, soft or off")
    now = datetime.now(UTC)
    opened = craft.read(read_message(terminal.read_file(file, limit=MESSAGE_OCTETS), limit=MESSAGE_LIMIT))
    trust = Trust(
        anchors=tuple(Anchor.of(certificate) for certificate in _certificates(anchor)),
        intermediates=tuple(_certificates(cert or [])),
        evidence=Evidence(crls=tuple(_crls(crl or [])), records=()),
        at=at.replace(tzinfo=UTC) if at else now,
        now=now,
        options=Options(revocation=revocation),
        records_of_time=(),
    )
    report = craft.judge(opened, trust=trust)
    sentences = reports.sentences(report)
    if as_json:
        terminal.show_json(reporting.as_json(report, summary=sentences))
    else:
        for sentence in sentences:
            terminal.say(sentence)
    valid = report.verdict == Verdict.VALID
    if valid and out is not None:
        terminal.write_out(craft.signed_bytes(opened), out=out)
    return 0 if valid else terminal.NO


def read_p12(file: Path, passphrase_file: Path | None) -> tuple[PrivateKey, Certificate, tuple[Certificate, ...]]:
    """The key, its certificate and the rest of the chain in a .p12 file."""
    return pkcs12.read_pkcs12(terminal.read_file(file, limit=FILE_OCTETS), _passphrase(passphrase_file))


def _passphrase(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("passphrase", hide_input=True, err=True))
    text = terminal.read_file(file, limit=4096)
    try:
        return text.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        terminal.stop(f"{file} is not text")


def _certificates(files: list[Path]) -> list[Certificate]:
    return [
        certificate
        for file in files
        for certificate in Certificate.read_many(terminal.read_file(file, limit=FILE_OCTETS))
    ]


def _crls(files: list[Path]) -> list[bytes]:
    return [der for file in files for der in pem.unwrap(terminal.read_file(file, limit=FILE_OCTETS), "X509 CRL")]
