"""What goes wrong with the database, and the three exceptions that services are meant to catch or never see.

Refusal
├── Unacceptable
│   └── TextRefused           a text that cannot be stored or compared
└── NotReady
    ├── DatabaseAbsent        there is no database file
    ├── DatabaseBusy          locked for too long, or too many connections
    ├── DatabaseFull          no space is left
    ├── DatabaseReadOnly      file, folder or server take no changes
    ├── DatabaseUnreachable   no connection, or a broken one
    └── SchemaBehind          the schema is not the one that this version needs

Exception
├── AlreadyThere              a row with this key is there
├── LeaseLost                 somebody else may be doing this job by now
└── StatementRefused          a bug: the database will not do what we told it
"""

from __future__ import annotations

from formats.errors import NotReady, Unacceptable


class TextRefused(Unacceptable):
    """A text that a database cannot hold: with a NUL or half a character, or too long for its column."""

    code = "text_refused"
    hint = "send shorter plain text without control characters"


class DatabaseAbsent(NotReady):
    """The database file that is named does not exist."""

    code = "database_absent"
    hint = "run `mailseal init` to make it, or correct MAILSEAL_DATABASE_URL or MAILSEAL_DATA"


class DatabaseBusy(NotReady):
    """The database is locked, or all its connections are in use, for longer than we wait."""

    code = "database_busy"
    hint = "try again; if it lasts, end whatever holds the database, such as a backup or a second program"


class DatabaseFull(NotReady):
    """There is no space left where the database lies."""

    code = "database_full"
    hint = "free space where the database lies; nothing that was stored is lost"


class DatabaseReadOnly(NotReady):
    """The database can be read and not written."""

    code = "database_read_only"
    hint = "let this account write the database file and its folder, or name the primary server"


class DatabaseUnreachable(NotReady):
    """There is no connection to the database, or it broke."""

    code = "database_unreachable"
    hint = "check that the database runs and that MAILSEAL_DATABASE_URL is right"


class SchemaBehind(NotReady):
    """The database's schema is not the one that this version needs."""

    code = "schema_not_at_head"
    hint = "run `mailseal migrate` with the newest version in use; for a new CA, `mailseal init`"


class AlreadyThere(Exception):
    """A row with this key is there; whoever inserted it was faster."""


class LeaseLost(Exception):
    """The lease has run out, so somebody else may be doing the job: publish nothing."""


class StatementRefused(Exception):
    """The database refused a statement: a bug of ours. Names the rule that was broken, and no value."""
