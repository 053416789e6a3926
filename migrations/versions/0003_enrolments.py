"""The enrolments, and links as those who act in the audit record.

Revision 0003, after 0002.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME: Final = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
_BEFORE: Final = "actor_kind IN ('api_key', 'operator', 'job')"
_AFTER: Final = "actor_kind IN ('api_key', 'operator', 'job', 'link')"


def upgrade() -> None:
    _enrolments()
    _change_actor_kind(_BEFORE, _AFTER)
    # What links did before a downgrade.
    op.execute(
        "UPDATE audit SET actor_kind = 'link', actor_name = substr(actor_name, 6)"
        " WHERE actor_kind = 'job' AND substr(actor_name, 1, 5) = 'link '"
    )


def downgrade() -> None:
    # The version before knows no links, and no entry is ever deleted.
    op.execute("UPDATE audit SET actor_kind = 'job', actor_name = 'link ' || actor_name WHERE actor_kind = 'link'")
    _change_actor_kind(_AFTER, _BEFORE)
    op.drop_table("enrolments")


def _enrolments() -> None:
    op.create_table(
        "enrolments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("mailbox_key", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.Column("browser_sha256", sa.Text(), nullable=True),
        sa.Column("session_until", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.CheckConstraint("created_at < expires_at", name=op.f("ck_enrolments_span")),
        sa.CheckConstraint("ended_at IS NULL OR used_at IS NOT NULL", name=op.f("ck_enrolments_ended")),
        sa.CheckConstraint(
            "(used_at IS NULL) = (browser_sha256 IS NULL) AND (used_at IS NULL) = (session_until IS NULL)",
            name=op.f("ck_enrolments_used"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolments")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_enrolments_token_sha256")),
    )
    op.create_index(op.f("ix_enrolments_browser_sha256"), "enrolments", ["browser_sha256"], unique=False)
    op.create_index(
        op.f("ix_enrolments_mailbox_key_created_at"), "enrolments", ["mailbox_key", "created_at"], unique=False
    )


def _change_actor_kind(before: str, after: str) -> None:
    """Put one rule in the place of another; SQLite builds the table anew, from what is said here."""
    name = op.f("ck_audit_actor_kind")
    with op.batch_alter_table("audit", copy_from=_audit(before)) as audit:
        audit.drop_constraint(name, type_="check")
        audit.create_check_constraint(name, after)


def _audit(actor_kind: str) -> sa.Table:
    """The table as revision 0001 made it, because SQLite does not tell the names of its rules."""
    signed = sa.text("signature_sha256 IS NOT NULL")
    audit = sa.Table(
        "audit",
        sa.MetaData(),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("mailbox", sa.Text(), nullable=True),
        sa.Column("mailbox_key", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("signature_sha256", sa.Text(), nullable=True),
        sa.CheckConstraint(actor_kind, name="ck_audit_actor_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    sa.Index("ix_audit_actor_id_id", audit.c.actor_id, audit.c.id)
    sa.Index("ix_audit_at", audit.c.at)
    sa.Index("ix_audit_mailbox_key_id", audit.c.mailbox_key, audit.c.id)
    sa.Index("ix_audit_object_id_id", audit.c.object_id, audit.c.id)
    sa.Index("ix_audit_request_id", audit.c.request_id)
    sa.Index("ix_audit_signature_sha256", audit.c.signature_sha256, sqlite_where=signed, postgresql_where=signed)
    return audit
