"""Keep where imported versions come from

A new table, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "origins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_origins_document_id")),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name=op.f("fk_origins_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_origins")),
        sa.UniqueConstraint("document_id", "source", name=op.f("uq_origins_document_id_source")),
        sa.UniqueConstraint("version_id", name=op.f("uq_origins_version_id")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("origins")
