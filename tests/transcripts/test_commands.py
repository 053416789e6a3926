import base64
import json
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.words import pages
from tests.campus import csr
from tests.mails import mail
from tests.openssl import openssl
from tests.served import Served, free_port, serve
from tests.transcripts.commands import Ran, mailseal


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("service")) as served:
        yield served


def on(service: Served, *arguments: str | Path, given: bytes = b"") -> Ran:
    return mailseal(*arguments, environ=service.environ, given=given)


def test_help_names_every_noun() -> None:
    shown = mailseal("--help")
    assert shown.code == 0
    for word in (
        "init",
        "serve",
        "migrate",
        "sign",
        "verify",
        "revoke",
        "certificates",
        "identities",
        "api-keys",
        "root",
    ):
        assert word in shown.out


@pytest.mark.parametrize("arguments", [("nonsense",), ("serve", "--nonsense"), ("revoke",)])
def test_unknown_commands_could_not_run(arguments: tuple[str, ...]) -> None:
    ended = mailseal(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert "hint: " in ended.err


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    wrong = {"MAILSEAL_DATA": str(tmp_path), "MAILSEAL_PORT": "many", "MAILSEAL_WORKRES": "2", "MAILSEAL_COUNTRY": "xx"}
    ended = mailseal("serve", "--init", "--demo", environ=wrong)
    assert ended.code == 2
    for name in ("MAILSEAL_PORT", "MAILSEAL_WORKRES", "MAILSEAL_COUNTRY"):
        assert name in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environ = {"MAILSEAL_DATA": str(tmp_path / "data"), "MAILSEAL_PORT": str(taken.getsockname()[1])}
        ended = mailseal("serve", "--init", "--demo", environ=environ)
    assert ended.code == 2
    assert ended.err.count("error:") == 1
    assert "MAILSEAL_PORT" in ended.err
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    environ = {"MAILSEAL_DATA": str(tmp_path / "data"), "MAILSEAL_PORT": str(free_port())}
    ended = mailseal("serve", "--init", "--demo", environ=environ)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "hint: " in ended.err
    assert (tmp_path / "data").read_text() == "in the way"


def test_serving_without_a_ca_says_how_to_make_one(tmp_path: Path) -> None:
    ended = mailseal("serve", environ={"MAILSEAL_DATA": str(tmp_path / "data"), "MAILSEAL_PORT": str(free_port())})
    assert ended.code == 2
    assert "mailseal init" in ended.err


def test_production_init_names_what_is_missing(tmp_path: Path) -> None:
    ended = mailseal("init", environ={"MAILSEAL_DATA": str(tmp_path / "data")})
    assert ended.code == 2
    for name in ("CAMPUS_NAME", "COUNTRY", "ORGANIZATION_ID", "MAIL_DOMAINS", "STATUS_URL", "KEK_FILE"):
        assert f"MAILSEAL_{name}" in ended.err


def production(folder: Path) -> dict[str, str]:
    (folder / "keys").mkdir(exist_ok=True)
    return {
        "MAILSEAL_DATA": str(folder / "data"),
        "MAILSEAL_CAMPUS_NAME": "Seaside University",
        "MAILSEAL_COUNTRY": "HK",
        "MAILSEAL_ORGANIZATION_ID": "NTRHK-12345678",
        "MAILSEAL_MAIL_DOMAINS": "seaside.example",
        "MAILSEAL_STATUS_URL": "http://pki.seaside.example",
        "MAILSEAL_KEK_FILE": str(folder / "keys" / "kek"),
    }


def test_production_init_asks_once_and_makes_nothing_without_a_yes(tmp_path: Path) -> None:
    ended = mailseal("init", environ=production(tmp_path), given=b"n\n")
    assert ended.code == 1
    assert "Seaside University Mail Root" in ended.out
    assert not (tmp_path / "keys" / "kek").exists()
    assert not (tmp_path / "data" / "root.key").exists()


def test_where_nobody_can_be_asked_each_command_says_what_to_give(tmp_path: Path) -> None:
    founding = mailseal("init", environ=production(tmp_path))
    assert (founding.code, "`init` takes --yes" in founding.err) == (2, True)
    (tmp_path / "mail.eml").write_bytes(mail())
    (tmp_path / "some.p12").write_bytes(b"none")
    for command in ("sign", "decrypt"):
        ended = mailseal(command, "mail.eml", "--p12", "some.p12", folder=tmp_path)
        assert ended.code == 2
        assert ended.err.splitlines() == [
            "error: no passphrase was given",
            "hint: name the file that holds it: --passphrase-file FILE",
        ]


def test_migrating_before_init_says_init(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "data"):
        ended = mailseal("migrate", environ={"MAILSEAL_DATA": str(folder)})
        assert ended.code == 2
        assert "hint: run `mailseal init`" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_production_init_leaves_an_encrypted_root_key(tmp_path: Path) -> None:
    made = mailseal("init", "--yes", environ=production(tmp_path))
    assert made.code == 0, made.err
    data = tmp_path / "data"
    assert b"ENCRYPTED PRIVATE KEY" in (data / "root.key").read_bytes()
    passphrase = (data / "root.passphrase").read_text().strip()
    assert openssl("pkey", "-in", data / "root.key", "-passin", f"pass:{passphrase}", "-noout").ok
    assert passphrase not in made.out + made.err
    assert (data / "admin.key").read_text().strip() not in made.out + made.err
    for name in ("root.key", "root.passphrase", "admin.key"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    again = mailseal("init", "--yes", environ=production(tmp_path))
    assert (again.code, "the CA is there" in again.err) == (0, True)


def test_a_demo_never_becomes_production(service: Served) -> None:
    ended = mailseal("init", "--yes", environ={**production(service.data.parent), "MAILSEAL_DATA": str(service.data)})
    assert ended.code != 0
    assert "error: " in ended.err


def test_certificates_from_request_to_revocation(service: Served, tmp_path: Path) -> None:
    request = tmp_path / "request.pem"
    request.write_bytes(csr("grace@campus.example"))
    issued = on(service, "certificates", "issue", request, "--json")
    assert issued.code == 0, issued.err
    serial = json.loads(issued.out)["serial"]

    listed = on(service, "certificates", "list", "--mailbox", "grace@campus.example", "--json")
    assert [row["serial"] for row in json.loads(listed.out)] == [serial]
    shown = on(service, "certificates", "show", serial)
    assert shown.out.count("BEGIN CERTIFICATE") >= 2

    revoked = on(service, "revoke", serial, "--reason", "stolen", "--json")
    assert json.loads(revoked.out)[0]["revocation"]["reason"] == "keyCompromise"
    again = on(service, "revoke", serial, "--reason", "stolen")
    assert (again.code, "already_revoked" in again.err) == (1, True)


def test_identities_are_added_paused_renewed(service: Served) -> None:
    assert on(service, "identities", "add", "desk@campus.example", "--key", "p256").code == 0
    paused = on(service, "identities", "pause", "desk@campus.example", "--json")
    assert json.loads(paused.out)[0]["status"] == "paused"
    resumed = on(service, "identities", "pause", "desk@campus.example", "--end", "--json")
    assert json.loads(resumed.out)[0]["status"] == "active"
    renewed = on(service, "identities", "renew", "desk@campus.example", "--json")
    assert json.loads(renewed.out)[0]["serial"] != json.loads(resumed.out)[0]["serial"]
    assert "desk@campus.example" in on(service, "identities", "list").out


def test_an_identity_is_revoked_with_a_remark(service: Served) -> None:
    added = on(service, "identities", "add", "remarks@campus.example", "--key", "p256", "--json")
    remark = ("--reason", "stopped", "--note", "moved house", "--json")
    revoked = on(service, "identities", "revoke", "remarks@campus.example", *remark)
    assert json.loads(revoked.out)[0]["status"] == "revoked", revoked.err
    with closing(sqlite3.connect(service.data / "mailseal.db")) as database:
        serial = json.loads(added.out)[0]["serial"]
        (row,) = database.execute("SELECT note FROM certificates WHERE serial = ?", (serial,)).fetchall()
    assert row == ("moved house",)


def test_a_local_key_for_foreign_mailboxes_is_made_and_told_of(service: Served) -> None:
    mailboxes = ("--mailbox", "*@else.example", "--mailbox", "desk@campus.example", "--mailbox", "me@far.example")
    made = on(service, "api-keys", "add", "far", "--scope", "messages:sign", *mailboxes, "--local")
    assert made.out.startswith("ms_live_")
    assert made.err.splitlines()[-1].endswith("*@else.example, me@far.example")
    assert "outside the mail domains of this campus (campus.example" in made.err
    assert on(service, "api-keys", "add", "near", "--scope", "messages:sign", *mailboxes[2:4], "--local").err == ""


def test_api_keys_over_http_and_on_the_machine(service: Served) -> None:
    made = on(service, "api-keys", "add", "reports", "--scope", "messages:verify", "--json")
    key_id = json.loads(made.out)["id"]
    rotated = on(service, "api-keys", "rotate", key_id)
    assert rotated.out.startswith("ms_live_")
    assert on(service, "api-keys", "delete", key_id).code == 0
    local = on(service, "api-keys", "add", "machine", "--scope", "admin", "--local")
    assert local.out.startswith("ms_live_")
    listed = on(service, "api-keys", "list", "--json")
    assert "machine" in {row["name"] for row in json.loads(listed.out)}


def test_root_is_exported(service: Served, tmp_path: Path) -> None:
    out = tmp_path / "root.der"
    assert on(service, "root", "export", "--der", "--out", out).code == 0
    assert openssl("x509", "-inform", "DER", "-in", out, "-noout").ok
    assert "BEGIN CERTIFICATE" in on(service, "root", "export").out


def test_files_are_signed_and_verified_without_server(service: Served, tmp_path: Path) -> None:
    made = service.post(
        "/v1/certificates/pkcs12",
        status=201,
        json={"profile": "mailbox", "mailboxes": ["heidi@campus.example"], "key": "p256", "format": "modern"},
    ).json()

    (tmp_path / "heidi.p12").write_bytes(base64.b64decode(made["pkcs12"]))
    (tmp_path / "passphrase").write_text(made["passphrase"])
    (tmp_path / "mail.eml").write_bytes(mail(sender="heidi@campus.example"))
    (tmp_path / "root.pem").write_bytes(service.http.get("/root.pem").content)
    (tmp_path / "g1.crl").write_bytes(service.http.get("/crl/g1.crl").content)
    (tmp_path / "root.crl").write_bytes(service.http.get("/crl/root.crl").content)

    signed = mailseal(
        "sign", "mail.eml", "--p12", "heidi.p12", "--passphrase-file", "passphrase", "--out", "signed.eml",
        folder=tmp_path,
    )  # fmt: skip
    assert signed.code == 0, signed.err

    def verify(file: str, *options: str) -> Ran:
        return mailseal("verify", file, "--anchor", "root.pem", *options, folder=tmp_path)

    crls = ("--crl", "g1.crl", "--crl", "root.crl")
    assert verify("signed.eml", *crls).code == 0
    assert verify("signed.eml").code == 1
    unknown = verify("signed.eml")
    assert "(revocation_unknown)" in unknown.out
    assert "whether the signer's certificate was revoked" in unknown.out
    assert "hint: give the CRL of each CA above the signer with --crl FILE" in unknown.err
    assert "/crl/g1.crl and /crl/root.crl at its status address" in unknown.err
    of_a_ca = verify("signed.eml", "--crl", "g1.crl")
    assert (of_a_ca.code, of_a_ca.err) == (1, unknown.err)
    assert "an authority above the signer was revoked. (revocation_unknown)" in of_a_ca.out
    of_the_signer = verify("signed.eml", "--crl", "root.crl")
    assert "whether the signer's certificate was revoked. (revocation_unknown)" in of_the_signer.out
    assert verify("signed.eml", "--revocation", "soft").code == 0
    assert verify("signed.eml", *crls).err == ""
    assert verify("signed.eml", "--revocation", "off").code == 0
    noise = verify("signed.eml", "--crl", "mail.eml")
    assert (noise.code, "mail.eml is not a list of revoked certificates (CRL)" in noise.err) == (2, True)
    (tmp_path / "altered.eml").write_bytes((tmp_path / "signed.eml").read_bytes().replace(b"Friday", b"Monday"))
    altered = verify("altered.eml", *crls)
    assert (altered.code, "(message_altered)" in altered.out) == (1, True)
    assert service.verify((tmp_path / "signed.eml").read_bytes())["verdict"] == "valid"


def test_a_service_that_is_not_there_could_not_run(service: Served) -> None:
    environ = {**service.environ, "MAILSEAL_URL": f"http://localhost:{free_port()}"}
    ended = mailseal("identities", "list", environ=environ)
    assert ended.code == 2
    assert "MAILSEAL_URL" in ended.err


def test_a_wrong_key_file_is_never_shown(service: Served, tmp_path: Path) -> None:
    wrong = tmp_path / "key.pem"
    wrong.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    ended = mailseal("identities", "list", environ={**service.environ, "MAILSEAL_API_KEY_FILE": str(wrong)})
    assert ended.code == 2
    assert "does not hold an API key" in ended.err
    assert "c2VjcmV0" not in ended.out + ended.err


@pytest.mark.parametrize("arguments", [(), ("certificates",)])
def test_a_noun_alone_shows_its_help(arguments: tuple[str, ...]) -> None:
    shown = mailseal(*arguments)
    assert shown.code == 2
    assert "Commands:" in shown.out
    assert shown.err == ""


def test_a_serial_as_openssl_prints_it_or_a_page_shows_it_is_taken(service: Served) -> None:
    added = on(service, "identities", "add", "colons@campus.example", "--key", "p256", "--json")
    serial = json.loads(added.out)[0]["serial"]
    colons = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2))
    assert on(service, "certificates", "show", colons).code == 0
    assert on(service, "certificates", "show", pages.grouped(serial)).code == 0
    assert on(service, "revoke", f" {pages.grouped(serial)} ", "--reason", "left").code == 0
    listed = on(service, "identities", "list")
    assert serial in listed.out
