"""Hold, pace and settle campaigns; find what is due by an index of what waits

New columns have defaults, so the release before this one goes on writing while both run. Users whom a campaign had
passed before are settled.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAITING = sa.text("status IN ('owed', 'deferred', 'unknown') AND doubts < 2")
INSTANTS = ("paced_until", "paused_at", "cancelled_at")


def upgrade() -> None:
    for name in ("settled", "doubted"):
        op.add_column("campaigns", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    for name in ("writers", "cancelled_reason"):
        op.add_column("campaigns", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in INSTANTS:
        op.add_column("campaigns", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE campaigns SET settled = cursor")
    op.drop_index(op.f("ix_notices_status_priority_due_at"), table_name="notices")
    op.drop_index(op.f("ix_notices_version_id"), table_name="notices")
    op.create_index(
        "ix_notices_waiting",
        "notices",
        ["channel", "priority", "due_at", "id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index(op.f("ix_notices_status_id"), "notices", ["status", "id"])
    op.create_index(
        op.f("ix_notices_version_id_purpose_status_sent_at"), "notices", ["version_id", "purpose", "status", "sent_at"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_notices_version_id_purpose_status_sent_at"), table_name="notices")
    op.drop_index(op.f("ix_notices_status_id"), table_name="notices")
    op.drop_index("ix_notices_waiting", table_name="notices", sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index(op.f("ix_notices_version_id"), "notices", ["version_id"])
    op.create_index(op.f("ix_notices_status_priority_due_at"), "notices", ["status", "priority", "due_at"])
    for name in ("settled", "doubted", "writers", "cancelled_reason", *INSTANTS):
        op.drop_column("campaigns", name)
