"""Say with each version what follows an objection to it

New columns with defaults, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("versions", sa.Column("on_objection", sa.String(length=32), nullable=False, server_default="keep"))
    op.add_column("versions", sa.Column("objection_notice_days", sa.Integer(), nullable=False, server_default="30"))


def downgrade() -> None:
    op.drop_column("versions", "objection_notice_days")
    op.drop_column("versions", "on_objection")
