"""Bound terminations by scope, end, emergency, stay and a notice given by staff

New columns with defaults, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXTS = ("scope", "legal_ground", "exit_right", "told_evidence", "stay_reason")
WORDS = ("emergency", "told_by")
INSTANTS = ("ends_at", "told_at", "stayed_at")


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("terminations", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in WORDS:
        op.add_column("terminations", sa.Column(name, sa.String(length=32), nullable=True))
    for name in INSTANTS:
        op.add_column("terminations", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_terminations_ends_at"), "terminations", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_terminations_ends_at"), table_name="terminations")
    for name in (*TEXTS, *WORDS, *INSTANTS):
        op.drop_column("terminations", name)
