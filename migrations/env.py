"""Runs the migrations on the connection Assent hands over, or on ASSENT_DATABASE_URL from the `alembic` command."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import DateTime, Enum, LargeBinary, String
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import lifecycle.models  # noqa: F401  (fills the metadata)
from lifecycle.columns import ExactText, UTCDateTime
from lifecycle.db import Database
from lifecycle.settings import load_settings

# How our column types are written down in a migration, so that old ones never import the code of today.
WRITTEN: dict[type[Any], str] = {
    UTCDateTime: "sa.DateTime(timezone=True)",
    ExactText: "sa.LargeBinary()",
    Enum: "sa.String(length=32)",
    AutoString: "sa.String()",
}


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    return WRITTEN.get(type(item), False) if kind == "type" else False


def compare_type(ctx: Any, column: Any, metadata_column: Any, found: Any, wanted: Any) -> bool:
    """Compare as DDL: SQLite knows five type names, and PostgreSQL's are what we wrote."""
    dialect = ctx.dialect
    plain = {
        UTCDateTime: DateTime(timezone=True),
        ExactText: LargeBinary(),
        Enum: String(32),
        AutoString: String(),
    }.get(type(wanted), wanted)
    return str(found.compile(dialect)) != str(plain.compile(dialect))


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_item=render_item,
        compare_type=compare_type,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over: Connection | None = context.config.attributes.get("connection")
if handed_over is not None:
    migrate(handed_over)
else:
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    with database.engine.begin() as connection:
        migrate(connection)
    database.close()
