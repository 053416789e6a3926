"""`mailseal sign` and `mailseal verify` on files, by the same engine, without server or database."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from cli import terminal
from formats import pem
from formats.certificate import Certificate
from formats.errors import Malformed
from keys import pkcs12
from keys.software import PrivateKey
from services.words import reports
from smime import report as reporting
from smime import verify as craft
from smime.message import Message, read_message
from smime.path.chains import Anchor
from smime.path.crls import read_crl
from smime.path.evidence import Evidence
from smime.report import Verdict
from smime.sign import Form, sign_message
from smime.signer import Signer
from smime.trust import Options, Trust

MESSAGE_OCTETS = 64 * 1024 * 1024
FILE_OCTETS = 32 * 1024 * 1024
MESSAGE_LIMIT = 25 * 1024 * 1024

_MAIL_WANTED: Final = "give the mail as it came, with its header; mail programs save it as an .eml file"
_P12_WANTED: Final = "give the .p12 file as it was handed out"
_CERTIFICATE_WANTED: Final = "give a file in PEM or DER, such as the root.pem of the service"
_CRL_WANTED: Final = "give a file in PEM or DER, such as the service has at /crl/g1.crl"
_CRLS_WANTED: Final = (
    "give the CRL of each CA above the signer with --crl FILE: those of the campus are /crl/g1.crl and /crl/root.crl"
    " at its status address; or do without by --revocation soft"
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The message; - is standard input.")]
Anchors = Annotated[
    list[Path], typer.Option("--anchor", metavar="FILE...", help="A root to trust, PEM or DER; may be repeated.")
]
P12 = Annotated[Path, typer.Option("--p12", metavar="FILE", help="The file with key and certificate.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="The file with its passphrase; else it is asked."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write to this file instead of standard output.")
]


def sign(
    file: File,
    p12: P12,
    passphrase_file: PassphraseFile = None,
    form: Annotated[Form, typer.Option("--as", help="How the signature is packed.")] = Form.DETACHED,
    out: Out = None,
) -> None:
    """Sign a message with the key in a .p12 file."""
    message = read_mail(file)
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
    file: File,
    anchor: Anchors,
    cert: Annotated[
        list[Path] | None,
        typer.Option("--cert", metavar="FILE...", help="A further certificate for the chain; may be repeated."),
    ] = None,
    crl: Annotated[
        list[Path] | None, typer.Option("--crl", metavar="FILE...", help="A CRL, PEM or DER; may be repeated.")
    ] = None,
    revocation: Annotated[
        str, typer.Option("--revocation", help="hard: unknown is not valid; soft: it is told; off.")
    ] = "hard",
    at: Annotated[datetime | None, typer.Option("--at", help="Judge as of this time, UTC.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the signed bytes here if valid.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Verify a message: exit 0 if it is valid, 1 if not."""
    if revocation not in {"hard", "soft", "off"}:
        terminal.stop("--revocation is not one of its choices", hint="choose one of hard, soft, off")
    now = datetime.now(UTC)
    opened = craft.read(read_mail(file))
    trust = Trust(
        anchors=tuple(Anchor.of(certificate) for certificate in read_certificates(anchor)),
        intermediates=tuple(read_certificates(cert or [])),
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
    if "revocation_unknown" in report.reasons:
        terminal.hint(_CRLS_WANTED)
    valid = report.verdict == Verdict.VALID
    if valid and out is not None:
        terminal.write_out(craft.signed_bytes(opened), out=out)
    return 0 if valid else terminal.NO


def read_mail(file: Path) -> Message:
    """The message in a file, which is not believed to be one."""
    content = terminal.read_file(file, limit=MESSAGE_OCTETS)
    try:
        return read_message(content, limit=MESSAGE_LIMIT)
    except Malformed as refusal:
        terminal.stop(f"{file} is not a whole mail: {refusal.detail}", hint=_MAIL_WANTED, exit_code=terminal.NO)


def read_p12(file: Path, passphrase_file: Path | None) -> tuple[PrivateKey, Certificate, tuple[Certificate, ...]]:
    """The key, its certificate and the rest of the chain in a .p12 file."""
    content = terminal.read_file(file, limit=FILE_OCTETS)
    passphrase = _passphrase(passphrase_file)
    with terminal.reading(file, what="a .p12 file with a key and its certificate", give=_P12_WANTED):
        return pkcs12.read_pkcs12(content, passphrase)


def read_certificates(files: list[Path]) -> list[Certificate]:
    """Every certificate in these files."""
    found: list[Certificate] = []
    for file in files:
        content = terminal.read_file(file, limit=FILE_OCTETS)
        with terminal.reading(file, what="a certificate, or a list of them", give=_CERTIFICATE_WANTED):
            found += Certificate.read_many(content)
    return found


def _passphrase(file: Path | None) -> str:
    if file is None:
        return _ask_passphrase()
    text = terminal.read_file(file, limit=4096)
    try:
        return text.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        terminal.stop(f"{file} is not text", hint="give the file that holds the passphrase, and nothing else")


def _ask_passphrase() -> str:
    with suppress(typer.Abort):
        if terminal.is_there():
            return str(typer.prompt("passphrase", hide_input=True, err=True))
    return terminal.stop("no passphrase was given", hint="name the file that holds it: --passphrase-file FILE")


def _crls(files: list[Path]) -> list[bytes]:
    found: list[bytes] = []
    for file in files:
        content = terminal.read_file(file, limit=FILE_OCTETS)
        with terminal.reading(file, what="a list of revoked certificates (CRL)", give=_CRL_WANTED):
            ders = pem.unwrap(content, "X509 CRL")
            for der in ders:
                read_crl(der)
        found += ders
    return found
