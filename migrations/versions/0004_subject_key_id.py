"""The key identifiers of certificates, to be found by.

Revision 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from cryptography import x509

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certificates", sa.Column("subject_key_id", sa.Text(), nullable=True))
    op.create_index(op.f("ix_certificates_subject_key_id"), "certificates", ["subject_key_id"], unique=False)
    _fill(op.get_bind())


def downgrade() -> None:
    op.drop_index(op.f("ix_certificates_subject_key_id"), table_name="certificates")
    op.drop_column("certificates", "subject_key_id")


def _fill(connection: sa.Connection) -> None:
    """Read it from the certificates that are there."""
    table = sa.table("certificates", sa.column("serial"), sa.column("certificate"), sa.column("subject_key_id"))
    issued = connection.execute(sa.select(table.c.serial, table.c.certificate).where(table.c.certificate.is_not(None)))
    for serial, certificate in issued.all():
        connection.execute(
            table.update().where(table.c.serial == serial).values(subject_key_id=_subject_key_id(bytes(certificate)))
        )


def _subject_key_id(certificate: bytes) -> str | None:
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except (ValueError, x509.ExtensionNotFound):
        return None
