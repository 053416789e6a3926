from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ca.errors import LintRefused
from db import api_keys, authorities, crls, installation, private_keys
from db.authorities import AuthorityRow
from formats.algorithms import KeyKind, spki_der
from formats.certificate import Certificate
from keys import software
from keys.errors import KekMissing, PassphraseWrong
from services import access, credential, founding, publication, start
from services.authority import SCOPES
from services.charter import Plan
from services.errors import DataUnsafe, FolderNotWritable, NotADemo, SettingsDiffer
from services.founding import Founded, FoundingDeclined
from services.settings import Settings, SettingsWrong, load_settings
from tests.campus import demo_settings
from tests.database import opened
from tests.fakes import FakeClock
from tests.openssl import openssl

PRODUCTION = {
    "MAILSEAL_CAMPUS_NAME": "University of the Campus",
    "MAILSEAL_COUNTRY": "HK",
    "MAILSEAL_ORGANIZATION_ID": "NTRHK-12345678",
    "MAILSEAL_MAIL_DOMAINS": "campus.example.edu",
    "MAILSEAL_STATUS_URL": "http://pki.campus.example.edu",
}


@pytest.fixture(scope="module")
def rsa_keys() -> dict[KeyKind, bytes]:
    return {kind: software.to_pkcs8(software.generate(kind)) for kind in (KeyKind.RSA3072, KeyKind.RSA4096)}


@pytest.fixture(autouse=True)
def quick_keys(rsa_keys: dict[KeyKind, bytes], monkeypatch: pytest.MonkeyPatch) -> list[KeyKind]:
    """RSA keys made once for all tests here; the list tells which were asked for."""
    asked, generate = list[KeyKind](), software.generate

    def take(kind: KeyKind) -> software.PrivateKey:
        asked.append(kind)
        return software.load_pkcs8(rsa_keys[kind], check=False) if kind in rsa_keys else generate(kind)

    monkeypatch.setattr(software, "generate", take)
    return asked


def found(
    settings: Settings,
    *,
    demo: bool = True,
    agree: Callable[[Plan], bool] = lambda _plan: True,
    progress: Callable[[str], None] = lambda _line: None,
) -> Founded:
    clock = FakeClock(datetime(2026, 3, 2, 8, 30, tzinfo=UTC))
    return founding.found(settings, demo=demo, clock=clock, progress=progress, agree=agree)


def interrupted_at(words: str) -> Callable[[str], None]:
    def progress(line: str) -> None:
        if line.startswith(words):
            raise KeyboardInterrupt

    return progress


def demo(folder: Path, url: str, **environ: str) -> Settings:
    return demo_settings(folder / "data", MAILSEAL_DATABASE_URL=url, **environ)


def production(folder: Path, url: str, **environ: str) -> Settings:
    given = {
        "MAILSEAL_DATA": str(folder / "data"),
        "MAILSEAL_DATABASE_URL": url,
        "MAILSEAL_KEK_FILE": str(folder / "kek"),
    }
    return load_settings({**given, **PRODUCTION, **environ}, demo=False)


def cas(url: str) -> list[AuthorityRow]:
    with opened(url) as database, database.read() as read:
        return authorities.all_(read)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- a demo ------------------------------------------------------------------------------------------------------------


def test_a_demo_is_ready_to_work(empty_database_url: str, tmp_path: Path) -> None:
    made = found(demo(tmp_path, empty_database_url))
    assert made.made
    assert made.passphrase_file is None
    context = start.open_context(
        demo(tmp_path, empty_database_url), demo=True, clock=FakeClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
    )
    try:
        assert publication.is_ready(context)
        admin = access.authenticate(context, made.admin_key_file.read_text().strip(), address=None, request_id="r")
    finally:
        start.close_context(context)
    assert admin.scopes == set(SCOPES)
    assert [str(pattern) for pattern in admin.mailboxes] == ["*@campus.example", "*@cuhk.example"]
    assert admin.expires_at is None


def test_every_ca_of_a_demo_says_so(empty_database_url: str, tmp_path: Path) -> None:
    found(demo(tmp_path, empty_database_url))
    assert [row.common_name.count("DEMO - DO NOT TRUST") for row in cas(empty_database_url)] == [1, 1]
    assert founding.is_demo(tmp_path / "data")


def test_the_chain_verifies_and_keeps_to_the_mail_domains(empty_database_url: str, tmp_path: Path) -> None:
    found(demo(tmp_path, empty_database_url))
    root, issuing = (Certificate.from_der(row.certificate) for row in cas(empty_database_url))
    for name, certificate in (("root.pem", root), ("g1.pem", issuing)):
        (tmp_path / name).write_text(certificate.pem)
    answer = openssl("verify", "-x509_strict", "-CAfile", tmp_path / "root.pem", tmp_path / "g1.pem")
    assert answer.ok, answer.text
    constraints = issuing.x509.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert {str(name.value) for name in constraints.value.permitted_subtrees or ()} == {
        "campus.example",
        ".campus.example",
        "cuhk.example",
        ".cuhk.example",
    }


def test_the_files_are_their_owners_only(empty_database_url: str, tmp_path: Path) -> None:
    made = found(demo(tmp_path, empty_database_url))
    assert mode(tmp_path / "data") == 0o700
    for path in (made.admin_key_file, made.root_key_file, tmp_path / "data" / "kek"):
        assert mode(path) == 0o600


def test_the_issuing_key_lies_in_the_database_under_the_kek_and_the_root_key_does_not(
    empty_database_url: str, tmp_path: Path
) -> None:
    made = found(demo(tmp_path, empty_database_url))
    root, issuing = cas(empty_database_url)
    assert root.key_id is None
    with opened(empty_database_url) as database, database.read() as read:
        held = private_keys.find(read, issuing.key_id or "")
    assert held is not None
    assert (held.purpose, held.owner) == ("ca", "authority:g1")
    root_key = software.read_pem_private(made.root_key_file.read_bytes(), None)
    assert spki_der(root_key.public_key()) == made.root.spki


def test_repeated_it_finds_the_ca_and_makes_nothing(
    empty_database_url: str, tmp_path: Path, quick_keys: list[KeyKind]
) -> None:
    first = found(demo(tmp_path, empty_database_url))
    before, files, asked = cas(empty_database_url), contents(tmp_path / "data"), list(quick_keys)
    second = found(demo(tmp_path, empty_database_url))
    assert (first.made, second.made) == (True, False)
    assert second.root == first.root
    assert (cas(empty_database_url), contents(tmp_path / "data"), quick_keys) == (before, files, asked)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("mailseal.db")}


def test_a_second_node_finds_the_ca_and_makes_no_keys(empty_database_url: str, tmp_path: Path) -> None:
    first = found(demo(tmp_path / "one", empty_database_url))
    kek = {"MAILSEAL_KEK_FILE": str(tmp_path / "one" / "data" / "kek")}
    second = found(demo(tmp_path / "two", empty_database_url, **kek))
    assert not second.made
    assert second.root == first.root
    assert set(contents(tmp_path / "two" / "data")) == {"DEMO-DO-NOT-TRUST"}


def test_a_second_node_without_the_kek_is_told_so(empty_database_url: str, tmp_path: Path) -> None:
    found(demo(tmp_path / "one", empty_database_url))
    with pytest.raises(KekMissing):
        found(demo(tmp_path / "two", empty_database_url))


def test_of_two_at_once_one_makes_the_ca_and_the_other_finds_it(
    empty_database_url: str, tmp_path: Path, quick_keys: list[KeyKind]
) -> None:
    outcomes, start_line = list[Founded | BaseException](), threading.Barrier(2)
    kek = {"MAILSEAL_KEK_FILE": str(tmp_path / "kek")}

    def attempt(name: str) -> None:
        start_line.wait()
        try:
            outcomes.append(found(demo(tmp_path / name, empty_database_url, **kek)))
        except BaseException as failure:  # noqa: BLE001  # told to the test
            outcomes.append(failure)

    threads = [threading.Thread(target=attempt, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [outcome for outcome in outcomes if isinstance(outcome, Founded)]
    assert len(made) == 2, outcomes
    assert sorted(one.made for one in made) == [False, True]
    assert made[0].root == made[1].root
    assert quick_keys.count(KeyKind.RSA4096) == 1
    assert len(cas(empty_database_url)) == 2


# --- production --------------------------------------------------------------------------------------------------------


def test_production_shows_what_will_be_permanent(empty_database_url: str, tmp_path: Path) -> None:
    shown = list[Plan]()

    def agree(plan: Plan) -> bool:
        shown.append(plan)
        return True

    found(production(tmp_path, empty_database_url), demo=False, agree=agree)
    (plan,) = shown
    assert plan.root_name == "University of the Campus Mail Root"
    assert plan.issuing_name == "University of the Campus S/MIME CA G1"
    assert plan.mail_domains == ("campus.example.edu",)
    assert plan.status_url == "http://pki.campus.example.edu"
    with opened(empty_database_url) as database, database.read() as read:
        installed = installation.find(read)
    assert installed is not None
    assert not installed.demo
    for field in ("campus_name", "country", "organization_id", "status_url", "policy_arc", "name_constraints"):
        assert getattr(installed, field) == getattr(plan, field)


def test_declined_nothing_is_made(empty_database_url: str, tmp_path: Path, quick_keys: list[KeyKind]) -> None:
    with pytest.raises(FoundingDeclined):
        found(production(tmp_path, empty_database_url), demo=False, agree=lambda _plan: False)
    assert KeyKind.RSA4096 not in quick_keys  # only the throw-away keys of the rehearsal
    assert cas(empty_database_url) == []
    assert contents(tmp_path / "data") == {}
    assert not (tmp_path / "kek").exists()


def test_the_root_key_is_encrypted_with_the_passphrase_beside_it(empty_database_url: str, tmp_path: Path) -> None:
    made = found(production(tmp_path, empty_database_url), demo=False)
    sealed = made.root_key_file.read_bytes()
    assert sealed.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert made.passphrase_file == tmp_path / "data" / "root.passphrase"
    assert mode(made.passphrase_file) == mode(made.root_key_file) == 0o600
    passphrase = made.passphrase_file.read_text().strip()
    assert len(passphrase) >= 32
    key = software.read_pem_private(sealed, passphrase)
    assert spki_der(key.public_key()) == made.root.spki
    with pytest.raises(PassphraseWrong):
        software.read_pem_private(sealed, None)


def test_openssl_opens_the_root_key_with_the_passphrase_file(empty_database_url: str, tmp_path: Path) -> None:
    made = found(production(tmp_path, empty_database_url), demo=False)
    answer = openssl("pkey", "-in", made.root_key_file, "-passin", f"file:{made.passphrase_file}", "-noout", "-text")
    assert answer.ok, answer.text


def test_the_passphrase_lies_where_the_setting_says(empty_database_url: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "safe" / "passphrase"
    settings = production(tmp_path, empty_database_url, MAILSEAL_ROOT_PASSPHRASE_FILE=str(elsewhere))
    assert found(settings, demo=False).passphrase_file == elsewhere
    assert elsewhere.exists()


def test_repeated_after_the_root_key_was_moved_away_nothing_is_made(empty_database_url: str, tmp_path: Path) -> None:
    settings = production(tmp_path, empty_database_url)
    first = found(settings, demo=False)
    first.root_key_file.unlink()
    (first.passphrase_file or Path()).unlink()
    second = found(settings, demo=False)
    assert not second.made
    assert second.root == first.root
    assert not first.root_key_file.exists()


def test_the_first_key_of_production_expires_after_thirty_days(empty_database_url: str, tmp_path: Path) -> None:
    made = found(production(tmp_path, empty_database_url), demo=False)
    with opened(empty_database_url) as database, database.read() as read:
        found_key = api_keys.find_with_lineage(read, credential.hash_of(made.admin_key_file.read_text().strip()))
    assert found_key is not None
    assert found_key[0].expires_at == datetime(2026, 3, 2, 8, 30, tzinfo=UTC) + timedelta(days=30)


def test_every_campus_gets_a_policy_arc_of_its_own_that_32_bit_programs_read(
    empty_database_url: str, tmp_path: Path
) -> None:
    found(production(tmp_path, empty_database_url), demo=False)
    _, issuing = (Certificate.from_der(row.certificate) for row in cas(empty_database_url))
    arcs = {policy.rpartition(".")[0] for policy in issuing.policies}
    assert {policy.rpartition(".")[2] for policy in issuing.policies} == {"1", "2", "3"}
    assert len(arcs) == 1
    assert all(int(part) < 2**32 for part in arcs.pop().split("."))


def test_the_policy_arc_that_is_set_is_used(empty_database_url: str, tmp_path: Path) -> None:
    found(production(tmp_path, empty_database_url, MAILSEAL_POLICY_ARC="1.3.6.1.4.1.32473.1"), demo=False)
    _, issuing = (Certificate.from_der(row.certificate) for row in cas(empty_database_url))
    assert issuing.policies[0] == "1.3.6.1.4.1.32473.1.1"


@pytest.mark.parametrize("missing", [*PRODUCTION, "MAILSEAL_KEK_FILE"])
def test_production_demands_the_campus_settings(empty_database_url: str, tmp_path: Path, missing: str) -> None:
    with pytest.raises(SettingsWrong, match=missing):
        found(production(tmp_path, empty_database_url, **{missing: ""}), demo=False)
    assert not (tmp_path / "kek").exists()


def test_the_name_constraints_are_what_the_setting_says(empty_database_url: str, tmp_path: Path) -> None:
    found(production(tmp_path, empty_database_url, MAILSEAL_NAME_CONSTRAINTS="off"), demo=False)
    _, issuing = (Certificate.from_der(row.certificate) for row in cas(empty_database_url))
    with pytest.raises(x509.ExtensionNotFound):
        issuing.x509.extensions.get_extension_for_class(x509.NameConstraints)


# --- what does not fit -------------------------------------------------------------------------------------------------


def test_a_demo_never_becomes_production_and_production_never_a_demo(empty_database_url: str, tmp_path: Path) -> None:
    found(demo(tmp_path, empty_database_url))
    with pytest.raises(NotADemo):
        found(production(tmp_path, empty_database_url), demo=False)
    with pytest.raises(NotADemo):
        found(production(tmp_path / "other", empty_database_url), demo=False)


def test_a_demo_that_was_begun_never_becomes_production(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        found(demo(tmp_path, empty_database_url), progress=interrupted_at("making the root key"))
    with pytest.raises(NotADemo):
        found(production(tmp_path, empty_database_url), demo=False)


def test_a_demo_that_was_declined_leaves_no_mark(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(FoundingDeclined):
        found(demo(tmp_path, empty_database_url), agree=lambda _plan: False)
    assert not founding.is_demo(tmp_path / "data")


def test_production_goes_on_after_somebody_asked_for_a_demo(empty_database_url: str, tmp_path: Path) -> None:
    found(production(tmp_path, empty_database_url), demo=False)
    with pytest.raises(NotADemo):
        found(demo(tmp_path, empty_database_url))
    assert not founding.is_demo(tmp_path / "data")
    assert not found(production(tmp_path, empty_database_url), demo=False).made


@pytest.mark.parametrize("text", ["", "\n", "weak", "ms_live_" + "0" * 49])
def test_an_admin_key_that_somebody_laid_there_is_not_taken_up(
    empty_database_url: str, tmp_path: Path, text: str
) -> None:
    lay(tmp_path / "data" / "admin.key", text.encode())
    with pytest.raises(DataUnsafe):
        found(demo(tmp_path, empty_database_url))
    assert cas(empty_database_url) == []


def test_a_root_key_that_is_not_as_ours_is_not_taken_up(empty_database_url: str, tmp_path: Path) -> None:
    weak = software.generate(KeyKind.P256)
    lay(tmp_path / "data" / "root.passphrase", b"correct horse")
    lay(tmp_path / "data" / "root.key", software.to_pem(weak, passphrase=None))
    with pytest.raises(DataUnsafe):
        found(production(tmp_path, empty_database_url), demo=False)
    (tmp_path / "data" / "root.key").write_bytes(software.to_pem(weak, passphrase="correct horse"))
    with pytest.raises(DataUnsafe):
        found(production(tmp_path, empty_database_url), demo=False)
    assert cas(empty_database_url) == []


def test_a_folder_that_others_can_write_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    with pytest.raises(DataUnsafe):
        found(demo(tmp_path, empty_database_url))


def lay(path: Path, content: bytes) -> None:
    """Put a file there, as its owner would."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


def test_settings_that_differ_from_the_ca_are_refused(empty_database_url: str, tmp_path: Path) -> None:
    found(demo(tmp_path, empty_database_url))
    with pytest.raises(SettingsDiffer):
        found(demo(tmp_path, empty_database_url, MAILSEAL_CAMPUS_NAME="Other University"))


def test_a_root_key_without_its_passphrase_is_not_taken_up(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "root.key").write_text("somebody's")
    with pytest.raises(PassphraseWrong):
        found(production(tmp_path, empty_database_url), demo=False)
    assert (tmp_path / "data" / "root.key").read_text() == "somebody's"
    assert not (tmp_path / "data" / "root.passphrase").exists()
    assert cas(empty_database_url) == []


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = demo_settings(tmp_path / place)
    with pytest.raises(FolderNotWritable):
        found(settings)


def test_interrupted_after_the_files_the_next_attempt_takes_them_up(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(Exception):
        pass

    def end(*_: Any, **__: Any) -> None:
        raise Ended

    settings = production(tmp_path, empty_database_url)
    with monkeypatch.context() as patched:
        patched.setattr(founding, "store", end)
        with pytest.raises(Ended):
            found(settings, demo=False)
    assert cas(empty_database_url) == []
    files = contents(tmp_path / "data")
    assert set(files) == {"root.key", "root.passphrase", "admin.key"}
    (tmp_path / "data" / ".root.key.0123456789abcdef.draft").write_text("left by somebody who was interrupted")
    made = found(settings, demo=False)
    assert made.made
    assert contents(tmp_path / "data") == files
    assert len(cas(empty_database_url)) == 2
    with opened(empty_database_url) as database, database.read() as read:
        assert crls.last_number(read, "root") == 6


def test_settings_that_no_department_could_get_a_certificate_with_are_refused_before_anything_is_made(
    empty_database_url: str, tmp_path: Path
) -> None:
    """S/MIME BR 7.1.4.2.2: a German register number is to be written as EUID, which shows in the subject only."""
    german = {"MAILSEAL_COUNTRY": "DE", "MAILSEAL_ORGANIZATION_ID": "NTRDE-HRB12345"}
    with pytest.raises(LintRefused):
        found(production(tmp_path, empty_database_url, **german), demo=False, agree=lambda _plan: pytest.fail("asked"))
    assert cas(empty_database_url) == []
    assert not (tmp_path / "data" / "root.key").exists()
