"""Index the terminations only of the notices that have one

PostgreSQL writes each index anew when a row changes, and most notices are of campaigns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NAME = "ix_notices_termination_id"


def upgrade() -> None:
    few = sa.text("termination_id IS NOT NULL")
    op.drop_index(NAME, table_name="notices")
    op.create_index(NAME, "notices", ["termination_id"], sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    op.drop_index(NAME, table_name="notices")
    op.create_index(NAME, "notices", ["termination_id"])
