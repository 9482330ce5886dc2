"""Count the clocks of requests, and erase people

Only new columns with defaults and new tables, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXTS = {"email": sa.String(), "outcome_reason": sa.Text(), "extension_reason": sa.Text(), "verified_by": sa.Text()}
INSTANTS = ("extended_at", "verified_at", "erase_at", "erased_at")


def upgrade() -> None:
    for name, kind in TEXTS.items():
        op.add_column("requests", sa.Column(name, kind, nullable=False, server_default=""))
    op.add_column("requests", sa.Column("regime", sa.String(), nullable=False, server_default="contract"))
    op.add_column("requests", sa.Column("outcome", sa.String(length=32), nullable=True))
    for name in INSTANTS:
        op.add_column("requests", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    _refer("requests", "joined_to")
    op.create_index(op.f("ix_requests_joined_to"), "requests", ["joined_to"], unique=False)
    _refer("notices", "request_id")
    few = sa.text("request_id IS NOT NULL")
    op.create_index("ix_notices_request_id", "notices", ["request_id"], sqlite_where=few, postgresql_where=few)
    op.add_column("notices", sa.Column("message_sha256", sa.String(), nullable=False, server_default=""))
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "erasures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scrubbed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_erasures_request_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_erasures_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("user_id", name=op.f("uq_erasures_user_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_holds_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_holds_user_id"), "holds", ["user_id"], unique=False)


def _refer(table: str, column: str) -> None:
    """A column that may name a request. SQLite takes a reference only together with the column."""
    reference = sa.ForeignKey("requests.id", name=f"fk_{table}_{column}")
    op.add_column(table, sa.Column(column, sa.Integer(), reference, nullable=True), inline_references=True)


def downgrade() -> None:
    op.drop_table("holds")
    op.drop_table("erasures")
    op.drop_column("users", "erased_at")
    op.drop_index("ix_notices_request_id", table_name="notices")
    op.drop_column("notices", "message_sha256")
    op.drop_column("notices", "request_id")
    op.drop_index(op.f("ix_requests_joined_to"), table_name="requests")
    op.drop_column("requests", "joined_to")
    for name in (*INSTANTS, "outcome", "regime", *TEXTS):
        op.drop_column("requests", name)
