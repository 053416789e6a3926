"""Migration: brings a database's schema to the one that this version needs, and says whether it is there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database, Read, Write
from db.errors import SchemaBehind
from db.failures import read_failure

# Any number, the same in every version: who holds it is changing the schema.
_LOCK: Final = 0x4D5345414C


def upgrade(database: Database) -> None:
    """Bring the schema to head, and make the SQLite file if there is none; several processes may ask at once.

    All steps are one transaction. SchemaBehind if a newer version than this one has been here.
    """
    with database.migrate() as write:
        _take_turns(database, write)
        _run(write, "upgrade", "head")


def downgrade(database: Database, revision: str) -> None:
    """Undo the steps after a revision; `base` undoes all of them, and with them every row."""
    with database.migrate() as write:
        _take_turns(database, write)
        _run(write, "downgrade", revision)


@cache
def head() -> str:
    """The revision that this version needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revision_of(read: Read) -> str | None:
    """The revision of the schema, or None if there is none yet."""
    try:
        return MigrationContext.configure(read.connection).get_current_revision()
    except SQLAlchemyError as error:
        raise read_failure(error) from None


def is_at_head(read: Read) -> bool:
    """Whether the schema is the one that this version needs."""
    return revision_of(read) == head()


def require_head(read: Read) -> None:
    """Refuse with SchemaBehind unless the schema is the one that this version needs."""
    found = revision_of(read)
    if found is None:
        raise SchemaBehind("the database is empty")
    if found != head():
        raise SchemaBehind(f"the schema is at revision {found}, and this version needs {head()}")


def _take_turns(database: Database, write: Write) -> None:
    """On SQLite a Write has it alone anyway; on PostgreSQL a lock that ends with the transaction."""
    if not database.is_sqlite:
        write.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _run(write: Write, verb: str, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = write.connection
    try:
        getattr(command, verb)(config, revision)
    except CommandError as error:
        raise SchemaBehind(f"the schema is at a revision that this version does not know ({error})") from None


def _config() -> Config:
    """Alembic's settings, without a file: the migrations lie beside this room, in a checkout as in a wheel."""
    folder = Path(__file__).resolve().parent.parent / "migrations"
    config = Config()
    # Alembic reads % as the start of an interpolation.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
