"""Freeze what follows an objection with the publication that says so

A trigger beside those of 0002, which knew nothing of these columns.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NAME = "frozen_objection_versions"
WHY = "a publication never changes"


def _changed(unequal: str) -> str:
    old, new = (f"({row}.on_objection, {row}.objection_notice_days)" for row in ("OLD", "NEW"))
    return f"OLD.published_at IS NOT NULL AND {old} {unequal} {new}"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {NAME} BEFORE UPDATE ON versions WHEN {_changed('IS NOT')} "
            f"BEGIN SELECT RAISE(ABORT, '{WHY}'); END"
        )
    else:
        op.execute(
            f"CREATE TRIGGER {NAME} BEFORE UPDATE ON versions FOR EACH ROW WHEN ({_changed('IS DISTINCT FROM')}) "
            f"EXECUTE FUNCTION assent_refuse('{WHY}')"
        )


def downgrade() -> None:
    on = "" if op.get_bind().dialect.name == "sqlite" else " ON versions"
    op.execute(f"DROP TRIGGER {NAME}{on}")
