"""Keep what staff say about questions, and the questions that found no answer

New tables, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("lead_in", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_pins_document_id_documents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pins")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_pins_document_id"), "pins", ["document_id"], unique=False)
    op.create_table(
        "pin_places",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pin_id", sa.Integer(), nullable=False),
        sa.Column("anchor", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["pin_id"], ["pins.id"], name=op.f("fk_pin_places_pin_id_pins")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin_places")),
        sa.UniqueConstraint("pin_id", "anchor", "sha256", name=op.f("uq_pin_places_pin_id_anchor_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "unanswered",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unanswered")),
        sa.UniqueConstraint("question", "locale", name=op.f("uq_unanswered_question_locale")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_unanswered_last_at"), "unanswered", ["last_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_unanswered_last_at"), table_name="unanswered")
    op.drop_table("unanswered")
    op.drop_table("pin_places")
    op.drop_index(op.f("ix_pins_document_id"), table_name="pins")
    op.drop_table("pins")
