"""Freeze published texts, engagements and the history

The database itself refuses to change them, whoever asks (rule 1).
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DECIDED = (
    "document_id, number, created_at, imported, mode, changelog, published_at, effective_at, "
    "notice_days, deadline_days, regime, override_reason"
)


def _row(prefix: str) -> str:
    return "(" + ", ".join(f"{prefix}.{column.strip()}" for column in DECIDED.split(",")) + ")"


def _published(version_id: str) -> str:
    return f"EXISTS (SELECT 1 FROM versions WHERE id = {version_id} AND published_at IS NOT NULL)"


def _section_published(body_id: str) -> str:
    return (
        "EXISTS (SELECT 1 FROM bodies JOIN versions ON versions.id = bodies.version_id "
        f"WHERE bodies.id = {body_id} AND versions.published_at IS NOT NULL)"
    )


# (table, what happens to it, when that is refused, why); `IS NOT` stands for null-safe inequality.
RULES = [
    ("bodies", "UPDATE", _published("OLD.version_id"), "a published body never changes"),
    ("bodies", "DELETE", _published("OLD.version_id"), "a published body never goes away"),
    (
        "sections",
        "UPDATE",
        _section_published("OLD.body_id") + " AND (OLD.body_id, OLD.position, OLD.number, OLD.anchor, OLD.start, "
        'OLD."end") IS NOT (NEW.body_id, NEW.position, NEW.number, NEW.anchor, NEW.start, NEW."end")',
        "a published section never changes",
    ),
    ("sections", "DELETE", _section_published("OLD.body_id"), "a published section never goes away"),
    (
        "versions",
        "UPDATE",
        f"OLD.published_at IS NOT NULL AND {_row('OLD')} IS NOT {_row('NEW')}",
        "a publication never changes",
    ),
    (
        "versions",
        "UPDATE",
        "OLD.withdrawn_at IS NOT NULL AND OLD.withdrawn_at IS NOT NEW.withdrawn_at",
        "a withdrawal is never undone",
    ),
    ("versions", "DELETE", "OLD.published_at IS NOT NULL", "a published version never goes away"),
    ("engagements", "UPDATE", "TRUE", "an engagement never changes"),
    ("engagements", "DELETE", "TRUE", "an engagement never goes away"),
    ("events", "UPDATE", "TRUE", "the history never changes"),
    ("events", "DELETE", "TRUE", "the history never goes away"),
]

# INSERT OR REPLACE on SQLite deletes without firing the DELETE trigger.
REPLACED = [
    (
        "bodies",
        "id = NEW.id OR (version_id = NEW.version_id AND locale = NEW.locale)",
        _published("version_id"),
    ),
    (
        "versions",
        "id = NEW.id OR (document_id = NEW.document_id AND number = NEW.number)",
        "published_at IS NOT NULL",
    ),
    ("engagements", "id = NEW.id", "TRUE"),
    ("events", "id = NEW.id", "TRUE"),
]

TRUNCATED = ["bodies", "sections", "versions", "engagements", "events"]


def _name(index: int, table: str) -> str:
    return f"frozen_{index}_{table}"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        _upgrade_postgresql()


def _upgrade_sqlite() -> None:
    for index, (table, act, when, why) in enumerate(RULES):
        op.execute(
            f"CREATE TRIGGER {_name(index, table)} BEFORE {act} ON {table} WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
        )
    for table, same, frozen in REPLACED:
        op.execute(
            f"CREATE TRIGGER frozen_replace_{table} BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE ({same}) AND {frozen}) "
            f"BEGIN SELECT RAISE(ABORT, 'what is published or recorded is never replaced'); END"
        )


def _upgrade_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION assent_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for index, (table, act, when, why) in enumerate(RULES):
        _postgresql_rule(
            index,
            table,
            act,
            when.replace("IS NOT (", "IS DISTINCT FROM (").replace("IS NOT NEW", "IS DISTINCT FROM NEW"),
            why,
        )
    for table in TRUNCATED:
        op.execute(
            f"CREATE TRIGGER frozen_truncate_{table} BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION assent_refuse('{table} is never emptied')"
        )


def _postgresql_rule(index: int, table: str, act: str, when: str, why: str) -> None:
    """PostgreSQL allows no subquery in WHEN, so the condition stands in a function of its own."""
    name = _name(index, table)
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {when} THEN RAISE EXCEPTION '{why}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        f"RETURN {'NEW' if act == 'UPDATE' else 'OLD'}; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for index, (table, *_) in enumerate(RULES):
            op.execute(f"DROP TRIGGER {_name(index, table)}")
        for table, *_ in REPLACED:
            op.execute(f"DROP TRIGGER frozen_replace_{table}")
        return
    for index, (table, *_) in enumerate(RULES):
        op.execute(f"DROP FUNCTION {_name(index, table)}() CASCADE")
    op.execute("DROP FUNCTION assent_refuse() CASCADE")
