"""Keep messages in a table of their own

A notice changes several times on its way, and its message never: a row that holds both is written whole each time.
The release before this one cannot run on the new schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOVE = (
    "INSERT INTO messages (notice_id, form_id, content) "
    "SELECT id, form_id, message FROM notices WHERE message IS NOT NULL ORDER BY id"
)
MOVE_BACK = (
    "UPDATE notices SET form_id = messages.form_id, message = messages.content "
    "FROM messages WHERE messages.notice_id = notices.id"
)


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("form_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["message_forms.id"], name=op.f("fk_messages_form_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_messages_notice_id")),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_messages")),
        sqlite_strict=True,
    )
    op.execute(MOVE)
    op.execute("ALTER TABLE notices DROP COLUMN form_id")
    op.execute("ALTER TABLE notices DROP COLUMN message")


def downgrade() -> None:
    # As SQL, for Alembic would copy the whole table on SQLite to add a foreign key.
    constraint = op.f("fk_notices_form_id")
    blob = "BLOB" if op.get_bind().dialect.name == "sqlite" else "BYTEA"
    op.execute(f"ALTER TABLE notices ADD COLUMN form_id INTEGER CONSTRAINT {constraint} REFERENCES message_forms (id)")
    op.execute(f"ALTER TABLE notices ADD COLUMN message {blob}")
    op.execute(MOVE_BACK)
    op.drop_table("messages")
