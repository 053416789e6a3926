from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from db import audit, certificates, migration
from db.engine import Database, Read
from db.errors import DatabaseAbsent, SchemaBehind, StatementRefused
from db.tables import METADATA, TABLES
from tests.database import opened
from tests.db.rows import NOW, entry, fill, found, intent, snapshot
from tests.sealed import stranger


def test_history_has_one_head_and_no_branch() -> None:
    scripts = ScriptDirectory.from_config(migration._config())
    assert scripts.get_heads() == [migration.head()]
    assert all(len(script.nextrev) <= 1 for script in scripts.walk_revisions())


def test_migrated_schema_is_what_the_tables_say(database: Database) -> None:
    with database.read() as read:
        context = MigrationContext.configure(
            read.connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_comparison_sees_a_difference(database: Database) -> None:
    with database.migrate() as write:
        write.execute(text("DROP INDEX ix_audit_at"))
        write.execute(text("ALTER TABLE jobs ADD COLUMN more INTEGER"))
    with database.read() as read:
        found = compare_metadata(MigrationContext.configure(read.connection), METADATA)
    assert {difference[0] for difference in found} == {"add_index", "remove_column"}


def test_migrated_schema_is_to_the_letter_the_one_that_the_tables_would_make(database: Database) -> None:
    with database.read() as read:
        migrated = schema(read)
    migration.downgrade(database, "base")
    with database.migrate() as write:
        METADATA.create_all(write.connection)
        assert schema(write) == migrated
    assert len(migrated["certificates"]["check_constraints"]) == 10
    assert migrated["certificates"]["foreign_keys"]["fk_certificates_key_id"]["options"] != {}


def schema(read: Read) -> dict[str, dict[str, Any]]:
    """All that the database says about our tables, rules and partial indexes included, which Alembic does not compare."""
    inspector = inspect(read.connection)
    looks: dict[str, Callable[[str], Any]] = {
        "check_constraints": inspector.get_check_constraints,
        "unique_constraints": inspector.get_unique_constraints,
        "foreign_keys": inspector.get_foreign_keys,
        "indexes": inspector.get_indexes,
        "columns": inspector.get_columns,
    }
    return {
        table.name: {part: {one["name"]: by_text(one) for one in look(table.name)} for part, look in looks.items()}
        | {"primary_key": dict(inspector.get_pk_constraint(table.name))}
        for table in TABLES
    }


def by_text(value: Any) -> Any:
    """What can be compared: SQL and types by their text."""
    if isinstance(value, dict):
        return {name: by_text(part) for name, part in value.items()}
    return str(value)


def test_down_and_up_again_leaves_the_same_schema_and_room_for_the_same_rows(database: Database) -> None:
    fill(database)
    before = snapshot(database)
    assert all(before[table.name] for table in TABLES)
    migration.downgrade(database, "base")
    with database.read() as read:
        assert inspect(read.connection).get_table_names() == ["alembic_version"]
        assert not migration.is_at_head(read)
    migration.upgrade(database)
    assert not any(snapshot(database).values())
    fill(database)
    assert snapshot(database) == before


def test_what_links_did_is_kept_by_a_version_that_knows_none(database: Database) -> None:
    fill(database)
    by_link = entry(actor_kind="link", actor_name="link alice@campus.example", signature_sha256="ab" * 32)
    by_job = entry(actor_kind="job", actor_name="settling")
    with database.write() as write:
        audit.insert_many(write, [by_link, by_job])
    before = snapshot(database)["audit"]
    with database.read() as read:
        indexes = schema(read)["audit"]["indexes"]
    migration.downgrade(database, "0002")
    with database.read() as read:
        older = inspect(read.connection)
        assert "enrolments" not in older.get_table_names()
        assert {one["name"]: by_text(one) for one in older.get_indexes("audit")} == indexes
        assert len(snapshot_of(read, "audit")) == len(before)
    with pytest.raises(StatementRefused), database.write() as write:
        audit.insert(write, entry(actor_kind="link"))
    migration.upgrade(database)
    with database.read() as read:
        assert sorted(snapshot_of(read, "audit")) == sorted(before)


def snapshot_of(read: Read, name: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in read.execute(select(METADATA.tables[name]))]


def test_upgrade_changes_nothing_at_head(database: Database) -> None:
    fill(database)
    before = snapshot(database)
    migration.upgrade(database)
    assert snapshot(database) == before


def test_several_may_upgrade_an_empty_database_at_once(empty_database_url: str) -> None:
    def upgrade(_: int) -> None:
        with opened(empty_database_url) as database:
            migration.upgrade(database)

    with ThreadPoolExecutor(6) as threads:
        assert len(list(threads.map(upgrade, range(6)))) == 6
    with opened(empty_database_url) as database, database.read() as read:
        migration.require_head(read)


def test_failing_upgrade_leaves_nothing_behind(empty_database_url: str) -> None:
    with opened(empty_database_url) as database:
        with database.migrate() as write:
            write.execute(text("CREATE TABLE jobs (name INTEGER)"))  # in the way of the last step
        with pytest.raises(StatementRefused, match=r"jobs|42P07"):
            migration.upgrade(database)
        with database.read() as read:
            assert inspect(read.connection).get_table_names() == ["jobs"]


def test_empty_database_is_not_at_head(empty_database_url: str) -> None:
    with opened(empty_database_url) as database:
        if database.is_sqlite:
            with pytest.raises(DatabaseAbsent, match="there is no database at"), database.read():
                pass
            with database.migrate():
                pass
        with database.read() as read:
            assert not migration.is_at_head(read)
            with pytest.raises(SchemaBehind, match="the database is empty"):
                migration.require_head(read)


def test_older_and_newer_schema_are_refused_by_name(database: Database) -> None:
    with database.migrate() as write:
        write.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with database.read() as read, pytest.raises(SchemaBehind, match="at revision 9999, and this version needs"):
        migration.require_head(read)
    with pytest.raises(SchemaBehind, match="does not know"):
        migration.upgrade(database)


def test_migration_that_orphans_a_row_is_refused(database: Database) -> None:
    fill(database)
    with pytest.raises(StatementRefused, match=r"without what it refers to|23503"), database.migrate() as write:
        write.execute(text("DELETE FROM authorities WHERE id = 'g1'"))
    assert snapshot(database)["authorities"]


def test_new_sqlite_file_is_in_wal_mode_and_its_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "with % sign.db"
    with opened(f"sqlite:///{file}") as database:
        migration.upgrade(database)
        with database.read() as read:
            assert read.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_key_identifiers_are_read_from_the_certificates_that_are_there(database: Database) -> None:
    certificate = stranger("alice@campus.example", at=NOW).certificate
    with database.write() as write:
        found(write)
        row, other = intent(), intent()
        for one, der in ((row, certificate.der), (other, b"none")):
            certificates.insert_intended(write, one)
            done: dict[str, Any] = {"certificate": der, "sha256": one.serial * 2, "subject_key_id": None}
            assert certificates.complete(write, one.serial, owner="me", now=NOW, **done)
    migration.downgrade(database, "0003")
    migration.upgrade(database)
    with database.read() as read:
        read_now = {one.serial: one.subject_key_id for one in certificates.find_many(read, [row.serial, other.serial])}
    assert certificate.subject_key_id is not None
    assert read_now == {row.serial: certificate.subject_key_id.hex(), other.serial: None}
