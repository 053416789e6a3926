"""The first tables.

Revision 0001, after nothing.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME: Final = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
_TABLES: Final = (
    "installation",
    "private_keys",
    "authorities",
    "crls",
    "certificates",
    "certificate_mailboxes",
    "identities",
    "api_keys",
    "audit",
    "idempotency",
    "jobs",
)


def upgrade() -> None:
    _installation()
    _private_keys()
    _authorities()
    _crls()
    _certificates()
    _certificate_mailboxes()
    _identities()
    _api_keys()
    _audit()
    _idempotency()
    _jobs()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("campus_name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("mail_domains", sa.Text(), nullable=False),
        sa.Column("status_url", sa.Text(), nullable=False),
        sa.Column("name_constraints", sa.Text(), nullable=False),
        sa.Column("policy_arc", sa.Text(), nullable=False),
        sa.Column("kek_id", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint(
            "name_constraints IN ('critical', 'noncritical', 'off')", name=op.f("ck_installation_name_constraints")
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )


def _private_keys() -> None:
    op.create_table(
        "private_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("spki_sha256", sa.Text(), nullable=False),
        sa.Column("kek_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("purpose IN ('ca', 'ocsp', 'sign', 'decrypt')", name=op.f("ck_private_keys_purpose")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_private_keys")),
    )


def _authorities() -> None:
    op.create_table(
        "authorities",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("common_name", sa.Text(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("not_before", _TIME, nullable=False),
        sa.Column("not_after", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("kind IN ('root', 'issuing')", name=op.f("ck_authorities_kind")),
        sa.ForeignKeyConstraint(["key_id"], ["private_keys.id"], name=op.f("fk_authorities_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorities")),
        sa.UniqueConstraint("serial", name=op.f("uq_authorities_serial")),
        sa.UniqueConstraint("sha256", name=op.f("uq_authorities_sha256")),
    )


def _crls() -> None:
    op.create_table(
        "crls",
        sa.Column("authority_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("this_update", _TIME, nullable=False),
        sa.Column("next_update", _TIME, nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_crls_number")),
        sa.CheckConstraint("this_update < next_update", name=op.f("ck_crls_span")),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_crls_authority_id")),
        sa.PrimaryKeyConstraint("authority_id", "number", name=op.f("pk_crls")),
    )


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("deadline", _TIME, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("use", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("proof_detail", sa.Text(), nullable=True),
        sa.Column("lookalike", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("spki_sha256", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("not_before", _TIME, nullable=False),
        sa.Column("not_after", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("invalidity_date", _TIME, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("crl_entry", sa.LargeBinary(), nullable=True),
        sa.Column("mailboxes", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state = 'issued') = (certificate IS NOT NULL) AND (certificate IS NULL) = (sha256 IS NULL)",
            name=op.f("ck_certificates_issued"),
        ),
        sa.CheckConstraint(
            "proof IN ('idp', 'link', 'acme_email', 'api_client', 'own')", name=op.f("ck_certificates_proof")
        ),
        sa.CheckConstraint(
            "reason IN ('keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn')",
            name=op.f("ck_certificates_reason"),
        ),
        sa.CheckConstraint("state <> 'intended' OR revoked_at IS NULL", name=op.f("ck_certificates_intended")),
        sa.CheckConstraint("state <> 'settled' OR revoked_at IS NOT NULL", name=op.f("ck_certificates_settled")),
        sa.CheckConstraint("state IN ('intended', 'issued', 'settled')", name=op.f("ck_certificates_state")),
        sa.CheckConstraint("use IN ('dual', 'sign', 'encrypt')", name=op.f("ck_certificates_use")),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (reason IS NULL) AND (revoked_at IS NULL) = (crl_entry IS NULL)",
            name=op.f("ck_certificates_revoked"),
        ),
        sa.CheckConstraint("length(serial) = 32", name=op.f("ck_certificates_serial")),
        sa.CheckConstraint("not_before < not_after", name=op.f("ck_certificates_span")),
        sa.ForeignKeyConstraint(["issuer_id"], ["authorities.id"], name=op.f("fk_certificates_issuer_id")),
        sa.ForeignKeyConstraint(
            ["key_id"], ["private_keys.id"], name=op.f("fk_certificates_key_id"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificates")),
        sa.UniqueConstraint("id", name=op.f("uq_certificates_id")),
        sa.UniqueConstraint("sha256", name=op.f("uq_certificates_sha256")),
    )
    op.create_index(
        op.f("ix_certificates_deadline"),
        "certificates",
        ["deadline"],
        unique=False,
        sqlite_where=sa.text("state = 'intended'"),
        postgresql_where=sa.text("state = 'intended'"),
    )
    op.create_index(
        op.f("ix_certificates_issuer_id_not_after"),
        "certificates",
        ["issuer_id", "not_after"],
        unique=False,
        sqlite_where=sa.text("crl_entry IS NOT NULL"),
        postgresql_where=sa.text("crl_entry IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_certificates_issuer_id_profile_not_after"),
        "certificates",
        ["issuer_id", "profile", "not_after"],
        unique=False,
    )
    op.create_index(op.f("ix_certificates_person"), "certificates", ["person"], unique=False)
    op.create_index(op.f("ix_certificates_spki_sha256"), "certificates", ["spki_sha256"], unique=False)


def _certificate_mailboxes() -> None:
    op.create_table(
        "certificate_mailboxes",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("mailbox_key", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["serial"], ["certificates.serial"], name=op.f("fk_certificate_mailboxes_serial")),
        sa.PrimaryKeyConstraint("serial", "position", name=op.f("pk_certificate_mailboxes")),
    )
    op.create_index(op.f("ix_certificate_mailboxes_domain"), "certificate_mailboxes", ["domain"], unique=False)
    op.create_index(
        op.f("ix_certificate_mailboxes_mailbox_key"), "certificate_mailboxes", ["mailbox_key"], unique=False
    )


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("mailbox_key", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("signing_kind", sa.Text(), nullable=False),
        sa.Column("encryption_kind", sa.Text(), nullable=False),
        sa.Column("signing_serial", sa.Text(), nullable=False),
        sa.Column("encryption_serial", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("renewed_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["encryption_serial"], ["certificates.serial"], name=op.f("fk_identities_encryption_serial")
        ),
        sa.ForeignKeyConstraint(["signing_serial"], ["certificates.serial"], name=op.f("fk_identities_signing_serial")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("mailbox_key", name=op.f("uq_identities_mailbox_key")),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.Text(), nullable=False),
        sa.Column("prefix_hint", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("mailboxes", sa.Text(), nullable=False),
        sa.Column("cidrs", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_api_keys_position")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_sha256", name=op.f("uq_api_keys_key_sha256")),
        sa.UniqueConstraint("lineage", "position", name=op.f("uq_api_keys_lineage_position")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
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
        sa.CheckConstraint("actor_kind IN ('api_key', 'operator', 'job')", name=op.f("ck_audit_actor_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_actor_id_id"), "audit", ["actor_id", "id"], unique=False)
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_mailbox_key_id"), "audit", ["mailbox_key", "id"], unique=False)
    op.create_index(op.f("ix_audit_object_id_id"), "audit", ["object_id", "id"], unique=False)
    op.create_index(op.f("ix_audit_request_id"), "audit", ["request_id"], unique=False)
    op.create_index(
        op.f("ix_audit_signature_sha256"),
        "audit",
        ["signature_sha256"],
        unique=False,
        sqlite_where=sa.text("signature_sha256 IS NOT NULL"),
        postgresql_where=sa.text("signature_sha256 IS NOT NULL"),
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency")),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("wanted_at", _TIME, nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", _TIME, nullable=True),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
