"""Write each try at a notice once, at its end

When a hand-over under way began stands with its notice. The release before this one does not know tries without an end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UNDER_WAY = "attempts.notice_id = notices.id AND attempts.outcome = 'started'"


def upgrade() -> None:
    op.add_column("notices", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(f"UPDATE notices SET begun_at = attempts.started_at FROM attempts WHERE {UNDER_WAY}")
    op.execute("DELETE FROM attempts WHERE outcome = 'started'")


def downgrade() -> None:
    op.execute(
        "INSERT INTO attempts (notice_id, nth, address, started_at, outcome, reply) "
        "SELECT id, attempts, address, begun_at, 'started', '' FROM notices WHERE status = 'sending'"
    )
    op.execute("ALTER TABLE notices DROP COLUMN begun_at")
