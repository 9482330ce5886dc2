"""Mark every change of what calendars are derived from, and let standing be looked up in one index

New tables, triggers and an index, which the release before this one leaves alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("documents", "versions", "graces")
# Random, never counted: a change that was rolled back must not leave its mark to the next one.
TOKEN = {"sqlite": "random()", "postgresql": "(random() * 9007199254740991)::bigint * 1024 + (random() * 1023)::bigint"}
FOR_ONE = {"sqlite": " WHEN NEW.user_id IS NULL", "postgresql": " WHEN (NEW.user_id IS NULL)"}


def upgrade() -> None:
    op.create_table(
        "graces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undo_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_graces_user_id")),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name=op.f("fk_graces_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_graces")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_graces_user_id"), "graces", ["user_id"], unique=False)
    op.create_index(op.f("ix_graces_version_id"), "graces", ["version_id"], unique=False)
    op.create_table(
        "timetable_marks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timetable_marks")),
        sqlite_strict=True,
    )
    columns = ["user_id", "at", "id", "version_id", "kind"]
    op.create_index(op.f("ix_engagements_user_id_at_id_version_id_kind"), "engagements", columns, unique=False)
    dialect = op.get_bind().dialect.name
    op.execute(f"INSERT INTO timetable_marks (id, token) VALUES (1, {TOKEN[dialect]})")
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION assent_mark_timetable() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN UPDATE timetable_marks SET token = {TOKEN[dialect]}; RETURN NULL; END $$"
        )
    for table in TABLES:
        for act in ("INSERT", "UPDATE", "DELETE"):
            _mark(dialect, table, act)


def _mark(dialect: str, table: str, act: str) -> None:
    when = FOR_ONE[dialect].replace("NEW", "OLD" if act == "DELETE" else "NEW") if table == "graces" else ""
    what = (
        f"BEGIN UPDATE timetable_marks SET token = {TOKEN[dialect]}; END"
        if dialect == "sqlite"
        else "EXECUTE FUNCTION assent_mark_timetable()"
    )
    op.execute(f"CREATE TRIGGER mark_{act.lower()}_{table} AFTER {act} ON {table} FOR EACH ROW{when} {what}")


def downgrade() -> None:
    for table in TABLES:
        for act in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER mark_{act}_{table}" + (f" ON {table}" * (op.get_bind().dialect.name != "sqlite")))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION assent_mark_timetable()")
    op.drop_index(op.f("ix_engagements_user_id_at_id_version_id_kind"), table_name="engagements")
    op.drop_table("timetable_marks")
    op.drop_table("graces")
