"""The nouns over HTTP: certificates, identities, API keys, the root."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from ca import reasons
from ca.errors import ReasonNotAllowed
from cli import client, init, terminal
from services import api_keys as local_keys
from services import start
from services.api_keys import Grant

REQUEST_OCTETS = 64 * 1024

certificates = typer.Typer(help="Certificates that the campus CA has issued.", no_args_is_help=True)
identities = typer.Typer(help="Department mailboxes with keys kept by Mailseal.", no_args_is_help=True)
api_keys = typer.Typer(help="Keys for programs that call the API.", no_args_is_help=True)
root = typer.Typer(help="The campus root.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write to this file instead of standard output.")
]
Serial = Annotated[
    str,
    # openssl prints it with colons, and pages show it in groups of capitals
    typer.Argument(
        help="The certificate's serial number.",
        callback=lambda text: "".join(text.replace(":", " ").split()).lower(),
    ),
]
Note = Annotated[str | None, typer.Option(help="A remark for the record.")]
Mailbox = Annotated[str, typer.Argument(help="The mailbox's address.")]
Reason = Annotated[
    str,
    typer.Option("--reason", help="stolen, left, replaced, stopped, withdrawn, or the standard's own name."),
]

_CERTIFICATE_COLUMNS = ("serial", "status", "profile", "use", "mailboxes", "not_after")
_IDENTITY_COLUMNS = ("mailbox", "status", "serial", "encryption_serial")
_KEY_COLUMNS = ("id", "name", "scopes", "mailboxes", "expires_at", "last_used_at")


@certificates.command("list")
def list_certificates(
    mailbox: Annotated[str | None, typer.Option(help="Only for this mailbox.")] = None,
    status: Annotated[str | None, typer.Option(help="active, revoked or expired.")] = None,
    person: Annotated[str | None, typer.Option(help="Only of this person.")] = None,
    q: Annotated[str | None, typer.Option("--search", help="Part of a subject or mailbox.")] = None,
    as_json: Json = False,
) -> None:
    """List certificates, newest first."""
    query = {"mailbox": mailbox, "status": status, "person": person, "q": q}
    with client.connect() as service:
        _show(list(client.every_item(service, "/v1/certificates", query=query)), _CERTIFICATE_COLUMNS, as_json)


@certificates.command("show")
def show_certificate(serial: Serial, as_json: Json = False, out: Out = None) -> None:
    """Show one certificate; without --json as PEM with its chain."""
    accept = "application/json" if as_json else "application/pem-certificate-chain"
    with client.connect() as service:
        answer = client.call(service, "GET", f"/v1/certificates/{quote(serial, safe='')}", accept=accept)
    terminal.write_out(answer.content, out=out)


@certificates.command("issue")
def issue_certificate(
    request: Annotated[
        Path, typer.Argument(metavar="FILE", help="The PKCS#10 request, PEM or DER; - is standard input.")
    ],
    mailbox: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS...", help="The address to certify; default: the request's.")
    ] = None,
    profile: Annotated[str, typer.Option(help="mailbox or role.")] = "mailbox",
    use: Annotated[str, typer.Option(help="dual, sign or encrypt.")] = "dual",
    days: Annotated[int | None, typer.Option(help="How many days it is to be valid.")] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Issue a certificate for a request; prints it as PEM with its chain."""
    query: dict[str, Any] = {"profile": profile, "use": use, "days": days, "mailbox": mailbox or None}
    content = terminal.read_file(request, limit=REQUEST_OCTETS)
    accept = "application/json" if as_json else "application/pem-certificate-chain"
    with client.connect() as service:
        answer = client.call(
            service,
            "POST",
            "/v1/certificates",
            query=query,
            content=content,
            media_type="application/pkcs10",
            accept=accept,
        )
    terminal.write_out(answer.content, out=out)


@certificates.command("revoke")
def revoke_certificate(serial: Serial, reason: Reason, note: Note = None, as_json: Json = False) -> None:
    """Revoke a certificate; there is no way back."""
    revoke(serial, reason=reason, note=note, as_json=as_json)


def revoke(
    serial: Serial,
    reason: Reason,
    note: Note = None,
    as_json: Json = False,
) -> None:
    """Revoke a certificate; there is no way back."""
    cause = _cause(reason, note)
    with client.connect() as service:
        answer = client.call(service, "POST", f"/v1/certificates/{quote(serial, safe='')}/revocation", body=cause)
    _show([answer.json()], _CERTIFICATE_COLUMNS, as_json)


@identities.command("list")
def list_identities(as_json: Json = False) -> None:
    """List identities, newest first."""
    with client.connect() as service:
        _show(list(client.every_item(service, "/v1/identities", query={})), _IDENTITY_COLUMNS, as_json)


@identities.command("add")
def add_identity(
    mailbox: Mailbox,
    key: Annotated[str | None, typer.Option(help="The signing key: rsa3072, p256, ...")] = None,
    encryption_key: Annotated[str | None, typer.Option(help="The decryption key: rsa3072, p256, ...")] = None,
    as_json: Json = False,
) -> None:
    """Make an identity with two keys, or find it made."""
    body = {"mailbox": mailbox, "key": key, "encryption_key": encryption_key}
    with client.connect() as service:
        answer = client.call(
            service, "POST", "/v1/identities", body={name: value for name, value in body.items() if value}
        )
    _show([answer.json()], _IDENTITY_COLUMNS, as_json)


@identities.command("renew")
def renew_identity(mailbox: Mailbox, as_json: Json = False) -> None:
    """Give an identity new keys and certificates."""
    _on_identity("POST", mailbox, "renewal", as_json=as_json)


@identities.command("pause")
def pause_identity(
    mailbox: Mailbox,
    end: Annotated[bool, typer.Option("--end", help="End the pause.")] = False,
    as_json: Json = False,
) -> None:
    """Stop signing in an identity's name until --end."""
    _on_identity("DELETE" if end else "PUT", mailbox, "pause", as_json=as_json)


@identities.command("revoke")
def revoke_identity(mailbox: Mailbox, reason: Reason, note: Note = None, as_json: Json = False) -> None:
    """End both certificates of an identity; keys that open old mail are kept."""
    _on_identity("POST", mailbox, "revocation", body=_cause(reason, note), as_json=as_json)


@api_keys.command("add")
def add_api_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str] | None, typer.Option(metavar="SCOPE...", help="A scope; may be repeated.")] = None,
    mailbox: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS...", help="An address or *@domain; may be repeated.")
    ] = None,
    cidr: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK...", help="A network it may be used from; may be repeated.")
    ] = None,
    expires_at: Annotated[datetime | None, typer.Option(help="When it ends, UTC.")] = None,
    local: Annotated[bool, typer.Option("--local", help="On the machine itself, without the service.")] = False,
    as_json: Json = False,
) -> None:
    """Make an API key; it is shown once."""
    body: dict[str, Any] = {
        "name": name,
        "scopes": scope or [],
        "mailboxes": mailbox or [],
        "cidrs": cidr or [],
        "expires_at": f"{expires_at:%Y-%m-%dT%H:%M:%SZ}" if expires_at else None,
    }
    if local:
        made = _add_local(body, expires_at)
    else:
        with client.connect() as service:
            made = client.call(service, "POST", "/v1/api-keys", body=body).json()
    terminal.show_json(made) if as_json else terminal.say(str(made["key"]))


@api_keys.command("list")
def list_api_keys(as_json: Json = False) -> None:
    """List API keys, newest first."""
    with client.connect() as service:
        rows = list(client.every_item(service, "/v1/api-keys", query={}))
    _show(rows if as_json else admin_first(rows), _KEY_COLUMNS, as_json)


def admin_first(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, in which a list that is cut short still shows whether the key is an administrator's."""
    return [{**row, "scopes": sorted(row["scopes"], key=lambda scope: scope != "admin")} for row in rows]


@api_keys.command("rotate")
def rotate_api_key(key_id: Annotated[str, typer.Argument(help="The key's id.")], as_json: Json = False) -> None:
    """Make a key's successor; it is shown once, and the old one works on for a while."""
    with client.connect() as service:
        made = client.call(service, "POST", f"/v1/api-keys/{quote(key_id, safe='')}/rotation").json()
    terminal.show_json(made) if as_json else terminal.say(str(made["key"]))


@api_keys.command("delete")
def delete_api_key(key_id: Annotated[str, typer.Argument(help="The key's id.")]) -> None:
    """End an API key at once."""
    with client.connect() as service:
        client.call(service, "DELETE", f"/v1/api-keys/{quote(key_id, safe='')}")
    terminal.note("the key has ended")


@root.command("export")
def export_root(
    der: Annotated[bool, typer.Option("--der", help="DER instead of PEM.")] = False, out: Out = None
) -> None:
    """Write the campus root's certificate."""
    with client.connect() as service:
        answer = client.call(service, "GET", "/root.crt" if der else "/root.pem", accept="*/*")
    terminal.write_out(answer.content, out=out, binary=der)


def _cause(reason: str, note: str | None) -> dict[str, str]:
    try:
        cause = reasons.parse_word(reason)
    except ReasonNotAllowed:
        terminal.stop("--reason is not one of its choices", hint=f"choose one of {', '.join(reasons.WORDS)}")
    return {"reason": cause.value} | ({"note": note} if note else {})


def _on_identity(method: str, mailbox: str, what: str, *, as_json: bool, body: object = None) -> None:
    with client.connect() as service:
        answer = client.call(service, method, f"/v1/identities/{quote(mailbox, safe='')}/{what}", body=body)
    _show([answer.json()], _IDENTITY_COLUMNS, as_json)


def _add_local(body: dict[str, Any], expires_at: datetime | None) -> dict[str, object]:
    settings, demo = init.settings_of_this_machine()
    context = start.open_context(settings, demo=demo)
    try:
        made = local_keys.add_local(
            context,
            grant=Grant(
                name=body["name"],
                scopes=tuple(body["scopes"]),
                mailboxes=tuple(body["mailboxes"]),
                cidrs=tuple(body["cidrs"]),
                expires_at=expires_at.replace(tzinfo=UTC) if expires_at else None,
            ),
            request_id=f"local-{secrets.token_hex(8)}",
        )
        _tell_of_foreign(made.row.mailboxes, domains=context.issuers.campus.mail_domains)
    finally:
        start.close_context(context)
    return {"id": made.row.id, "key": made.key, "name": made.row.name}


def _tell_of_foreign(mailboxes: Iterable[str], *, domains: Sequence[str]) -> None:
    """Such a key is made, because a domain may be added later; until then it is of no use there."""
    foreign = [text for text in mailboxes if text.rpartition("@")[2] not in domains]
    if foreign:
        terminal.note(f"outside the mail domains of this campus ({', '.join(domains)}): {', '.join(foreign)}")


def _show(rows: list[dict[str, object]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        terminal.show_json(rows)
    else:
        terminal.show_rows(rows, columns=columns)
