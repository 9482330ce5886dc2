"""Keep what staff say about the promises of a text

A new table, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "promise_marks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "notice",
                "without_notice",
                "contact",
                "invite",
                "age",
                "deletion",
                "none",
                name="promisekind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_promise_marks_document_id_documents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise_marks")),
        sa.UniqueConstraint("document_id", "locale", "quote", name=op.f("uq_promise_marks_document_id_locale_quote")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("promise_marks")
