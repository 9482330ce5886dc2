"""Count what the relay takes a second and an hour, over all workers

A new table, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "relay_buckets",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relay_buckets")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("relay_buckets")
