from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from db import installation, migration
from db.engine import Database, SchemaBehind
from db.errors import DatabaseAbsent
from formats.algorithms import spki_der
from keys.errors import KekMalformed, KekMissing, KekUnsafe, KekWrong
from net.folder import Folder
from services import start
from services.context import Context
from services.errors import NotADemo, NotInitialised, SettingsDiffer
from services.settings import Settings, load_settings
from tests.campus import KEK, charter, demo_settings, founded
from tests.database import opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the KEK of the founded campus."""
    write_kek(tmp_path / "kek", KEK)
    return tmp_path


def write_kek(path: Path, kek: bytes, *, mode: int = 0o600) -> None:
    path.write_bytes(b64encode(kek) + b"\n")
    path.chmod(mode)


def settings_for(folder: Path, url: str, **environ: str) -> Settings:
    return demo_settings(folder, MAILSEAL_DATABASE_URL=url, **environ)


def open_(settings: Settings, *, demo: bool = True) -> Context:
    context = start.open_context(settings, demo=demo)
    start.close_context(context)
    return context


def test_opens_the_ca_that_was_founded(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    context = open_(settings_for(folder, database_url))
    made = charter().made
    assert context.issuers.root == made.root
    assert context.issuers.issuing.certificate == made.issuing
    assert context.issuers.issuing.chain == (made.issuing, made.root)
    key = context.issuers.issuing.key
    assert spki_der(key.public_key()) == made.issuing.spki
    assert context.issuers.campus.campus_name == "Example University"


def test_tells_the_time_in_utc() -> None:
    assert start.now().tzinfo is UTC
    assert abs((start.now() - datetime.now(UTC)).total_seconds()) < 60


def test_where_nothing_was_founded_it_says_so(database_url: str, folder: Path) -> None:
    with pytest.raises(NotInitialised):
        open_(settings_for(folder, database_url))


def test_an_empty_database_is_refused_and_not_filled(empty_database_url: str, folder: Path) -> None:
    with pytest.raises(DatabaseAbsent if empty_database_url.startswith("sqlite") else SchemaBehind):
        open_(settings_for(folder, empty_database_url))


def test_a_schema_at_another_revision_is_refused(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    with database.migrate() as write:
        write.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(SchemaBehind, match="0000"):
        open_(settings_for(folder, database_url))


def test_migrate_brings_the_schema_to_head(empty_database_url: str, folder: Path) -> None:
    for _ in range(2):
        start.migrate(settings_for(folder, empty_database_url))
    with opened(empty_database_url) as database, database.read() as read:
        assert migration.is_at_head(read)


def test_without_the_kek_it_does_not_start(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    (folder / "kek").unlink()
    with pytest.raises(KekMissing):
        open_(settings_for(folder, database_url))


def test_with_another_kek_it_does_not_start(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    write_kek(folder / "kek", secrets.token_bytes(32))
    with pytest.raises(KekWrong):
        open_(settings_for(folder, database_url))


def test_with_a_kek_that_others_can_read_it_does_not_start(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    write_kek(folder / "kek", KEK, mode=0o644)
    with pytest.raises(KekUnsafe):
        open_(settings_for(folder, database_url))


def test_with_half_a_kek_it_does_not_start(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    write_kek(folder / "kek", KEK[:16])
    with pytest.raises(KekMalformed):
        open_(settings_for(folder, database_url))


@pytest.mark.parametrize(
    "differing",
    [
        ("MAILSEAL_CAMPUS_NAME", "Other University", "Example University"),
        ("MAILSEAL_COUNTRY", "SG", "HK"),
        ("MAILSEAL_MAIL_DOMAINS", "campus.example", "campus.example,cuhk.example"),
        ("MAILSEAL_STATUS_URL", "http://pki.campus.example", "http://localhost:8000"),
        ("MAILSEAL_POLICY_ARC", "1.3.6.1.4.1.32473.9", None),
        ("MAILSEAL_NAME_CONSTRAINTS", "off", "critical"),
        ("MAILSEAL_ORGANIZATION_ID", "NTRHK-11111111", "NTRHK-00000000"),
        ("MAILSEAL_MAIL_FROM", "mailseal@other.example", "campus.example,cuhk.example"),
    ],
)
def test_a_setting_that_differs_from_the_ca_stops_the_start_and_both_values_are_named(
    database: Database, database_url: str, folder: Path, differing: tuple[str, str, str | None]
) -> None:
    name, value, was = differing
    founded(database)
    with pytest.raises(SettingsDiffer) as caught:
        open_(settings_for(folder, database_url, **{name: value}))
    assert name in caught.value.detail
    assert value in caught.value.detail
    assert (was or charter().plan.policy_arc) in caught.value.detail
    assert "mailseal init" in caught.value.hint


def test_settings_that_say_the_same_are_no_difference(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    open_(
        settings_for(
            folder,
            database_url,
            MAILSEAL_CAMPUS_NAME="Example University",
            MAILSEAL_MAIL_DOMAINS="CUHK.example, campus.example",
            MAILSEAL_STATUS_URL="http://localhost:8000",
        )
    )


def test_settings_that_are_left_out_are_taken_from_the_ca(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    context = open_(settings_for(folder, database_url, MAILSEAL_PORT="8123"))
    assert context.issuers.campus.status_url == "http://localhost:8000"
    assert context.issuers.issuing.urls.crl == "http://127.0.0.1:8000/crl/g1.crl"


def test_a_demo_never_runs_as_production(database: Database, database_url: str, folder: Path) -> None:
    founded(database)
    environ: dict[str, Any] = {"MAILSEAL_DATA": str(folder / "data"), "MAILSEAL_DATABASE_URL": database_url}
    with pytest.raises(NotADemo):
        open_(load_settings(environ, demo=False), demo=False)


def test_production_never_runs_as_a_demo(database: Database, database_url: str, folder: Path) -> None:
    made = replace(founded(database), demo=False)
    with database.read() as read:
        assert installation.find(read) != made
    with pytest.raises(NotADemo):
        start.agree(settings_for(folder, database_url), made, demo=True)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("http://localhost:8000", "http://127.0.0.1:8000"),
        ("http://localhost", "http://127.0.0.1"),
        ("http://localhost.campus.example", "http://localhost.campus.example"),
        ("http://pki.campus.example/status", "http://pki.campus.example/status"),
    ],
)
def test_status_urls_lie_below_the_status_url(here: str, there: str) -> None:
    root, issuing = start.status_urls(here, "root"), start.status_urls(here, "g1")
    assert (root.crl, root.issuer, root.ocsp) == (f"{there}/crl/root.crl", f"{there}/ca/root.crt", None)
    assert issuing.ocsp == f"{there}/ocsp/g1"


def test_letters_go_into_the_data_folder_unless_a_relay_is_named(
    database: Database, database_url: str, folder: Path
) -> None:
    founded(database)
    assert open_(settings_for(folder, database_url)).outgoing == Folder(folder / "outbox")
    url = "smtps://user:SECRET@relay.campus.example"
    relay = open_(settings_for(folder, database_url, MAILSEAL_SMTP_URL=url, MAILSEAL_MAIL_FROM="no-reply@cuhk.example"))
    assert repr(relay.outgoing) == "<Relay relay.campus.example:465>"
    assert "SECRET" not in repr(relay)
