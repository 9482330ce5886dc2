"""Keep a campaign's messages compressed against what they share

The release before this one does not know the new column, and cannot show the messages that were compressed.
"""

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message_forms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("common", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_forms")),
        sa.UniqueConstraint("sha256", name=op.f("uq_message_forms_sha256")),
        sqlite_strict=True,
    )
    # As SQL, for Alembic would copy the whole table on SQLite to add a foreign key.
    constraint = op.f("fk_notices_form_id")
    op.execute(f"ALTER TABLE notices ADD COLUMN form_id INTEGER CONSTRAINT {constraint} REFERENCES message_forms (id)")


def downgrade() -> None:
    _decompress(op.get_bind())
    op.execute("ALTER TABLE notices DROP COLUMN form_id")
    op.drop_table("message_forms")


def _decompress(connection: sa.Connection) -> None:
    """The release before keeps every message as it is."""
    forms = {row.id: row.common for row in connection.execute(sa.text("SELECT id, common FROM message_forms"))}
    some = sa.text("SELECT id, form_id, message FROM notices WHERE form_id IS NOT NULL LIMIT 1000")
    plain = sa.text("UPDATE notices SET message = :message, form_id = NULL WHERE id = :id")
    while rows := connection.execute(some).all():
        for notice_id, form_id, message in rows:
            common = zstandard.ZstdCompressionDict(forms[form_id], dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            whole = zstandard.ZstdDecompressor(dict_data=common).decompress(message)
            connection.execute(plain, {"id": notice_id, "message": whole})
